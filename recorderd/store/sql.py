"""The store on a database, SQLite or PostgreSQL, in SQLAlchemy Core.

Owns transactions and the way of rows into and out of tables. Must not know a driver (`engines` does), how
a row is written (`writes`), how a question is put (`queries`) or what policy's tables look like
(`sql_policy`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.core import rows
from recorderd.core.policy import ExtensionPolicy
from recorderd.errors import StoreError
from recorderd.store import (
    changes,
    codec,
    engines,
    keeping_tables,
    migrate,
    queries,
    sql_policy,
    tables,
    writes,
)
from recorderd.store.abc import AlarmRow, AuditRow, OpenRows, PolicyLogRow, PolicyRows, RuleRow, Store
from recorderd.store.panel_tables import TABLES
from recorderd.store.reads import R, rows_of
from recorderd.store.sql_chain import SqlChain
from recorderd.store.sql_keeping import SqlKeeping
from recorderd.store.sql_panel import SqlPanel

# Migrations of a large database take their time, and another process may be at it.
_MIGRATE_SECONDS = 60
_BATCH = 500


class SqlStore(Store):
    """See `Store`. `clock` gives the time of policy changes."""

    def __init__(self, url: sa.URL, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._make_engine = engines.ENGINES[url.get_backend_name()]
        self._engine = self._make_engine(url)
        self._panel = SqlPanel(self._begin)
        self._keeping = SqlKeeping(self._begin)
        self._chain = SqlChain(self._begin)

    def __repr__(self) -> str:
        return f"<SqlStore {self._url.render_as_string(hide_password=True)}>"

    # --- the life of the store ---

    async def migrate(self) -> None:
        on_sqlite = self._engine.dialect.name == "sqlite"
        more = {"busy_ms": _MIGRATE_SECONDS * 1000} if on_sqlite else {}
        engine = self._make_engine(self._url, alone=True, **more)
        with engines.errors_translated():
            if on_sqlite:
                engines.make_private(self._url)
            async with engine.connect() as connection:
                connection = await connection.execution_options(**engines.WRITES)
                if on_sqlite:
                    await _use_wal(connection)
                async with connection.begin():
                    await connection.run_sync(migrate.upgrade)

    async def close(self) -> None:
        # A server that is frozen would never say goodbye.
        with suppress(TimeoutError):
            async with asyncio.timeout(engines.CONNECT_SECONDS):
                await self._engine.dispose()

    @property
    def panel(self) -> SqlPanel:
        return self._panel

    @property
    def keeping(self) -> SqlKeeping:
        return self._keeping

    @property
    def chain(self) -> SqlChain:
        return self._chain

    # --- writing ---

    async def save(self, batch: Sequence[rows.Row]) -> None:
        if batch:
            async with self._begin(engines.WRITES) as connection:
                await writes.save(connection, batch)

    # --- policy ---

    async def load_policy(self) -> PolicyRows:
        async with self._begin(engines.ONE_INSTANT) as connection:
            return await sql_policy.load(connection)

    async def set_extension(self, policy: ExtensionPolicy, who: str, name: str | None = None) -> int:
        async with self._begin(engines.WRITES) as connection:
            return await sql_policy.set_extension(connection, policy, name, who, self._clock())

    async def delete_extension(self, extension: str, who: str) -> int:
        async with self._begin(engines.WRITES) as connection:
            return await sql_policy.delete_extension(connection, extension, who, self._clock())

    async def replace_rules(self, rules: Sequence[RuleRow], who: str) -> int:
        async with self._begin(engines.WRITES) as connection:
            return await sql_policy.replace_rules(connection, rules, who, self._clock())

    async def import_policy(
        self,
        extensions: Sequence[ExtensionPolicy],
        rules: Sequence[RuleRow],
        who: str,
        names: Mapping[str, str] | None = None,
    ) -> int:
        async with self._begin(engines.WRITES) as connection:
            at = self._clock()
            return await sql_policy.import_policy(connection, extensions, rules, names or {}, who, at)

    async def policy_log(self) -> list[PolicyLogRow]:
        return await self._ask(PolicyLogRow, queries.policy_log())

    def policy_changes(self) -> AsyncGenerator[int, None]:
        return changes.watch(self._make_engine(self._url, alone=True))

    # --- asking ---

    async def conversations(
        self, since: float | None = None, until: float | None = None, **criteria: str | tuple[str, ...] | None
    ) -> list[rows.Conversation]:
        return await self._ask(rows.Conversation, queries.conversations(since, until, **criteria))

    async def intervals(
        self, since: float | None = None, until: float | None = None, **criteria: Any
    ) -> list[rows.Interval]:
        return await self._ask(rows.Interval, queries.intervals(since, until, **criteria))

    async def recordings(
        self, since: float | None = None, until: float | None = None, **criteria: Any
    ) -> list[rows.Recording]:
        return await self._ask(rows.Recording, queries.recordings(since, until, **criteria))

    async def lanes(self, recording_id: str) -> list[rows.Lane]:
        return await self._ask(rows.Lane, queries.lanes(recording_id))

    async def marks(self, conversation_id: str) -> list[rows.Mark]:
        return await self._ask(rows.Mark, queries.marks(conversation_id))

    async def open_rows(self, node: str | None = None) -> OpenRows:
        async with self._begin(engines.ONE_INSTANT) as connection:
            return OpenRows(
                conversations=tuple(
                    await rows_of(connection, rows.Conversation, queries.open_conversations(node))
                ),
                intervals=tuple(await rows_of(connection, rows.Interval, queries.open_intervals(node))),
                recordings=tuple(await rows_of(connection, rows.Recording, queries.open_recordings(node))),
                lanes=tuple(await rows_of(connection, rows.Lane, queries.open_lanes(node))),
            )

    async def cdrs(
        self, since: float | None = None, until: float | None = None, **criteria: Any
    ) -> list[rows.Cdr]:
        return await self._ask(rows.Cdr, queries.cdrs(since, until, **criteria))

    async def cdrs_without_link(self, since: float | None = None) -> list[rows.Cdr]:
        return await self._ask(rows.Cdr, queries.cdrs(since, None, without_link=True))

    async def links(self, **criteria: str | tuple[str, ...] | None) -> list[rows.CdrLink]:
        return await self._ask(rows.CdrLink, queries.links(**criteria))

    async def alarms(self, since: float | None = None, *, active: bool = False) -> list[AlarmRow]:
        return await self._ask(AlarmRow, queries.alarms(since, active))

    async def audit_append(self, entry: AuditRow) -> None:
        await self.save([entry])

    async def give_node(self, old: str, new: str) -> int:
        async with self._begin(engines.WRITES) as connection:
            for table in (tables.conversations, tables.lanes, keeping_tables.kept, keeping_tables.copies):
                await connection.execute(_given(table, old, new))
            return (await connection.execute(_given(tables.recordings, old, new))).rowcount

    # --- moving house ---

    async def export(self) -> AsyncIterator[PolicyRows | Sequence[rows.Row]]:
        async with self._begin(engines.ONE_INSTANT) as connection:
            yield await sql_policy.load(connection)
            for cls, table in TABLES.items():
                result = await connection.stream(sa.select(table).order_by(*table.primary_key.columns))
                async for part in result.mappings().partitions(_BATCH):
                    yield [codec.from_plain(cls, dict(row)) for row in part]

    async def fill(self, policy: PolicyRows, batches: AsyncIterator[Iterable[rows.Row]]) -> None:
        async with self._begin(engines.WRITES) as connection:
            await _demand_empty(connection)
            await sql_policy.fill(connection, policy)
            async for batch in batches:
                await writes.save(connection, batch)

    # --- transactions ---

    @asynccontextmanager
    async def _begin(self, options: Mapping[str, bool]) -> AsyncIterator[AsyncConnection]:
        with engines.errors_translated():
            async with self._engine.connect() as connection:
                connection = await connection.execution_options(**options)
                async with connection.begin():
                    yield connection

    async def _ask(self, cls: type[R], query: sa.Select[Any]) -> list[R]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return await rows_of(connection, cls, query)


def _given(table: sa.Table, old: str, new: str) -> sa.Update:
    return sa.update(table).where(table.c.node == old).values(node=new)


async def _use_wal(connection: AsyncConnection) -> None:
    """Once for all: the file remembers it. SQLite does not wait its busy time for this pragma."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    deadline = asyncio.get_running_loop().time() + _MIGRATE_SECONDS
    while True:
        try:
            await driver.execute_fetchall("PRAGMA journal_mode=WAL")
            return
        except Exception as error:
            if "locked" not in str(error) or asyncio.get_running_loop().time() > deadline:
                raise StoreError(f"The database cannot be opened: {error}") from error
            await asyncio.sleep(0.05)


async def _demand_empty(connection: AsyncConnection) -> None:
    for table in (tables.extensions, tables.rules, *TABLES.values()):
        if (await connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1))).first():
            raise StoreError(f"The database is not empty (there are {table.name}): restore into a new one")
