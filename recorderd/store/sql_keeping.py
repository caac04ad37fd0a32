"""The archive's part of the store on a database: see `store.keeping.KeepingStore`.

Owns its questions and the one conditional write. Must not know a driver or where a transaction comes from:
the store lends it `begin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from recorderd.core import rows
from recorderd.core.keeping import IN_PLACE, Copy, Erasure, Hold, KeepState, Kept, Tag
from recorderd.store import codec, engines, writes
from recorderd.store import keeping_tables as k
from recorderd.store import tables as t
from recorderd.store.keeping import DaySum, KeepingStore, Place
from recorderd.store.queries import of_node
from recorderd.store.reads import Begin, R, rows_of

_DAY = 86_400
_DONE = (rows.RecordingState.CLOSED.value, rows.RecordingState.FAILED.value)


class SqlKeeping(KeepingStore):
    """See `KeepingStore`. `begin` opens a transaction of the store's."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def kept(self, recording_ids: Sequence[str]) -> dict[str, Kept]:
        found = await self._ask(Kept, sa.select(k.kept).where(k.kept.c.recording_id.in_(recording_ids)))
        return {row.recording_id: row for row in found}

    async def advance(self, row: Kept, expected: KeepState | None) -> bool:
        """SQLite's writers stand in line from the first statement on, PostgreSQL's meet at the row."""
        where = k.kept.c.recording_id == codec.clean(row.recording_id)
        async with self._begin(engines.WRITES) as connection:
            if expected is None:
                done = await connection.execute(writes.insert_once(connection, k.kept, codec.to_plain(row)))
            else:
                done = await connection.execute(
                    sa.update(k.kept)
                    .where(where, k.kept.c.state == expected.value)
                    .values(**codec.to_plain(row))
                )
            return bool(done.rowcount)

    async def new_recordings(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        return await self._ask(rows.Recording, new_recordings(since, ended_before, limit, node))

    async def unfinished(
        self, now: float | None, limit: int = 100, *, node: str | None = None, but: KeepState | None = None
    ) -> list[Kept]:
        return await self._ask(Kept, unfinished(now, limit, node, but))

    async def walk(
        self,
        states: Sequence[KeepState],
        *,
        until: float | None = None,
        after: Place | None = None,
        limit: int = 200,
        node: str | None = None,
    ) -> list[Kept]:
        return await self._ask(Kept, walk(states, until, after, limit, node))

    async def without_object(self, node: str, limit: int = 100) -> list[Kept]:
        return await self._ask(Kept, without_object(node, limit))

    async def cached(self, node: str) -> int:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return int((await connection.execute(cached(node))).scalar_one())

    async def least_played(self, node: str, limit: int = 100) -> list[Kept]:
        return await self._ask(Kept, least_played(node, limit))

    async def walk_intervals(self, after: Place | None = None, limit: int = 1000) -> list[rows.Interval]:
        table = t.intervals
        query = sa.select(table).where(table.c.recording_id.is_not(None))
        if after is not None:
            query = query.where(_behind(table.c.started_at, table.c.id, after))
        return await self._ask(rows.Interval, query.order_by(table.c.started_at, table.c.id).limit(limit))

    async def recordings_of(self, ids: Sequence[str]) -> dict[str, rows.Recording]:
        query = sa.select(t.recordings).where(t.recordings.c.id.in_(ids))
        return {row.id: row for row in await self._ask(rows.Recording, query)}

    async def intervals_of(self, recording_ids: Sequence[str]) -> dict[str, list[rows.Interval]]:
        table = t.intervals
        query = sa.select(table).where(table.c.recording_id.in_(recording_ids))
        found: dict[str, list[rows.Interval]] = {}
        for row in await self._ask(rows.Interval, query.order_by(table.c.started_at, table.c.id)):
            found.setdefault(row.recording_id or "", []).append(row)
        return found

    async def tags_of(self, recording_ids: Sequence[str]) -> dict[str, list[Tag]]:
        table = k.tags
        query = sa.select(table).where(table.c.recording_id.in_(recording_ids), table.c.removed_at.is_(None))
        found: dict[str, list[Tag]] = {}
        for row in await self._ask(Tag, query.order_by(table.c.tag)):
            found.setdefault(row.recording_id, []).append(row)
        return found

    async def holds(self, *, released: bool = False) -> list[Hold]:
        query = sa.select(k.holds).order_by(k.holds.c.at, k.holds.c.id)
        return await self._ask(Hold, query if released else query.where(k.holds.c.released_at.is_(None)))

    async def erasures(self) -> list[Erasure]:
        return await self._ask(Erasure, sa.select(k.erasures).order_by(k.erasures.c.at, k.erasures.c.id))

    async def copies(self, recording_id: str) -> list[Copy]:
        query = sa.select(k.copies).where(k.copies.c.recording_id == recording_id)
        return await self._ask(Copy, query.order_by(k.copies.c.path))

    async def copies_left(self, node: str) -> list[Copy]:
        gone = k.kept.c.state.in_([KeepState.DELETING.value, KeepState.DELETED.value])
        query = sa.select(k.copies).join(k.kept, k.kept.c.recording_id == k.copies.c.recording_id)
        query = query.where(k.copies.c.node == node, gone)
        return await self._ask(Copy, query.order_by(k.copies.c.recording_id, k.copies.c.path))

    async def forget_copy(self, copy: Copy) -> None:
        table = k.copies
        async with self._begin(engines.WRITES) as connection:
            await connection.execute(
                sa.delete(table).where(
                    table.c.recording_id == codec.clean(copy.recording_id),
                    table.c.path == codec.clean(copy.path),
                )
            )

    async def days(self, offset_s: int, *, node: str | None = None) -> list[DaySum]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            made = (await connection.execute(_days(connection.dialect.name, offset_s, node))).all()
        return [
            DaySum(
                day=int(day),
                format=name,
                recordings=int(n),
                duration_ms=int(ms),
                size=int(size),
                beside=int(beside),
            )
            for day, name, n, ms, size, beside in made
        ]

    async def _ask(self, cls: type[R], query: sa.Select[Any]) -> list[R]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return await rows_of(connection, cls, query)


# --- questions, pure, so that a test can ask the databases to explain them --------------------------


def new_recordings(since: float, ended_before: float, limit: int, node: str | None = None) -> sa.Select[Any]:
    table = t.recordings
    known = sa.exists().where(k.kept.c.recording_id == table.c.id)
    query = sa.select(table).where(
        table.c.state.in_(_DONE), table.c.started_at >= since, table.c.ended_at < ended_before, ~known
    )
    query = of_node(table, node, query)
    return query.order_by(table.c.started_at, table.c.id).limit(limit)


def unfinished(
    now: float | None, limit: int, node: str | None = None, but: KeepState | None = None
) -> sa.Select[Any]:
    table = k.kept
    query = of_node(table, node, sa.select(table).where(k.kept_unfinished))
    if now is not None:
        query = query.where(table.c.not_before <= now)
    if but is not None:
        query = query.where(table.c.state != but.value)
    return query.order_by(table.c.not_before, table.c.started_at).limit(limit)


def walk(
    states: Sequence[KeepState],
    until: float | None,
    after: Place | None,
    limit: int,
    node: str | None = None,
) -> sa.Select[Any]:
    table = k.kept
    query = of_node(table, node, sa.select(table).where(table.c.state.in_([state.value for state in states])))
    if until is not None:
        query = query.where(table.c.started_at < until)
    if after is not None:
        query = query.where(_behind(table.c.started_at, table.c.recording_id, after))
    return query.order_by(table.c.started_at, table.c.recording_id).limit(limit)


def without_object(node: str, limit: int) -> sa.Select[Any]:
    table = k.kept
    query = sa.select(table).where(table.c.node == node, k.kept_apart)
    return query.order_by(table.c.started_at, table.c.recording_id).limit(limit)


def cached(node: str) -> sa.Select[Any]:
    table = k.kept
    total = sa.func.coalesce(sa.func.sum(table.c.size), 0)
    return sa.select(total).where(table.c.node == node, k.kept_cached)


def least_played(node: str, limit: int) -> sa.Select[Any]:
    """Asked when the cache is full, and then for many at once: it reads the whole trail of plays."""
    table, trail = k.kept, t.audit
    played = (
        sa.select(trail.c.object.label("id"), sa.func.max(trail.c.at).label("at"))
        .where(trail.c.action.in_(["play", "download"]))
        .group_by(trail.c.object)
        .subquery()
    )
    last = sa.case((played.c.at > table.c.archived_at, played.c.at), else_=table.c.archived_at)
    query = sa.select(table).outerjoin(played, played.c.id == table.c.recording_id)
    query = query.where(table.c.node == node, k.kept_cached)
    return query.order_by(last, table.c.recording_id).limit(limit)


def _behind(at: sa.Column[Any], key: sa.Column[Any], place: Place) -> sa.ColumnElement[bool]:
    # The first half alone would do; the second lets the index find where to begin.
    return sa.and_(at >= place[0], sa.or_(at > place[0], key > place[1]))


def _days(dialect: str, offset_s: int, node: str | None = None) -> sa.CompoundSelect[Any]:
    waiting = sa.select(
        _day(dialect, t.recordings.c.started_at, offset_s).label("day"),
        sa.literal("").label("format"),
        sa.func.count(),
        sa.func.sum(t.recordings.c.duration_ms),
        sa.func.sum(t.recordings.c.size),
        sa.literal(0),
    ).where(
        t.recordings.c.state == rows.RecordingState.CLOSED.value,
        ~sa.exists().where(
            k.kept.c.recording_id == t.recordings.c.id,
            k.kept.c.state.in_([s.value for s in (*IN_PLACE, KeepState.DELETING, KeepState.DELETED)]),
        ),
    )
    doubled = sa.case(
        (sa.and_(k.kept.c.mix != "", k.kept.c.mix != k.kept.c.name), t.recordings.c.size), else_=0
    )
    archived = (
        sa.select(
            _day(dialect, k.kept.c.started_at, offset_s).label("day"),
            k.kept.c.format,
            sa.func.count(),
            sa.func.sum(k.kept.c.duration_ms),
            sa.func.sum(k.kept.c.size),
            sa.func.coalesce(sa.func.sum(doubled), 0),
        )
        .select_from(k.kept.outerjoin(t.recordings, t.recordings.c.id == k.kept.c.recording_id))
        .where(k.kept.c.state.in_([state.value for state in IN_PLACE]))
    )
    waiting, archived = of_node(t.recordings, node, waiting), of_node(k.kept, node, archived)
    return sa.union_all(
        waiting.group_by("day"), archived.group_by("day", k.kept.c.format)
    ).order_by("day", "format")  # fmt: skip


def _day(dialect: str, column: sa.Column[Any], offset_s: int) -> sa.ColumnElement[Any]:
    """In the databases' own spelling of an instant: see `tables.Instant`."""
    if dialect == "postgresql":
        seconds = sa.func.floor((sa.extract("epoch", column) + offset_s) / _DAY)
        return sa.cast(seconds, sa.BigInteger)
    return sa.type_coerce(column, sa.BigInteger).op("/")(1_000_000).op("+")(offset_s).op("/")(_DAY)
