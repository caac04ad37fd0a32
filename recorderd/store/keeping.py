"""What the archive keeps: the contract of its part of the store.

Owns the interface, as `abc` does for the rest. Must not know a database or a file. `Store.keeping` is the way
in; one suite, tests/store/test_keeping_contract.py, runs against every back end. Rows are plain ones of
`core.keeping`: `Store.save` writes them and every backup has them, except that a `Kept` goes on by `advance`.

With `node` a question is about what is that node's; None asks for every one's.

Times are seconds since the epoch, UTC. Every method raises StoreError, one sentence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from recorderd.core import rows
from recorderd.core.keeping import Copy, Erasure, Hold, KeepState, Kept, Tag

# Where a row stands in a walk from old to new: its start and its recording's id.
Place = tuple[float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySum:
    """What one day's recordings came to, in one format (empty: not in the archive yet).

    `size` is of the files themselves, `beside` of the mixes that are kept beside them; in bytes.
    `day` counts days since 1970 in the zone asked for.
    """

    day: int
    format: str
    recordings: int
    duration_ms: int
    size: int
    beside: int = 0


class KeepingStore(ABC):
    """The archive's part of a store. Safe for many tasks at once."""

    @abstractmethod
    async def kept(self, recording_ids: Sequence[str]) -> dict[str, Kept]:
        """The rows of these recordings, by recording, without those that the archive never looked at."""

    @abstractmethod
    async def advance(self, row: Kept, expected: KeepState | None) -> bool:
        """Put this row in the place of one that is in state `expected` (None: of none at all).

        False, and nothing changed, when it is in another state by now: somebody else was quicker.
        """

    @abstractmethod
    async def new_recordings(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        """Finished recordings that began at `since` or later, ended before the other, and have no row yet.

        Oldest first; those that failed are among them.
        """

    @abstractmethod
    async def unfinished(
        self, now: float | None, limit: int = 100, *, node: str | None = None, but: KeepState | None = None
    ) -> list[Kept]:
        """Rows with work left (a deletion among it) whose `not_before` has come (None: all), oldest first; none of
        state `but`.
        """

    @abstractmethod
    async def walk(
        self, states: Sequence[KeepState], *, until: float | None = None, after: Place | None = None,
        limit: int = 200, node: str | None = None,
    ) -> list[Kept]:  # fmt: skip
        """Rows in these states that began before `until`, oldest first, behind `after`."""

    @abstractmethod
    async def without_object(self, node: str, limit: int = 100) -> list[Kept]:
        """Those kept, with a file, that are not in the bucket; oldest first."""

    @abstractmethod
    async def cached(self, node: str) -> int:
        """The bytes of what is kept in the bucket and in its file too."""

    @abstractmethod
    async def least_played(self, node: str, limit: int = 100) -> list[Kept]:
        """Of those, the ones that were played (or, where never, kept) longest ago, these first."""

    @abstractmethod
    async def walk_intervals(self, after: Place | None = None, limit: int = 1000) -> list[rows.Interval]:
        """Every interval that has a recording, oldest first by (started_at, id), behind `after`."""

    @abstractmethod
    async def recordings_of(self, ids: Sequence[str]) -> dict[str, rows.Recording]:
        """These recordings, by id."""

    @abstractmethod
    async def intervals_of(self, recording_ids: Sequence[str]) -> dict[str, list[rows.Interval]]:
        """The intervals of these recordings, in order of time, by recording."""

    @abstractmethod
    async def tags_of(self, recording_ids: Sequence[str]) -> dict[str, list[Tag]]:
        """The tags on these recordings, by recording; those taken off are not in it."""

    @abstractmethod
    async def holds(self, *, released: bool = False) -> list[Hold]:
        """Those in force, oldest first; with `released` those that are over too."""

    @abstractmethod
    async def erasures(self) -> list[Erasure]:
        """All, oldest first."""

    @abstractmethod
    async def copies(self, recording_id: str) -> list[Copy]:
        """The files that were made of this recording."""

    @abstractmethod
    async def copies_left(self, node: str) -> list[Copy]:
        """Files on this node that were made of recordings which are deleted, or being deleted."""

    @abstractmethod
    async def forget_copy(self, copy: Copy) -> None:
        """It is gone."""

    @abstractmethod
    async def days(self, offset_s: int, *, node: str | None = None) -> list[DaySum]:
        """Sums over everything that still has audio, by day and format; the zone is so many seconds off
        UTC.
        """
