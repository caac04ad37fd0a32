"""The archive's part of the store in memory: the plainest reading of `store.keeping.KeepingStore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recorderd.core import rows
from recorderd.core.keeping import IN_PLACE, Copy, Erasure, Hold, KeepState, Kept, Tag
from recorderd.store import codec
from recorderd.store.abc import AuditRow
from recorderd.store.keeping import DaySum, KeepingStore, Place

_DONE = (rows.RecordingState.CLOSED, rows.RecordingState.FAILED)
_OVER = (KeepState.KEPT, KeepState.DELETED)


class MemoryKeeping(KeepingStore):
    """See `KeepingStore`. `tables` are the store's."""

    def __init__(self, tables: dict[type[rows.Row], dict[tuple[Any, ...], rows.Row]]) -> None:
        self._tables: Any = tables

    def _all(self, cls: type[Any]) -> list[Any]:
        return list(self._tables[cls].values())

    async def kept(self, recording_ids: Sequence[str]) -> dict[str, Kept]:
        return {row.recording_id: row for row in self._all(Kept) if row.recording_id in recording_ids}

    async def advance(self, row: Kept, expected: KeepState | None) -> bool:
        table = self._tables[Kept]
        there = table.get(codec.key(row))
        if (there.state if there else None) is not expected:
            return False
        table[codec.key(row)] = codec.from_plain(Kept, codec.to_plain(row))
        return True

    async def new_recordings(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        known = {row.recording_id for row in self._all(Kept)}
        found = [
            row
            for row in self._all(rows.Recording)
            if row.state in _DONE and row.id not in known and row.started_at >= since
            and row.ended_at is not None and row.ended_at < ended_before and node in (None, row.node)
        ]  # fmt: skip
        return sorted(found, key=lambda row: (row.started_at, row.id))[:limit]

    async def unfinished(
        self, now: float | None, limit: int = 100, *, node: str | None = None, but: KeepState | None = None
    ) -> list[Kept]:
        due = [row for row in self._all(Kept) if now is None or row.not_before <= now]
        found = [row for row in due if row.state not in (*_OVER, but) and node in (None, row.node)]
        return sorted(found, key=lambda row: (row.not_before, row.started_at))[:limit]

    async def walk(
        self,
        states: Sequence[KeepState],
        *,
        until: float | None = None,
        after: Place | None = None,
        limit: int = 200,
        node: str | None = None,
    ) -> list[Kept]:
        found = [
            (row.started_at, row.recording_id, row)
            for row in self._all(Kept)
            if row.state in states and (until is None or row.started_at < until) and node in (None, row.node)
        ]
        return [each[2] for each in sorted(found, key=lambda e: e[:2]) if not after or each[:2] > after][
            :limit
        ]

    async def without_object(self, node: str, limit: int = 100) -> list[Kept]:
        mine = [row for row in self._all(Kept) if row.node == node and row.state is KeepState.KEPT]
        found = [row for row in mine if row.name and not row.object]
        return sorted(found, key=lambda row: (row.started_at, row.recording_id))[:limit]

    async def cached(self, node: str) -> int:
        return sum(row.size for row in self._cached(node))

    async def least_played(self, node: str, limit: int = 100) -> list[Kept]:
        played: dict[str, float] = {}
        for row in self._all(AuditRow):
            if row.action in ("play", "download"):
                played[row.object] = max(row.at, played.get(row.object, 0.0))

        def last(row: Kept) -> tuple[float, str]:
            return max(row.archived_at or 0.0, played.get(row.recording_id, 0.0)), row.recording_id

        return sorted(self._cached(node), key=last)[:limit]

    def _cached(self, node: str) -> list[Kept]:
        mine = [row for row in self._all(Kept) if row.node == node and row.state is KeepState.KEPT]
        return [row for row in mine if row.local and row.object]

    async def walk_intervals(self, after: Place | None = None, limit: int = 1000) -> list[rows.Interval]:
        found = [(row.started_at, row.id, row) for row in self._all(rows.Interval) if row.recording_id]
        return [each[2] for each in sorted(found, key=lambda e: e[:2]) if not after or each[:2] > after][
            :limit
        ]

    async def recordings_of(self, ids: Sequence[str]) -> dict[str, rows.Recording]:
        return {row.id: row for row in self._all(rows.Recording) if row.id in ids}

    async def intervals_of(self, recording_ids: Sequence[str]) -> dict[str, list[rows.Interval]]:
        found: dict[str, list[rows.Interval]] = {}
        for row in sorted(self._all(rows.Interval), key=lambda row: (row.started_at, row.id)):
            if row.recording_id in recording_ids:
                found.setdefault(row.recording_id, []).append(row)
        return found

    async def tags_of(self, recording_ids: Sequence[str]) -> dict[str, list[Tag]]:
        found: dict[str, list[Tag]] = {}
        for row in sorted(self._all(Tag), key=lambda row: row.tag):
            if row.recording_id in recording_ids and row.removed_at is None:
                found.setdefault(row.recording_id, []).append(row)
        return found

    async def holds(self, *, released: bool = False) -> list[Hold]:
        found = [row for row in self._all(Hold) if released or row.released_at is None]
        return sorted(found, key=lambda row: (row.at, row.id))

    async def erasures(self) -> list[Erasure]:
        return sorted(self._all(Erasure), key=lambda row: (row.at, row.id))

    async def copies(self, recording_id: str) -> list[Copy]:
        found = [row for row in self._all(Copy) if row.recording_id == recording_id]
        return sorted(found, key=lambda row: row.path)

    async def copies_left(self, node: str) -> list[Copy]:
        states = {row.recording_id: row.state for row in self._all(Kept)}
        gone = (KeepState.DELETING, KeepState.DELETED)
        found = [row for row in self._all(Copy) if row.node == node and states.get(row.recording_id) in gone]
        return sorted(found, key=lambda row: (row.recording_id, row.path))

    async def forget_copy(self, copy: Copy) -> None:
        self._tables[Copy].pop(codec.key(copy), None)

    async def days(self, offset_s: int, *, node: str | None = None) -> list[DaySum]:
        archived = {row.recording_id: row for row in self._all(Kept)}
        sums: dict[tuple[int, str], list[int]] = {}
        sizes = {recording.id: recording.size for recording in self._all(rows.Recording)}
        for recording in self._all(rows.Recording):
            row = archived.get(recording.id)
            if row is not None and row.state in IN_PLACE:
                continue
            gone = row is not None and row.state in (KeepState.DELETING, KeepState.DELETED)
            gone = gone or node not in (None, recording.node)
            if recording.state is rows.RecordingState.CLOSED and not gone:
                _add(sums, recording, "", offset_s)
        for row in archived.values():
            if row.state in IN_PLACE and node in (None, row.node):
                doubled = row.mix not in ("", row.name)
                _add(sums, row, row.format, offset_s, sizes.get(row.recording_id, 0) if doubled else 0)
        return [
            DaySum(day=day, format=name, recordings=n, duration_ms=ms, size=size, beside=beside)
            for (day, name), (n, ms, size, beside) in sorted(sums.items())
        ]


def _add(sums: dict[tuple[int, str], list[int]], row: Any, name: str, offset_s: int, beside: int = 0) -> None:
    found = sums.setdefault((int((row.started_at + offset_s) // 86_400), name), [0, 0, 0, 0])
    for place, value in enumerate((1, row.duration_ms, row.size, beside)):
        found[place] += value
