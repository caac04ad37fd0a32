"""No question of the archive that is asked often reads a whole table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recorderd.core.keeping import KeepState
from recorderd.store import sql_keeping as questions
from tests.postgres import Cluster
from tests.store.test_explain import plan

QUESTIONS: dict[str, sa.Select[Any]] = {
    "what is unfinished": questions.unfinished(1.0, 100),
    "what is new": questions.new_recordings(1.0, 2.0, 100),
    "what a node has to do": questions.unfinished(1.0, 100, "pbx1", KeepState.LINKED),
    "what a node has new": questions.new_recordings(1.0, 2.0, 100, "pbx1"),
    "what is not in the bucket": questions.without_object("pbx1", 100),
    "how much could make room": questions.cached("pbx1"),
    "a page from old to new": questions.walk([KeepState.KEPT], 2.0, (1.0, "r1"), 100),
}


@pytest.fixture(scope="module")
def database(cluster: Cluster, migrated_database: str) -> str:
    cluster.create("kept_explained", migrated_database)
    return cluster.url("kept_explained")


@pytest.mark.parametrize("question", QUESTIONS)
async def test_sqlite_answers_from_an_index(question: str, migrated_file: Path) -> None:
    steps = await plan(f"sqlite:///{migrated_file}", (), "EXPLAIN QUERY PLAN", QUESTIONS[question])
    # The whole of an index that holds only what is unfinished is what was asked for.
    scans = [step for step in steps if step.startswith("SCAN ") and "kept_unfinished" not in step]
    assert scans == [], steps


@pytest.mark.parametrize("question", QUESTIONS)
async def test_postgresql_answers_from_an_index(question: str, database: str) -> None:
    steps = await plan(database, ("SET LOCAL enable_seqscan = off",), "EXPLAIN", QUESTIONS[question])
    assert [step for step in steps if "Seq Scan" in step] == [], steps
