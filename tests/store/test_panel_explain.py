"""No question of the panel reads a whole table, however its filter is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recorderd.store import panel_queries, panel_tables
from recorderd.store.panel import Wanted
from tests.postgres import Cluster
from tests.store.test_explain import plan

PLACE = (2.0, "1.1")
FILTERS = {
    "no filter": Wanted(),
    "a word": Wanted(words=(("107",),)),
    "a word and a length": Wanted(words=(("107", "anna"),), min_s=61),
    "a length": Wanted(min_s=61, max_s=600),
    "days": Wanted(since=1.0, until=2.0),
    "a direction": Wanted(way="in"),
    "missed": Wanted(result="missed"),
    "recorded": Wanted(recorded=True),
}
PLACES: dict[str, tuple[Any, Any]] = {
    "at the top": (None, None),
    "older": (PLACE, None),
    "newer": (None, PLACE),
}
LISTS = {"one list": ["101"], "three lists": ["101", "102", "103"], "everything": [""]}


def filled(asked: panel_queries.Asked) -> sa.Select[Any]:
    """The statement with its values in it, as a plan is asked for."""
    return asked.statement.params(asked.values)


QUESTIONS: dict[str, sa.Select[Any]] = {
    **{
        f"{which}, {wanted}, {where}": filled(panel_queries.entries(owners, filter, *place, 50, 50_000))
        for which, owners in LISTS.items()
        for wanted, filter in FILTERS.items()
        for where, place in PLACES.items()
    },
    "where a search stopped": filled(panel_queries.stopped("101", Wanted(min_s=1), None, None, 50_000)),
    "one entry": panel_queries.entry("1.1", ["", "101"]),
    "whose story it is": panel_queries.owners("1.1"),
    "the newest entry": panel_queries.newest_entry(),
    "the trail": panel_queries.audit({}, PLACE, 100),
    "the trail of somebody": panel_queries.audit({"who": "a"}, PLACE, 100),
    "the trail of a deed": panel_queries.audit({"action": "play"}, None, 100),
    "the trail of a thing": panel_queries.audit({"object": "r1"}, None, 100),
    "a token": sa.select(panel_tables.tokens).where(panel_tables.tokens.c.hash == "x"),
    "somebody's sessions": sa.select(panel_tables.sessions).where(panel_tables.sessions.c.login == "x"),
}


@pytest.fixture(scope="module")
def database(cluster: Cluster, migrated_database: str) -> str:
    cluster.create("panelexplained", migrated_database)
    return cluster.url("panelexplained")


@pytest.mark.parametrize("question", QUESTIONS)
async def test_sqlite_answers_from_an_index(question: str, migrated_file: Path) -> None:
    steps = await plan(f"sqlite:///{migrated_file}", (), "EXPLAIN QUERY PLAN", QUESTIONS[question])
    scans = [step for step in steps if step.startswith("SCAN ")]
    # The few keys that a search found, and the end of an index that is read from there, are no table.
    fine = ("hits", "seen", "anon_", "audit_at")
    assert [step for step in scans if not any(word in step for word in fine)] == [], steps


SELECTIVE = [
    question for question in QUESTIONS if question.startswith("one list, ") and "no filter" not in question
]


@pytest.mark.parametrize("question", SELECTIVE)
async def test_sqlite_stops_reading_once_a_filter_has_a_page_full(question: str, migrated_file: Path) -> None:
    steps = await plan(f"sqlite:///{migrated_file}", (), "EXPLAIN QUERY PLAN", QUESTIONS[question])
    searching = [step for step in steps if "call_entries_list" in step or "TEMP B-TREE" in step]
    # What is sorted is one page of hits, after the index was read: never all that was looked at.
    assert len([step for step in searching if "TEMP B-TREE" in step]) <= 1, steps
    assert "CO-ROUTINE" in " ".join(steps) or not any("TEMP B-TREE" in step for step in steps), steps


@pytest.mark.parametrize("question", QUESTIONS)
async def test_postgresql_answers_from_an_index(question: str, database: str) -> None:
    before = ("SET LOCAL enable_seqscan = off",)
    steps = await plan(database, before, "EXPLAIN", QUESTIONS[question])
    assert [step for step in steps if "Seq Scan" in step] == [], steps
