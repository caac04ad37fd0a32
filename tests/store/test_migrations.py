"""The schema: every step upwards, two at once, and never backwards."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from recorderd.errors import StoreError
from recorderd.store import engines, migrate, open_store, tables
from tests.store import sample
from tests.store.conftest import DATABASES, Maker

pytestmark = pytest.mark.parametrize("database", DATABASES)


async def run_sync(url: str, function: Any, *arguments: Any) -> Any:
    engine = engines.ENGINES[sa.make_url(url).get_backend_name()](engines.parse(url), alone=True)
    async with engine.connect() as connection:
        connection = await connection.execution_options(**engines.WRITES)
        async with connection.begin():
            return await connection.run_sync(function, *arguments)


def differences(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, tables.metadata))


async def test_the_migrated_schema_is_the_one_that_the_code_wants(database: str, migrated_url: Maker) -> None:
    assert await run_sync(migrated_url(database), differences) == []


async def test_every_version_goes_up_to_the_next(database: str, new_url: Maker) -> None:
    url = new_url(database)
    for revision in migrate.revisions():
        await run_sync(url, migrate.upgrade, revision)
        assert await run_sync(url, migrate.current) == revision


async def test_migrating_twice_changes_nothing(database: str, migrated_url: Maker) -> None:
    store = open_store(migrated_url(database))
    await store.save([sample.mark()])
    await store.migrate()
    assert await store.marks("c1") == [sample.mark()]
    await store.close()


async def test_a_database_that_is_newer_than_the_code_is_left_alone(
    database: str, migrated_url: Maker
) -> None:
    url = migrated_url(database)
    await run_sync(
        url, lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num='9999'")
    )
    store = open_store(url)
    with pytest.raises(StoreError, match=r"schema is 9999, newer .*: upgrade recorderd"):
        await store.migrate()
    assert await run_sync(url, migrate.current) == "9999"
    await store.close()


async def test_a_database_of_today_is_known_as_one_without_alembic(
    database: str, migrated_url: Maker
) -> None:
    """It costs a fifth of a second, and calls may be waiting for the start."""
    assert migrate.newest() == migrate.revisions()[-1]
    program = (
        "import asyncio, sys\n"
        "from recorderd.store import open_store\n"
        "asyncio.run(open_store(sys.argv[1]).migrate())\n"
        "assert 'alembic' not in sys.modules\n"
    )
    url, repository = migrated_url(database), Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, cwd=repository)
    assert await process.wait() == 0


async def test_processes_that_start_at_once_migrate_once(database: str, new_url: Maker) -> None:
    url = new_url(database)
    program = (
        "import asyncio, pathlib, sys\n"
        "import alembic.command\n"
        "from recorderd.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "asyncio.run(store.migrate())\n"
    )
    pipe = asyncio.subprocess.PIPE
    starting = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            url,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in starting))
    assert [(process.returncode, error) for process, (_, error) in zip(starting, ended, strict=True)] == [
        (0, b"")
    ] * 4
    assert await run_sync(url, migrate.current) == migrate.revisions()[-1]
    assert await run_sync(url, differences) == []


@pytest.mark.parametrize("statement", ["UPDATE {} SET who = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["audit", "policy_log"])
async def test_the_database_itself_refuses_to_change_what_was_written_down(
    database: str, migrated_url: Maker, table: str, statement: str
) -> None:
    url = migrated_url(database)
    store = open_store(url)
    await store.audit_append(sample.audit())
    await store.set_extension(sample.extension(), "admin")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await run_sync(url, lambda connection: connection.exec_driver_sql(statement.format(table)))
    await store.close()
