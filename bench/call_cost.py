"""Cost of a call: CPU of the daemon against CPU of Asterisk, plain and FreePBX-like, at 20 and 150 calls a second.

Everything is on: every call is recorded on both sides, mixed, linked and kept in SQLite. Calls are SIP, up for a
second, with sound both ways. The daemon's CPU is that of its own process, in which calls are decided, and of the clerk,
which stores, links and lists; that of the niced process which mixes is told beside it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

from bench import cpu
from bench.house import calls, house
from bench.row import Row, at, median
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd

NAME = "cost"
GOALS = {("heavy", 150): ("<=", 0.12)}
RATES = (20, 150)


@dataclass
class Cost:
    """Of one round: milliseconds of CPU a call, and what the calls told."""

    asterisk: float
    engine: float
    clerk: float
    mixer: float
    told: dict[str, Any]

    @property
    def ratio(self) -> float:
        return (self.engine + self.clerk) / self.asterisk

    @property
    def in_the_path(self) -> float:
        return self.engine / self.asterisk


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    rows = []
    for kind in ("plain", "heavy"):
        async with house(kind) as (asterisk, daemon):
            await calls(asterisk, 10, 2)
            await _rest(daemon)
            for rate in RATES:
                seconds = {20: 6, 150: 3}[rate] if quick else {20: 20, 150: 10}[rate]
                costs = [await _round(asterisk, daemon, rate, seconds) for _ in range(2 if quick else 5)]
                rows += _rows(kind, rate, costs)
            rows.append(await _right(kind, daemon))
    return rows


async def _round(asterisk: Asterisk, daemon: Recorderd, rate: int, seconds: float) -> Cost:
    pids = (asterisk.pid, *cpu.daemons(daemon.pid))
    before = [cpu.seconds(pid) for pid in pids]
    told = await calls(asterisk, rate, seconds)
    await _rest(daemon)
    taken = [cpu.seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    cost = Cost(*(1000 * each / max(1, told["answered"]) for each in taken), told=told)
    print(f"  {rate}/s {cost}"[:300], file=sys.stderr, flush=True)
    return cost


async def _rest(daemon: Recorderd) -> None:
    """All of these calls is done with. Asked for once a second: each question costs the daemon what a call does."""
    for _ in range(20):
        await asyncio.sleep(1)
        status = await daemon.status()
        if not any(status["calls"][what] for what in ("channels", "lanes", "closing")):
            break
    await asyncio.sleep(2)


def _rows(kind: str, rate: int, costs: list[Cost]) -> list[Row]:
    asterisk, engine, clerk, mixer = (
        median([getattr(cost, name) for cost in costs]) for name in ("asterisk", "engine", "clerk", "mixer")
    )
    times = [time for cost in costs for time in cost.told["times"]]
    started, answered = (sum(cost.told[key] for cost in costs) for key in ("started", "answered"))
    late = max(cost.told["behind"] for cost in costs)
    return [
        Row(
            what=f"{kind}, {rate} calls/s: CPU of the daemon ÷ CPU of Asterisk, per call",
            value=median([cost.ratio for cost in costs]),
            unit="×",
            goal=GOALS.get((kind, rate)),
            detail=f"deciding {engine:.2f} ms, the clerk {clerk:.2f} ms, Asterisk {asterisk:.2f} ms, "
            f"mixing {mixer:.2f} ms a call",
        ),
        Row(
            what="… of that what is in a call's way (the clerk is not)",
            value=median([cost.in_the_path for cost in costs]),
            unit="×",
        ),
        Row(
            what=f"… calls answered of {started}",
            value=answered,
            detail=f"answered after {1000 * at(times, 0.5):.0f} ms, p99 {1000 * at(times, 0.99):.0f} ms "
            f"(100 of them the callee's own); begun at most {1000 * late:.0f} ms late",
        ),
    ]


async def _right(kind: str, daemon: Recorderd) -> Row:
    """Every stretch of talk of all these calls has its outcome."""
    outcomes = [str(interval.outcome) for interval in await daemon.intervals()]
    faults = sum("FAULT" in outcome for outcome in outcomes)
    told = ", ".join(f"{outcomes.count(one)} {one}" for one in sorted(set(outcomes)))
    return Row(what=f"{kind}: talks with a fault, of {len(outcomes)}", value=faults, detail=told)
