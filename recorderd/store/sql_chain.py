"""The chain of evidence on a database: see `store.chain.ChainStore`.

Owns its questions and the one transaction that appends. Must not know a driver or where a transaction comes
from: the store lends it `begin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.core import rows
from recorderd.core.chain import OPENING, ChainEntry, ChainHead, Draft, Kind
from recorderd.store import codec, engines
from recorderd.store import tables as t
from recorderd.store.abc import RECORDING_ENDS, RowRefused
from recorderd.store.chain import ChainStore, link
from recorderd.store.chain_tables import chain, chain_heads
from recorderd.store.reads import Begin, R, rows_of

if TYPE_CHECKING:
    from recorderd.store.chain import Sign

# Any number will do, as long as every recorderd takes the same one: "chain" in a telephone's letters.
_LOCK = 24246
# Both databases bound the parameters of a statement.
_AT_ONCE = 1000
_DONE = [state.value for state in RECORDING_ENDS]


class SqlChain(ChainStore):
    """See `ChainStore`. `begin` opens a transaction of the store's."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def append(self, drafts: Sequence[Draft], at: float) -> list[ChainEntry]:
        added: list[ChainEntry] = []
        async with self._begin(engines.WRITES) as connection:
            await _stand_in_line(connection)
            last = await _last(connection)
            clean = [cleaned(draft) for draft in drafts]
            there = await _there(connection, clean)
            for draft in clean:
                if (key := _key(draft)) not in there:
                    there.add(key)
                    last = link(draft, at, last)
                    added.append(last)
            if added:
                await connection.execute(sa.insert(chain), [codec.to_plain(entry) for entry in added])
        return added

    async def sign(self, sign: Sign) -> ChainHead | None:
        async with self._begin(engines.WRITES) as connection:
            await _stand_in_line(connection)
            last = await _last(connection)
            if last is None:
                return None
            query = sa.select(chain_heads).order_by(chain_heads.c.number.desc()).limit(1)
            found = await rows_of(connection, ChainHead, query)
            head = sign(last, found[0] if found else None)
            await connection.execute(sa.insert(chain_heads).values(**codec.to_plain(head)))
            return head

    async def entries(self, after: int = 0, limit: int = 1000) -> list[ChainEntry]:
        query = sa.select(chain).where(chain.c.sequence > after).order_by(chain.c.sequence).limit(limit)
        return await self._ask(ChainEntry, query)

    async def entries_of(self, recording_ids: Sequence[str]) -> dict[str, list[ChainEntry]]:
        query = sa.select(chain).where(chain.c.recording_id.in_(recording_ids)).order_by(chain.c.sequence)
        found: dict[str, list[ChainEntry]] = {}
        for entry in await self._ask(ChainEntry, query):
            found.setdefault(entry.recording_id, []).append(entry)
        return found

    async def last(self) -> ChainEntry | None:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return await _last(connection)

    async def heads(self) -> list[ChainHead]:
        return await self._ask(ChainHead, sa.select(chain_heads).order_by(chain_heads.c.number))

    async def unopened(
        self, since: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        return await self._ask(rows.Recording, unopened(since, limit, node))

    async def unsettled(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        return await self._ask(rows.Recording, unsettled(since, ended_before, limit, node))

    async def oldest_unsettled(self, since: float, *, node: str | None = None) -> float | None:
        async with self._begin(engines.ONE_QUESTION) as connection:
            began: float | None = await connection.scalar(oldest_unsettled(since, node))
            return began

    async def _ask(self, cls: type[R], query: sa.Select[Any]) -> list[R]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return await rows_of(connection, cls, query)


def cleaned(draft: Draft) -> Draft:
    """The draft in the words that a database gives back. Raises RowRefused."""
    try:
        clean: Draft = codec.from_plain(Draft, codec.to_plain(draft))
    except ValueError as error:
        raise RowRefused(f"An entry of the chain cannot be written: {error}") from error
    return clean


# --- questions, pure, so that a test can ask the databases to explain them -----------------------------


def unopened(since: float, limit: int, node: str | None = None) -> sa.Select[Any]:
    table = t.recordings
    query = sa.select(table).where(
        table.c.state.in_(_DONE), table.c.started_at >= since, ~_entered([kind.value for kind in OPENING])
    )
    if node is not None:
        query = query.where(table.c.node == node)
    return query.order_by(table.c.started_at, table.c.id).limit(limit)


def unsettled(since: float, ended_before: float, limit: int, node: str | None = None) -> sa.Select[Any]:
    table, talks = t.recordings, t.conversations
    over = sa.exists().where(talks.c.id == table.c.conversation_id, talks.c.ended_at < ended_before)
    query = sa.select(table).where(
        table.c.state.in_(_DONE),
        table.c.started_at >= since,
        over,
        _entered([kind.value for kind in OPENING]),
        ~_entered([Kind.SETTLED.value]),
    )
    if node is not None:
        query = query.where(table.c.node == node)
    return query.order_by(table.c.started_at, table.c.id).limit(limit)


def oldest_unsettled(since: float, node: str | None = None) -> sa.Select[Any]:
    table = t.recordings
    query = sa.select(table.c.started_at).where(table.c.started_at >= since, ~_entered([Kind.SETTLED.value]))
    if node is not None:
        query = query.where(table.c.node == node)
    return query.order_by(table.c.started_at).limit(1)


def _entered(kinds: list[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(chain.c.recording_id == t.recordings.c.id, chain.c.kind.in_(kinds))


async def _stand_in_line(connection: AsyncConnection) -> None:
    """SQLite's writers hold the write lock since BEGIN IMMEDIATE; PostgreSQL's wait here for each other."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def _last(connection: AsyncConnection) -> ChainEntry | None:
    query = sa.select(chain).order_by(chain.c.sequence.desc()).limit(1)
    found = await rows_of(connection, ChainEntry, query)
    return found[0] if found else None


def _key(draft: Draft) -> tuple[str, str, str]:
    return draft.recording_id, draft.kind.value, draft.object


async def _there(connection: AsyncConnection, drafts: Sequence[Draft]) -> set[tuple[str, str, str]]:
    """The keys of all entries about what these drafts are about."""
    found: set[tuple[str, str, str]] = set()
    ids = list({draft.recording_id for draft in drafts})
    for first in range(0, len(ids), _AT_ONCE):
        query = sa.select(chain.c.recording_id, chain.c.kind, chain.c.object).where(
            chain.c.recording_id.in_(ids[first : first + _AT_ONCE])
        )
        found |= {tuple(row) for row in await connection.execute(query)}
    return found
