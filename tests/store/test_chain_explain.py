"""No question about the chain that is asked often reads a whole table of the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recorderd.store import sql_chain as questions
from tests.postgres import Cluster
from tests.store.test_explain import plan

QUESTIONS: dict[str, sa.Select[Any]] = {
    "what has no entry": questions.unopened(1.0, 100),
    "what is not settled": questions.unsettled(1.0, 2.0, 100),
    "since when all is settled": questions.oldest_unsettled(1.0),
}


@pytest.fixture(scope="module")
def database(cluster: Cluster, migrated_database: str) -> str:
    cluster.create("chain_explained", migrated_database)
    return cluster.url("chain_explained")


@pytest.mark.parametrize("question", QUESTIONS)
async def test_sqlite_answers_from_an_index(question: str, migrated_file: Path) -> None:
    steps = await plan(f"sqlite:///{migrated_file}", (), "EXPLAIN QUERY PLAN", QUESTIONS[question])
    assert [step for step in steps if step.startswith("SCAN ")] == [], steps


@pytest.mark.parametrize("question", QUESTIONS)
async def test_postgresql_answers_from_an_index(question: str, database: str) -> None:
    steps = await plan(database, ("SET LOCAL enable_seqscan = off",), "EXPLAIN", QUESTIONS[question])
    assert [step for step in steps if "Seq Scan" in step] == [], steps
