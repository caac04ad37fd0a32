"""The panel's questions as SQL. Pure, as `queries` is, so that a test can ask the databases to explain
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from recorderd.store import tables
from recorderd.store.panel import Place, Wanted
from recorderd.store.panel_tables import call_entries as e
from recorderd.store.panel_tables import login_tries

Condition = sa.ColumnElement[bool]
_ALL = tuple(column for column in e.columns)


def entries(
    owners: Sequence[str], wanted: Wanted, before: Place | None, after: Place | None, limit: int, budget: int
) -> Asked:
    """The first `limit` entries of each list in its order, and of all lists together in that order."""
    values = {
        **{f"owner_{i}": owner for i, owner in enumerate(owners)},
        **_values(wanted, before, after),
        "limit": limit,
        "budget": budget,
    }
    return Asked(_entries(frozenset(values), len(owners), after is None), values)


def stopped(owner: str, wanted: Wanted, before: Place | None, after: Place | None, budget: int) -> Asked:
    """The last place that `entries` looked at in this list; nothing where it came to the list's end."""
    near = replace(Wanted(), since=wanted.since, until=wanted.until)
    values = {"owner_0": owner, **_values(near, before, after), "passed": budget - 1}
    return Asked(_stopped(frozenset(values), after is None), values)


class Asked(NamedTuple):
    """A statement, and the values of its parameters: one is built for each shape of a question, not each time."""

    statement: sa.Select[Any]
    values: Mapping[str, Any]


@lru_cache(maxsize=1000)
def _entries(given: frozenset[str], owners: int, newest_first: bool) -> sa.Select[Any]:
    branches = [_list(f"owner_{i}", given, newest_first) for i in range(owners)]
    if len(branches) == 1:
        return branches[0]
    merged = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
    order = _order(merged, newest_first=newest_first)
    # A story stands in several lists: more than `limit` rows may be needed to have as many stories.
    return sa.select(merged).order_by(*order)


def _list(owner: str, given: frozenset[str], newest_first: bool) -> sa.Select[Any]:
    """One list. A filter that passes over rows reads the index only, and no more than `budget` of it: the
    table is visited for what is shown.
    """
    rows = sa.select(*_ALL).where(*_within(owner, given)).order_by(*_order(e, newest_first))
    chosen = _chosen(given)
    if not chosen:
        return rows.limit(_number("limit"))
    near = rows.with_only_columns(
        e.c.story_id, e.c.started_at, e.c.talk_s, e.c.way, e.c.result, e.c.recorded, e.c.search
    )
    seen = near.limit(_number("budget")).subquery("seen")
    # No order of its own: `seen` comes in its order from both databases, and SQLite would go through all of it
    # to sort what is sorted.
    narrowed = sa.select(seen.c.story_id).where(*(condition(seen.c) for condition in chosen))
    keys = narrowed.limit(_number("limit")).subquery("hits")
    found = sa.select(*_ALL).join(keys, keys.c.story_id == e.c.story_id).where(e.c.owner == _text(owner))
    return found.order_by(*_order(e, newest_first))


@lru_cache(maxsize=100)
def _stopped(given: frozenset[str], newest_first: bool) -> sa.Select[Any]:
    query = sa.select(e.c.started_at, e.c.story_id).where(*_within("owner_0", given))
    return query.order_by(*_order(e, newest_first)).offset(_number("passed")).limit(1)


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


def _values(wanted: Wanted, before: Place | None, after: Place | None) -> dict[str, Any]:
    """The criteria that there are, by the names of their parameters."""
    plain = {
        "since": wanted.since,
        "until": wanted.until,
        "min_s": wanted.min_s,
        "max_s": wanted.max_s,
        "way": wanted.way or None,
        "result": wanted.result or None,
        "recorded": wanted.recorded,
        "before": before and before[0],
        "before_id": before and before[1],
        "after": after and after[0],
        "after_id": after and after[1],
    }
    words = {
        f"word_{i}_{j}": word
        for i, alternatives in enumerate(wanted.words)
        for j, word in enumerate(alternatives)
    }
    return {**{name: value for name, value in plain.items() if value is not None}, **words}


def _within(owner: str, given: frozenset[str]) -> list[Condition]:
    place = sa.tuple_(e.c.started_at, e.c.story_id)
    return [
        e.c.owner == _text(owner),
        *([place < sa.tuple_(_instant("before"), _text("before_id"))] if "before" in given else []),
        *([place > sa.tuple_(_instant("after"), _text("after_id"))] if "after" in given else []),
        *([e.c.started_at >= _instant("since")] if "since" in given else []),
        *([e.c.started_at < _instant("until")] if "until" in given else []),
    ]


def _instant(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=e.c.started_at.type)


def _text(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=e.c.story_id.type)


def _number(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=sa.Integer())


def _bound(time: sa.Column[Any], key: sa.Column[Any], place: Place) -> tuple[Any, Any]:
    return sa.literal(place[0], time.type), sa.literal(place[1], key.type)


def _chosen(given: frozenset[str]) -> list[Callable[[Any], Condition]]:
    """What is asked of a row that lies near: each a condition on the columns of what was seen."""
    words: dict[str, list[str]] = {}
    for name in sorted(given):
        if name.startswith("word_"):
            words.setdefault(name.split("_")[1], []).append(name)
    return [
        *(condition for name, condition in _CRITERIA.items() if name in given),
        *(partial(_mentions, names) for names in words.values()),
    ]


def _mentions(names: Sequence[str], c: Any) -> Condition:
    return sa.or_(*(_Place(c.search, _text(name)) > 0 for name in names))


class _Place(GenericFunction[int]):
    """Where a text stands in another, counted from 1; 0 where it does not.

    LIKE with ESCAPE would do, but PostgreSQL makes its pattern anew for each row, of thousands.
    """

    name = "strpos"
    type = sa.Integer()
    inherit_cache = True


@compiles(_Place, "sqlite")
def _place_in_sqlite(element: _Place, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr{compiler.process(element.clause_expr, **options)}"


_CRITERIA: Mapping[str, Callable[[Any], Condition]] = {
    "min_s": lambda c: c.talk_s >= _number("min_s"),
    "max_s": lambda c: c.talk_s <= _number("max_s"),
    "way": lambda c: c.way == _text("way"),
    "result": lambda c: c.result == _text("result"),
    "recorded": lambda c: c.recorded == sa.bindparam("recorded", type_=sa.Boolean()),
}


def _order(table: Any, newest_first: bool) -> list[Any]:
    columns = (table.c.started_at, table.c.story_id)
    return [column.desc() if newest_first else column.asc() for column in columns]
