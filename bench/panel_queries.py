"""How quick the panel's questions are, with a million calls or ten: and the peer's question on the same
calls.

    python -m bench.panel_queries                              1 M in SQLite, 1 M in PostgreSQL
    python -m bench.panel_queries --backend postgresql --calls 10000000
    python -m bench.panel_queries --keep FOLDER                fill once, ask again
    python -m bench.panel_queries --keep FOLDER --part fill    only that; then `panel`, then `peer`

Owns the questions and how their times are told; `bench.synthetic_calls` has the calls. Times are
those of the service behind the list page, rows decoded, on this machine: ratios travel, milliseconds do
not. The peer's question is FreePBX UCP's (cdr/ucp/Cdr.class.php) in its own words, on a table with its own
indexes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bench.row import Row
from bench.synthetic_calls import (
    BLOCK,
    COLUMNS,
    EXTENSIONS,
    NOW,
    WEIGHTS,
    YEAR,
    fill_postgresql,
    fill_sqlite,
)
from recorderd.panel.app import build
from recorderd.panel.audit import write_place
from recorderd.panel.calls import CallList
from recorderd.panel.media import Listening
from recorderd.panel.ports import Right, Role, Viewer
from recorderd.panel.shelf import Shelf
from recorderd.store import open_store
from recorderd.store.abc import Store
from tests.panel.conftest import configured
from tests.postgres import Cluster

NAME = "panel"

# --- questions ---------------------------------------------------------------------------------------


def viewer(extension: str = "") -> Viewer:
    """The user of an extension; without one, somebody who sees everything."""
    return Viewer(
        login=extension or "boss",
        name="",
        role=Role.USER if extension else Role.ADMINISTRATOR,
        extension=extension,
        scope=frozenset((extension,)) if extension else None,
        rights=frozenset(Right),
    )


@dataclass(frozen=True)
class Asked:
    """What one question took, in milliseconds, sorted."""

    name: str
    goal: tuple[float, float] | None
    times: Sequence[float]

    def at(self, share: float) -> float:
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))]

    def row(self, backend: str, calls: int) -> Row:
        """The p99, held to its goal; the p50 beside it."""
        return Row(
            what=f"{backend}, {calls:,} calls: {self.name.removeprefix('… ')}, p99",
            value=self.at(0.99),
            unit="ms",
            goal=("<=", self.goal[1]) if self.goal else None,
            detail=f"p50 {self.at(0.5):.2f} ms",
        )

    def __str__(self) -> str:
        goal = f"{self.goal[0]:.0f} / {self.goal[1]:.0f}" if self.goal else "-"
        met = (
            ""
            if self.goal is None
            else ("yes" if self.at(0.5) <= self.goal[0] and self.at(0.99) <= self.goal[1] else "NO")
        )
        return (
            f"| {self.name} | {self.at(0.5):.2f} | {self.at(0.99):.2f} | {len(self.times)} | {goal} | {met} |"
        )


async def timed(
    name: str,
    ask: Callable[[], Awaitable[object]],
    times: int,
    goal: tuple[float, float] | None = (5.0, 25.0),
) -> Asked:
    """Ask it so often, after a few that do not count."""
    for _ in range(min(5, times)):
        await ask()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begun) * 1000)
    return Asked(name, goal, sorted(taken))


async def questions(
    calls: CallList, shelf: Shelf, store: Store, total: int, times: int
) -> AsyncIterator[Asked]:
    """Everything that the panel asks, at any depth, of busy and of quiet extensions."""
    chance = random.Random(2)
    rare = (100.0, 100.0)

    def somebody() -> Viewer:
        return viewer(chance.choices(EXTENSIONS, WEIGHTS)[0])

    def deep() -> str:
        return "o" + write_place((NOW - chance.random() * YEAR, "9"))

    def page(
        line: str = "",
        *,
        who: Callable[[], Viewer] = somebody,
        cursor: Callable[[], str | None] = lambda: None,
    ) -> Callable[[], Awaitable[object]]:
        wanted = calls.parse(line)
        return lambda: calls.page(who(), wanted, cursor=cursor())

    everything: Callable[[], Viewer] = viewer
    day = datetime.fromtimestamp(NOW - 100 * 86_400, UTC).date().isoformat()
    yield await timed("an extension's page", page(), times)
    yield await timed("… at a random depth", page(cursor=deep), times)
    yield await timed("… of an extension without calls", page(who=lambda: viewer("999")), times)
    yield await timed("everybody's page", page(who=everything), times)
    yield await timed("… at a random depth", page(who=everything, cursor=deep), times)
    yield await timed("`107`", page("107"), times)
    yield await timed("`107 >60s`", page("107 >60s"), times)
    yield await timed("`107` of everybody", page("107", who=everything), times, rare)
    yield await timed("`107 >60s` of everybody", page("107 >60s", who=everything), times, rare)
    yield await timed("`>60s`", page(">60s", cursor=deep), times)
    yield await timed("`missed`", page("missed", cursor=deep), times)
    yield await timed("`recorded in`", page("recorded in", cursor=deep), times)
    yield await timed(f"`{day}`", page(day), times)
    yield await timed("`>10m` (0.8 %)", page(">10m"), times, rare)
    yield await timed("`>10m` of everybody", page(">10m", who=everything, cursor=deep), times, rare)
    yield await timed("a name", page("anna", cursor=deep), times, rare)
    yield await timed("a word that is nowhere", page("zzz"), times, rare)
    yield await timed("… of everybody", page("zzz", who=everything, cursor=deep), max(20, times // 10), rare)
    ids = await _recordings(store, min(total, BLOCK), times)

    async def play() -> None:
        recording, _mine = await shelf.find(viewer(), chance.choice(ids), Right.PLAY)
        shelf.path(recording, await shelf.kept(recording))

    yield await timed("a play's look-up: row, right, place", play, times)


async def _recordings(store: Store, calls: int, count: int) -> list[str]:
    """Some that there are: not every call was recorded."""
    found = [await store.recordings(id=f"r{n}") for n in random.Random(4).sample(range(calls), count)]
    return [one.id for rows in found for one in rows]


PEER_WHERE = (
    "(dstchannel LIKE '%/{e}-%' OR channel LIKE '%/{e}-%' OR src = '{e}' OR dst = '{e}' OR cnum = '{e}')"
)


async def peer_questions(url: str, times: int) -> AsyncIterator[Asked]:
    """UCP's own: a page is its list and two exact counts."""
    connection = await asyncpg.connect(url, command_timeout=120)
    chance = random.Random(3)

    def ask(sql: str) -> Callable[[], Awaitable[object]]:
        return lambda: connection.fetch(sql.format(e=chance.choices(EXTENSIONS, WEIGHTS)[0]))

    where = f"FROM ucp_cdr WHERE {PEER_WHERE}"
    few = max(4, times // 50)
    yield await timed("UCP: page 1", ask(f"SELECT * {where} ORDER BY calldate DESC LIMIT 50"), few, None)
    yield await timed(
        "UCP: page 100", ask(f"SELECT * {where} ORDER BY calldate DESC LIMIT 50 OFFSET 5000"), few, None
    )
    yield await timed("UCP: the count", ask(f"SELECT count(*) {where}"), few, None)
    text = f"SELECT * {where} AND (clid LIKE '%anna%' OR src LIKE '%anna%' OR dst LIKE '%anna%') "
    yield await timed("UCP: with a text", ask(f"{text} ORDER BY calldate DESC LIMIT 50"), few, None)
    yield await timed("UCP: by duration", ask(f"SELECT * {where} ORDER BY duration DESC LIMIT 50"), few, None)
    await connection.close()


PARTS = ("fill", "panel", "peer")
# In the folder of a database that has all its rows.
FILLED = "filled"

# --- the whole ---------------------------------------------------------------------------------------


@asynccontextmanager
async def database(backend: str, folder: Path) -> AsyncIterator[tuple[str, bool]]:
    """The address of a database in this folder, and whether it is filled already."""
    there = _prepared(folder)
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'calls.db'}", there
        return
    cluster = Cluster.__new__(Cluster) if there else Cluster(folder / "pg")
    if there:
        _reopen(cluster, folder / "pg")
    else:
        _configure(folder / "pg" / "data" / "postgresql.conf")
    cluster.start()
    try:
        if not there:
            cluster.create("calls")
        yield cluster.url("calls"), there
    finally:
        cluster.stop()


def _prepared(folder: Path) -> bool:
    """Whether it holds a database with all its rows; if not it is empty now."""
    if (folder / FILLED).exists():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755, parents=True)
    return False


def _configure(conf: Path) -> None:
    conf.write_text(conf.read_text() + "shared_buffers = 1GB\nmax_wal_size = 8GB\nwork_mem = 16MB\n")


def _reopen(cluster: Cluster, folder: Path) -> None:
    import pwd

    cluster.folder = folder
    cluster._data = folder / "data"
    cluster._version = None
    cluster._account = pwd.getpwnam("postgres")


def run(quick: bool) -> list[Row]:
    """For `scripts/bench`: a database of each kind, made for it and gone afterwards."""
    calls, times = (100_000, 100) if quick else (1_000_000, 300)
    rows = []
    base = Path(tempfile.mkdtemp(prefix="rdbench-"))
    base.chmod(0o755)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            for backend in ("sqlite", "postgresql"):
                rows += asyncio.run(measure(backend, calls, times, base / backend, PARTS))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return rows


async def measure(backend: str, calls: int, times: int, folder: Path, parts: Sequence[str]) -> list[Row]:
    """Every question's p99, and the peer's page against ours; printed on the way."""
    rows: list[Row] = []
    async with database(backend, folder) as (url, there):
        store = open_store(url, lambda: NOW)
        await store.migrate()
        if not there:
            begun = time.perf_counter()
            if backend == "sqlite":
                fill_sqlite(folder / "calls.db", calls)
            else:
                await fill_postgresql(url, calls)
            (folder / FILLED).touch()
            print(f"{calls:,} calls were filled in within {time.perf_counter() - begun:.0f} s", flush=True)
        panel = build(configured(Path(tempfile.mkdtemp(dir=folder))), store, lambda: NOW).panel
        assert isinstance(panel.calls, CallList)
        assert isinstance(panel.media, Listening)
        shelf = panel.media._shelf
        print(f"\n### {backend}, {calls:,} calls\n")
        print("| question | p50 ms | p99 ms | n | goal | met |\n|---|---|---|---|---|---|", flush=True)
        if "panel" in parts:
            await asyncio.to_thread(_read_once, await _files(backend, url, folder))
            async for asked in questions(panel.calls, shelf, store, calls, times):
                print(asked, flush=True)
                rows.append(asked.row(backend, calls))
        if "peer" in parts and backend == "postgresql":
            rows += await against(panel.calls, url, times, calls)
        await store.close()
    return rows


async def _files(backend: str, url: str, folder: Path) -> list[Path]:
    """Where the panel's rows are on the disk, with their indexes."""
    if backend == "sqlite":
        return [folder / "calls.db"]
    connection = await asyncpg.connect(url)
    own = [table for table in COLUMNS if table != "ucp_cdr"]
    found = await connection.fetch(
        "SELECT pg_relation_filepath(c.oid) AS path FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid "
        "WHERE coalesce(i.indrelid, c.oid) = ANY($1::text[]::regclass[])",
        own,
    )
    await connection.close()
    data = folder / "pg" / "data"
    return sorted(part for row in found for part in data.glob(f"{row['path']}*"))


def _read_once(files: Sequence[Path]) -> None:
    """A database that is in use is in memory as far as that goes; one that was just started is not."""
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass


async def against(calls: CallList, url: str, times: int, total: int) -> list[Row]:
    """How many times as long the peer takes for the same page; it counts its calls for each."""
    peer: dict[str, Asked] = {}
    async for asked in peer_questions(url, times):
        peer[asked.name] = asked
        print(asked, flush=True)
    chance = random.Random(2)

    def page(cursor: str | None) -> Callable[[], Awaitable[object]]:
        wanted = calls.parse("")
        return lambda: calls.page(viewer(chance.choices(EXTENSIONS, WEIGHTS)[0]), wanted, cursor=cursor)

    rows = []
    for theirs, cursor in (
        ("UCP: page 1", None),
        ("UCP: page 100", "o" + write_place((NOW - YEAR / 2, "9"))),
    ):
        ours = await timed("ours", page(cursor), times)
        print(
            f"| the panel beside it, for {theirs} | {ours.at(0.5):.2f} | {ours.at(0.99):.2f} | {times} | - | |"
        )
        ratio = (peer[theirs].at(0.5) + peer["UCP: the count"].at(0.5)) / ours.at(0.5)
        print(f"\n{theirs} with its count takes {ratio:,.0f} times as long as the panel's.\n", flush=True)
        goal = (">=", 500.0) if total >= 10_000_000 else None
        what = f"{theirs} with its count ÷ the panel's, {total:,} calls"
        rows.append(Row(what=what, value=ratio, unit="×", goal=goal, detail=f"ours {ours.at(0.5):.2f} ms"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=1000, help="how often each question is asked")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; again for more")
    parser.add_argument(
        "--keep", type=Path, help="keep the databases in this folder, and take them from there"
    )
    args = parser.parse_args()
    for backend in args.backend or ("sqlite", "postgresql"):
        base = args.keep.resolve() if args.keep else Path(tempfile.mkdtemp(prefix="rdbench-"))
        folder = base / f"{backend}-{args.calls}"
        base.mkdir(parents=True, exist_ok=True)
        base.chmod(0o755)
        try:
            asyncio.run(measure(backend, args.calls, args.times, folder, args.part or PARTS))
        finally:
            if args.keep is None:
                shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
