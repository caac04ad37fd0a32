"""The contract of a store: what callers may rely on, whatever back end remembers.

Owns the interface and the plain data that cross it. Must not know a database or a file. One suite,
tests/store/test_contract.py, runs against every back end.

Times are seconds since the epoch, UTC, and survive to the microsecond. Every method raises StoreError, one
sentence, when the database does not do what was asked; RowRefused when the data are at fault, so that asking
again is of no use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from recorderd.core import rows
from recorderd.core.facts import dataclass
from recorderd.core.policy import ExtensionPolicy
from recorderd.errors import StoreError
from recorderd.store.chain import ChainStore
from recorderd.store.keeping import KeepingStore
from recorderd.store.panel import PanelStore


class RowRefused(StoreError):
    """The database is there and refused these very data: another try ends alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow(rows.Row):
    """An alarm that people were told of, until it is over at `cleared_at`. Key: `id`."""

    id: str
    at: float
    kind: str
    sentence: str
    keys: Mapping[str, str] = field(default_factory=dict)
    cleared_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow(rows.Row):
    """Who did what to which object. Key: `id`. Never changed once saved: a second save is ignored."""

    id: str
    at: float
    who: str
    action: str
    object: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLogRow(rows.Row):
    """The change that made policy `version`. Key: `version`. `detail` holds what was before and after."""

    version: int
    at: float
    who: str
    what: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One rule as its YAML mapping; what the mapping means is checked elsewhere."""

    name: str
    body: Mapping[str, Any]
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRows:
    """All of policy at one version. `names` are display names by extension; rules stand in their order."""

    version: int = 0
    extensions: tuple[ExtensionPolicy, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[RuleRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRows:
    """What a daemon that starts must take up again.

    Every row that is not finished, and what is needed to finish it: of an open recording all intervals and
    all lanes, and of all these the conversations.
    """

    conversations: tuple[rows.Conversation, ...] = ()
    intervals: tuple[rows.Interval, ...] = ()
    recordings: tuple[rows.Recording, ...] = ()
    lanes: tuple[rows.Lane, ...] = ()


# The states that nothing leads out of.
RECORDING_ENDS = (rows.RecordingState.CLOSED, rows.RecordingState.FAILED, rows.RecordingState.DISCARDED)
LANE_ENDS = (
    rows.LaneState.CLOSED,
    rows.LaneState.REFUSED,
    rows.LaneState.LOST,
    rows.LaneState.DISCARDED,
)


def lane_open(lane: rows.Lane) -> bool:
    """Not finished: it runs, or it was only armed and its file is still to go."""
    only_armed = not lane.recording_id and lane.state is not rows.LaneState.DISCARDED
    return lane.state not in LANE_ENDS or only_armed


class Store(ABC):
    """What is remembered. Made by `open_store(url)`, which connects to nothing yet; `close()` when done.

    Safe for many tasks at once. Every answer stands in the order of time, then of key. `since` is included
    and `until` is not; None leaves an end open.
    """

    # --- the life of the store ---

    @abstractmethod
    async def migrate(self) -> None:
        """Bring the schema up to this code. Idempotent, and safe when two processes start at once.

        A database newer than the code is left as it is: StoreError.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection. Idempotent."""

    @property
    @abstractmethod
    def panel(self) -> PanelStore:
        """What the panel keeps: lists of calls, people, sessions; see `store.panel`."""

    @property
    @abstractmethod
    def keeping(self) -> KeepingStore:
        """What the archive keeps: files, holds, erasures; see `store.keeping`."""

    @property
    @abstractmethod
    def chain(self) -> ChainStore:
        """What is proved by: hashes, in a chain; see `store.chain`."""

    # --- writing ---

    @abstractmethod
    async def save(self, batch: Sequence[rows.Row]) -> None:
        """Remember all of these or none. Of two with one key the later stays; saving twice is saving once."""

    # --- policy ---

    @abstractmethod
    async def load_policy(self) -> PolicyRows:
        """All of policy, as one version of it was."""

    @abstractmethod
    async def set_extension(self, policy: ExtensionPolicy, who: str, name: str | None = None) -> int:
        """Set one extension's policy, and its display name where given; the new version."""

    @abstractmethod
    async def delete_extension(self, extension: str, who: str) -> int:
        """Forget one extension's policy; the new version. StoreError when it has none."""

    @abstractmethod
    async def replace_rules(self, rules: Sequence[RuleRow], who: str) -> int:
        """Put these rules, in this order, in the place of all; the new version."""

    @abstractmethod
    async def import_policy(
        self,
        extensions: Sequence[ExtensionPolicy],
        rules: Sequence[RuleRow],
        who: str,
        names: Mapping[str, str] | None = None,
    ) -> int:
        """Put these in the place of all extensions and rules, in one step; the new version."""

    @abstractmethod
    async def policy_log(self) -> list[PolicyLogRow]:
        """Who changed policy, newest last."""

    @abstractmethod
    def policy_changes(self) -> AsyncGenerator[int, None]:
        """The version in force now, at once, then each newer one within a second of its commit.

        Versions may be skipped, never repeated. Never ends and never raises StoreError: while the database
        is away it waits, and when it is back it yields what was missed.
        """

    # --- asking ---

    async def conversation(self, id: str) -> rows.Conversation | None:
        """The conversation of this id."""
        return next(iter(await self.conversations(id=id)), None)

    @abstractmethod
    async def conversations(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        id: str | tuple[str, ...] | None = None,
        linkedid: str | tuple[str, ...] | None = None,
    ) -> list[rows.Conversation]:
        """By start; `linkedid` is one of those that its channels ever had. Of a tuple any will do, as below."""

    @abstractmethod
    async def intervals(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        conversation_id: str | tuple[str, ...] | None = None,
        recording_id: str | tuple[str, ...] | None = None,
        uniqueid: str | tuple[str, ...] | None = None,
        extension: str | None = None,
        cdr_uniqueid: str | tuple[str, ...] | None = None,
    ) -> list[rows.Interval]:
        """By start; every criterion given must hold. `uniqueid` and `extension` are any one party's."""

    @abstractmethod
    async def recordings(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        id: str | None = None,
        conversation_id: str | tuple[str, ...] | None = None,
        state: rows.RecordingState | None = None,
    ) -> list[rows.Recording]:
        """By start; every criterion given must hold."""

    @abstractmethod
    async def lanes(self, recording_id: str) -> list[rows.Lane]:
        """The lanes of one recording."""

    @abstractmethod
    async def marks(self, conversation_id: str) -> list[rows.Mark]:
        """What is worth showing on one conversation's time line."""

    @abstractmethod
    async def open_rows(self, node: str | None = None) -> OpenRows:
        """What a daemon that starts must take up again, as it was at one instant; a node's, or (None) every one's."""

    @abstractmethod
    async def cdrs(
        self,
        since: float | None = None,
        until: float | None = None,
        *,
        linkedid: str | tuple[str, ...] | None = None,
        uniqueid: str | tuple[str, ...] | None = None,
    ) -> list[rows.Cdr]:
        """By `start`; every criterion given must hold."""

    @abstractmethod
    async def cdrs_without_link(self, since: float | None = None) -> list[rows.Cdr]:
        """The answered ones that no recording is linked to."""

    @abstractmethod
    async def links(
        self,
        *,
        recording_id: str | tuple[str, ...] | None = None,
        uniqueid: str | tuple[str, ...] | None = None,
    ) -> list[rows.CdrLink]:
        """Which CDR rows have audio in which recordings."""

    @abstractmethod
    async def alarms(self, since: float | None = None, *, active: bool = False) -> list[AlarmRow]:
        """By `at`; `active` leaves out those that are over."""

    @abstractmethod
    async def audit_append(self, entry: AuditRow) -> None:
        """Add to the audit trail, which nothing can change or delete afterwards."""

    @abstractmethod
    async def give_node(self, old: str, new: str) -> int:
        """Everything of node `old` is `new`'s from now on; how many recordings that are."""

    # --- moving house: used by store.dump ---

    @abstractmethod
    def export(self) -> AsyncIterator[PolicyRows | Sequence[rows.Row]]:
        """Policy first, then every row in batches, all as they were at one instant."""

    @abstractmethod
    async def fill(self, policy: PolicyRows, batches: AsyncIterator[Iterable[rows.Row]]) -> None:
        """Take over what `export` gave, all or nothing. StoreError unless this store is empty."""

    async def backup(self, path: str) -> int:
        """Write everything to a new file that `restore` reads on any back end; the number of rows."""
        from recorderd.store import dump

        return await dump.write(self, path)

    async def restore(self, path: str) -> int:
        """Read what `backup` wrote into this store, which must be empty; the number of rows."""
        from recorderd.store import dump

        return await dump.read(self, path)
