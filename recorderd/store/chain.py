"""The chain of evidence: the contract of its part of the store.

Owns the interface, as `abc` does for the rest. Must not know a database. `Store.chain` is the way in; one suite,
tests/store/test_chain_contract.py, runs against every back end. There is one appender for the chain, whoever
calls it: those who append at once stand in line. Every method raises StoreError, one sentence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from recorderd.core import rows
from recorderd.core.chain import (
    BEGINNING,
    CLOCK_STEP,
    ChainEntry,
    ChainHead,
    Draft,
    Kind,
    entry_hash,
    micros,
    rows_digest,
)

if TYPE_CHECKING:
    # Signs the chain's newest entry, given the head before.
    Sign = Callable[[ChainEntry, ChainHead | None], ChainHead]


class ChainStore(ABC):
    """The chain's part of a store. Safe for many tasks and processes at once."""

    @abstractmethod
    async def append(self, drafts: Sequence[Draft], at: float) -> list[ChainEntry]:
        """Add an entry for each draft that has none yet, all or nothing; those that were added.

        An entry is never older than the one before: a clock that was set back is written down instead.
        """

    @abstractmethod
    async def sign(self, sign: Sign) -> ChainHead | None:
        """Have the newest entry signed and keep that head; None, and nothing done, while there is no entry."""

    @abstractmethod
    async def entries(self, after: int = 0, limit: int = 1000) -> list[ChainEntry]:
        """Those behind sequence `after`, in order."""

    @abstractmethod
    async def entries_of(self, recording_ids: Sequence[str]) -> dict[str, list[ChainEntry]]:
        """The entries of these recordings, in order, by recording; of `""` those that belong to none."""

    @abstractmethod
    async def last(self) -> ChainEntry | None:
        """The newest entry."""

    @abstractmethod
    async def heads(self) -> list[ChainHead]:
        """All, in order."""

    @abstractmethod
    async def unopened(
        self, since: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        """Finished recordings, begun at `since` or later, that have no entry of their making; oldest first.

        A node's, or (None) every one's.
        """

    @abstractmethod
    async def unsettled(
        self, since: float, ended_before: float, limit: int = 100, *, node: str | None = None
    ) -> list[rows.Recording]:
        """Those that have one, whose conversation ended before then, and whose rows are not entered yet."""

    @abstractmethod
    async def oldest_unsettled(self, since: float, *, node: str | None = None) -> float | None:
        """When the first recording, finished or not, began, at `since` or later, whose rows are not entered yet."""


def link(draft: Draft, at: float, last: ChainEntry | None) -> ChainEntry:
    """The entry of this draft, behind `last`. The draft is clean already: what is hashed is what is kept."""
    detail, at = dict(draft.detail), micros(at) / 1_000_000
    if last is not None and at < last.at:
        if last.at - at > CLOCK_STEP:
            detail["clock_behind"] = f"{last.at - at:.3f}"
        at = last.at
    blank = ChainEntry(
        sequence=last.sequence + 1 if last else 1,
        at=at,
        kind=Kind(draft.kind).value,
        recording_id=draft.recording_id,
        object=draft.object,
        detail=detail,
        digest=rows_digest(detail),
        previous=last.hash if last else BEGINNING,
        hash="",
    )
    return replace(blank, hash=entry_hash(blank))
