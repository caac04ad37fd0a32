"""Where it breaks first: calls a second, and recorded calls at once, until something gives way; and what it was.

A real Asterisk, the daemon and the telephones on this one machine, everything recorded. The load grows step by step; a
step holds if every call was answered within a second, its recorder was there within half a second of the bridge, and
its talk was recorded in full. Whose processor time was used up is told for the last step that held and the one that
did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import cpu
from bench.house import calls, house
from bench.row import Row, at
from bench.start_latency import starts
from recorderd.core.rows import Interval, Outcome
from tests.live.asterisk import Asterisk, RigError
from tests.live.daemon import Recorderd
from tests.live.rig_ami import RigAmi

NAME = "limits"
RATES = (10, 20, 30, 40, 60, 80, 100, 130, 160, 200)
AT_ONCE = (20, 40, 80, 120, 160, 200, 300, 400)
Plan = tuple[float, float, float]
"""Calls a second, for how many seconds, each up for how long."""
_PACE = 10.0  # calls a second with which many at once are begun


@dataclass(frozen=True)
class Step:
    """What one step showed. `busy`: shares of a processor, by process."""

    load: float
    faults: tuple[str, ...]
    busy: dict[str, float]

    def __str__(self) -> str:
        used = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.busy.items())
        return f"{self.load:g}: {'; '.join(self.faults) or 'held'} ({used} of a processor)"


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    rows = []
    for kind in ("plain",) if quick else ("plain", "heavy"):
        async with house(kind) as (asterisk, daemon):
            steps = await _climb(asterisk, daemon, RATES, lambda rate: (rate, 6.0 if quick else 15.0, 1.0))
            rows.append(_row(f"{kind}: calls a second that are all recorded", steps, "calls/s"))
    async with house("plain") as (asterisk, daemon):
        many = AT_ONCE[:4] if quick else AT_ONCE
        steps = await _climb(asterisk, daemon, many, lambda n: (_PACE, n / _PACE, n / _PACE + 10))
        rows.append(_row("recorded calls at once", steps, "calls"))
    return rows


async def _climb(
    asterisk: Asterisk, daemon: Recorderd, loads: tuple[int, ...], plan: Callable[[int], Plan]
) -> list[Step]:
    """Steps until one does not hold."""
    await calls(asterisk, 5, 2)
    await daemon.idle(60)
    steps: list[Step] = []
    for load in loads:
        steps.append(await _step(asterisk, daemon, load, *plan(load)))
        print(f"  {steps[-1]}", file=sys.stderr, flush=True)
        if steps[-1].faults:
            break
    return steps


async def _step(
    asterisk: Asterisk, daemon: Recorderd, load: float, rate: float, seconds: float, talk: float
) -> Step:
    known = {interval.id for interval in await daemon.intervals()}
    names = ("Asterisk", "the daemon", "its clerk", "mixing")
    pids = dict(zip(names, (asterisk.pid, *cpu.daemons(daemon.pid)), strict=True))
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami:
        before, begun = {name: cpu.seconds(pid) for name, pid in pids.items()}, time.monotonic()
        told = await calls(asterisk, rate, seconds, talk=talk)
        length = time.monotonic() - begun
        busy = {name: (cpu.seconds(pid) - before[name]) / length for name, pid in pids.items()}
        late = starts(ami.events)
    faults = []
    with contextlib.suppress(RigError):
        await daemon.idle(120)
    if told["answered"] < told["started"]:
        faults.append(f"{told['started'] - told['answered']} of {told['started']} calls were not answered")
    if told["times"] and at(told["times"], 0.99) > 1:
        faults.append(f"p99 of the answer came after {at(told['times'], 0.99):.1f} s")
    if late and at(late, 0.99) > 0.5:
        faults.append(f"p99 of the recorder came {at(late, 0.99):.1f} s after the bridge")
    if told["behind"] > 0.5:
        faults.append(f"the telephones were {told['behind']:.1f} s late themselves")
    new = [interval for interval in await daemon.intervals() if interval.id not in known]
    if wrong := _wrong(new):
        faults.append(wrong)
    return Step(load, tuple(faults), busy)


def _wrong(intervals: list[Interval]) -> str:
    bad = [i for i in intervals if i.outcome is not Outcome.RECORDED]
    kinds = sorted({str(i.outcome) for i in bad})
    return f"{len(bad)} of {len(intervals)} talks are {' or '.join(kinds)}" if bad else ""


def _row(what: str, steps: list[Step], unit: str) -> Row:
    held = [step for step in steps if not step.faults]
    told = f"at {held[-1]}; " if held else ""
    told += f"then {steps[-1]}" if steps[-1].faults else "nothing broke up to there"
    return Row(what=what, value=held[-1].load if held else 0, unit=unit, detail=told)
