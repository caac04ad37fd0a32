"""The database stalls for 30 s beside a whole daemon: what calls, the dialplan and recorders notice of it.

A real Asterisk, calls at 10 a second, and a PostgreSQL that is stopped; meanwhile every tenth of a second a call asks
over FastAGI. Compared with the seconds before. At the end every row is there, and every call recorded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import agi_load
from bench.house import calls, house
from bench.row import Row, at
from bench.start_latency import starts
from recorderd.core.rows import Outcome
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd, children, until
from tests.live.rig_ami import RigAmi
from tests.postgres import Cluster, running

NAME = "stall"
RATE = 10


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(10.0 if quick else 30.0))


async def _run(seconds: float) -> list[Row]:
    with running() as cluster:
        await asyncio.to_thread(cluster.create, "recorderd")
        async with (
            house("plain", store_url=cluster.url("recorderd")) as (asterisk, daemon),
            RigAmi(asterisk.ami_port, asterisk.secret) as ami,
        ):
            await calls(asterisk, RATE, 3)
            await _rest(daemon)
            quiet = await _measure(asterisk, ami, seconds)
            await _rest(daemon)
            with _stalled(cluster):
                stalled = await _measure(asterisk, ami, seconds)
                waiting = (await daemon.status())["store"]["journal"]
            begun = time.monotonic()
            await until(lambda: _stored(daemon), "every row stored", 60)
            caught_up = time.monotonic() - begun
            await _rest(daemon)
            return _rows(seconds, quiet, stalled, waiting, caught_up, await _lost(daemon))


async def _stored(daemon: Recorderd) -> bool:
    return (await daemon.status())["store"]["journal"] == 0


async def _rest(daemon: Recorderd) -> None:
    """Every lane is done with and every row stored. The asking telephones are nobody's: they never hang up."""

    async def rests() -> bool:
        status = await daemon.status()
        busy = status and (status["calls"]["lanes"], status["calls"]["closing"], status["store"]["journal"])
        return busy == (0, 0, 0)

    await until(rests, "every lane is done with and every row stored", 60)


async def _measure(asterisk: Asterisk, ami: RigAmi, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of each answer to the dialplan, and from each bridge to its callee's recorder."""
    ami.events.clear()
    answers: list[float] = []

    async def ask() -> None:
        number = 0
        while True:
            begun = time.perf_counter()
            number += 1
            right = await agi_load.one(asterisk.agi_port, number)
            answers.append(time.perf_counter() - begun if right else float("inf"))
            await asyncio.sleep(0.1)

    asking = asyncio.create_task(ask())
    await calls(asterisk, RATE, seconds)
    asking.cancel()
    return answers, starts(ami.events)


@contextmanager
def _stalled(cluster: Cluster) -> Iterator[None]:
    """Every process of the server stops: it accepts what the kernel accepts for it, and answers nothing."""
    server = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    frozen = [server, *children(server)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


async def _lost(daemon: Recorderd) -> int:
    intervals = await daemon.intervals()
    return sum(interval.outcome is not Outcome.RECORDED for interval in intervals)


def _rows(
    seconds: float,
    quiet: tuple[list[float], list[float]],
    stalled: tuple[list[float], list[float]],
    waiting: int,
    caught_up: float,
    lost: int,
) -> list[Row]:
    def told(times: list[float]) -> str:
        return f"p50 {1000 * at(times, 0.5):.2f}, p99 {1000 * at(times, 0.99):.2f} ms of {len(times)}"

    return [
        Row(
            what=f"slowest answer to the dialplan while the database stalls for {seconds:.0f} s",
            value=1000 * max(stalled[0]),
            unit="ms",
            goal=("<=", 100.0),
            detail=f"{told(stalled[0])}; before: {told(quiet[0])}, slowest {1000 * max(quiet[0]):.1f} ms",
        ),
        Row(
            what="… p99 of BridgeEnter to MixMonitorStart ÷ before",
            value=at(stalled[1], 0.99) / at(quiet[1], 0.99),
            unit="×",
            detail=f"{told(stalled[1])}; before: {told(quiet[1])}",
        ),
        Row(
            what="… rows that waited are caught up",
            value=caught_up,
            unit="s",
            goal=("<=", 1.0),
            detail=f"{waiting} rows waited",
        ),
        Row(what="… talks that are not recorded in full, in all of it", value=lost, goal=("=", 0)),
    ]
