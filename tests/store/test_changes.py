"""A change of policy is heard, whatever happens to the way in between."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from recorderd.store import open_store
from tests.postgres import Cluster
from tests.store import sample
from tests.store.conftest import DATABASES, Maker

DEADLINE_SECONDS = 30


async def heard(changes: AsyncIterator[int], version: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await anext(changes) == version


async def listener(cluster: Cluster, url: str) -> int:
    """The server's process for the only connection to this database."""
    database = sa.make_url(url).database
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'"
    return int(await asyncio.to_thread(cluster.sql, query))


@pytest.mark.parametrize("database", DATABASES)
async def test_a_change_by_another_process_is_heard(database: str, migrated_url: Maker) -> None:
    url = migrated_url(database)
    here, there = open_store(url), open_store(url)
    changes = here.policy_changes()
    await heard(changes, 0)
    await there.set_extension(sample.extension(), "admin")
    await heard(changes, 1)
    await changes.aclose()
    await here.close()
    await there.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_several_changes_may_be_told_as_one_but_the_last_is_always_told(
    database: str, migrated_url: Maker
) -> None:
    store = open_store(migrated_url(database))
    changes = store.policy_changes()
    await heard(changes, 0)
    for _ in range(5):
        await store.set_extension(sample.extension(), "admin")
    last = 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while last < 5:
            version = await anext(changes)
            assert version > last
            last = version
    await changes.aclose()
    await store.close()


async def test_a_listener_whose_connection_was_cut_hears_what_it_missed(
    cluster: Cluster, migrated_url: Maker
) -> None:
    url = migrated_url("postgresql")
    store = open_store(url)
    changes = store.policy_changes()
    await heard(changes, 0)
    pid = await listener(cluster, url)
    await asyncio.to_thread(cluster.sql, f"SELECT pg_terminate_backend({pid})")
    await store.set_extension(sample.extension(), "admin")
    await heard(changes, 1)
    await changes.aclose()
    await store.close()


async def test_a_listener_hears_what_it_missed_while_the_server_was_down(
    cluster: Cluster, migrated_url: Maker
) -> None:
    store = open_store(migrated_url("postgresql"))
    changes = store.policy_changes()
    await heard(changes, 0)
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.to_thread(cluster.stop, "immediate")
    await asyncio.to_thread(cluster.start)
    await store.set_extension(sample.extension(), "admin")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await waiting == 1
    await changes.aclose()
    await store.close()


async def test_a_listener_whose_server_fell_silent_finds_out_and_starts_again(
    cluster: Cluster, migrated_url: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorderd.store.changes.HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr("recorderd.store.changes.ANSWER_SECONDS", 1.0)
    url = migrated_url("postgresql")
    listening, store = open_store(url), open_store(url)
    changes = listening.policy_changes()
    await heard(changes, 0)
    pid = await listener(cluster, url)
    os.kill(pid, signal.SIGSTOP)
    try:
        await store.set_extension(sample.extension(), "admin")
        await heard(changes, 1)
    finally:
        os.kill(pid, signal.SIGCONT)
    await changes.aclose()
    await listening.close()
    await store.close()


async def test_a_watch_that_starts_before_there_is_a_database_waits_for_it(new_url: Maker) -> None:
    store = open_store(new_url("sqlite"))
    changes = store.policy_changes()
    first = asyncio.ensure_future(anext(changes))
    await store.migrate()
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await first == 0
    await changes.aclose()
    await store.close()
