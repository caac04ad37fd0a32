"""An Asterisk, a recorderd beside it, and the telephones: where a live test plays, and how it is judged.

Owns the joint life of the two and what a test finds when its calls are over. Truth comes from Asterisk's own
CDR table, the disk and the telephones; the ledger is what is judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorderd.core import rows
from recorderd.core.coverage import Coverage
from recorderd.core.policy import ExtensionPolicy
from tests.live.asterisk import Asterisk, free_port
from tests.live.daemon import Recorderd
from tests.live.phone import Call, Phone, Phones

DIALPLAN = Path(__file__).resolve().parents[2] / "dialplan" / "recorderd.conf"
# Below a rig's dialplan, to have it ask before it dials.
ASKING = f'[globals](+)\nRECORDERD_AGI=agi://127.0.0.1:@agi_port@\n#include "{DIALPLAN}"\n'
_STUTTER = 0.02  # seconds
_HEADER = 44  # FreePBX shows no file that is not larger

Policy = Mapping[str, str | tuple[str, str] | ExtensionPolicy]


@dataclass
class Take:
    """What came to be while a test's calls were played; complete once the `async with` has ended."""

    files: list[Path] = field(default_factory=list)
    cdrs: list[dict[str, str]] = field(default_factory=list)
    intervals: list[rows.Interval] = field(default_factory=list)
    recordings: list[rows.Recording] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The only file."""
        assert len(self.files) == 1, f"one file expected: {[file.name for file in self.files]}"
        return self.files[0]


class Scene:
    """One Asterisk with one recorderd."""

    def __init__(self, asterisk: Asterisk, daemon: Recorderd) -> None:
        self.asterisk = asterisk
        self.daemon = daemon
        self.was_busy = False
        self._phones: list[Phones] = []

    def phones(self) -> Phones:
        """Telephones, for an `async with`."""
        self._phones.append(Phones(self.asterisk))
        return self._phones[-1]

    @property
    def stutter(self) -> float:
        """How late a packet left a telephone, at worst, since the last question; in seconds."""
        phones, self._phones = self._phones, []
        return max((each.ticker.worst_delay for each in phones), default=0.0)

    def files(self) -> list[Path]:
        """Every file in the spool, by name."""
        return sorted(file for file in self.daemon.monitor.rglob("*") if file.is_file())

    def lane_files(self) -> list[Path]:
        """What lies where lanes are while a call lasts."""
        places = (self.daemon.lanes, self.daemon.fallback)
        return sorted(file for place in places for file in place.rglob("*") if file.is_file())

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[Take]:
        """Play calls inside; all they left behind is in the Take afterwards."""
        take = Take()
        files, cdrs = set(self.files()), len(self.asterisk.cdrs())
        intervals = {row.id for row in await self.daemon.intervals()}
        recordings = {row.id for row in await self.daemon.recordings()}
        yield take
        await self.daemon.quiet()
        take.files = [file for file in self.files() if file not in files]
        take.cdrs = self.asterisk.cdrs()[cdrs:]
        take.intervals = [row for row in await self.daemon.intervals() if row.id not in intervals]
        take.recordings = [row for row in await self.daemon.recordings() if row.id not in recordings]

    def opened(self, name: str) -> Path:
        """What FreePBX opens for a CDR's `recordingfile` (Cdr.class.php, processPath)."""
        day = name.split("-")[3]
        return self.daemon.monitor / day[0:4] / day[4:6] / day[6:8] / name

    async def proof(self, *, stuttering: bool = False) -> Coverage:
        """Coverage of everything so far; asserts that it is proven, linked, and that no lane is left.

        `stuttering`: so many telephones played on this machine that packets came late and were lost in
        Asterisk, which the ledger rightly calls partial.
        """
        await self.daemon.quiet()
        coverage = await self.daemon.coverage()
        excused = {rows.Outcome.PARTIAL} if stuttering or self.was_busy else set()
        faults = [_short(fault) for fault in coverage.faults if fault.outcome not in excused]
        assert faults == [], "\n".join(faults)
        left = (coverage.pending, coverage.unaccounted, coverage.orphans, coverage.lost)
        assert left == ((), (), (), ())
        assert self.lane_files() == []
        self.assert_linked()
        return coverage

    def assert_linked(self) -> None:
        """Each `recordingfile` in Asterisk's own table is a file that FreePBX would show."""
        for row in self.asterisk.cdrs():
            if row["recordingfile"]:
                file = self.opened(row["recordingfile"])
                assert file.is_file(), f"{row} names a file that is not there"
                assert file.stat().st_size > _HEADER, f"{row} names an empty file"


def _short(interval: rows.Interval) -> str:
    who = " and ".join(party.number for party in interval.parties)
    seconds = (interval.ended_at or interval.started_at) - interval.started_at
    lost = f"{interval.missing_ms} ms of {seconds:.3f} s"
    return f"{who}: {interval.outcome}, {lost} missing, {interval.reason}; {interval.note}"


def forgiving(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Play a test on a `house` once more when it failed on a busy machine.

    In its busy moments packets leave late and Asterisk drops them, and what the daemon does comes late. A
    failure while all packets left in time and nobody else wanted the processors stands.
    """

    @functools.wraps(test)
    async def played(house: Scene, **given: Any) -> None:
        _ = house.stutter
        try:
            await test(house=house, **given)
        except AssertionError:
            if house.stutter < _STUTTER and os.getloadavg()[0] < (os.cpu_count() or 1):
                raise
            house.was_busy = True
            await house.daemon.revive()
            await house.daemon.quiet()
            await test(house=house, **given)

    return played


@contextlib.contextmanager
def scene(version: int, folder: Path, policy: Policy | None = None, **options: Any) -> Iterator[Scene]:
    """Both, booted and connected, with this policy in force. `options` are `Asterisk.start`'s.

    `daemon`: overrides of recorderd's configuration. `features`: a features.conf in place of the rig's. In
    that and in the dialplan, `@agi_port@` becomes the port of our FastAGI server.
    """
    overrides = options.pop("daemon", {})
    port = str(options.setdefault("agi_port", free_port()))
    options["dialplan"] = options.get("dialplan", "").replace("@agi_port@", port)
    if features := options.pop("features", ""):
        options["files"] = {"features.conf": features.replace("@agi_port@", port)}
    asterisk = Asterisk.start(version, folder / "asterisk", **options)
    daemon = Recorderd(asterisk, folder / "recorderd", **overrides)
    daemon.configure()

    async def begin() -> None:
        await daemon.allow(policy or {})
        await daemon.start()

    try:
        asyncio.run(begin())
        yield Scene(asterisk, daemon)
    finally:
        with contextlib.suppress(Exception):
            asyncio.run(daemon.stop())
        asterisk.stop()


async def hang_up(*calls: Call) -> None:
    """The first hangs up; wait until all have ended."""
    await calls[0].hangup()
    for call in calls:
        await call.ended()


async def talk(
    phones: Phones, caller: Phone, callee: Phone, seconds: float, number: str = ""
) -> tuple[Call, Call]:
    """Call, be answered, speak for so long, hang up; the calls of both, ended."""
    calls = await phones.connect(caller, callee, number)
    await asyncio.sleep(seconds)
    await hang_up(*calls)
    return calls
