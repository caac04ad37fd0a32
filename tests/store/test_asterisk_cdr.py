"""Asterisk's own table of CDRs, as its back ends make it, with what hostile callers put in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from recorderd.errors import StoreError
from recorderd.store.asterisk_cdr import AsteriskCdrTable
from tests.postgres import Cluster
from tests.store.conftest import DATABASES, Maker

BERLIN = ZoneInfo("Europe/Berlin")

COLUMNS = (
    "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,"
    "disposition,amaflags,accountcode,uniqueid,linkedid,sequence,userfield,recordingfile"
)
# What Asterisk 16 and 22 wrote for a call of 101 to 102, but for the names and the time.
ROW = {
    "calldate": "2026-11-23 06:34:11",
    "clid": '"Иван" <101>',
    "src": "101",
    "dst": "102",
    "dcontext": "from-phones",
    "channel": "PJSIP/101-00000000",
    "dstchannel": "PJSIP/102-00000001",
    "lastapp": "Dial",
    "lastdata": "PJSIP/102,30,",
    "start": "2026-11-23 06:34:11",
    "answer": "2026-11-23 06:34:12",
    "end": "2026-11-23 06:34:17",
    "duration": "6",
    "billsec": "5",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "accountcode": "acc101",
    "uniqueid": "1795415651.0",
    "linkedid": "1795415651.0",
    "sequence": "0",
    "userfield": "",
    "recordingfile": "",
}
STARTED = 1_795_415_651.0  # 06:34:11 UTC

# As cdr_pgsql's and FreePBX's samples have it.
POSTGRESQL = """
CREATE TABLE cdr (
    calldate timestamp, clid text, src text, dst text, dcontext text, channel text, dstchannel text,
    lastapp text, lastdata text, start {time}, answer {time}, "end" {time}, duration bigint, billsec bigint,
    disposition text, amaflags text, accountcode text, uniqueid text, linkedid text, sequence integer,
    userfield text, recordingfile text
)
"""

# Puts rows into a table of Asterisk's, which it makes; the table's address.
Fill = Callable[..., str]


@pytest.fixture
def fill(request: pytest.FixtureRequest, tmp_path: Path, new_url: Maker) -> Fill:
    """The dictionaries change `ROW`; a value of None is NULL."""

    def sqlite(*changes: dict[str, object], columns: str = COLUMNS) -> str:
        path = tmp_path / "master.db"
        with sqlite3.connect(path) as database:
            # Asterisk's own words: no column has a type.
            database.execute(f"CREATE TABLE cdr (AcctId INTEGER PRIMARY KEY, {columns})")
            for change in changes:
                values = {**ROW, **change}
                marks = ",".join("?" for _ in columns.split(","))
                row = [values[name.strip()] for name in columns.split(",")]
                database.execute(f"INSERT INTO cdr ({columns}) VALUES ({marks})", row)
        database.close()
        return f"sqlite:///{path}"

    def postgresql(*changes: dict[str, object], time: str = "timestamp") -> str:
        cluster: Cluster = request.getfixturevalue("cluster")
        url = new_url("postgresql")
        name = url.partition("@/")[2].partition("?")[0]
        cluster.sql(POSTGRESQL.format(time=time), name)
        for change in changes:
            values = {**ROW, **change}
            row = ",".join(
                "NULL" if v is None else "'" + str(v).replace("'", "''") + "'" for v in values.values()
            )
            columns = ",".join(f'"{column}"' for column in values)
            cluster.sql(f"INSERT INTO cdr ({columns}) VALUES ({row})", name)
        return url

    kinds = {"sqlite": sqlite, "postgresql": postgresql}
    return lambda kind, *changes, **more: kinds[kind](*changes, **more)


@pytest.mark.parametrize("database", DATABASES)
async def test_a_row_is_read_as_asterisk_wrote_it(database: str, fill: Fill) -> None:
    table = AsteriskCdrTable(fill(database, {}), zone=UTC)
    await table.check()
    [cdr] = await table.since(STARTED)
    assert (cdr.uniqueid, cdr.sequence, cdr.linkedid) == ("1795415651.0", 0, "1795415651.0")
    assert (cdr.start, cdr.answer, cdr.end) == (STARTED, STARTED + 1, STARTED + 6)
    assert (cdr.src, cdr.dst, cdr.clid, cdr.dcontext) == ("101", "102", '"Иван" <101>', "from-phones")
    assert (cdr.channel, cdr.dstchannel, cdr.lastapp) == ("PJSIP/101-00000000", "PJSIP/102-00000001", "Dial")
    assert (cdr.disposition, cdr.duration, cdr.billsec, cdr.accountcode) == ("ANSWERED", 6, 5, "acc101")
    assert cdr.recordingfile == ""
    await table.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_only_rows_from_then_on_come_and_the_oldest_first(database: str, fill: Fill) -> None:
    rows = [{"start": f"2026-11-23 0{hour}:00:00", "uniqueid": f"{hour}.1"} for hour in (8, 3, 6, 7)]
    table = AsteriskCdrTable(fill(database, *rows), zone=UTC)
    assert [cdr.uniqueid for cdr in await table.since(STARTED - 34 * 60 - 11)] == ["6.1", "7.1", "8.1"]
    assert await table.since(STARTED + 86_400) == []
    await table.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_local_times_are_understood_in_both_halves_of_the_hour_that_comes_twice(
    database: str, fill: Fill
) -> None:
    # 25 October 2026: 03:00 CEST became 02:00 CET at 01:00 UTC, which is 1,792,890,000.
    text = {"start": "2026-10-25 02:30:00", "answer": "2026-10-25 02:30:05", "end": "2026-10-25 02:31:00"}
    early, late = 1_792_890_000.0 - 1800, 1_792_890_000.0 + 1800
    rows = [{**text, "uniqueid": f"pbx-{int(at)}.{n}"} for n, at in enumerate((early, late))]
    table = AsteriskCdrTable(fill(database, *rows), zone=BERLIN)
    found = await table.since(early)
    assert [(cdr.start, cdr.answer, cdr.end) for cdr in found] == [
        (early, early + 5, early + 60),
        (late, late + 5, late + 60),
    ]
    assert [cdr.start for cdr in await table.since(late)] == [late]
    await table.close()


async def test_timestamps_with_a_zone_need_no_guess(fill: Fill) -> None:
    url = fill(
        "postgresql", {name: f"{ROW[name]}+00" for name in ("start", "answer", "end")}, time="timestamptz"
    )
    table = AsteriskCdrTable(url, zone=BERLIN)
    [cdr] = await table.since(STARTED)
    assert (cdr.start, cdr.end) == (STARTED, STARTED + 6)
    await table.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_an_unanswered_row_has_no_answer(database: str, fill: Fill) -> None:
    empty = "" if database == "sqlite" else None
    row = {
        "answer": empty,
        "disposition": "NO ANSWER",
        "billsec": "0",
        "dstchannel": empty,
        "recordingfile": None,
    }
    table = AsteriskCdrTable(fill(database, row), zone=UTC)
    [cdr] = await table.since(0)
    assert (cdr.answer, cdr.disposition, cdr.dstchannel, cdr.recordingfile) == (None, "NO ANSWER", "", "")
    await table.close()


@pytest.mark.parametrize(("written", "meant"), [("8", "ANSWERED"), ("4", "BUSY"), ("0", "NO ANSWER")])
async def test_a_disposition_in_numbers_is_put_into_words(fill: Fill, written: str, meant: str) -> None:
    table = AsteriskCdrTable(fill("sqlite", {"disposition": written}), zone=UTC)
    assert [cdr.disposition for cdr in await table.since(0)] == [meant]
    await table.close()


async def test_a_table_with_calldate_only_is_enough(fill: Fill) -> None:
    columns = "calldate,channel,dstchannel,duration,billsec,disposition,uniqueid,linkedid,sequence"
    columns += ",source,destination"
    row = {"source": "101", "destination": "102"}
    table = AsteriskCdrTable(fill("sqlite", row, columns=columns), zone=UTC)
    [cdr] = await table.since(0)
    assert (cdr.start, cdr.answer, cdr.end) == (STARTED, STARTED + 1, STARTED + 6)
    assert (cdr.src, cdr.dst, cdr.clid) == ("101", "102", "")
    with pytest.raises(StoreError, match="has no column recordingfile"):
        await table.complete("1795415651.0", 0, "x.wav")
    await table.close()


async def test_hostile_rows_are_told_of_and_left_out(fill: Fill) -> None:
    hostile: list[dict[str, object]] = [
        {"uniqueid": ""},
        {"start": "2026-13-45 99:99:99"},
        {"start": "yesterday"},
        {"sequence": "one"},
        {"sequence": "-1"},
        {"duration": "9" * 40},
        {"clid": "x" * 5000},
        {"linkedid": None, "uniqueid": "2.2"},
        {"clid": "Robert'); DROP TABLE cdr;--\x00\r\n", "uniqueid": "3.3"},
        {"duration": None, "billsec": "", "uniqueid": "4.4"},
    ]
    told: list[str] = []
    table = AsteriskCdrTable(fill("sqlite", *hostile), zone=UTC, on_bad=told.append)
    found = await table.since(0)
    assert [cdr.uniqueid for cdr in found] == ["2.2", "3.3", "4.4"]
    assert found[1].clid == "Robert'); DROP TABLE cdr;--\ufffd\r\n"
    assert (found[0].linkedid, found[2].duration) == ("", 0)
    assert len(told) == 7
    assert all(sentence.startswith("A row of Asterisk's CDR table cdr is none: ") for sentence in told)
    await table.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_only_an_empty_name_is_completed(database: str, fill: Fill) -> None:
    rows = [{}, {"sequence": "3", "recordingfile": None}, {"sequence": "30", "recordingfile": "theirs.wav"}]
    table = AsteriskCdrTable(fill(database, *rows), zone=UTC)
    assert await table.complete("1795415651.0", 0, "ours.wav")
    assert await table.complete("1795415651.0", 3, "ours'.wav")
    assert not await table.complete("1795415651.0", 30, "ours.wav")
    assert not await table.complete("1795415651.0", 0, "again.wav")
    assert not await table.complete("9.9", 0, "ours.wav")
    assert [cdr.recordingfile for cdr in await table.since(0)] == ["ours.wav", "ours'.wav", "theirs.wav"]
    await table.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
async def test_a_table_that_we_may_not_write_is_one_sentence(fill: Fill, cluster: Cluster) -> None:
    url = fill("postgresql", {})
    name = url.partition("@/")[2].partition("?")[0]
    cluster.sql("CREATE ROLE reader LOGIN; GRANT SELECT ON cdr TO reader", name)
    table = AsteriskCdrTable(url.replace("recorderd@", "reader@"), zone=UTC)
    assert len(await table.since(0)) == 1
    with pytest.raises(StoreError, match="permission denied for table cdr"):
        await table.complete("1795415651.0", 0, "ours.wav")
    await table.close()


async def test_what_is_wrong_with_a_table_is_one_sentence(fill: Fill, tmp_path: Path, new_url: Maker) -> None:
    cases = [
        (f"sqlite:///{tmp_path}/none.db", "unable to open database file"),
        (new_url("postgresql"), "There is no table cdr of CDRs"),
        (
            fill("sqlite", columns="start,uniqueid,src"),
            "lacks sequence, linkedid, channel, dstchannel, disposition",
        ),
    ]
    for url, why in cases:
        table = AsteriskCdrTable(url, zone=UTC)
        with pytest.raises(StoreError, match=why):
            await table.check()
        with pytest.raises(StoreError, match=why):
            await table.since(0)
        await table.close()
    assert not (tmp_path / "none.db").exists(), "a file that Asterisk did not make must not be made"
    for url in ("mssql://root:hunter2@localhost/asteriskcdrdb", "nothing"):
        with pytest.raises(StoreError) as caught:
            AsteriskCdrTable(url, zone=UTC)
        assert "hunter2" not in str(caught.value)


async def test_rows_are_read_while_asterisk_writes(fill: Fill) -> None:
    url = fill("sqlite", {})
    asterisk = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    asterisk.execute("BEGIN IMMEDIATE")
    table = AsteriskCdrTable(url, zone=UTC)
    assert len(await table.since(0)) == 1
    asterisk.execute("COMMIT")
    asterisk.close()
    await table.close()
