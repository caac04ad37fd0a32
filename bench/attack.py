"""FastAGI under attack: decisions while strangers connect, send junk and crawl, against decisions in peace.

One call at a time asks what to do, as ten calls a second would. Meanwhile, in processes of their own: a port scan
with 10,000 junk requests, clients that send one byte a second, and 500 half-open connections. Then the daemon's
loop is frozen.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from bench import agi_load
from bench.agi_servers import Server, server
from bench.row import Row, at, median

NAME = "attack"
JUNK = 10_000
JUNK_PER_SECOND = 2000
HALF_OPEN = 500
CRAWLERS = 50
TWICE = ("<=", 2.0)
_KINDS = (
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"\0" * 100,
    b"agi_network: yes\n\n",
    b"SSH-2.0-x\r\n",
)


def run(quick: bool) -> list[Row]:
    rounds, calls = (3, 300) if quick else (5, 600)
    quiet: list[list[float]] = []
    loud: dict[str, list[list[float]]] = {name: [] for name in ATTACKS}
    errors = 0
    with server("ours") as ours:
        _decide(ours, 100)
        for _ in range(rounds):
            asked = _decide(ours, calls)
            quiet.append(asked.times)
            errors += asked.errors
            for name, attack in ATTACKS.items():
                with _attacking(attack, ours.port):
                    asked = _decide(ours, calls)
                loud[name].append(asked.times)
                errors += asked.errors
                time.sleep(1.2)  # what is half-open ends by its deadline
        frozen, late = _frozen(ours, 1.0 if quick else 3.0)
    rows = [_row(name, quiet, times) for name, times in loud.items()]
    rows.append(Row(what="decisions that were not answered, in all of these", value=errors, goal=("=", 0)))
    rows.append(
        Row(
            what="slowest decision while the daemon's loop is frozen",
            value=frozen * 1000,
            unit="ms",
            goal=("<=", 100.0),
            detail=f"{late} decisions meanwhile",
        )
    )
    return rows


def _row(name: str, quiet: list[list[float]], loud: list[list[float]]) -> Row:
    """Rounds are compared with the quiet of their own time, then the median of them is taken."""
    p99 = [at(b, 0.99) / at(a, 0.99) for a, b in zip(quiet, loud, strict=True)]
    a, b = [t for times in quiet for t in times], [t for times in loud for t in times]
    return Row(
        what=f"p99 of a decision during {name} ÷ in peace",
        value=median(p99),
        unit="×",
        goal=TWICE,
        detail=(
            f"p50 {at(b, 0.5) * 1000:.2f} against {at(a, 0.5) * 1000:.2f} ms, "
            f"p99 {at(b, 0.99) * 1000:.2f} against {at(a, 0.99) * 1000:.2f} ms"
        ),
    )


def _decide(ours: Server, calls: int) -> agi_load.Asked:
    """One after the other, with a pause between them."""

    async def ask() -> agi_load.Asked:
        asked = agi_load.Asked()
        for number in range(calls):
            started = time.perf_counter()
            if await agi_load.one(ours.port, number):
                asked.times.append(time.perf_counter() - started)
            else:
                asked.errors += 1
            await asyncio.sleep(0.002)
        return asked

    return uvloop.run(ask())


def _frozen(ours: Server, seconds: float) -> tuple[float, int]:
    """(the slowest, how many) while the daemon's loop does nothing."""
    ours.freeze(seconds)
    until, worst, count = time.monotonic() + seconds - 0.1, 0.0, 0
    time.sleep(0.02)
    while time.monotonic() < until:
        asked = _decide(ours, 5)
        worst, count = max([worst, *asked.times]), count + len(asked.times)
        if asked.errors:
            return float("inf"), count
    return worst, count


# --- attackers -------------------------------------------------------------------------------------


@contextmanager
def _attacking(attack: object, port: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=attack, args=(port, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(30):
            raise RuntimeError("the attacker did not begin")
        yield
    finally:
        process.kill()
        process.join()


def scan(port: int, ready: object) -> None:
    """10,000 junk requests and bare connects, 2,000 a second, for as long as it is let."""
    ready.set()  # type: ignore[attr-defined]
    begun = time.monotonic()
    for number in range(10 * JUNK):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=2) as stranger,
        ):
            stranger.send(_KINDS[number % len(_KINDS)])
        time.sleep(max(0.0, begun + number / JUNK_PER_SECOND - time.monotonic()))


def crawl(port: int, ready: object) -> None:
    """Clients that send one byte a second, and come again when they are shown out."""

    async def one() -> None:
        block = b"".join(agi_load.lines(1))
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                for byte in block:
                    if writer.is_closing():
                        break
                    writer.write(bytes((byte,)))
                    await asyncio.sleep(0.5 + random.random())
                writer.close()

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(CRAWLERS)]
        await asyncio.sleep(0.3)
        ready.set()  # type: ignore[attr-defined]
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())


def half_open(port: int, ready: object) -> None:
    """500 connections that say nothing; each is opened again as soon as it is closed."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await reader.read(1)
                writer.close()

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(HALF_OPEN)]
        await asyncio.sleep(0.5)
        ready.set()  # type: ignore[attr-defined]
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())


ATTACKS = {
    "a port scan with junk at 2,000 a second": scan,
    "50 clients of one byte a second": crawl,
    "500 half-open connections": half_open,
}
