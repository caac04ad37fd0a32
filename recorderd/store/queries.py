"""Every question that the store asks, as SQL.

Owns the shape of the questions; `tables` has an index for each. Must not know a connection: these are pure,
so that a test can ask the databases to explain them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from recorderd.core import rows
from recorderd.store import tables as t

Condition = sa.ColumnElement[bool]


def conversations(
    since: float | None = None,
    until: float | None = None,
    *,
    id: str | tuple[str, ...] | None = None,
    linkedid: str | tuple[str, ...] | None = None,
) -> sa.Select[Any]:
    table, link = t.conversations, t.conversation_linkedids
    query = sa.select(table).where(*_between(table.c.started_at, since, until), *_equal(table, {"id": id}))
    if linkedid is not None:
        query = query.where(
            table.c.id.in_(sa.select(link.c.conversation_id).where(_is(link.c.linkedid, linkedid)))
        )
    return query.order_by(table.c.started_at, table.c.id)


def intervals(
    since: float | None = None,
    until: float | None = None,
    *,
    uniqueid: str | tuple[str, ...] | None = None,
    extension: str | None = None,
    **equal: str | tuple[str, ...] | None,
) -> sa.Select[Any]:
    """`equal` are columns of the table and the values wanted, None for any."""
    table, party = t.intervals, t.interval_parties
    query = sa.select(table).where(*_between(table.c.started_at, since, until), *_equal(table, equal))
    for name, wanted in (("uniqueid", uniqueid), ("extension", extension)):
        if wanted is not None:
            # The time once more, since the parties' index has it too.
            when = _between(party.c.started_at, since, until)
            theirs = sa.select(party.c.interval_id).where(_is(party.c[name], wanted), *when)
            query = query.where(table.c.id.in_(theirs))
    return query.order_by(table.c.started_at, table.c.id)


def recordings(since: float | None = None, until: float | None = None, **equal: Any) -> sa.Select[Any]:
    table = t.recordings
    query = sa.select(table).where(*_between(table.c.started_at, since, until), *_equal(table, equal))
    return query.order_by(table.c.started_at, table.c.id)


def lanes(recording_id: str) -> sa.Select[Any]:
    """Those started for the recording and those that it names; the two overlap."""
    served = _ids(t.recording_lanes.c.lane_id, t.recording_lanes.c.recording_id == recording_id)
    return _by_id(t.lanes, _ids(t.lanes.c.id, t.lanes.c.recording_id == recording_id).union(served))


def marks(conversation_id: str) -> sa.Select[Any]:
    table = t.marks
    query = sa.select(table).where(table.c.conversation_id == conversation_id)
    return query.order_by(table.c.at, table.c.id)


def cdrs(
    since: float | None = None,
    until: float | None = None,
    *,
    without_link: bool = False,
    **equal: str | tuple[str, ...] | None,
) -> sa.Select[Any]:
    """`without_link`: only the answered ones that no recording is linked to."""
    table, link = t.cdrs, t.cdr_links
    query = sa.select(table).where(*_between(table.c.start, since, until), *_equal(table, equal))
    if without_link:
        linked = sa.exists().where(link.c.uniqueid == table.c.uniqueid, link.c.sequence == table.c.sequence)
        query = query.where(table.c.disposition == "ANSWERED", ~linked)
    return query.order_by(table.c.start, table.c.uniqueid, table.c.sequence)


def links(**equal: str | tuple[str, ...] | None) -> sa.Select[Any]:
    table = t.cdr_links
    return sa.select(table).where(*_equal(table, equal)).order_by(*table.primary_key.columns)


def alarms(since: float | None, active: bool) -> sa.Select[Any]:
    table = t.alarms
    query = sa.select(table).where(*_between(table.c.at, since, None))
    if active:
        query = query.where(t.alarm_active)
    return query.order_by(table.c.at, table.c.id)


def policy_log() -> sa.Select[Any]:
    return sa.select(t.policy_log).order_by(t.policy_log.c.version)


# --- what is not finished ---------------------------------------------------------------------------
# A UNION of keys where one would write OR: each half has an index of its own.


def open_recordings(node: str | None = None) -> sa.Select[Any]:
    return of_node(t.recordings, node, _by_id(t.recordings, _ids(t.recordings.c.id, t.recording_open)))


def open_lanes(node: str | None = None) -> sa.Select[Any]:
    recordings = _ids(t.recordings.c.id, t.recording_open)
    ids = _ids(t.lanes.c.id, t.lane_open).union(
        _ids(t.lanes.c.id, t.lanes.c.recording_id.in_(recordings)),
        _ids(t.recording_lanes.c.lane_id, t.recording_lanes.c.recording_id.in_(recordings)),
    )
    return of_node(t.lanes, node, _by_id(t.lanes, ids))


def open_intervals(node: str | None = None) -> sa.Select[Any]:
    query = _by_id(t.intervals, _open_interval_ids())
    if node is None:
        return query
    talks = t.conversations
    there = sa.exists().where(talks.c.id == t.intervals.c.conversation_id, talks.c.node == node)
    return query.where(there)


def open_conversations(node: str | None = None) -> sa.Select[Any]:
    ids = _ids(t.conversations.c.id, t.conversation_open).union(
        _ids(t.intervals.c.conversation_id, t.intervals.c.id.in_(_open_interval_ids())),
        _ids(t.recordings.c.conversation_id, t.recording_open),
    )
    return of_node(t.conversations, node, _by_id(t.conversations, ids))


def of_node(table: sa.Table, node: str | None, query: sa.Select[Any]) -> sa.Select[Any]:
    """Only the rows of this node, all for None."""
    return query if node is None else query.where(table.c.node == node)


def _open_interval_ids() -> sa.CompoundSelect[Any]:
    theirs = t.intervals.c.recording_id.in_(_ids(t.recordings.c.id, t.recording_open))
    return _ids(t.intervals.c.id, t.interval_open).union(_ids(t.intervals.c.id, theirs))


def _ids(column: sa.Column[Any], condition: Condition | sa.TextClause) -> sa.Select[Any]:
    return sa.select(column).where(condition)


def _by_id(table: sa.Table, ids: sa.Select[Any] | sa.CompoundSelect[Any]) -> sa.Select[Any]:
    time = [table.c.started_at] if "started_at" in table.c else []
    return sa.select(table).where(table.c.id.in_(ids)).order_by(*time, table.c.id)


def _between(column: sa.Column[Any], since: float | None, until: float | None) -> list[Condition]:
    return [
        *([column >= since] if since is not None else []),
        *([column < until] if until is not None else []),
    ]


def _equal(table: sa.Table, wanted: dict[str, Any]) -> list[Condition]:
    return [_is(table.c[name], value) for name, value in wanted.items() if value is not None]


def _is(column: sa.ColumnElement[Any], value: Any) -> Condition:
    """A tuple holds several values, any of which will do."""
    return column.in_(value) if isinstance(value, tuple) else column == _plain(value)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, rows.RecordingState) else value
