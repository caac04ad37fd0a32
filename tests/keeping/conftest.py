"""A world for each test, on each database where that matters, and an archive to run in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from recorderd.daemon.archivist import Archivist
from recorderd.daemon.keeper import Keeper
from recorderd.store.abc import Store
from tests.archive.conftest import DEADLINE_SECONDS, small_disk  # noqa: F401
from tests.keeping.world import World
from tests.store.conftest import (  # noqa: F401
    Maker,
    cluster,
    migrated_database,
    migrated_file,
    migrated_url,
    new_url,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One on SQLite."""
    return World(tmp_path)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    """Its store, migrated."""
    opened = world.open()
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def either(request: pytest.FixtureRequest, tmp_path: Path, migrated_url: Maker) -> World:  # noqa: F811
    """One on each database; on PostgreSQL in the long form, since what differs there is in the store's contract."""
    return World(tmp_path, url=migrated_url(request.param))


async def eventually(
    condition: Callable[[], Awaitable[object]], what: str, deadline: float = DEADLINE_SECONDS
) -> None:
    """Return once `await condition()` holds; fail when it does not within `deadline` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline
    while not await condition():
        assert loop.time() < until, f"not within {deadline} s: {what}"
        await asyncio.sleep(0.05)


async def archived(world: World) -> bool:
    """Let the archive do everything that is due; whether nothing failed."""
    archivist = Archivist(world.config)
    try:
        return await archivist.once()
    finally:
        await archivist.close()


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def keeper_of(world: World, store: Store, clock: Callable[[], float]) -> Keeper:
    """A keeper of this world; ids count up."""
    numbers = iter(range(1_000_000))
    return Keeper(store, world.monitor, world.state, clock, lambda: f"k{clock():.0f}-{next(numbers)}")
