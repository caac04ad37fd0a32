"""The back ends, each fresh for each test and already migrated."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recorderd.store import open_store
from recorderd.store.abc import Store
from tests.postgres import Cluster, running

BACKENDS = ("memory", "sqlite", "postgresql")
DATABASES = ("sqlite", "postgresql")

# Makes the address of a new database of a back end.
Maker = Callable[[str], str]

_number = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for the session. Who stops it must start it again."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema of today, to be copied: that is quicker than to migrate each time."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_database(cluster: Cluster) -> str:
    """The name of such a database on the server."""
    cluster.create("migrated")
    _migrate(cluster.url("migrated"))
    return "migrated"


@pytest.fixture
def new_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Addresses of databases that are empty."""
    databases: list[str] = []

    def postgresql() -> str:
        return _created(request, databases, "template0")

    makers = {"sqlite": lambda: f"sqlite:///{tmp_path}/new{next(_number)}.db", "postgresql": postgresql}
    yield lambda backend: makers[backend]()
    _drop(request, databases)


@pytest.fixture
def migrated_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Addresses of databases that have the schema of today."""
    databases: list[str] = []

    def sqlite() -> str:
        path = tmp_path / f"copy{next(_number)}.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"

    def postgresql() -> str:
        return _created(request, databases, request.getfixturevalue("migrated_database"))

    makers = {"memory": lambda: "memory:", "sqlite": sqlite, "postgresql": postgresql}
    yield lambda backend: makers[backend]()
    _drop(request, databases)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def store(backend: str, migrated_url: Maker) -> AsyncIterator[Store]:
    """A store of each kind, its clock standing still at 1,000,000."""
    opened = open_store(migrated_url(backend), clock=lambda: 1_000_000.0)
    yield opened
    await opened.close()


def _created(request: pytest.FixtureRequest, databases: list[str], template: str) -> str:
    server: Cluster = request.getfixturevalue("cluster")
    databases.append(f"t{next(_number)}")
    server.create(databases[-1], template)
    return server.url(databases[-1])


def _drop(request: pytest.FixtureRequest, databases: list[str]) -> None:
    for database in databases:
        request.getfixturevalue("cluster").drop(database)


def _migrate(url: str) -> None:
    """In a thread, since the test that asks first may have a loop running in this one."""

    async def migrate() -> None:
        store = open_store(url)
        await store.migrate()
        await store.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate()).result()
