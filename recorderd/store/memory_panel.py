"""The panel's part of the store in memory: the plainest reading of `store.panel.PanelStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recorderd.core import rows
from recorderd.core.entries import CallEntry
from recorderd.store import codec
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

Tables = dict[type[rows.Row], dict[tuple[Any, ...], rows.Row]]


class MemoryPanel(PanelStore):
    """See `PanelStore`. `tables` are the store's."""

    def __init__(self, tables: Tables) -> None:
        self._tables: Any = tables
        self._sessions: dict[str, SessionRow] = {}
        self._tries: dict[tuple[str, str], Tries] = {}
        self._outbox: list[Told] = []
        self._numbers = 0

    # --- entries ---

    async def replace_entries(self, stories: Sequence[Replaced], at: float) -> None:
        table = self._tables[CallEntry]
        stale = {story for replaced in stories for story in replaced.stories}
        for key in [key for key in table if key[0] in stale]:
            del table[key]
        there = {(told.kind, told.object) for told in self._outbox}
        for replaced in stories:
            for entry in replaced.entries:
                self._put(entry)
            for kind, object in replaced.told:
                if (kind, object) not in there:
                    there.add((kind, object))
                    self._numbers += 1
                    self._outbox.append(Told(number=self._numbers, at=at, kind=kind, object=object))

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
        hits: list[CallEntry] = []
        stops: list[Place] = []
        for owner in owners:
            near = self._near(owner, wanted, before, after)
            looked_at = near[:budget] if wanted.selective else near
            if wanted.selective and len(near) >= budget:
                stops.append(_place(looked_at[-1]))
            hits += [entry for entry in looked_at if _chosen(entry, wanted)][:limit]
        hits.sort(key=_place, reverse=after is None)
        found = tuple({entry.story_id: entry for entry in reversed(hits)}.values())[::-1][:limit]
        if len(found) == limit:
            return Found(entries=found)
        return within_reach(found, stops, newest_first=after is None)

    def _near(self, owner: str, wanted: Wanted, before: Place | None, after: Place | None) -> list[CallEntry]:
        inside = [
            entry
            for entry in self._tables[CallEntry].values()
            if entry.owner == owner
            and (before is None or _place(entry) < before)
            and (after is None or _place(entry) > after)
            and (wanted.since is None or entry.started_at >= wanted.since)
            and (wanted.until is None or entry.started_at < wanted.until)
        ]
        return sorted(inside, key=_place, reverse=after is None)

    async def entry(self, story_id: str, owners: Sequence[str]) -> CallEntry | None:
        table = self._tables[CallEntry]
        return next((table[story_id, o] for o in owners if (story_id, o) in table), None)

    async def owners(self, story_id: str) -> list[str]:
        return sorted(owner for story, owner in self._tables[CallEntry] if story == story_id and owner)

    async def newest_entry(self) -> float | None:
        return max((e.started_at for e in self._tables[CallEntry].values() if not e.owner), default=None)

    async def oldest_call(self) -> float | None:
        starts = [row.start for row in self._tables[rows.Cdr].values()]
        starts += [row.started_at for row in self._tables[rows.Conversation].values()]
        return min(starts, default=None)

    # --- people ---

    async def user(self, login: str) -> UserRow | None:
        found: UserRow | None = self._tables[UserRow].get((login,))
        return found

    async def users(self) -> list[UserRow]:
        return sorted(self._tables[UserRow].values(), key=lambda user: user.login)

    async def change_user(self, login: str, **changed: Any) -> UserRow | None:
        user = await self.user(login)
        return None if user is None else self._put(replace(user, **changed))

    async def add_user(self, user: UserRow) -> bool:
        if await self.user(codec.clean(user.login)):
            return False
        self._put(user)
        return True

    # --- sessions ---

    async def put_session(self, session: SessionRow) -> None:
        self._sessions[session.id] = codec.from_plain(SessionRow, codec.to_plain(session))

    async def session(self, id: str) -> SessionRow | None:
        return self._sessions.get(id)

    async def sessions(self, login: str) -> list[SessionRow]:
        theirs = [session for session in self._sessions.values() if session.login == login]
        return sorted(theirs, key=lambda session: (-session.started_at, session.id))

    async def touch_session(self, id: str, seen_at: float) -> None:
        if id in self._sessions:
            self._sessions[id] = replace(self._sessions[id], seen_at=seen_at)

    async def give_reason(self, id: str, recording: str, reason: str) -> None:
        if session := self._sessions.get(id):
            self._sessions[id] = replace(session, reasons={**session.reasons, recording: reason})

    async def end_session(self, id: str) -> bool:
        return self._sessions.pop(id, None) is not None

    async def end_sessions(self, login: str, but: str = "") -> int:
        return self._end(lambda session: session.login == login and session.id != but)

    async def expire_sessions(self, before: float, idle_before: float) -> int:
        return self._end(lambda session: session.until < before or session.seen_at < idle_before)

    def _end(self, over: Callable[[SessionRow], bool]) -> int:
        ended = [id for id, session in self._sessions.items() if over(session)]
        for id in ended:
            del self._sessions[id]
        return len(ended)

    # --- failed tries to get in ---

    async def tries(self, of: Sequence[tuple[str, str]]) -> list[Tries]:
        return [self._tries[key] for key in of if key in self._tries]

    async def put_tries(self, tries: Sequence[Tries]) -> None:
        for one in tries:
            self._tries[one.kind, one.who] = one
        self._tries = {key: one for key, one in self._tries.items() if one.failures > 0}

    async def forget_tries(self, before: float, most: int) -> int:
        newest = sorted(self._tries.items(), key=lambda item: item[1].last_at, reverse=True)[:most]
        kept = {key: one for key, one in newest if one.last_at >= before}
        gone, self._tries = len(self._tries) - len(kept), kept
        return gone

    # --- tokens and webhooks ---

    async def token(self, hash: str) -> TokenRow | None:
        return next((t for t in self._tables[TokenRow].values() if t.hash == hash), None)

    async def tokens(self, login: str) -> list[TokenRow]:
        theirs = [token for token in self._tables[TokenRow].values() if token.login == login]
        return sorted(theirs, key=lambda token: (token.created_at, token.id))

    async def end_token(self, id: str) -> bool:
        return self._tables[TokenRow].pop((id,), None) is not None

    async def end_tokens(self, login: str) -> int:
        return sum([await self.end_token(token.id) for token in await self.tokens(login)])

    async def touch_token(self, id: str, used_at: float) -> None:
        if token := self._tables[TokenRow].get((id,)):
            self._put(replace(token, used_at=used_at))

    async def webhooks(self) -> list[WebhookRow]:
        return sorted(self._tables[WebhookRow].values(), key=lambda hook: (hook.created_at, hook.id))

    async def change_webhook(self, id: str, **changed: Any) -> None:
        if hook := self._tables[WebhookRow].get((id,)):
            self._put(replace(hook, **changed))

    async def end_webhook(self, id: str) -> bool:
        return self._tables[WebhookRow].pop((id,), None) is not None

    async def told(self, after: int, limit: int = 100) -> list[Told]:
        return [told for told in self._outbox if told.number > after][:limit]

    async def last_told(self) -> int:
        return max((told.number for told in self._outbox), default=0)

    async def forget_told(self, before: float) -> int:
        left = [told for told in self._outbox if told.at >= before]
        gone, self._outbox = len(self._outbox) - len(left), left
        return gone

    # --- the trail ---

    async def audit_page(
        self, equal: Mapping[str, str], *, before: Place | None = None, limit: int = 100
    ) -> list[AuditRow]:
        found = [
            row
            for row in self._tables[AuditRow].values()
            if all(getattr(row, name) == value for name, value in equal.items())
            and (before is None or (row.at, row.id) < before)
        ]
        return sorted(found, key=lambda row: (row.at, row.id), reverse=True)[:limit]

    def _put(self, row: Any) -> Any:
        kept = codec.from_plain(type(row), codec.to_plain(row))
        self._tables[type(row)][codec.key(row)] = kept
        return kept


def _place(entry: CallEntry) -> Place:
    return entry.started_at, entry.story_id


def _chosen(entry: CallEntry, wanted: Wanted) -> bool:
    return (
        (wanted.min_s is None or entry.talk_s >= wanted.min_s)
        and (wanted.max_s is None or entry.talk_s <= wanted.max_s)
        and wanted.way in ("", entry.way)
        and wanted.result in ("", entry.result)
        and wanted.recorded in (None, entry.recorded)
        and all(any(word in entry.search for word in words) for words in wanted.words)
    )
