"""What every store promises of the chain of evidence, asked of each of them."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recorderd.core import chain, rows
from recorderd.core.chain import ChainEntry, ChainHead, Kind
from recorderd.store import codec, open_store
from recorderd.store.abc import RowRefused, Store
from recorderd.store.digests import digests
from tests.store import sample
from tests.store.conftest import DATABASES, Maker
from tests.store.sample import T
from tests.store.sample_chain import draft, entry, head
from tests.store.test_migrations import run_sync


def linked(entries: list[ChainEntry]) -> bool:
    """Whether they are a chain from the beginning."""
    before = [chain.BEGINNING, *(one.hash for one in entries)]
    return all(
        one.sequence == number and one.previous == previous and one.hash == chain.entry_hash(one)
        for number, (one, previous) in enumerate(zip(entries, before, strict=False), 1)
    )


def sign(last: ChainEntry, before: ChainHead | None) -> ChainHead:
    number, previous = (before.number + 1, chain.head_hash(before)) if before else (1, chain.BEGINNING)
    return head(number, sequence=last.sequence, hash=last.hash, previous=previous)


async def test_entries_are_a_chain_that_reads_back_as_it_was_hashed(store: Store) -> None:
    detail = {"rows": {"b": "2", "a": "1"}, "who": 'Иван "Ö" \0 \ud800', "n": 7}
    made = await store.chain.append([draft(), draft("r2", detail=detail)], T + 0.123456789)
    found = await store.chain.entries()
    assert found == made
    assert linked(found)
    assert found[1].digest == chain.digest({"a": "1", "b": "2"})
    assert await store.chain.last() == made[-1]


async def test_what_is_there_is_not_entered_twice(store: Store) -> None:
    first = await store.chain.append([draft(), draft()], T)
    assert len(first) == 1
    assert await store.chain.append([draft(detail={"other": 1})], T + 1) == []
    assert len(await store.chain.append([draft(object="x"), draft(kind=Kind.KEPT), draft("r2")], T)) == 3
    assert linked(await store.chain.entries())


async def test_of_many_who_append_at_once_each_finds_its_place(store: Store) -> None:
    await asyncio.gather(*(store.chain.append([draft(f"r{n}"), draft("same")], T) for n in range(12)))
    found = await store.chain.entries()
    assert linked(found)
    assert len(found) == 13


async def test_a_clock_that_was_set_back_is_written_down_and_time_goes_on(store: Store) -> None:
    await store.chain.append([draft("a")], T)
    await store.chain.append([draft("b")], T - 1)
    await store.chain.append([draft("c")], T - 3600)
    found = await store.chain.entries()
    assert [one.at for one in found] == [T] * 3
    assert ["clock_behind" in one.detail for one in found] == [False, False, True]
    assert found[2].detail["clock_behind"] == "3600.000"


async def test_entries_are_walked_in_pages_and_asked_for_by_recording(store: Store) -> None:
    made = await store.chain.append([draft(f"r{n % 3}", str(n)) for n in range(7)], T)
    assert await store.chain.entries(after=2, limit=3) == made[2:5]
    found = await store.chain.entries_of(["r1", "r2", "unknown"])
    assert found == {"r1": [made[1], made[4]], "r2": [made[2], made[5]]}


async def test_an_entry_that_no_database_could_keep_is_refused_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(RowRefused):
        await store.chain.append([draft("r1"), draft("r2", detail={"x": object()})], T)
    assert await store.chain.entries() == []


async def test_a_head_is_signed_over_the_newest_entry_and_the_head_before(store: Store) -> None:
    assert await store.chain.sign(sign) is None
    await store.chain.append([draft("a")], T)
    first = await store.chain.sign(sign)
    await store.chain.append([draft("b")], T)
    second = await store.chain.sign(sign)
    assert first is not None
    assert second is not None
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous == chain.head_hash(first)
    assert await store.chain.heads() == [first, second]


async def test_what_is_in_the_chain_is_never_replaced(store: Store) -> None:
    made = await store.chain.append([draft()], T)
    await store.save([replace(made[0], kind="deleted"), entry(2)])
    await store.save([head(), replace(head(), day="1970-01-01")])
    assert (await store.chain.entries())[0] == made[0]
    assert await store.chain.heads() == [head()]


async def test_unopened_are_finished_recordings_without_an_entry_oldest_first(store: Store) -> None:
    states = rows.RecordingState
    await store.save(
        [
            sample.recording("b", started_at=T + 1),
            sample.recording("a"),
            sample.recording("failed", started_at=T + 2, state=states.FAILED),
            sample.recording("gone", started_at=T + 3, state=states.DISCARDED),
            sample.recording("open", ended_at=None, state=states.RECORDING),
            sample.recording("old", started_at=T - 100),
            sample.recording("known"),
            sample.recording("cut"),
        ]
    )
    await store.chain.append([draft("known"), draft("cut", kind=Kind.CUT), draft("a", kind=Kind.HELD)], T)
    assert [row.id for row in await store.chain.unopened(T)] == ["a", "b", "failed", "gone"]
    assert [row.id for row in await store.chain.unopened(T, limit=1)] == ["a"]


async def test_unsettled_are_entered_ones_whose_call_is_over(store: Store) -> None:
    ids = ["ready", "settled", "unopened", "talking"]
    await store.save([sample.recording(id, conversation_id=f"c-{id}") for id in ids])
    await store.save([sample.conversation(f"c-{id}") for id in ids[:3]])
    await store.save([sample.conversation("c-talking", ended_at=None)])
    await store.chain.append([draft(id) for id in ("ready", "settled", "talking")], T)
    await store.chain.append([draft("settled", kind=Kind.SETTLED)], T)
    assert [row.id for row in await store.chain.unsettled(T - 1, T + 61)] == ["ready"]
    assert await store.chain.unsettled(T - 1, T + 60) == []


async def test_the_oldest_unsettled_one_may_still_be_open(store: Store) -> None:
    open_one = sample.recording("open", started_at=T + 2, ended_at=None, state=rows.RecordingState.RECORDING)
    await store.save([sample.recording("settled"), sample.recording("ready", started_at=T + 1), open_one])
    await store.chain.append([draft("settled"), draft("ready"), draft("settled", kind=Kind.SETTLED)], T)
    assert await store.chain.oldest_unsettled(T) == T + 1
    assert await store.chain.oldest_unsettled(T + 2) == T + 2
    assert await store.chain.oldest_unsettled(T + 3) is None
    assert await store.chain.oldest_unsettled(T, node="another") is None


async def test_a_backup_takes_the_chain_along(store: Store, tmp_path: Path) -> None:
    await store.chain.append([draft("a"), draft("b")], T)
    await store.chain.sign(sign)
    await store.backup(str(tmp_path / "backup"))
    other = open_store("memory:")
    await other.restore(str(tmp_path / "backup"))
    assert await other.chain.entries() == await store.chain.entries()
    assert await other.chain.heads() == await store.chain.heads()


async def test_every_row_has_the_same_digest_whatever_keeps_it(store: Store) -> None:
    await store.save([sample.recording(), sample.interval(), sample.conversation()])
    found = [
        *(await store.recordings(id="r1")), *(await store.intervals(recording_id="r1")),
        *(await store.conversations()),
    ]  # fmt: skip
    given = [sample.recording(), sample.interval(), sample.conversation()]
    assert digests(found) == digests([codec.from_plain(type(row), codec.to_plain(row)) for row in given])


def test_a_field_that_comes_later_changes_no_digest_of_before() -> None:
    [name] = digests([sample.interval()])
    assert name == "Interval:i1"
    assert digests([sample.interval(note="")]) == digests([sample.interval()])
    assert digests([sample.interval(note="x")]) != digests([sample.interval()])


async def in_processes(url: str) -> list[tuple[int | None, bytes]]:
    """Four processes that append twenty entries each, at once."""
    program = (
        "import asyncio, sys\n"
        "from recorderd.core.chain import Draft, Kind\n"
        "from recorderd.store import open_store\n"
        "async def work():\n"
        "    store = open_store(sys.argv[1])\n"
        "    print('ready', flush=True); sys.stdin.readline()\n"
        "    for n in range(20):\n"
        "        await store.chain.append([Draft(kind=Kind.HELD, object=f'{sys.argv[2]}-{n}')], 1.0)\n"
        "    await store.close()\n"
        "asyncio.run(work())\n"
    )
    pipe = asyncio.subprocess.PIPE
    started: list[Any] = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, url, str(n), stdin=pipe, stdout=pipe, stderr=pipe,
            cwd=Path(__file__).parents[2],
        )
        for n in range(4)
    ]  # fmt: skip
    for process in started:
        assert await process.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    return [(process.returncode, error) for process, (_, error) in zip(started, said, strict=True)]


@pytest.mark.parametrize("database", DATABASES)
async def test_processes_that_append_at_once_make_one_chain(database: str, migrated_url: Maker) -> None:
    url = migrated_url(database)
    assert await in_processes(url) == [(0, b"")] * 4
    store = open_store(url)
    found = await store.chain.entries()
    await store.close()
    assert len(found) == 80
    assert linked(found)


@pytest.mark.parametrize("statement", ["UPDATE {} SET hash = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["chain", "chain_heads"])
@pytest.mark.parametrize("database", DATABASES)
async def test_the_database_itself_refuses_to_change_the_chain(
    database: str, migrated_url: Maker, table: str, statement: str
) -> None:
    url = migrated_url(database)
    store = open_store(url)
    await store.chain.append([draft()], T)
    await store.chain.sign(sign)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await run_sync(url, lambda connection: connection.exec_driver_sql(statement.format(table)))
    await store.close()
