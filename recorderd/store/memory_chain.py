"""The chain of evidence in memory: the plainest reading of `store.chain.ChainStore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recorderd.core import rows
from recorderd.core.chain import OPENING, ChainEntry, ChainHead, Draft, Kind
from recorderd.store import codec
from recorderd.store.abc import RECORDING_ENDS
from recorderd.store.chain import ChainStore, link
from recorderd.store.sql_chain import cleaned

if TYPE_CHECKING:
    from recorderd.store.chain import Sign


class MemoryChain(ChainStore):
    """See `ChainStore`. `tables` are the store's."""

    def __init__(self, tables: dict[type[rows.Row], dict[tuple[Any, ...], rows.Row]]) -> None:
        self._tables: Any = tables

    def _all(self, cls: type[Any]) -> list[Any]:
        return [row for _, row in sorted(self._tables[cls].items())]

    async def append(self, drafts: Sequence[Draft], at: float) -> list[ChainEntry]:
        there = {(e.recording_id, e.kind, e.object) for e in self._all(ChainEntry)}
        last, added = await self.last(), []
        for draft in map(cleaned, drafts):
            key = (draft.recording_id, draft.kind.value, draft.object)
            if key in there:
                continue
            there.add(key)
            last = codec.from_plain(ChainEntry, codec.to_plain(link(draft, at, last)))
            added.append(last)
        self._tables[ChainEntry] |= {codec.key(entry): entry for entry in added}
        return added

    async def sign(self, sign: Sign) -> ChainHead | None:
        last, heads = await self.last(), await self.heads()
        if last is None:
            return None
        head = sign(last, heads[-1] if heads else None)
        self._tables[ChainHead][codec.key(head)] = head
        return head

    async def entries(self, after: int = 0, limit: int = 1000) -> list[ChainEntry]:
        return [entry for entry in self._all(ChainEntry) if entry.sequence > after][:limit]

    async def entries_of(self, recording_ids: Sequence[str]) -> dict[str, list[ChainEntry]]:
        found: dict[str, list[ChainEntry]] = {}
        for entry in self._all(ChainEntry):
            if entry.recording_id in recording_ids:
                found.setdefault(entry.recording_id, []).append(entry)
        return found

    async def last(self) -> ChainEntry | None:
        entries = self._all(ChainEntry)
        return entries[-1] if entries else None

    async def heads(self) -> list[ChainHead]:
        return self._all(ChainHead)

    async def unopened(
        self, since: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        return [row for row in self._done(since, node) if not self._entered(row.id, *OPENING)][:limit]

    async def unsettled(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        talks = {row.id: row for row in self._all(rows.Conversation)}
        found = []
        for row in self._done(since, node):
            talk = talks.get(row.conversation_id)
            over = talk is not None and talk.ended_at is not None and talk.ended_at < ended_before
            if over and self._entered(row.id, *OPENING) and not self._entered(row.id, Kind.SETTLED):
                found.append(row)
        return found[:limit]

    async def oldest_unsettled(self, since: float, *, node: str | None = None) -> float | None:
        begun = self._begun(since, node)
        return next((row.started_at for row in begun if not self._entered(row.id, Kind.SETTLED)), None)

    def _done(self, since: float, node: str | None) -> list[rows.Recording]:
        return [row for row in self._begun(since, node) if row.state in RECORDING_ENDS]

    def _begun(self, since: float, node: str | None) -> list[rows.Recording]:
        begun = [row for row in self._all(rows.Recording) if row.started_at >= since]
        found = [row for row in begun if node in (None, row.node)]
        return sorted(found, key=lambda row: (row.started_at, row.id))

    def _entered(self, recording_id: str, *kinds: Kind) -> bool:
        return any(e.recording_id == recording_id and e.kind in kinds for e in self._all(ChainEntry))
