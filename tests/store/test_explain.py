"""No question that is asked often reads a whole table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recorderd.core import rows
from recorderd.store import engines, queries
from tests.postgres import Cluster

QUESTIONS: dict[str, sa.Select[Any]] = {
    "a conversation": queries.conversations(id="c1"),
    "conversations by time": queries.conversations(1.0, 2.0),
    "conversations by linkedid": queries.conversations(linkedid="1.1"),
    "conversations by ids": queries.conversations(id=("c1", "c2")),
    "links of recordings": queries.links(recording_id=("r1", "r2")),
    "cdrs of links": queries.cdrs(uniqueid=("1.1", "1.2")),
    "a conversation's intervals": queries.intervals(conversation_id="c1"),
    "intervals by time": queries.intervals(1.0, 2.0),
    "a recording's intervals": queries.intervals(recording_id="r1"),
    "intervals by a channel": queries.intervals(uniqueid="1.1"),
    "an extension's intervals": queries.intervals(1.0, 2.0, extension="101"),
    "intervals by a CDR": queries.intervals(cdr_uniqueid="1.1"),
    "a conversation's recordings": queries.recordings(conversation_id="c1"),
    "recordings by state": queries.recordings(state=rows.RecordingState.CLOSING),
    "recordings by time": queries.recordings(1.0, 2.0),
    "a recording's lanes": queries.lanes("r1"),
    "a conversation's marks": queries.marks("c1"),
    "CDRs by linkedid": queries.cdrs(linkedid="1.1"),
    "CDRs by uniqueid": queries.cdrs(uniqueid="1.1"),
    "CDRs by time": queries.cdrs(1.0, 2.0),
    "CDRs without a link": queries.cdrs(1.0, 2.0, without_link=True),
    "a recording's links": queries.links(recording_id="r1"),
    "a CDR's links": queries.links(uniqueid="1.1"),
    "alarms by time": queries.alarms(1.0, False),
    "active alarms": queries.alarms(None, True),
    "open conversations": queries.open_conversations(),
    "open intervals": queries.open_intervals(),
    "open recordings": queries.open_recordings(),
    "open lanes": queries.open_lanes(),
}


async def plan(url: str, before: tuple[str, ...], explain: str, query: sa.Select[Any]) -> list[str]:
    engine = engines.ENGINES[sa.make_url(url).get_backend_name()](engines.parse(url), alone=True)
    async with engine.connect() as connection, connection.begin():
        for statement in before:
            await connection.exec_driver_sql(statement)
        sql = query.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
        result = await connection.exec_driver_sql(f"{explain} {sql}")
        return [str(row[-1]).strip() for row in result]


@pytest.fixture(scope="module")
def database(cluster: Cluster, migrated_database: str) -> str:
    """One for all questions: they change nothing."""
    cluster.create("explained", migrated_database)
    return cluster.url("explained")


@pytest.mark.parametrize("question", QUESTIONS)
async def test_sqlite_answers_from_an_index(question: str, migrated_file: Path) -> None:
    steps = await plan(f"sqlite:///{migrated_file}", (), "EXPLAIN QUERY PLAN", QUESTIONS[question])
    scans = [step for step in steps if step.startswith("SCAN ")]
    # The whole of an index that holds only what is open is what was asked for; so is its end, newest first.
    fine = ("_open", "_active", "audit_at")
    assert [step for step in scans if "INDEX" not in step or not step.endswith(fine)] == [], steps


@pytest.mark.parametrize("question", QUESTIONS)
async def test_postgresql_answers_from_an_index(question: str, database: str) -> None:
    # Of an empty table a scan is the cheapest thing: see whether there is another way.
    steps = await plan(database, ("SET LOCAL enable_seqscan = off",), "EXPLAIN", QUESTIONS[question])
    assert [step for step in steps if "Seq Scan" in step] == [], steps
