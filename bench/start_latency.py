"""From the bridge to the recorder: BridgeEnter to MixMonitorStart, against a plain panoramisk recorder beside it.

Both watch the same Asterisk at once; half of the telephones are ours, the other half panoramisk's, and each records
its own half's callees. Both stamps are Asterisk's own. Ours arms callers before the bridge: how long before is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from bench.house import PHONES, calls, house
from bench.row import Row, at, median
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd
from tests.live.rig_ami import RigAmi

NAME = "start"
OURS, THEIRS = PHONES[:20], PHONES[20:]
LOADS = (("plain", 20), ("heavy", 100))


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    rows = []
    for kind, rate in LOADS:
        async with house(kind) as (asterisk, daemon):
            await daemon.allow(dict.fromkeys(OURS, "always"))
            with _panoramisk(asterisk):
                found = await _watch(asterisk, daemon, rate, quick)
        rows += _rows(kind, rate, found)
    return rows


class Found:
    """Seconds from the bridge to the start, by round: of callees, and of callers who were armed."""

    def __init__(self) -> None:
        self.ours: list[list[float]] = []
        self.theirs: list[list[float]] = []
        self.armed: list[float] = []
        self.missed = 0
        self.silent = 0


async def _watch(asterisk: Asterisk, daemon: Recorderd, rate: int, quick: bool) -> Found:
    found = Found()
    rounds, number_of_calls = (2, 200) if quick else (6, 600)
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami:
        for number in range(rounds + 1):
            ami.events.clear()
            both = [
                calls(asterisk, rate / 2, number_of_calls / rate, phones=phones) for phones in (OURS, THEIRS)
            ]
            await asyncio.gather(*both)
            await daemon.idle(60)
            if number:  # the first round warms everything up
                _read(ami.events, found)
    return found


class Meeting(NamedTuple):
    """Two in a bridge: when the second came, who they are, and the callee's extension."""

    met: float
    caller: str
    callee: str
    extension: str


def _meetings(events: list[dict[str, str]]) -> tuple[list[Meeting], dict[str, float]]:
    """All of them, and when a recorder began on which channel."""
    bridges: dict[str, list[tuple[float, str, str]]] = defaultdict(list)
    started: dict[str, float] = {}
    for event in events:
        stamp = float(event.get("Timestamp", "0"))
        if event["Event"] == "BridgeEnter":
            bridges[event["BridgeUniqueid"]].append((stamp, event["Uniqueid"], event["Channel"]))
        elif event["Event"] == "MixMonitorStart":
            started.setdefault(event["Uniqueid"], stamp)
    found = []
    for pair in bridges.values():
        if len(pair) == 2:
            # A callee is in the bridge first, its caller follows.
            (_, callee, name), (met, caller, _) = sorted(pair)
            found.append(Meeting(met, caller, callee, name.partition("/")[2].partition("-")[0]))
    return found, started


def starts(events: list[dict[str, str]]) -> list[float]:
    """Seconds from each meeting to the callee's recorder, of those that had one."""
    meetings, started = _meetings(events)
    return [started[each.callee] - each.met for each in meetings if each.callee in started]


def _read(events: list[dict[str, str]], found: Found) -> None:
    """Pair each channel's start with the moment at which the second of its bridge came."""
    meetings, started = _meetings(events)
    ours, theirs = [], []
    for met, caller, callee, extension in meetings:
        mine = extension in OURS
        if callee in started:
            (ours if mine else theirs).append(started[callee] - met)
        else:
            found.missed += mine
        if mine and caller in started:
            found.armed.append(met - started[caller])
    if ours and theirs:
        found.ours.append(ours)
        found.theirs.append(theirs)
    else:  # a round in which one of them recorded nothing cannot be compared
        found.silent += 1


def _rows(kind: str, rate: int, found: Found) -> list[Row]:
    rows = []
    for share, goal in ((0.5, 0.35), (0.99, 0.5)):
        pairs = [(at(a, share), at(b, share)) for a, b in zip(found.ours, found.theirs, strict=True)]
        rows.append(
            Row(
                what=f"{kind}, {rate} calls/s: p{100 * share:.0f} of BridgeEnter to MixMonitorStart, "
                "ours ÷ panoramisk's",
                value=median([a / b for a, b in pairs]),
                unit="×",
                goal=("<=", goal),
                detail=f"{1000 * median([a for a, _ in pairs]):.2f} ms against "
                f"{1000 * median([b for _, b in pairs]):.2f} ms",
            )
        )
    before = sum(lead > 0 for lead in found.armed)
    return [
        *rows,
        Row(
            what="… callees whose recorder never came",
            value=found.missed,
            goal=("=", 0),
            detail=f"{found.silent} rounds in which one of the two recorded nothing" if found.silent else "",
        ),
        Row(
            what="… armed callers whose recorder was there before the bridge",
            value=100 * before / max(1, len(found.armed)),
            unit="%",
            goal=(">=", 100.0),
            detail=f"{len(found.armed)} callers; {1000 * at(found.armed, 0.5):.1f} ms before, "
            f"at least {1000 * min(found.armed, default=0.0):.1f} ms",
        ),
    ]


# --- the peer ----------------------------------------------------------------------------------------


@contextmanager
def _panoramisk(asterisk: Asterisk) -> Iterator[None]:
    """As its documentation shows it, in a process of its own: on BridgeEnter of a callee of its half, MixMonitor."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    told = (asterisk.ami_port, asterisk.secret, str(asterisk.spool / "theirs"), ready)
    process = context.Process(target=_record, args=told, daemon=True)
    process.start()
    try:
        if not ready.wait(30):
            raise RuntimeError("panoramisk did not connect")
        yield
    finally:
        process.kill()
        process.join()


def _record(port: int, secret: str, folder: str, ready: Any) -> None:
    from panoramisk import Manager

    loop = asyncio.new_event_loop()
    manager = Manager(loop=loop, host="127.0.0.1", port=port, username="rig", secret=secret)
    first: dict[str, Any] = {}

    async def entered(_manager: Any, event: Any) -> None:
        callee = first.pop(event.BridgeUniqueid, None)
        if callee is None:
            first[event.BridgeUniqueid] = event
        elif callee.Channel.partition("/")[2].partition("-")[0] in THEIRS:
            file = f"{folder}-{callee.Uniqueid}.wav"
            action = {"Action": "MixMonitor", "Channel": callee.Channel, "File": file, "Options": "b"}
            with contextlib.suppress(Exception):
                await manager.send_action(action)

    async def begin() -> None:
        manager.register_event("BridgeEnter", entered)
        await manager.connect()
        await asyncio.sleep(1)
        ready.set()

    loop.run_until_complete(begin())
    loop.run_forever()
