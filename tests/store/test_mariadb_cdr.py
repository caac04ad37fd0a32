"""FreePBX's table in a real MariaDB: calldate is all it has of a call's times, and the server may be away."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from recorderd.clerk.linker import Linker
from recorderd.core.channels import Names
from recorderd.core.policy import Policy
from recorderd.errors import StoreError
from recorderd.store.asterisk_cdr import AsteriskCdrTable
from recorderd.store.journal import Journal
from recorderd.store.memory import MemoryStore
from tests.keeping.conftest import eventually
from tests.mariadb import FREEPBX_CDR, MariaServer, running
from tests.store import sample

BERLIN = ZoneInfo("Europe/Berlin")
STARTED = 1_795_415_651.0  # 2026-11-23 06:34:11 UTC

ROW = {
    "calldate": "2026-11-23 06:34:11",
    "clid": '"Иван" <101>',
    "src": "101",
    "dst": "102",
    "dcontext": "from-internal",
    "channel": "PJSIP/101-00000000",
    "dstchannel": "PJSIP/102-00000001",
    "lastapp": "Dial",
    "lastdata": "PJSIP/102/sip:102@192.0.2.2",
    "duration": 6,
    "billsec": 5,
    "disposition": "ANSWERED",
    "amaflags": 3,
    "uniqueid": "1795415651.0",
    "linkedid": "1795415651.0",
    "sequence": 0,
    "cnum": "101",
}

_number = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    """One for the module. Who stops it must start it again."""
    with running() as mariadb:
        yield mariadb


def value(written: object) -> str:
    """As the client takes it in a statement."""
    text = str(written).replace("\\", "\\\\").replace("'", "''")
    return text if isinstance(written, int) else f"'{text}'"


@pytest.fixture
def fill(server: MariaServer) -> Callable[..., str]:
    """Makes asteriskcdrdb anew with these changes of `ROW` in it; its name."""

    def filled(*changes: dict[str, object], ddl: str = FREEPBX_CDR) -> str:
        name = f"asteriskcdrdb{next(_number)}"
        server.sql(f"CREATE DATABASE {name} CHARACTER SET utf8")
        server.sql(ddl, name)
        insert(server, name, *changes)
        return name

    return filled


def insert(server: MariaServer, name: str, *changes: dict[str, object]) -> None:
    for change in changes:
        row = {**ROW, **change}
        server.sql(f"INSERT INTO cdr ({','.join(row)}) VALUES ({','.join(map(value, row.values()))})", name)


def names_of(server: MariaServer, database: str) -> list[str]:
    return server.sql("SELECT recordingfile FROM cdr ORDER BY uniqueid, sequence", database).split("\n")[:-1]


async def test_a_row_of_freepbx_is_read_and_its_answer_and_end_are_reckoned(
    server: MariaServer, fill: Callable[..., str]
) -> None:
    table = AsteriskCdrTable(server.url(fill({})), zone=UTC)
    await table.check()
    await table.check_writable()
    [cdr] = await table.since(STARTED)
    assert (cdr.start, cdr.answer, cdr.end) == (STARTED, STARTED + 1, STARTED + 6)
    assert (cdr.uniqueid, cdr.sequence, cdr.linkedid) == ("1795415651.0", 0, "1795415651.0")
    assert (cdr.src, cdr.dst, cdr.clid, cdr.dcontext) == ("101", "102", '"Иван" <101>', "from-internal")
    assert (cdr.channel, cdr.dstchannel, cdr.disposition) == (ROW["channel"], ROW["dstchannel"], "ANSWERED")
    assert cdr.recordingfile == ""
    assert await table.since(STARTED + 1) == []
    await table.close()


async def test_calldate_is_local_time_also_in_the_hour_that_comes_twice(
    server: MariaServer, fill: Callable[..., str]
) -> None:
    early, late = 1_792_890_000.0 - 1800, 1_792_890_000.0 + 1800  # 02:30 CEST and 02:30 CET
    rows = [{"calldate": "2026-10-25 02:30:00", "uniqueid": f"pbx-{int(at)}.7"} for at in (late, early)]
    table = AsteriskCdrTable(server.url(fill(*rows)), zone=BERLIN)
    assert [cdr.start for cdr in await table.since(early)] == [early, late]
    assert [cdr.start for cdr in await table.since(late)] == [late]
    await table.close()


async def test_a_call_that_nobody_answered_has_no_answer(
    server: MariaServer, fill: Callable[..., str]
) -> None:
    row = {"disposition": "NO ANSWER", "billsec": 0, "dstchannel": ""}
    table = AsteriskCdrTable(server.url(fill(row)), zone=UTC)
    [cdr] = await table.since(0)
    assert (cdr.answer, cdr.end) == (None, STARTED + 6)
    await table.close()


async def test_hostile_rows_are_told_of_and_left_out(server: MariaServer, fill: Callable[..., str]) -> None:
    rows: list[dict[str, object]] = [
        {"uniqueid": ""},
        {"uniqueid": "2.2", "sequence": -1},
        {"uniqueid": "3.3", "duration": -5},
        {"uniqueid": "4.4", "clid": "Robert'); DROP TABLE cdr;-- \r\n%s"},
    ]
    told: list[str] = []
    database = fill(*rows)
    table = AsteriskCdrTable(server.url(database), zone=UTC, on_bad=told.append)
    [cdr] = await table.since(0)
    assert cdr.clid == "Robert'); DROP TABLE cdr;-- \r\n%s"
    assert len(told) == 3
    server.sql(
        "SET SESSION sql_mode=''; INSERT INTO cdr (calldate, uniqueid) VALUES ('0000-00-00', '5.5')", database
    )
    assert len(await table.since(0)) == 1
    await table.close()


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
@pytest.mark.parametrize("charset", ["utf8", "latin1"])
async def test_only_an_empty_name_is_completed_and_only_the_old_name_renamed(
    server: MariaServer, fill: Callable[..., str], engine: str, charset: str
) -> None:
    ddl = FREEPBX_CDR.replace("InnoDB", engine).replace("CHARSET=utf8", f"CHARSET={charset}")
    rows = [
        {"sequence": n, "recordingfile": name, "clid": ""}
        for n, name in ((0, ""), (3, "theirs.wav"), (30, ""))
    ]
    database = fill(*rows, ddl=ddl)
    table = AsteriskCdrTable(server.url(database), zone=UTC)
    assert await table.complete("1795415651.0", 0, "ours'%.wav")
    assert not await table.complete("1795415651.0", 0, "again.wav")
    assert not await table.complete("1795415651.0", 3, "ours.wav")
    assert not await table.complete("9.9", 0, "ours.wav")
    assert names_of(server, database) == ["ours'%.wav", "theirs.wav", ""]
    assert await table.rename("ours'%.wav", "ours.opus", STARTED) == 1
    assert await table.rename("ours.opus", "late.opus", STARTED + 86_400) == 0, "not of that day"
    assert await table.rename("", "no.opus", STARTED + 86_400) == 0
    assert names_of(server, database) == ["ours.opus", "theirs.wav", ""]
    await table.close()


async def test_who_may_only_read_reads_and_is_told_that_he_may_not_write(
    server: MariaServer, fill: Callable[..., str]
) -> None:
    database = fill({})
    server.sql(
        f"CREATE USER IF NOT EXISTS reader@localhost; GRANT SELECT ON {database}.* TO reader@localhost"
    )
    table = AsteriskCdrTable(server.url(database, "reader"), zone=UTC)
    await table.check()
    assert len(await table.since(0)) == 1
    for write in (
        table.check_writable(),
        table.complete("1795415651.0", 0, "ours.wav"),
        table.rename("a", "b", 0.0),
    ):
        with pytest.raises(StoreError, match="UPDATE command denied to user 'reader'@'localhost'"):
            await write
    assert names_of(server, database) == [""]
    await table.close()


async def test_the_rights_that_the_manual_gives_are_enough(
    server: MariaServer, fill: Callable[..., str]
) -> None:
    database = fill({})
    server.sql(
        "CREATE USER IF NOT EXISTS completer@localhost;"
        f"GRANT SELECT, UPDATE (recordingfile) ON {database}.cdr TO completer@localhost"
    )
    table = AsteriskCdrTable(server.url(database, "completer"), zone=UTC)
    await table.check_writable()
    assert await table.complete("1795415651.0", 0, "ours.wav")
    assert await table.rename("ours.wav", "ours.opus", STARTED) == 1
    assert names_of(server, database) == ["ours.opus"]
    await table.close()


async def test_what_is_wrong_is_one_sentence_without_the_password(
    server: MariaServer, fill: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    thin = "CREATE TABLE cdr (calldate datetime, channel text, dstchannel text, uniqueid text)"
    lacking, empty = fill(ddl=thin), fill(ddl="CREATE TABLE other (a int)")
    cases = [
        (server.url(lacking), "lacks sequence, linkedid, disposition, duration, billsec"),
        (server.url(empty), "There is no table cdr of CDRs"),
        (server.url("nowhere"), "Unknown database 'nowhere'"),
        (server.url(empty).replace("recorderd@", "reader:hunter2@"), "Access denied"),
        ("mysql://u:hunter2@/x?unix_socket=/nowhere/s", "Can't connect"),
    ]
    for url, why in cases:
        table = AsteriskCdrTable(url, zone=UTC)
        with pytest.raises(StoreError, match=why) as caught:
            await table.check()
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)
        await table.close()
    monkeypatch.setitem(sys.modules, "aiomysql", None)
    with pytest.raises(StoreError, match="pip install 'recorderd\\[mariadb\\]'"):
        AsteriskCdrTable(server.url(empty), zone=UTC)


async def completed(server: MariaServer, database: str, names: list[str]) -> bool:
    return await asyncio.to_thread(names_of, server, database) == names


async def test_calls_made_while_the_server_was_away_are_caught_up_and_their_rows_completed(
    server: MariaServer, fill: Callable[..., str], tmp_path: Path
) -> None:
    """The ledger has the talk; Asterisk's row came while nobody could read it, without a name."""
    database = fill()
    now = float(int(time.time()))
    store = MemoryStore(time.time)
    journal = Journal(tmp_path / "journal", store)
    began = sample.interval(started_at=now - 50, ended_at=now - 10)
    for row in (
        sample.conversation(started_at=now - 50, ended_at=now - 10),
        began,
        sample.recording(started_at=now - 50, ended_at=now - 10),
    ):
        journal.write(row)
    table = AsteriskCdrTable(server.url(database), zone=UTC)
    linker = Linker(store, journal.catch_up, Policy, Names, lambda: now, table, writable=True)
    server.stop()
    tasks = [asyncio.create_task(work()) for work in (journal.run, linker.run, linker.follow_table)]
    try:
        linker.deaf(((now - 60, now),))
        assert await journal.drain(5)
        await asyncio.to_thread(server.start)
        calldate = datetime.fromtimestamp(now - 51, UTC).strftime("%Y-%m-%d %H:%M:%S")
        talk = {
            "calldate": calldate,
            "uniqueid": began.parties[0].uniqueid,
            "channel": began.parties[0].channel,
            "dstchannel": began.parties[1].channel,
            "duration": 41,
            "billsec": 40,
        }
        await asyncio.to_thread(
            insert,
            server,
            database,
            talk,
            {**talk, "sequence": 1, "disposition": "NO ANSWER", "billsec": 0},
            {**talk, "sequence": 2, "recordingfile": "theirs.wav"},
        )
        linker.deaf(((now - 60, now),))
        ours = sample.recording().name
        await eventually(
            lambda: completed(server, database, [ours, "", "theirs.wav"]), "the rows are completed"
        )
        assert len(await store.cdrs(0)) == 3
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not server.running:
            server.start()
        journal.close()
        await table.close()
