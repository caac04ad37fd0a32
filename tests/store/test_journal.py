"""Rows wait on disk: whatever dies, none is lost, doubled or put out of order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from recorderd.core import rows
from recorderd.errors import StoreError
from recorderd.store import open_store
from recorderd.store.abc import Store
from recorderd.store.journal import SEGMENT_ROWS, TOGETHER, Journal
from recorderd.store.memory import MemoryStore
from tests.postgres import Cluster
from tests.small_disk import mounted, remount
from tests.store import sample
from tests.store.conftest import DATABASES, Maker

DEADLINE_SECONDS = 30
ROOT = Path(__file__).parents[2]


class SwitchedStore(MemoryStore):
    """A store that can be away, and that refuses marks of the kind `poison`, whatever they come with."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.away = False
        self.saved: list[str] = []

    async def save(self, batch: Sequence[rows.Row]) -> None:
        if self.away:
            raise StoreError("The database is away")
        kinds = [row.kind for row in batch if isinstance(row, rows.Mark)]
        # Not a number: what every back end refuses.
        await super().save([sample.mark(at=float("nan"))] if "poison" in kinds else batch)
        self.saved += [row.id for row in batch if isinstance(row, rows.Mark)]


class Heard:
    """What a journal told."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.sentences: list[str] = []

    def __call__(self, kind: str, sentence: str) -> None:
        self.kinds.append(kind)
        self.sentences.append(sentence)


@contextlib.asynccontextmanager
async def running(journal: Journal) -> AsyncIterator[None]:
    task = asyncio.create_task(journal.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        journal.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)


def ids(count: int, first: int = 0) -> list[str]:
    return [f"m{n:06}" for n in range(first, first + count)]


def write(journal: Journal, names: list[str]) -> None:
    for name in names:
        journal.write(sample.mark(name))


def files(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".rows"))


async def test_rows_reach_the_store_in_their_order_and_leave_no_file(tmp_path: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    journal = Journal(tmp_path / "journal", store, tell=heard)
    async with running(journal):
        write(journal, ids(1000))
        assert journal.lag == 1000
        assert await journal.drain(DEADLINE_SECONDS)
        assert store.saved == ids(1000)
        assert (journal.lag, files(tmp_path / "journal"), heard.kinds) == (0, [], [])


async def test_a_row_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SwitchedStore())
    journal.write(sample.interval())
    [name] = files(tmp_path)
    assert (tmp_path / name).read_bytes().startswith(b'["Interval",{"id":"i1"')
    journal.close()


async def test_rows_wait_while_the_database_is_away_and_both_are_told_once(tmp_path: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    store.away = True
    journal = Journal(tmp_path, store, tell=heard)
    async with running(journal):
        write(journal, ids(10))
        await until(lambda: heard.kinds)
        assert not await journal.drain(0.5)
        write(journal, ids(10, first=10))
        store.away = False
        assert await journal.drain(DEADLINE_SECONDS)
        assert store.saved == ids(20)
        await until(lambda: len(heard.kinds) == 2)
    assert heard.kinds == ["database-away", "database-back"]
    assert heard.sentences[0] == "Rows wait in the journal: The database is away"


async def test_what_waits_is_stored_by_the_next_process(tmp_path: Path) -> None:
    for start in (0, 700, 1400):
        journal = Journal(tmp_path, SwitchedStore())
        assert journal.lag == start
        write(journal, ids(700, first=start))
        journal.close()
    store = SwitchedStore()
    journal = Journal(tmp_path, store)
    async with running(journal):
        write(journal, ids(1, first=2100))
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.saved == ids(2101)


async def test_memory_holds_only_a_few_segments_while_rows_wait(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SwitchedStore())
    write(journal, ids(SEGMENT_ROWS * 20))
    in_memory = sum(len(segment._rows or ()) for segment in journal._segments)
    assert journal.lag == SEGMENT_ROWS * 20
    assert in_memory <= SEGMENT_ROWS * 6
    journal.close()


async def test_a_torn_last_line_is_told_and_set_aside_and_the_others_are_stored(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SwitchedStore())
    write(journal, ids(3))
    journal.close()
    [name] = files(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-20])
    store, heard = SwitchedStore(), Heard()
    journal = Journal(tmp_path, store, tell=heard)
    assert journal.lag == 3
    async with running(journal):
        write(journal, ids(1, first=3))
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.saved == ["m000000", "m000001", "m000003"]
    assert heard.kinds == ["journal-torn"]
    assert (tmp_path / "refused").read_bytes() == whole.splitlines()[2][:-19] + b"\n"


@pytest.mark.parametrize("rubbish", [b"\0" * 512, b"\xff\xfe\n\n[]\n", b'["Mark",{"id":1}]\n', b"[" * 99_999])
async def test_rubbish_in_a_file_stops_nobody(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "000000000001.rows").write_bytes(rubbish)
    (tmp_path / "000000000002.rows").write_bytes(b"")
    (tmp_path / "notes.rows").write_bytes(b"not ours")
    store, heard = SwitchedStore(), Heard()
    journal = Journal(tmp_path, store, tell=heard)
    async with running(journal):
        write(journal, ids(2))
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.saved == ids(2)
    assert heard.kinds == ["journal-torn"]
    assert files(tmp_path) == ["notes.rows"]


async def test_a_row_that_the_database_refuses_is_set_aside_and_holds_up_no_other(tmp_path: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    journal = Journal(tmp_path, store, tell=heard)
    async with running(journal):
        journal.write(sample.mark("a"))
        journal.write(sample.mark("b", kind="poison"))
        journal.write(sample.mark("c"))
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.saved == ["a", "c"]
    assert heard.kinds == ["row-refused"]
    assert "Mark ('b',) was set aside" in heard.sentences[0]
    assert b'"poison"' in (tmp_path / "refused").read_bytes()


async def test_a_refused_row_among_thousands_holds_up_no_other_and_changes_no_order(tmp_path: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    journal = Journal(tmp_path, store, tell=heard)
    write(journal, ids(SEGMENT_ROWS + 10))
    journal.write(sample.mark("b", kind="poison"))
    write(journal, ids(SEGMENT_ROWS, first=SEGMENT_ROWS + 10))
    async with running(journal):
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.saved == ids(2 * SEGMENT_ROWS + 10)
    assert heard.kinds == ["row-refused"]


class HeldStore(SwitchedStore):
    """Takes nothing until it is let go, and notes how much it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.given: list[int] = []

    async def save(self, batch: Sequence[rows.Row]) -> None:
        self.given.append(len(batch))
        await self.go.wait()
        await super().save(batch)


async def test_where_many_wait_segments_go_together_a_few_at_a_time(tmp_path: Path) -> None:
    store = HeldStore()
    store.go.set()
    journal = Journal(tmp_path, store)
    write(journal, ids(SEGMENT_ROWS * (TOGETHER + 1)))
    async with running(journal):
        assert await journal.drain(DEADLINE_SECONDS)
    assert store.given == [SEGMENT_ROWS * TOGETHER, SEGMENT_ROWS]
    assert store.saved == ids(SEGMENT_ROWS * (TOGETHER + 1))


async def test_a_row_that_cannot_be_written_down_is_told_and_not_raised(tmp_path: Path) -> None:
    heard = Heard()
    journal = Journal(tmp_path, SwitchedStore(), tell=heard)
    journal.write(sample.mark(at=float("nan")))
    journal.write(rows.Row())
    assert (heard.kinds, journal.lag) == (["row-refused", "row-refused"], 0)
    journal.close()


async def test_a_second_process_is_kept_out_of_the_folder(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SwitchedStore())
    with pytest.raises(StoreError, match="another process uses it"):
        Journal(tmp_path, SwitchedStore())
    journal.close()
    Journal(tmp_path, SwitchedStore()).close()


async def test_a_folder_that_cannot_be_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"journal in .*/file/x cannot be used: Not a directory"):
        Journal(tmp_path / "file" / "x", SwitchedStore())


# --- real databases -----------------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
async def test_twelve_thousand_rows_are_caught_up_in_a_real_database(
    database: str, migrated_url: Maker, tmp_path: Path
) -> None:
    store = open_store(migrated_url(database))
    journal = Journal(tmp_path / "journal", store)
    every = [sample.link("1795500000.1", n) for n in range(12_000)]
    for row in every:
        journal.write(row)
    async with running(journal):
        # Measured: 0.3 s. The deadline is for a machine that others use.
        assert await journal.drain(DEADLINE_SECONDS)
    assert await store.links(recording_id="r1") == every
    await store.close()


async def test_rows_outlive_a_database_server_that_crashes_and_comes_back(
    cluster: Cluster, migrated_url: Maker, tmp_path: Path
) -> None:
    store, heard = open_store(migrated_url("postgresql")), Heard()
    journal = Journal(tmp_path / "journal", store, tell=heard)
    async with running(journal):
        write(journal, ids(300))
        assert await journal.drain(DEADLINE_SECONDS)
        await asyncio.to_thread(cluster.stop, "immediate")
        try:
            write(journal, ids(300, first=300))
            await until(lambda: "database-away" in heard.kinds)
            write(journal, ids(300, first=600))
        finally:
            await asyncio.to_thread(cluster.start)
        assert await journal.drain(DEADLINE_SECONDS)
    assert [mark.id for mark in await store.marks("c1")] == ids(900)
    assert heard.kinds == ["database-away", "database-back"]
    assert "\n" not in heard.sentences[0]
    await store.close()


async def test_a_database_that_was_away_at_the_start_is_migrated_when_it_comes(tmp_path: Path) -> None:
    store, heard = open_store(f"sqlite:///{tmp_path}/later/store.db"), Heard()
    journal = Journal(tmp_path / "journal", store, tell=heard)
    async with running(journal):
        write(journal, ids(5))
        await until(lambda: heard.kinds == ["database-away"])
        os.mkdir(tmp_path / "later")
        assert await journal.drain(DEADLINE_SECONDS)
    assert [mark.id for mark in await store.marks("c1")] == ids(5)
    await store.close()


WRITER = """
import asyncio, itertools, sys
from recorderd.store import open_store
from recorderd.store.journal import Journal
from tests.store import sample

async def main():
    store = open_store(sys.argv[1])
    journal = Journal(sys.argv[2], store)
    task = asyncio.create_task(journal.run())
    for n in itertools.count():
        journal.write(sample.mark(f"m{n:06}"))
        print(n, flush=True)
        await asyncio.sleep(0)

asyncio.run(main())
"""


def killed_after(count: int, url: str, folder: Path) -> int:
    """The number of the last row that a writer told of, before SIGKILL or while that was on its way."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= count:
            break
    writer.send_signal(signal.SIGKILL)
    told = [int(line) for line in writer.stdout if line.endswith(b"\n")]
    writer.wait()
    return max([count, *told])


@pytest.mark.parametrize("database", ["away", *DATABASES])
async def test_a_writer_killed_midway_loses_no_row_that_it_wrote(
    database: str, migrated_url: Maker, tmp_path: Path
) -> None:
    url = migrated_url("sqlite" if database == "away" else database)
    folder = tmp_path / "journal"
    written = killed_after(1500, f"sqlite:///{tmp_path}/none/x.db" if database == "away" else url, folder)
    store = open_store(url)
    journal = Journal(folder, store)
    async with running(journal):
        assert await journal.drain(DEADLINE_SECONDS)
    found = [mark.id for mark in await store.marks("c1")]
    # The row after the last one told may have been written as well.
    assert found in (ids(written + 1), ids(written + 2))
    await store.close()


# --- a disk that is full ------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    with mounted(tmp_path / "disk") as folder:
        yield folder


async def test_a_full_disk_is_told_once_and_the_rows_go_on_from_memory(small_disk: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    journal = Journal(small_disk, store, tell=heard)
    write(journal, ids(3000))
    assert heard.kinds == ["journal-off-disk"]
    assert "No space left on device" in heard.sentences[0]
    async with running(journal):
        assert await journal.drain(DEADLINE_SECONDS)
        assert store.saved == ids(3000)
        journal.write(sample.mark("again"))
        assert heard.kinds == ["journal-off-disk", "journal-on-disk"]


async def test_rows_in_memory_go_to_the_disk_as_soon_as_it_takes_them(small_disk: Path) -> None:
    store, heard = SwitchedStore(), Heard()
    store.away = True
    journal = Journal(small_disk, store, tell=heard)
    write(journal, ids(3000))
    async with running(journal):
        await until(lambda: "database-away" in heard.kinds)
        remount(small_disk, "size=4m")
        await until(lambda: "journal-on-disk" in heard.kinds)
    assert heard.kinds == ["journal-off-disk", "database-away", "journal-on-disk"]
    # As if killed now: another process finds them all.
    after = SwitchedStore()
    journal = Journal(small_disk, after)
    async with running(journal):
        assert await journal.drain(DEADLINE_SECONDS)
    assert after.saved == ids(3000)


async def test_with_neither_disk_nor_database_memory_has_an_end_and_the_loss_is_told(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorderd.store.journal.MEMORY_SEGMENTS", 20)
    heard = Heard()
    journal = Journal(small_disk, SwitchedStore(), tell=heard)
    write(journal, ids(SEGMENT_ROWS * 40))
    assert heard.kinds[0] == "journal-off-disk"
    assert set(heard.kinds[1:]) == {"rows-lost"}
    assert journal.lag == SEGMENT_ROWS * (40 - heard.kinds.count("rows-lost"))
    journal.close()


async def test_what_is_on_its_way_into_the_database_is_not_what_memory_forgets(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorderd.store.journal.MEMORY_SEGMENTS", 4)
    store, heard = HeldStore(), Heard()
    with contextlib.suppress(OSError), (small_disk / "full").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    journal = Journal(small_disk, store, tell=heard)
    write(journal, ids(SEGMENT_ROWS * 20))
    async with running(journal):
        await until(lambda: store.given)
        write(journal, ids(SEGMENT_ROWS * 20, first=SEGMENT_ROWS * 20))
        assert "rows-lost" in heard.kinds
        store.go.set()
        assert await journal.drain(DEADLINE_SECONDS)
    assert len(store.saved) == SEGMENT_ROWS * (40 - heard.kinds.count("rows-lost"))
    assert store.saved == sorted(set(store.saved))
    assert store.saved[-1] == ids(SEGMENT_ROWS * 40)[-1]


async def test_every_kind_of_row_passes_through_the_journal_into_every_store(
    store: Store, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal", store)
    async with running(journal):
        for row in sample.one_of_each():
            journal.write(row)
        assert await journal.drain(DEADLINE_SECONDS)
    assert await store.intervals() == [sample.interval()]
