"""The store in memory: for tests, for trying things out, and as the contract's plainest reading.

Owns its rows until it is closed. Must not know a database: what the others ask in SQL is asked here in
Python, so that the one contract suite compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, TypeVar

from recorderd.core import rows
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.core.keeping import Copy, Kept
from recorderd.core.policy import ExtensionPolicy
from recorderd.errors import StoreError
from recorderd.store import codec
from recorderd.store.abc import (
    RECORDING_ENDS,
    AlarmRow,
    AuditRow,
    OpenRows,
    PolicyLogRow,
    PolicyRows,
    RowRefused,
    RuleRow,
    Store,
    lane_open,
)
from recorderd.store.memory_chain import MemoryChain
from recorderd.store.memory_keeping import MemoryKeeping
from recorderd.store.memory_panel import MemoryPanel

R = TypeVar("R", bound=rows.Row)


class MemoryStore(Store):
    """See `Store`. `clock` gives the time of policy changes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tables: dict[type[rows.Row], dict[tuple[Any, ...], rows.Row]] = {cls: {} for cls in codec.KEYS}
        self._policy = PolicyRows()
        self._changed = asyncio.Event()
        self._panel = MemoryPanel(self._tables)
        self._keeping = MemoryKeeping(self._tables)
        self._chain = MemoryChain(self._tables)

    async def migrate(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to let go of."""

    @property
    def panel(self) -> MemoryPanel:
        return self._panel

    @property
    def keeping(self) -> MemoryKeeping:
        return self._keeping

    @property
    def chain(self) -> MemoryChain:
        return self._chain

    async def save(self, batch: Sequence[rows.Row]) -> None:
        # Through the codec, so that what comes back is what a database would give back.
        try:
            kept = [codec.from_plain(type(row), codec.to_plain(row)) for row in batch]
        except ValueError as error:
            raise RowRefused(f"The store refused a value: {error}") from error
        for row in kept:
            table = self._tables[type(row)]
            if isinstance(row, AuditRow | PolicyLogRow | ChainEntry | ChainHead):
                table.setdefault(codec.key(row), row)
            else:
                table[codec.key(row)] = row

    # --- policy ---

    async def load_policy(self) -> PolicyRows:
        return self._policy

    async def set_extension(self, policy: ExtensionPolicy, who: str, name: str | None = None) -> int:
        old, names = _by_extension(self._policy.extensions), dict(self._policy.names)
        names[policy.extension] = names.get(policy.extension, "") if name is None else name
        new = replace(self._policy, extensions=tuple({**old, policy.extension: policy}.values()), names=names)
        return await self._change(new, who, f"set extension {policy.extension}")

    async def delete_extension(self, extension: str, who: str) -> int:
        old = _by_extension(self._policy.extensions)
        if extension not in old:
            raise StoreError(f"There is no policy for extension {extension}")
        names = {key: name for key, name in self._policy.names.items() if key != extension}
        left = tuple(policy for key, policy in old.items() if key != extension)
        new = replace(self._policy, extensions=left, names=names)
        return await self._change(new, who, f"deleted extension {extension}")

    async def replace_rules(self, rules: Sequence[RuleRow], who: str) -> int:
        return await self._change(replace(self._policy, rules=tuple(rules)), who, "replaced the rules")

    async def import_policy(
        self,
        extensions: Sequence[ExtensionPolicy],
        rules: Sequence[RuleRow],
        who: str,
        names: Mapping[str, str] | None = None,
    ) -> int:
        if len(_by_extension(extensions)) < len(extensions):
            raise RowRefused("The store refused a value: an extension stands there twice")
        names = {policy.extension: (names or {}).get(policy.extension, "") for policy in extensions}
        new = replace(self._policy, extensions=tuple(extensions), rules=tuple(rules), names=names)
        return await self._change(new, who, f"imported {len(extensions)} extensions and {len(rules)} rules")

    async def _change(self, new: PolicyRows, who: str, what: str) -> int:
        before, version = codec.to_plain(self._policy), self._policy.version + 1
        ordered = tuple(sorted(new.extensions, key=lambda policy: policy.extension))
        self._put_policy(replace(new, version=version, extensions=ordered))
        detail = {"before": before, "after": codec.to_plain(self._policy)}
        await self.save([PolicyLogRow(version=version, at=self._clock(), who=who, what=what, detail=detail)])
        return version

    def _put_policy(self, policy: PolicyRows) -> None:
        self._policy = codec.from_plain(PolicyRows, codec.to_plain(policy))
        self._changed.set()
        self._changed = asyncio.Event()

    async def policy_log(self) -> list[PolicyLogRow]:
        return self._some(PolicyLogRow, _no_time)

    async def policy_changes(self) -> AsyncGenerator[int, None]:
        told = -1
        while True:
            changed = self._changed
            if self._policy.version > told:
                told = self._policy.version
                yield told
            else:
                await changed.wait()

    # --- asking ---

    async def conversations(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        id: str | tuple[str, ...] | None = None,
        linkedid: str | tuple[str, ...] | None = None,
    ) -> list[rows.Conversation]:
        found = self._some(rows.Conversation, _started_at, since, until, id=id)
        wanted = (linkedid,) if isinstance(linkedid, str) else linkedid
        return [row for row in found if wanted is None or not set(wanted).isdisjoint(row.linkedids)]

    async def intervals(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        uniqueid: str | tuple[str, ...] | None = None,
        extension: str | None = None,
        **equal: str | tuple[str, ...] | None,
    ) -> list[rows.Interval]:
        ours = (uniqueid,) if isinstance(uniqueid, str) else uniqueid
        return [
            row
            for row in self._some(rows.Interval, _started_at, since, until, **equal)
            if (ours is None or any(party.uniqueid in ours for party in row.parties))
            and (extension is None or any(party.extension == extension for party in row.parties))
        ]

    async def recordings(
        self, since: float | None = None, until: float | None = None, **equal: Any
    ) -> list[rows.Recording]:
        return self._some(rows.Recording, _started_at, since, until, **equal)

    async def lanes(self, recording_id: str) -> list[rows.Lane]:
        return self._lanes_of(self._some(rows.Recording, _started_at, id=recording_id), {recording_id})

    def _lanes_of(self, recordings: Sequence[rows.Recording], ids: Set[str]) -> list[rows.Lane]:
        named = {lane for recording in recordings for lane in recording.lanes}
        return [row for row in self._some(rows.Lane, _no_time) if row.recording_id in ids or row.id in named]

    async def marks(self, conversation_id: str) -> list[rows.Mark]:
        return self._some(rows.Mark, _at, conversation_id=conversation_id)

    async def open_rows(self, node: str | None = None) -> OpenRows:
        recordings = [r for r in self._some(rows.Recording, _started_at) if r.state not in RECORDING_ENDS]
        ids = {recording.id for recording in recordings}
        theirs = self._lanes_of(recordings, ids)
        lanes = [row for row in self._some(rows.Lane, _no_time) if lane_open(row) or row in theirs]
        intervals = [
            row
            for row in self._some(rows.Interval, _started_at)
            if row.ended_at is None or row.outcome is None or row.recording_id in ids
        ]
        talks = {r.conversation_id for r in recordings} | {row.conversation_id for row in intervals}
        conversations = [
            row
            for row in self._some(rows.Conversation, _started_at)
            if row.ended_at is None or row.id in talks
        ]
        there = {r.id for r in self._some(rows.Conversation, _started_at) if node in (None, r.node)}
        return OpenRows(
            conversations=tuple(row for row in conversations if row.id in there),
            intervals=tuple(row for row in intervals if node is None or row.conversation_id in there),
            recordings=tuple(row for row in recordings if node in (None, row.node)),
            lanes=tuple(row for row in lanes if node in (None, row.node)),
        )

    async def give_node(self, old: str, new: str) -> int:
        mine: dict[Any, Any] = {}
        for cls in (rows.Conversation, rows.Lane, Kept, Copy, rows.Recording):
            table: Any = self._tables[cls]
            mine = {key: replace(row, node=new) for key, row in table.items() if row.node == old}
            table.update(mine)
        return len(mine)

    async def cdrs(
        self, since: float | None = None, until: float | None = None, **equal: str | tuple[str, ...] | None
    ) -> list[rows.Cdr]:
        return self._some(rows.Cdr, _start, since, until, **equal)

    async def cdrs_without_link(self, since: float | None = None) -> list[rows.Cdr]:
        linked = {(link.uniqueid, link.sequence) for link in self._some(rows.CdrLink, _no_time)}
        found = self._some(rows.Cdr, _start, since, disposition="ANSWERED")
        return [row for row in found if (row.uniqueid, row.sequence) not in linked]

    async def links(self, **equal: Any) -> list[rows.CdrLink]:
        return self._some(rows.CdrLink, _no_time, **equal)

    async def alarms(self, since: float | None = None, *, active: bool = False) -> list[AlarmRow]:
        return [row for row in self._some(AlarmRow, _at, since) if not active or row.cleared_at is None]

    async def audit_append(self, entry: AuditRow) -> None:
        await self.save([entry])

    # --- moving house ---

    async def export(self) -> AsyncIterator[PolicyRows | Sequence[rows.Row]]:
        tables = [list(table.values()) for table in self._tables.values()]
        yield self._policy
        for table in tables:
            if table:
                yield table

    async def fill(self, policy: PolicyRows, batches: AsyncIterator[Iterable[rows.Row]]) -> None:
        if self._policy.extensions or self._policy.rules or any(self._tables.values()):
            raise StoreError("The store is not empty: restore into a new one")
        everything = [row async for batch in batches for row in batch]
        await self.save(everything)
        self._put_policy(policy)

    def _some(
        self,
        cls: type[R],
        time: Callable[[Any], float],
        since: float | None = None,
        until: float | None = None,
        **equal: Any,
    ) -> list[R]:
        """The rows of one table that hold these values, None meaning any, in the contract's order."""
        table: Any = self._tables[cls]
        wanted = {name: value for name, value in equal.items() if value is not None}
        found = [
            (time(row), key, row)
            for key, row in table.items()
            if (since is None or time(row) >= since)
            and (until is None or time(row) < until)
            and all(_is(getattr(row, name), value) for name, value in wanted.items())
        ]
        return [row for _, _, row in sorted(found, key=lambda item: item[:2])]


def _is(held: Any, value: Any) -> bool:
    return held in value if isinstance(value, tuple) else bool(held == value)


def _started_at(row: Any) -> float:
    return float(row.started_at)


def _start(row: Any) -> float:
    return float(row.start)


def _at(row: Any) -> float:
    return float(row.at)


def _no_time(_row: Any) -> float:
    return 0.0


def _by_extension(policies: Iterable[ExtensionPolicy]) -> dict[str, ExtensionPolicy]:
    return {policy.extension: policy for policy in policies}
