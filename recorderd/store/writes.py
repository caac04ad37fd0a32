"""How rows are written: replaced by key, in batches, with the index rows beside them.

Owns the statements that write. Must not know connections or transactions: `save` works inside the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.core import rows
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.store import codec, tables
from recorderd.store.abc import AuditRow, PolicyLogRow, RowRefused
from recorderd.store.panel_tables import TABLES

_INSERT: dict[str, Callable[[sa.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# Rows that are never changed once they are there.
_APPEND_ONLY = (AuditRow, PolicyLogRow, ChainEntry, ChainHead)
# Both databases bound the parameters of a statement, at some 32,000.
_IN_LIST = 1000


async def save(connection: AsyncConnection, batch: Iterable[rows.Row]) -> None:
    """Write them all; of two with one key the later, except where a row is never changed."""
    for cls, members in _by_type(batch).items():
        upsert = _UPSERTS[connection.dialect.name][cls]
        await connection.execute(upsert, [_plain(row) for row in members])
        if cls in _SIDES:
            await _save_side(connection, _SIDES[cls], members)


def _plain(row: rows.Row) -> codec.Plain:
    try:
        return codec.to_plain(row)
    except ValueError as error:
        raise RowRefused(f"{type(row).__name__} {codec.key(row)}: {error}") from error


def _by_type(batch: Iterable[rows.Row]) -> dict[type[rows.Row], list[rows.Row]]:
    """The last row of each key, type by type. No table points at another but at its own side table."""
    groups: dict[type[rows.Row], dict[tuple[Any, ...], rows.Row]] = {}
    for row in batch:
        kept = groups.setdefault(type(row), {})
        key = codec.key(row)
        if not isinstance(row, _APPEND_ONLY):
            kept.pop(key, None)
        kept.setdefault(key, row)
    return {cls: list(kept.values()) for cls, kept in groups.items()}


def _upsert(cls: type[rows.Row], insert: Callable[[sa.Table], Any]) -> Any:
    statement = insert(TABLES[cls])
    keys = codec.KEYS[cls]
    rest = [column.name for column in TABLES[cls].columns if column.name not in keys]
    if not rest or issubclass(cls, _APPEND_ONLY):
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in rest}
    )


_UPSERTS: dict[str, dict[type[rows.Row], Any]] = {
    dialect: {cls: _upsert(cls, insert) for cls in TABLES} for dialect, insert in _INSERT.items()
}


def insert_once(connection: AsyncConnection, table: sa.Table, values: codec.Plain) -> Any:
    """The statement that adds this row, or nothing where there is one of its key."""
    return insert(connection, table).values(**values).on_conflict_do_nothing()


def insert(connection: AsyncConnection, table: sa.Table) -> Any:
    """An INSERT that can say what is to be done on a conflict."""
    return _INSERT[connection.dialect.name](table)


# --- side tables: rows of an index that SQL alone cannot make ------------------------------------------

_Side = tuple[sa.Table, str, Callable[[Any], list[dict[str, Any]]]]


def _parties(interval: rows.Interval) -> list[dict[str, Any]]:
    return [
        {
            "interval_id": codec.clean(interval.id),
            "position": position,
            "uniqueid": codec.clean(party.uniqueid),
            "channel": codec.clean(party.channel),
            "extension": codec.clean(party.extension),
            "started_at": interval.started_at,
        }
        for position, party in enumerate(interval.parties)
    ]


def _linkedids(conversation: rows.Conversation) -> list[dict[str, Any]]:
    known = dict.fromkeys(codec.clean(linkedid) for linkedid in conversation.linkedids)
    return [{"conversation_id": codec.clean(conversation.id), "linkedid": linkedid} for linkedid in known]


def _lanes(recording: rows.Recording) -> list[dict[str, Any]]:
    lanes = dict.fromkeys(codec.clean(lane) for lane in recording.lanes)
    return [{"recording_id": codec.clean(recording.id), "lane_id": lane} for lane in lanes]


_SIDES: dict[type[rows.Row], _Side] = {
    rows.Interval: (tables.interval_parties, "interval_id", _parties),
    rows.Recording: (tables.recording_lanes, "recording_id", _lanes),
    rows.Conversation: (tables.conversation_linkedids, "conversation_id", _linkedids),
}


async def _save_side(connection: AsyncConnection, side: _Side, members: Sequence[rows.Row]) -> None:
    table, owner, entries_of = side
    owners = [codec.key(row)[0] for row in members]
    for first in range(0, len(owners), _IN_LIST):
        stale = table.c[owner].in_(owners[first : first + _IN_LIST])
        await connection.execute(sa.delete(table).where(stale))
    entries = [entry for row in members for entry in entries_of(row)]
    if entries:
        await connection.execute(sa.insert(table), entries)
