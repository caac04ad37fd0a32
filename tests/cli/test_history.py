"""recordings, past calls, coverage and db: what the store and the spool hold."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from recorderd.core.rows import (
    Cdr,
    CdrLink,
    Conversation,
    Direction,
    Interval,
    Outcome,
    Party,
    Recording,
    RecordingState,
)
from recorderd.evidence import day_folders
from recorderd.store.abc import Store
from tests.cli.conftest import Program

NOW = time.time()
START = NOW - 600
NAME = "in-101-0612345678-20261123-100000-1.1.wav"


def folder(program: Program) -> str:
    return datetime.fromtimestamp(START, program.config.zone).strftime("%Y/%m/%d")


def parties() -> tuple[Party, ...]:
    outside = Party(
        uniqueid="1.1",
        channel="PJSIP/trunk-1",
        extension="",
        number="0612345678",
        name="",
        direction=Direction.OUTBOUND,
    )
    inside = Party(
        uniqueid="1.2",
        channel="PJSIP/101-2",
        extension="101",
        number="101",
        name="",
        direction=Direction.INBOUND,
    )
    return outside, inside


def a_call(program: Program, outcome: Outcome = Outcome.RECORDED) -> list[object]:
    """One answered call, recorded, and its CDR."""
    return [
        Conversation(id="c1", started_at=START, ended_at=START + 42, linkedids=("1.1",)),
        Interval(
            id="i1",
            conversation_id="c1",
            started_at=START,
            ended_at=START + 42,
            parties=parties(),
            mode="always",
            wanted=True,
            masked=False,
            reason="101 chose always",
            trace=("101 chose always: wins",),
            policy_version=1,
            recording_id="r1",
            offset_ms=0,
            outcome=outcome,
        ),
        Recording(
            id="r1",
            conversation_id="c1",
            segment=1,
            folder=folder(program),
            name=NAME,
            state=RecordingState.CLOSED,
            started_at=START,
            ended_at=START + 42,
            duration_ms=42000,
            size=672044,
        ),
        Cdr(
            uniqueid="1.1",
            sequence=1,
            linkedid="1.1",
            start=float(int(START)),
            answer=float(int(START)),
            end=float(int(START) + 42),
            src="0612345678",
            dst="101",
            dcontext="in",
            clid="",
            channel="PJSIP/trunk-1",
            dstchannel="PJSIP/101-2",
            lastapp="Dial",
            disposition="ANSWERED",
            duration=42,
            billsec=42,
        ),
        CdrLink(uniqueid="1.1", sequence=1, recording_id="r1"),
    ]


@pytest.fixture
def recorded(program: Program) -> Program:
    async def save(store: Store) -> None:
        await store.save(a_call(program))  # type: ignore[arg-type]

    program.fill(save)
    spool = program.config.spool.monitor / folder(program)
    spool.mkdir(parents=True)
    spool.joinpath(NAME).write_bytes(b"x")
    return program


def test_recordings_are_told_with_their_paths(recorded: Program) -> None:
    (row,) = recorded("recordings", "--json").json
    assert Path(row["path"]).is_file()
    assert (row["state"], row["duration_ms"], row["size"]) == ("closed", 42000, 672044)
    assert "0:42" in recorded("recordings").out


@pytest.mark.parametrize(
    ("argv", "count"),
    [
        (("--extension", "101"), 1),
        (("--extension", "102"), 0),
        (("--state", "closed"), 1),
        (("--state", "failed"), 0),
        (("--conversation", "c1"), 1),
        (("--since", "5m"), 0),
        (("--since", "1d", "--until", "1h"), 0),
    ],
)
def test_recordings_may_be_chosen(recorded: Program, argv: tuple[str, ...], count: int) -> None:
    assert len(recorded("recordings", "--json", *argv).json) == count


def test_past_calls_have_their_outcome(recorded: Program) -> None:
    (row,) = recorded("calls", "--since", "1h", "--json").json
    assert (row["outcome"], row["mode"], row["recording"]) == ("recorded", "always", "r1")
    assert "0612345678 - 101" in recorded("calls", "--since", "1h").out
    assert recorded("calls", "--since", "1h", "--extension", "102").out == "nobody talked\n"


# --- coverage ----------------------------------------------------------------------------------


def test_coverage_is_proven_when_everything_fits(recorded: Program) -> None:
    said = recorded("coverage", "--json")
    assert said.code == 0
    data = said.json
    assert (data["proven"], data["cdrs"], data["files"], data["outcomes"]) == (True, 1, 1, {"recorded": 1})
    assert recorded("coverage").out.endswith("everything was recorded as policy says\n")


def test_a_file_without_a_row_is_not_proven(recorded: Program) -> None:
    orphan = recorded.config.spool.monitor / folder(recorded) / "x.wav"
    orphan.write_bytes(b"x")
    said = recorded("coverage")
    assert said.code == 1
    assert f"{folder(recorded)}/x.wav" in said.out
    assert said.out.endswith("NOT PROVEN\n")


def test_a_row_without_its_file_is_not_proven(recorded: Program) -> None:
    recorded.config.spool.monitor.joinpath(folder(recorded), NAME).unlink()
    said = recorded("coverage", "--json")
    assert (said.code, [r["id"] for r in said.json["lost"]]) == (1, ["r1"])


def test_a_fault_and_a_cdr_that_nobody_explains_are_not_proven(recorded: Program) -> None:
    async def spoil(store: Store) -> None:
        rows = a_call(recorded, Outcome.NOT_RECORDED)
        lonely = Cdr(
            uniqueid="9.9",
            sequence=1,
            linkedid="9.9",
            start=START,
            answer=START,
            end=START + 5,
            src="7",
            dst="8",
            dcontext="in",
            clid="",
            channel="PJSIP/7-9",
            dstchannel="PJSIP/8-9",
            lastapp="Dial",
            disposition="ANSWERED",
            duration=5,
            billsec=5,
        )
        await store.save([*rows, lonely])  # type: ignore[list-item]

    recorded.fill(spoil)
    said = recorded("coverage")
    assert said.code == 1
    assert "FAULT-not-recorded" in said.out
    assert "9.9" in said.out


def test_coverage_reads_asterisks_own_table_too(recorded: Program) -> None:
    import sqlite3

    file = recorded.folder / "master.db"
    names = (
        "uniqueid,linkedid,sequence,channel,dstchannel,disposition,duration,billsec,src,dst,answer,end,start"
    )
    at = datetime.fromtimestamp(START, recorded.config.zone).strftime("%Y-%m-%d %H:%M:%S")
    with sqlite3.connect(file) as database:
        columns = ",".join(f'"{name}"' for name in names.split(","))
        database.execute(f"CREATE TABLE cdr ({columns})")
        values = ("8.8", "8.8", "1", "PJSIP/1-1", "PJSIP/2-2", "ANSWERED", "5", "5", "1", "2", at, at, at)
        database.execute(f"INSERT INTO cdr VALUES ({','.join('?' * len(values))})", values)
    recorded.file.write_text(recorded.file.read_text() + f"cdr: {{source: 'sqlite:///{file}'}}\n")
    said = recorded("coverage", "--json")
    assert (said.code, [c["uniqueid"] for c in said.json["unaccounted"]]) == (1, ["8.8"])


def test_a_cdr_of_this_moment_is_not_judged_yet(recorded: Program) -> None:
    async def add(store: Store) -> None:
        call = next(row for row in a_call(recorded) if isinstance(row, Cdr))
        from dataclasses import replace

        young = replace(call, uniqueid="7.7", channel="x", dstchannel="y", start=time.time(), end=time.time())
        await store.save([young])

    recorded.fill(add)
    data = recorded("coverage", "--json").json
    assert (data["proven"], data["cdrs_settling"]) == (True, 1)


def test_days_are_the_pbxs_own(program: Program) -> None:
    zone = program.config.zone
    start = datetime(2026, 11, 22, 23, 59, tzinfo=zone).timestamp()
    end = datetime(2026, 11, 24, 0, 1, tzinfo=zone).timestamp()
    assert day_folders(start, end, zone) == {"2026/11/22", "2026/11/23", "2026/11/24"}


# --- db ----------------------------------------------------------------------------------------


def test_a_backup_is_restored_into_an_empty_database(recorded: Program) -> None:
    file = f"{recorded.folder}/backup.gz"
    written = recorded("db", "backup", file, "--json").json["rows"]
    assert written >= 4
    recorded.configure(url=f"sqlite:///{recorded.folder}/other.db")
    assert recorded("db", "restore", file, "--json").json["rows"] == written
    assert len(recorded("recordings", "--json").json) == 1


def test_a_backup_over_a_file_and_a_restore_over_rows_are_refused(recorded: Program) -> None:
    file = f"{recorded.folder}/backup.gz"
    assert recorded("db", "backup", file).code == 0
    assert recorded("db", "backup", file).code == 69
    said = recorded("db", "restore", file)
    assert (said.code, said.err.count("\n")) == (69, 1)


def test_migrate_may_be_done_again(program: Program) -> None:
    assert program("db", "migrate").code == 0
    assert program("db", "migrate").out == "the database is up to date\n"


def test_a_database_made_by_root_belongs_to_the_owner_of_its_folder(program: Program) -> None:
    import os

    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(program.folder, 12345, 12346)
    assert program("db", "migrate").code == 0
    made = program.folder.joinpath("recorderd.db").stat()
    assert (made.st_uid, made.st_gid) == (12345, 12346)
