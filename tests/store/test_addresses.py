"""A store that cannot be had is one sentence for a person, and no secret."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from recorderd.errors import StoreError
from recorderd.store import engines, open_store
from recorderd.store.abc import RowRefused
from tests.postgres import Cluster
from tests.store import sample
from tests.store.conftest import DATABASES, Maker


@pytest.mark.parametrize(
    "url", ["", "x", "/var/lib/recorderd.db", "mysql://root:hunter2@localhost/x", "hunter2", "SQLITE:///x"]
)
def test_an_address_of_an_unknown_kind_names_the_known_kinds(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"begins with one of sqlite:, postgresql:, postgres:, memory:"
    ) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["sqlite:nothing", "postgresql:hunter2", "postgresql://u:hunter2@h:notaport/x"]
)
def test_an_address_that_cannot_be_read_shows_what_one_looks_like(url: str) -> None:
    with pytest.raises(StoreError, match="no address of a database; one looks like") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_an_sqlite_address_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="names a file"):
        open_store(url)


async def sentence(url: str) -> str:
    store = open_store(url)
    with pytest.raises(StoreError) as caught:
        await store.load_policy()
    with pytest.raises(StoreError):
        await store.migrate()
    await store.close()
    assert not isinstance(caught.value, RowRefused)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


async def test_a_file_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "unable to open database file" in await sentence(f"sqlite:///{tmp_path}/none/store.db")


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(5000))
    assert "file is not a database" in await sentence(f"sqlite:///{tmp_path}/x")


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    assert "does not answer" in await sentence(f"postgresql://u:hunter2@/x?host={tmp_path}")
    assert "does not answer" in await sentence("postgresql://u:hunter2@127.0.0.1:1/x")


async def test_a_database_or_a_user_that_the_server_does_not_know(cluster: Cluster) -> None:
    assert 'database "none" does not exist' in await sentence(cluster.url("none"))
    stranger = cluster.url("postgres").replace("recorderd@", "stranger:hunter2@")
    assert 'role "stranger" does not exist' in await sentence(stranger)


@pytest.mark.parametrize("database", DATABASES)
async def test_a_database_without_our_tables_is_no_fault_of_the_row(database: str, new_url: Maker) -> None:
    store = open_store(new_url(database))
    with pytest.raises(StoreError, match="marks") as caught:
        await store.save([sample.mark()])
    assert not isinstance(caught.value, RowRefused)
    await store.close()


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize(
    "row",
    [
        sample.mark(at=float("inf")),
        sample.mark(at=1e300),
        sample.recording(size=2**70),
        sample.recording(size="many"),
        sample.mark(id=None),
    ],
    ids=["inf", "1e300", "2**70", "text", "None"],
)
async def test_a_value_that_the_database_cannot_hold_is_refused(
    database: str, migrated_url: Maker, row: object
) -> None:
    store = open_store(migrated_url(database))
    with pytest.raises(RowRefused):
        await store.save([row])  # type: ignore[list-item]
    await store.save([sample.mark("fine")])
    assert [mark.id for mark in await store.marks("c1")] == ["fine"]
    await store.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_a_row_in_the_database_that_is_none_is_one_sentence(database: str, migrated_url: Maker) -> None:
    store = open_store(migrated_url(database))
    await store.save([sample.recording()])
    engine = engines.ENGINES[database](engines.parse(str(store._url.render_as_string(False))), alone=True)  # type: ignore[attr-defined]
    async with engine.connect() as connection, connection.begin():
        await connection.exec_driver_sql("UPDATE recordings SET state = 'mangled'")
    with pytest.raises(StoreError, match=r"a row that is none: Recording.state: 'mangled'"):
        await store.recordings()
    await store.close()


async def test_readers_go_on_while_another_process_writes(migrated_url: Maker) -> None:
    url = migrated_url("sqlite")
    store = open_store(url)
    await store.save([sample.mark("before")])
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        async with asyncio.timeout(4):
            assert [mark.id for mark in await store.marks("c1")] == ["before"]
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    await store.close()


async def test_a_writer_waits_for_another_process_that_writes(migrated_url: Maker) -> None:
    url = migrated_url("sqlite")
    store = open_store(url)
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    saving = asyncio.ensure_future(store.save([sample.mark()]))
    done, _ = await asyncio.wait([saving], timeout=0.3)
    assert not done
    writer.execute("COMMIT")
    writer.close()
    async with asyncio.timeout(30):
        await saving
    assert await store.marks("c1") == [sample.mark()]
    await store.close()


async def test_the_sqlite_file_is_private_in_wal_mode_and_durable(new_url: Maker) -> None:
    url = new_url("sqlite")
    store = open_store(url)
    await store.migrate()
    assert os.stat(url.removeprefix("sqlite:///")).st_mode & 0o007 == 0
    async with store._begin({}) as connection:  # type: ignore[attr-defined]
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in pragmas]
    assert found == ["wal", 2, 1, 5000]
    await store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
async def test_a_file_that_root_makes_belongs_to_whom_its_folder_belongs_to(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 54321, 54322)
    store = open_store(f"sqlite:///{folder}/recorderd.db")
    await store.migrate()
    await store.save([sample.mark()])
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 3, "the write-ahead log and its index too"
    assert owners == {(54321, 54322)}
    await store.close()


async def test_connections_that_the_server_has_closed_are_made_anew_unnoticed(
    cluster: Cluster, migrated_url: Maker
) -> None:
    url = migrated_url("postgresql")
    store = open_store(url)
    await store.save([sample.mark()])
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}'"
    name = url.partition("@/")[2].partition("?")[0]
    assert int(await asyncio.to_thread(cluster.sql, ended.format(name))) == 1
    assert await store.marks("c1") == [sample.mark()]
    await store.close()


async def test_around_a_question_to_postgresql_nothing_is_said_but_whether_it_is_there(
    migrated_url: Maker,
) -> None:
    store = open_store(migrated_url("postgresql"))
    said: list[str] = []
    async with store._begin({}) as connection:  # type: ignore[attr-defined]
        driver = (await connection.get_raw_connection()).driver_connection
        driver.add_query_logger(lambda record: said.append(record.query.split()[0]))
    # Of statements that are prepared, as all of the store's are, it is not told.
    assert await store.marks("c1") == []
    assert said == ["SELECT"]
    said.clear()
    await store.save([sample.mark()])
    assert [word.strip(";") for word in said] == ["SELECT", "BEGIN", "COMMIT"]
    await store.close()
