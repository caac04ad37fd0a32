"""Tells when policy in the database has changed, whoever changed it.

Owns the two ways of hearing of it. Must not know what policy says: only its version comes out.
Both first tell the version in force, so that a change between a load and the first look cannot be missed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from recorderd.errors import StoreError
from recorderd.store import tables
from recorderd.store.engines import errors_translated

CHANNEL = "recorderd_policy"

# How often SQLite's counter of commits by others is read; the duty is one second.
POLL_SECONDS = 0.3
# PostgreSQL says nothing when the way to it is cut: a question every so often finds out.
HEARTBEAT_SECONDS = 15.0
ANSWER_SECONDS = 5.0
RETRY_SECONDS = (0.2, 0.4, 0.8, 1.0)


async def watch(engine: AsyncEngine) -> AsyncGenerator[int, None]:
    """See `Store.policy_changes`. `engine` must have no pool: the connection is kept, and kept apart."""
    told = -1
    failures = 0
    look = _WAYS[engine.dialect.name]
    while True:
        try:
            with errors_translated():
                async with engine.connect() as connection, aclosing(look(connection)) as versions:
                    async for version in versions:
                        failures = 0
                        if version > told:
                            told = version
                            yield version
        except StoreError:
            pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            failures += 1
            await asyncio.sleep(pause * random.uniform(0.8, 1.0))


async def version(connection: AsyncConnection) -> int:
    """The version of policy in force."""
    return int((await connection.execute(sa.select(tables.policy_version.c.version))).scalar_one())


async def _sqlite(connection: AsyncConnection) -> AsyncGenerator[int, None]:
    """`data_version` moves at every commit of another connection; only then is the version read."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    seen = None
    while True:
        [(commits,)] = await driver.execute_fetchall("PRAGMA data_version")
        if commits != seen:
            seen = commits
            async with connection.begin():
                found = await version(connection)
            yield found
        await asyncio.sleep(POLL_SECONDS)


async def _postgresql(connection: AsyncConnection) -> AsyncGenerator[int, None]:
    """LISTEN first, then look, so that nothing falls between the two."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    woken = asyncio.Event()

    def wake(*_: Any) -> None:
        woken.set()

    driver.add_termination_listener(wake)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await driver.add_listener(CHANNEL, wake)
        while True:
            woken.clear()
            async with asyncio.timeout(ANSWER_SECONDS), connection.begin():
                found = await version(connection)
            yield found
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await woken.wait()
    finally:
        # Not `close`, which says goodbye and waits for a server that may be frozen.
        driver.terminate()


_WAYS: dict[str, Callable[[AsyncConnection], AsyncGenerator[int, None]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}
