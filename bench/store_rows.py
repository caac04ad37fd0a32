"""Rows: written per second into SQLite and PostgreSQL, caught up after an outage, and waited for by nobody.

A batch is what the journal stores at once. The outage is twelve thousand rows that waited on disk: ten minutes of
twenty calls a second. While the database does not answer, what counts is how long one `Journal.write` takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.row import Row, at, median
from recorderd.core import rows
from recorderd.store import open_store
from recorderd.store.abc import Store
from recorderd.store.journal import SEGMENT_ROWS, Journal
from tests.postgres import Cluster

NAME = "rows"
OUTAGE = 12_000
_ids = itertools.count(1)


def conversation() -> rows.Conversation:
    n = next(_ids)
    return rows.Conversation(
        id=f"{n:032x}",
        started_at=1_795_000_000.0 + n,
        ended_at=1_795_000_030.0 + n,
        linkedids=(f"1795000000.{n}",),
    )


def run(quick: bool) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="rd"))
    folder.chmod(0o755)
    try:
        with postgresql(folder) as url:
            found = []
            for kind, address in {"SQLite": f"sqlite:///{folder}/rows.db", "PostgreSQL": url}.items():
                found += asyncio.run(_measure(kind, address, folder, 3 if quick else 7))
            return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    cluster = Cluster(folder / "pg")
    cluster.start()
    try:
        cluster.create("rows")
        yield cluster.url("rows")
    finally:
        cluster.destroy()


async def _measure(kind: str, url: str, folder: Path, rounds: int) -> list[Row]:
    store = open_store(url)
    await store.migrate()
    try:
        one, batch = [], []
        for _ in range(rounds):
            one.append(await _rate(store, 200, 1))
            batch.append(await _rate(store, 10 * SEGMENT_ROWS, SEGMENT_ROWS))
        found = [
            Row(
                what=f"{kind}: rows/s in batches of {SEGMENT_ROWS} ÷ one by one",
                value=median([b / a for a, b in zip(one, batch, strict=True)]),
                unit="×",
                goal=(">=", 18.0) if kind == "PostgreSQL" else None,
                detail=f"{median(batch):,.0f} against {median(one):,.0f} rows/s",
            )
        ]
        return found + await _outage(kind, store, folder, rounds)
    finally:
        await store.close()


async def _rate(store: Store, count: int, size: int) -> float:
    parts = [[conversation() for _ in range(size)] for _ in range(count // size)]
    begun = time.perf_counter()
    for part in parts:
        await store.save(part)
    return count / (time.perf_counter() - begun)


class _Stuck:
    """The store, whose database does not answer until it is let go."""

    def __init__(self, store: Store) -> None:
        self._store, self.go = store, asyncio.Event()
        self.order: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def save(self, part: list[rows.Row]) -> object:
        await self.go.wait()
        self.order += [row.id for row in part if isinstance(row, rows.Conversation)]
        return await self._store.save(part)


async def _outage(kind: str, store: Store, folder: Path, rounds: int) -> list[Row]:
    caught, waits, wrong = [], [], 0
    for number in range(rounds):
        stuck = _Stuck(store)
        journal = Journal(folder / f"journal-{kind}-{number}", stuck)  # type: ignore[arg-type]
        running = asyncio.create_task(journal.run())
        written = [conversation() for _ in range(OUTAGE)]
        for row in written:
            before = time.perf_counter()
            journal.write(row)
            waits.append(time.perf_counter() - before)
            if len(waits) % 100 == 0:
                await asyncio.sleep(0)
        begun = time.perf_counter()
        stuck.go.set()
        if not await journal.drain(60):
            raise RuntimeError("the rows were not stored within a minute")
        caught.append(time.perf_counter() - begun)
        wrong += stuck.order != [row.id for row in written]
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        journal.close()
    return [
        Row(
            what=f"{kind}: {OUTAGE:,} rows that waited are caught up",
            value=median(caught),
            unit="s",
            goal=("<=", 1.0),
            detail=f"{OUTAGE / median(caught):,.0f} rows/s",
        ),
        Row(what=f"{kind}: … rounds in which a row was lost or out of order", value=wrong, goal=("=", 0)),
        Row(
            what=f"{kind}: … p99 of taking a row while the database does not answer",
            value=at(waits, 0.99) * 1000,
            unit="ms",
            detail=f"p50 {at(waits, 0.5) * 1e6:.0f} µs, worst {max(waits) * 1000:.1f} ms",
        ),
    ]
