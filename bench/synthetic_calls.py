"""Synthetic calls, a million or ten, in the panel's tables and in the peer's.

Owns what they are like (skewed over 500 extensions, mostly short, one in eight unanswered) and how they
come in quickly. Must not know what is asked of them.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

NOW = 1_795_510_000.0
YEAR = 365 * 86_400.0
EXTENSIONS = [str(n) for n in range(100, 600)]
# A third of all calls goes to the ten busiest, as in an office.
WEIGHTS = [1 / (n + 3) for n in range(len(EXTENSIONS))]
BATCH = 20_000
# So many are made one by one; further ones are these again, a little later each time, and made where they are
# kept. Recordings, intervals and conversations have only these.
BLOCK = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ENTRY = ("story_id", "owner", "started_at", "ended_at", "way", "result", "caller_number", "caller_name",
         "caller_extension", "source", "destination", "talk_s", "mode", "wanted", "reason", "outcome",
         "recordings", "parts", "recorded", "search")  # fmt: skip
RECORDING = ("id", "conversation_id", "segment", "folder", "name", "state", "started_at", "ended_at",
             "duration_ms", "size", "lanes", "reason")  # fmt: skip
CONVERSATION = ("id", "started_at", "ended_at", "linkedids", "joined")
LINKEDID = ("conversation_id", "linkedid")
INTERVAL = ("id", "conversation_id", "started_at", "ended_at", "parties", "mode", "wanted", "masked",
            "reason", "trace", "policy_version", "recording_id", "offset_ms", "outcome", "missing_ms", "note",
            "cdr_uniqueid")  # fmt: skip
PEER = ("calldate", "clid", "src", "dst", "channel", "dstchannel", "disposition", "duration", "billsec",
        "uniqueid", "cnum", "cnam", "recordingfile")  # fmt: skip
NAMES = ("anna", "boris", "clara", "dmitri", "elena", "fyodor", "galina", "ivan", "katya", "leonid")

Rows = dict[str, list[tuple[Any, ...]]]


def batches(calls: int, instant: Callable[[float], Any], *, peer: bool) -> Iterator[Rows]:
    """All tables' rows, batch by batch, oldest first. The same for every run."""
    chance = random.Random(1)
    for first in range(0, calls, BATCH):
        rows: Rows = {table: [] for table in COLUMNS}
        count = min(BATCH, calls - first)
        callers = chance.choices(EXTENSIONS, WEIGHTS, k=count)
        callees = chance.choices(EXTENSIONS, WEIGHTS, k=count)
        for n in range(count):
            if callers[n] == callees[n]:
                callees[n] = EXTENSIONS[int(callees[n]) - int(EXTENSIONS[0]) - 1]
            number = first + n
            at = NOW - YEAR + YEAR * number / calls
            _one(rows, chance, number, at, callers[n], callees[n], instant, peer=peer)
        yield rows


def _one(
    rows: Rows,
    chance: random.Random,
    number: int,
    at: float,
    caller: str,
    callee: str,
    instant: Callable[[float], Any],
    *,
    peer: bool,
) -> None:
    outside = chance.random() < 0.5
    telephone = f"+7495{chance.randrange(10**7):07}"
    name = chance.choice(NAMES) if outside else ""
    source = telephone if outside else caller
    # Mostly short, rarely long: 0.8 % beyond ten minutes; one in eight is not answered.
    talk = 0 if chance.random() < 0.125 else int(min(3600, chance.expovariate(1 / 125)))
    recorded = talk > 0 and chance.random() < 0.6
    story, recording = f"{int(at)}.{number}", f"r{number}"
    start, end = instant(at), instant(at + talk + 5)
    search = " ".join(dict.fromkeys((source, name, callee)))
    result = "answered" if talk else "missed"
    for owner, way in (
        ("", "in" if outside else "internal"),
        (callee, "in"),
        *(() if outside else ((caller, "out"),)),
    ):
        rows["call_entries"].append(
            (story, owner, start, end, way, result if way != "out" or talk else "unanswered", source, name,
             "" if outside else caller, source, callee, talk, "always" if recorded else "never", recorded,
             f"{callee} chose always for inbound calls", "recorded" if recorded else "not-by-policy",
             f'["{recording}"]' if recorded else "[]", 1, recorded, search)
        )  # fmt: skip
    if recorded:
        rows["recordings"].append(
            (recording, f"c{number}", 1, "2026/11/23", f"in-{callee}-{number}.wav", "closed", start, end,
             talk * 1000, talk * 16000, "[]", "")
        )  # fmt: skip
        parties = [
            {"uniqueid": story, "channel": f"PJSIP/{source}-1", "extension": "" if outside else caller,
             "number": source, "name": name, "direction": "outbound"},
            {"uniqueid": f"{story}9", "channel": f"PJSIP/{callee}-2", "extension": callee, "number": callee,
             "name": "", "direction": "inbound"},
        ]  # fmt: skip
        rows["conversations"].append((f"c{number}", start, end, json.dumps([story]), None))
        rows["conversation_linkedids"].append((f"c{number}", story))
        rows["intervals"].append(
            (f"i{number}", f"c{number}", start, end, json.dumps(parties), "always", True, False, "chose",
             "[]", 1, recording, 0, "recorded", 0, "", "")
        )  # fmt: skip
    if peer:
        device = "trunk" if outside else caller
        rows["ucp_cdr"].append(
            (start, f'"{name}" <{source}>', source, callee, f"PJSIP/{device}-{number:08x}",
             f"PJSIP/{callee}-{number + 1:08x}", "ANSWERED" if talk else "NO ANSWER", talk + 5, talk, story,
             source, name, "")
        )  # fmt: skip


# --- filling -----------------------------------------------------------------------------------------

COLUMNS = {
    "call_entries": ENTRY,
    "recordings": RECORDING,
    "intervals": INTERVAL,
    "conversations": CONVERSATION,
    "conversation_linkedids": LINKEDID,
    "ucp_cdr": PEER,
}
PEER_TABLE = """
CREATE UNLOGGED TABLE ucp_cdr (calldate timestamptz, clid varchar(80), src varchar(80), dst varchar(80),
    channel varchar(80), dstchannel varchar(80), disposition varchar(45), duration int, billsec int,
    uniqueid varchar(32), cnum varchar(80), cnam varchar(80), recordingfile varchar(255))
"""
PEER_INDEXES = ("dst", "uniqueid", "recordingfile")


def fill_sqlite(path: Path, calls: int) -> None:
    """Into a file that is migrated."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    for rows in batches(calls, lambda at: round(at * 1_000_000), peer=False):
        for table, columns in COLUMNS.items():
            if rows[table]:
                marks = ",".join("?" * len(columns))
                names = ",".join(f'"{c}"' for c in columns)
                connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows[table])
        connection.commit()
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def fill_postgresql(url: str, calls: int) -> None:
    """Into a database that is migrated: COPY, indexes afterwards, then VACUUM as autovacuum would have."""
    connection = await asyncpg.connect(url)
    await connection.execute(PEER_TABLE)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY($1) "
        "AND indexdef NOT LIKE '%UNIQUE%'",
        list(COLUMNS),
    )
    primary = "ALTER TABLE call_entries DROP CONSTRAINT call_entries_pkey"
    await connection.execute(primary)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    block = min(calls, BLOCK)
    for rows in batches(block, lambda at: _EPOCH + timedelta(seconds=at), peer=True):
        for table, columns in COLUMNS.items():
            await connection.copy_records_to_table(table, records=rows[table], columns=columns)
    for copy in range(1, -(-calls // BLOCK)):
        await _again(connection, copy, YEAR / calls * copy)
    await connection.execute("ALTER TABLE call_entries ADD PRIMARY KEY (story_id, owner)")
    await connection.execute("CREATE INDEX ucp_cdr_by_time ON ucp_cdr (calldate)")
    if calls > BLOCK:
        # Calls lie in a table as they came, by time (a story's id begins with it); copies lie behind one another.
        await connection.execute("CLUSTER call_entries USING call_entries_pkey")
        await connection.execute("CLUSTER ucp_cdr USING ucp_cdr_by_time")
    for index in indexes:
        await connection.execute(index["indexdef"])
    for column in PEER_INDEXES:
        await connection.execute(f"CREATE INDEX ON ucp_cdr ({column})")
    for table in COLUMNS:
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.close()


async def _again(connection: asyncpg.Connection, copy: int, later: float) -> None:
    """The first block's calls once more, under other names, so many seconds later each."""
    entry, peer = dict.fromkeys(ENTRY), dict.fromkeys(PEER)
    changed = {
        "story_id": f"story_id || '.{copy}'",
        "uniqueid": f"uniqueid || '.{copy}'",
        **{at: f"{at} + interval '{later:.3f} s'" for at in ("started_at", "ended_at", "calldate")},
    }
    for table, columns, own in (("call_entries", entry, "story_id"), ("ucp_cdr", peer, "uniqueid")):
        values = ", ".join(changed.get(column, column) for column in columns)
        # A story of the first block has one point in its name.
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} "
            f"WHERE {own} NOT LIKE '%.%.%'"
        )
