"""The panel's part of the store on a database: see `store.panel.PanelStore`.

Owns the way of its rows into and out of their tables. Must not know a driver or where a transaction comes
from: the store lends it `begin`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from recorderd.core.entries import CallEntry, Result, Way
from recorderd.store import codec, engines, panel_queries, panel_tables, writes
from recorderd.store.abc import AuditRow
from recorderd.store.panel import (
    Found,
    PanelStore,
    Place,
    Replaced,
    SessionRow,
    TokenRow,
    Told,
    Tries,
    UserRow,
    Wanted,
    WebhookRow,
)
from recorderd.store.reach import within_reach
from recorderd.store.reads import Begin, R, rows_of


class SqlPanel(PanelStore):
    """See `PanelStore`. `begin` opens a transaction of the store's."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    # --- entries ---

    async def replace_entries(self, stories: Sequence[Replaced], at: float) -> None:
        ids = sorted({story for replaced in stories for story in replaced.stories})
        told = [
            {"at": at, "kind": kind, "object": codec.clean(object)}
            for replaced in stories
            for kind, object in replaced.told
        ]
        table = panel_tables.call_entries
        async with self._begin(engines.WRITES) as connection:
            for first in range(0, len(ids), 1000):
                stale = table.c.story_id.in_(ids[first : first + 1000])
                await connection.execute(sa.delete(table).where(stale))
            await writes.save(connection, [entry for replaced in stories for entry in replaced.entries])
            if told:
                insert = writes.insert(connection, panel_tables.outbox)
                await connection.execute(insert.on_conflict_do_nothing(), told)

    async def entries(
        self,
        owners: Sequence[str],
        wanted: Wanted,
        *,
        before: Place | None = None,
        after: Place | None = None,
        limit: int = 50,
        budget: int = 50_000,
    ) -> Found:
        if not owners:
            return Found(entries=())
        query = panel_queries.entries(owners, wanted, before, after, limit, budget)
        async with self._begin(engines.ONE_QUESTION) as connection:
            result = await connection.execute(*query)
            names = tuple(result.keys())
            rows = [_entry(dict(zip(names, row, strict=True))) for row in result]
            found = tuple({row.story_id: row for row in reversed(rows)}.values())[::-1][:limit]
            if len(found) == limit or not wanted.selective:
                return Found(entries=found)
            places = [
                (float(row[0]), str(row[1]))
                for owner in owners
                for row in await connection.execute(
                    *panel_queries.stopped(owner, wanted, before, after, budget)
                )
            ]
        return within_reach(found, places, newest_first=after is None)

    async def entry(self, story_id: str, owners: Sequence[str]) -> CallEntry | None:
        found = {row.owner: row for row in await self._ask(CallEntry, panel_queries.entry(story_id, owners))}
        return next((found[owner] for owner in owners if owner in found), None)

    async def owners(self, story_id: str) -> list[str]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return [str(row[0]) for row in await connection.execute(panel_queries.owners(story_id))]

    async def newest_entry(self) -> float | None:
        async with self._begin(engines.ONE_QUESTION) as connection:
            found = (await connection.execute(panel_queries.newest_entry())).scalar()
        return None if found is None else float(found)

    async def oldest_call(self) -> float | None:
        async with self._begin(engines.ONE_QUESTION) as connection:
            found = [(await connection.execute(query)).scalar() for query in panel_queries.oldest_call()]
        return min((float(at) for at in found if at is not None), default=None)

    # --- people ---

    async def user(self, login: str) -> UserRow | None:
        return await self._one(UserRow, panel_tables.users, login=login)

    async def users(self) -> list[UserRow]:
        return await self._ask(UserRow, _all(panel_tables.users, "login"))

    async def change_user(self, login: str, **changed: Any) -> UserRow | None:
        table = panel_tables.users
        update = sa.update(table).where(table.c.login == login).values(**codec.encode(UserRow, changed))
        async with self._begin(engines.WRITES) as connection:
            found = await rows_of(connection, UserRow, update.returning(*table.columns))
        return found[0] if found else None

    async def add_user(self, user: UserRow) -> bool:
        async with self._begin(engines.WRITES) as connection:
            insert = writes.insert_once(connection, panel_tables.users, codec.to_plain(user))
            return bool((await connection.execute(insert)).rowcount)

    # --- sessions ---

    async def put_session(self, session: SessionRow) -> None:
        plain = codec.to_plain(session)
        async with self._begin(engines.WRITES) as connection:
            insert = writes.insert(connection, panel_tables.sessions).values(**plain)
            rest = {name: value for name, value in plain.items() if name != "id"}
            await connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=rest))

    async def session(self, id: str) -> SessionRow | None:
        return await self._one(SessionRow, panel_tables.sessions, id=id)

    async def sessions(self, login: str) -> list[SessionRow]:
        table = panel_tables.sessions
        query = sa.select(table).where(table.c.login == login)
        return await self._ask(SessionRow, query.order_by(table.c.started_at.desc(), table.c.id))

    async def touch_session(self, id: str, seen_at: float) -> None:
        await self._change(panel_tables.sessions, id, seen_at=seen_at)

    async def give_reason(self, id: str, recording: str, reason: str) -> None:
        table = panel_tables.sessions
        async with self._begin(engines.WRITES) as connection:
            query = sa.select(table.c.reasons).where(table.c.id == id).with_for_update()
            reasons = (await connection.execute(query)).scalar()
            if reasons is not None:
                told = {**reasons, codec.clean(recording): codec.clean(reason)}
                await connection.execute(sa.update(table).where(table.c.id == id).values(reasons=told))

    async def end_session(self, id: str) -> bool:
        return bool(await self._delete(panel_tables.sessions, panel_tables.sessions.c.id == id))

    async def end_sessions(self, login: str, but: str = "") -> int:
        table = panel_tables.sessions
        return await self._delete(table, table.c.login == login, table.c.id != but)

    async def expire_sessions(self, before: float, idle_before: float) -> int:
        table = panel_tables.sessions
        return await self._delete(table, sa.or_(table.c.until < before, table.c.seen_at < idle_before))

    # --- failed tries to get in ---

    async def tries(self, of: Sequence[tuple[str, str]]) -> list[Tries]:
        return await self._ask(Tries, panel_queries.tries(of))

    async def put_tries(self, tries: Sequence[Tries]) -> None:
        table = panel_tables.login_tries
        async with self._begin(engines.WRITES) as connection:
            for one in tries:
                if one.failures <= 0:
                    await connection.execute(
                        sa.delete(table).where(table.c.kind == one.kind, table.c.who == one.who)
                    )
                    continue
                plain = codec.to_plain(one)
                insert = writes.insert(connection, table).values(**plain)
                counted = {name: plain[name] for name in ("failures", "last_at")}
                await connection.execute(
                    insert.on_conflict_do_update(index_elements=["kind", "who"], set_=counted)
                )

    async def forget_tries(self, before: float, most: int) -> int:
        table = panel_tables.login_tries
        async with self._begin(engines.WRITES) as connection:
            edge = (await connection.execute(panel_queries.tries_beyond(most))).scalar()
            # Of several that failed in the same instant as the first beyond, none is kept.
            stale = table.c.last_at < before
            stale = stale if edge is None else sa.or_(stale, table.c.last_at <= edge)
            return int((await connection.execute(sa.delete(table).where(stale))).rowcount)

    # --- tokens and webhooks ---

    async def token(self, hash: str) -> TokenRow | None:
        return await self._one(TokenRow, panel_tables.tokens, hash=hash)

    async def tokens(self, login: str) -> list[TokenRow]:
        table = panel_tables.tokens
        query = sa.select(table).where(table.c.login == login)
        return await self._ask(TokenRow, query.order_by(table.c.created_at, table.c.id))

    async def end_token(self, id: str) -> bool:
        return bool(await self._delete(panel_tables.tokens, panel_tables.tokens.c.id == id))

    async def end_tokens(self, login: str) -> int:
        return await self._delete(panel_tables.tokens, panel_tables.tokens.c.login == login)

    async def touch_token(self, id: str, used_at: float) -> None:
        await self._change(panel_tables.tokens, id, used_at=used_at)

    async def webhooks(self) -> list[WebhookRow]:
        return await self._ask(WebhookRow, _all(panel_tables.webhooks, "created_at", "id"))

    async def change_webhook(self, id: str, **changed: Any) -> None:
        await self._change(panel_tables.webhooks, id, **codec.encode(WebhookRow, changed))

    async def end_webhook(self, id: str) -> bool:
        return bool(await self._delete(panel_tables.webhooks, panel_tables.webhooks.c.id == id))

    async def told(self, after: int, limit: int = 100) -> list[Told]:
        table = panel_tables.outbox
        query = sa.select(table).where(table.c.number > after).order_by(table.c.number).limit(limit)
        return await self._ask(Told, query)

    async def last_told(self) -> int:
        async with self._begin(engines.ONE_QUESTION) as connection:
            query = sa.select(sa.func.max(panel_tables.outbox.c.number))
            return int((await connection.execute(query)).scalar() or 0)

    async def forget_told(self, before: float) -> int:
        return await self._delete(panel_tables.outbox, panel_tables.outbox.c.at < before)

    # --- the trail ---

    async def audit_page(
        self, equal: Mapping[str, str], *, before: Place | None = None, limit: int = 100
    ) -> list[AuditRow]:
        return await self._ask(AuditRow, panel_queries.audit(equal, before, limit))

    # --- how ---

    async def _ask(self, cls: type[R], query: Any) -> list[R]:
        async with self._begin(engines.ONE_QUESTION) as connection:
            return await rows_of(connection, cls, query)

    async def _one(self, cls: type[R], table: sa.Table, **key: str) -> R | None:
        query = sa.select(table).where(*(table.c[name] == value for name, value in key.items()))
        found = await self._ask(cls, query)
        return found[0] if found else None

    async def _change(self, table: sa.Table, id: str, **values: Any) -> None:
        async with self._begin(engines.WRITES) as connection:
            await connection.execute(sa.update(table).where(table.c.id == id).values(**values))

    async def _delete(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        async with self._begin(engines.WRITES) as connection:
            return int((await connection.execute(sa.delete(table).where(*conditions))).rowcount)


def _entry(row: dict[str, Any]) -> CallEntry:
    """What `codec` makes of it too, four times as quickly: a page has fifty of them."""
    row["way"], row["result"] = Way(row["way"]), Result(row["result"])
    row["recordings"] = tuple(row["recordings"])
    return CallEntry(**row)


def _all(table: sa.Table, *order: str) -> sa.Select[Any]:
    return sa.select(table).order_by(*(table.c[name] for name in order))
