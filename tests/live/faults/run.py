"""A fault run: telephones call each other, everything breaks in turn, and the telephones judge what is left.

Owns the house of one run and its report. By hand:

    python -m tests.live.faults.run [--asterisk 22] [--seed 1] [--faults 20] [--calls 0] [--pairs 20] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorderd.core.coverage import Coverage
from recorderd.store.abc import AlarmRow
from tests.live.asterisk import Asterisk, free_port
from tests.live.daemon import Recorderd
from tests.live.faults.disk import Disk, missing
from tests.live.faults.injector import FAULTS, Fault, House, Injected, chosen, inject
from tests.live.faults.load import Load, Pair
from tests.live.faults.proxy import Proxy
from tests.live.faults.truth import EDGE, Verdict, judge
from tests.live.phone import Phones
from tests.live.scene import Scene
from tests.postgres import running

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
NEVER_EVERY = 7  # of so many pairs one is never recorded
RECOVERY = 3.0
# Seconds that a loaded machine is given before a run is called hung.
_PATIENCE = 20.0


@dataclass
class Run:
    """What a run left behind."""

    scene: Scene
    injected: list[Injected]
    verdicts: list[Verdict]
    tried: int
    seconds: float
    coverage: Coverage
    alarms: Sequence[AlarmRow]
    left: Sequence[Path]
    worst_delay: float

    def of(self, kind: str) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.kind == kind]


def pairs(count: int) -> list[Pair]:
    return [(str(101 + 2 * i), str(102 + 2 * i)) for i in range(count)]


@contextlib.asynccontextmanager
async def house(
    version: int,
    folder: Path,
    phones_of: int,
    seed: int,
    seconds: tuple[float, float],
    *,
    clock: bool = False,
) -> AsyncIterator[tuple[House, list[Pair]]]:
    """Asterisk, recorderd on PostgreSQL behind a bad network on a bad disk with a bad clock, and telephones."""
    mine = pairs(phones_of)
    recorded = [pair for i, pair in enumerate(mine) if i % NEVER_EVERY != NEVER_EVERY - 1]
    async with contextlib.AsyncExitStack() as stack:
        cluster = stack.enter_context(running())
        cluster.create("recorderd")
        agi = free_port()
        asterisk = Asterisk.start(version, folder / "asterisk", endpoints=2 * phones_of, agi_port=agi)
        stack.callback(asterisk.stop)
        proxy = Proxy(asterisk.ami_port)
        stack.callback(proxy.close)
        daemon = Recorderd(
            asterisk,
            folder / "recorderd",
            store_url=cluster.url("recorderd"),
            cdr={"source": f"sqlite:///{asterisk.cdr_table}"},
        )
        daemon.configure(asterisk={"port": proxy.port})
        hands = folder / "clock"
        if clock:
            hands.write_text("+0")
            daemon.environ = {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(hands),
                "FAKETIME_CACHE_DURATION": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        disk = Disk(daemon.lanes, folder / "image")
        stack.callback(disk.close)
        await daemon.allow({n: "always" if pair in recorded else "never" for pair in mine for n in pair})
        await daemon.start()
        stack.push_async_callback(_stop, daemon)
        phones = await stack.enter_async_context(Phones(asterisk))
        load = Load(phones, mine, seed, seconds)
        yield House(asterisk, daemon, proxy, disk, cluster, load, hands, random.Random(seed)), recorded


async def _stop(daemon: Recorderd) -> None:
    with contextlib.suppress(Exception):
        daemon.go_on()
        await daemon.stop()
    daemon.kill()


async def run(
    version: int,
    folder: Path,
    *,
    seed: int,
    faults: Sequence[Fault] = (),
    calls: int = 0,
    phones_of: int = 20,
    seconds: tuple[float, float] = (2.0, 10.0),
) -> Run:
    """Play and judge. Without faults: `calls` calls."""
    begun = time.monotonic()
    async with house(
        version, folder, phones_of, seed, seconds, clock=any("clock" in f.name for f in faults)
    ) as (place, recorded):
        await place.load.start(calls)
        if faults:
            await asyncio.sleep(4.0)
            done = await inject(place, faults, (0.5, 3.0), _PATIENCE)
            await asyncio.sleep(4.0)
            await place.load.stop()
        else:
            done = []
            await place.load.finished()
        scene = Scene(place.asterisk, place.daemon)
        print(f"{len(place.load.talks)} talks in {time.monotonic() - begun:.0f} s, judging", flush=True)
        await place.daemon.quiet(60)
        ticker = place.load._phones.ticker
        verdicts = await asyncio.to_thread(
            judge, place.load.talks, scene.files(), await place.daemon.intervals(), recorded, ticker
        )
        coverage = await place.daemon.coverage()
        alarms = await place.daemon.ledger(lambda store: store.alarms())
        left = scene.lane_files()
    spent = time.monotonic() - begun
    return Run(scene, done, verdicts, place.load.tried, spent, coverage, alarms, left, ticker.worst_delay)


KINDS = (
    "whole",
    "told",
    "as wanted",
    "stuttered",
    "untold",
    "false-alarm",
    "forbidden",
    "doubled",
    "unaccounted",
)
BAD = KINDS[4:]


@dataclass(frozen=True)
class Line:
    """What became of all faults of one name."""

    name: str
    what: str
    injected: int
    kinds: Mapping[str, int]
    lost_ms: int
    told_ms: int
    talk_ms: int
    recovery: float
    well: float


def lines(played: Run) -> list[Line]:
    """One for each kind of fault, in the order of the table of faults."""
    found = []
    for fault in FAULTS:
        mine = [one for one in played.injected if one.fault.name == fault.name]
        if not mine:
            continue
        touched = {id(v): v for v in played.verdicts for one in mine if _touches(one, v)}.values()
        wanted = [v for v in touched if v.wanted]
        found.append(
            Line(
                fault.name,
                fault.what,
                len(mine),
                Counter(v.kind for v in touched),
                sum(v.missing_ms for v in wanted),
                sum(min(v.told_ms, v.talk.ms) for v in wanted),
                sum(v.talk.ms for v in wanted),
                max(_recovery(played, one) for one in mine),
                max(one.well - one.ended if one.well else math.inf for one in mine),
            )
        )
    return found


def _touches(one: Injected, verdict: Verdict) -> bool:
    return verdict.talk.start < one.ended + RECOVERY and verdict.talk.end > one.began


def _recovery(played: Run, one: Injected) -> float:
    """How long after the end of the fault words were still lost (those at the edges of a talk not counted)."""
    return max((at - one.ended for _, at in _lost_after(played, one)), default=0.0)


def _lost_after(played: Run, one: Injected) -> list[tuple[Verdict, float]]:
    return [
        (v, at)
        for v in played.verdicts
        if v.wanted
        for at in v.gaps
        if one.ended < at < one.until and v.talk.start + EDGE < at < v.talk.end - EDGE
    ]


def late(played: Run) -> list[str]:
    """Of each fault after which words were lost for longer than they may be: the talk that lost the last."""
    found = []
    for one in played.injected:
        lost = _lost_after(played, one)
        v, at = max(lost, key=lambda each: each[1], default=(None, 0.0))
        if v is not None and at - one.ended > RECOVERY:
            when = f"{one.began % 1000:.2f}..{one.ended % 1000:.2f}"
            found.append(f"{one.fault.name} {when}: sound back after {at - one.ended:.2f} s: {v}")
    return found


def table(played: Run) -> str:
    """For docs/faults.md."""
    head = "| fault | injected | talks it met | whole | lost, and told | words lost | untold | sound back | all well |"
    rows = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for line in lines(played):
        wanted = sum(n for kind, n in line.kinds.items() if kind != "as wanted")
        share = 100 * line.lost_ms / max(1, line.talk_ms)
        rows.append(
            f"| {line.name} | {line.injected} | {wanted} | {line.kinds['whole']} | {line.kinds['told']} "
            f"| {line.lost_ms / 1000:.1f} s ({share:.1f} %) | {sum(line.kinds[kind] for kind in BAD)} "
            f"| {line.recovery:.1f} s | {line.well:.1f} s |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.faults.run")
    parser.add_argument("--asterisk", type=int, default=22)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=14)
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if why := missing():
        print(why)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="recorderd-faults-"))
    names = args.only or [fault.name for fault in FAULTS]
    faults = [] if args.calls else chosen(names, args.faults, random.Random(args.seed))
    played = asyncio.run(
        run(args.asterisk, folder, seed=args.seed, faults=faults, calls=args.calls, phones_of=args.pairs)
    )
    print(table(played))
    for kind in ("told", *BAD):
        for verdict in played.of(kind):
            print(verdict)
    print({kind: len(played.of(kind)) for kind in KINDS}, "tried", played.tried, f"{played.seconds:.0f} s")
    print(
        "alarms",
        Counter(a.kind for a in played.alarms),
        "left",
        len(played.left),
        "worst delay",
        played.worst_delay,
    )
    c = played.coverage
    print(
        "coverage: pending",
        len(c.pending),
        "unaccounted",
        [str(x) for x in c.unaccounted][:3],
        "orphans",
        c.orphans[:3],
        "lost",
        [r.name for r in c.lost][:3],
    )
    if args.keep:
        print(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
