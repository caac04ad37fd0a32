"""The panel's questions as SQL. Pure, as `queries` is, so that a test can ask the databases to explain
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from recorderd.store import tables
from recorderd.store.panel import Place, Wanted
from recorderd.store.panel_tables import call_entries as e
from recorderd.store.panel_tables import login_tries

Condition = sa.ColumnElement[bool]
_ALL = tuple(column for column in e.columns)


def entries(
    owners: Sequence[str], wanted: Wanted, before: Place | None, after: Place | None, limit: int, budget: int
) -> sa.Select[Any]:
    """The first `limit` entries of each list in its order, and of all lists together in that order."""
    branches = [_list(owner, wanted, before, after, limit, budget) for owner in owners]
    if len(branches) == 1:
        return branches[0]
    merged = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
    order = _order(merged, newest_first=after is None)
    # A story stands in several lists: more than `limit` rows may be needed to have as many stories.
    return sa.select(merged).order_by(*order)


def _list(
    owner: str, wanted: Wanted, before: Place | None, after: Place | None, limit: int, budget: int
) -> sa.Select[Any]:
    """One list. A filter that passes over rows reads the index only, and no more than `budget` of it: the
    table is visited for what is shown.
    """
    newest_first = after is None
    rows = sa.select(*_ALL).where(*_within(owner, wanted, before, after)).order_by(*_order(e, newest_first))
    if not wanted.selective:
        return rows.limit(limit)
    near = rows.with_only_columns(
        e.c.story_id, e.c.started_at, e.c.talk_s, e.c.way, e.c.result, e.c.recorded, e.c.search
    )
    seen = near.limit(budget).subquery("seen")
    # No order of its own: `seen` comes in its order from both databases, and SQLite would go through all of it
    # to sort what is sorted.
    keys = sa.select(seen.c.story_id).where(*_chosen(seen, wanted)).limit(limit).subquery("hits")
    found = sa.select(*_ALL).join(keys, keys.c.story_id == e.c.story_id).where(e.c.owner == owner)
    return found.order_by(*_order(e, newest_first))


def stopped(
    owner: str, wanted: Wanted, before: Place | None, after: Place | None, budget: int
) -> sa.Select[Any]:
    """The last place that `entries` looked at in this list; nothing where it came to the list's end."""
    query = sa.select(e.c.started_at, e.c.story_id).where(*_within(owner, wanted, before, after))
    return query.order_by(*_order(e, after is None)).offset(budget - 1).limit(1)


def entry(story_id: str, owners: Sequence[str]) -> sa.Select[Any]:
    return sa.select(*_ALL).where(e.c.story_id == story_id, e.c.owner.in_(owners))


def owners(story_id: str) -> sa.Select[Any]:
    return sa.select(e.c.owner).where(e.c.story_id == story_id, e.c.owner != "").order_by(e.c.owner)


def newest_entry() -> sa.Select[Any]:
    return sa.select(e.c.started_at).where(e.c.owner == "").order_by(e.c.started_at.desc()).limit(1)


def oldest_call() -> list[sa.Select[Any]]:
    """Two, since each has an index of its own."""
    columns = (tables.cdrs.c.start, tables.conversations.c.started_at)
    return [sa.select(column).order_by(column).limit(1) for column in columns]


def usage(since: float) -> sa.Select[Any]:
    table = tables.recordings
    sums: tuple[Any, ...] = (
        sa.func.count(),
        sa.func.sum(table.c.duration_ms),
        sa.func.sum(table.c.size),
    )
    return sa.select(*sums).where(table.c.started_at >= since, table.c.size > 0)


def tries(of: Sequence[tuple[str, str]]) -> sa.Select[Any]:
    c = login_tries.c
    return sa.select(login_tries).where(sa.or_(*(sa.and_(c.kind == kind, c.who == who) for kind, who in of)))


def tries_beyond(most: int) -> sa.Select[Any]:
    """When the newest of those failed that are too many; nothing where they are not."""
    last_at = login_tries.c.last_at
    return sa.select(last_at).order_by(last_at.desc()).offset(most).limit(1)


def audit(equal: Mapping[str, str], before: Place | None, limit: int) -> sa.Select[Any]:
    table = tables.audit
    query = sa.select(table).where(*(table.c[name] == value for name, value in equal.items()))
    if before is not None:
        query = query.where(
            sa.tuple_(table.c.at, table.c.id) < sa.tuple_(*_bound(table.c.at, table.c.id, before))
        )
    return query.order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)


def _within(owner: str, wanted: Wanted, before: Place | None, after: Place | None) -> list[Condition]:
    place = sa.tuple_(e.c.started_at, e.c.story_id)
    return [
        e.c.owner == owner,
        *([place < sa.tuple_(*_bound(e.c.started_at, e.c.story_id, before))] if before else []),
        *([place > sa.tuple_(*_bound(e.c.started_at, e.c.story_id, after))] if after else []),
        *([e.c.started_at >= wanted.since] if wanted.since is not None else []),
        *([e.c.started_at < wanted.until] if wanted.until is not None else []),
    ]


def _bound(time: sa.Column[Any], key: sa.Column[Any], place: Place) -> tuple[Any, Any]:
    return sa.literal(place[0], time.type), sa.literal(place[1], key.type)


def _chosen(seen: Any, wanted: Wanted) -> list[Condition]:
    c = seen.c
    return [
        *([c.talk_s >= wanted.min_s] if wanted.min_s is not None else []),
        *([c.talk_s <= wanted.max_s] if wanted.max_s is not None else []),
        *([c.way == wanted.way] if wanted.way else []),
        *([c.result == wanted.result] if wanted.result else []),
        *([c.recorded == wanted.recorded] if wanted.recorded is not None else []),
        *(
            sa.or_(*(c.search.contains(word, autoescape=True) for word in alternatives))
            for alternatives in wanted.words
        ),
    ]


def _order(table: Any, newest_first: bool) -> list[Any]:
    columns = (table.c.started_at, table.c.story_id)
    return [column.desc() if newest_first else column.asc() for column in columns]
