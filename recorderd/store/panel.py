"""What the panel keeps: the contract of its part of the store, and the rows that cross it.

Owns the interface and its plain data, as `abc` does for the rest. Must not know a database, nor what a
password or a right is. `Store.panel` is the way in; one suite, tests/store/test_panel_contract.py, runs
against every back end. Rows are written with `Store.save`, like any other, and are in every backup;
sessions are not.

Times are seconds since the epoch, UTC. Every method raises StoreError, one sentence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from recorderd.core import rows
from recorderd.core.entries import CallEntry
from recorderd.core.facts import dataclass

# Where an entry stands in its list: newest first, by this.
Place = tuple[float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow(rows.Row):
    """Somebody who may sign in. Key: `login`. Secrets are hashes; empty where there is none.

    `subject` is who he is to the provider through which he signs in: its issuer and its `sub`; empty before.
    """

    login: str
    name: str
    role: str
    extension: str = ""
    scope: tuple[str, ...] = ()
    rights: tuple[str, ...] | None = None
    password: str = field(default="", repr=False)
    must_change: bool = False
    disabled: bool = False
    code: str = field(default="", repr=False)
    code_until: float | None = None
    language: str = "en"
    created_at: float
    last_login_at: float | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow(rows.Row):
    """A key for a machine. Key: `id`. `hash` is of the token, which nobody keeps."""

    id: str
    hash: str = field(repr=False)
    name: str
    login: str
    scopes: tuple[str, ...]
    created_at: float
    until: float | None = None
    used_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRow(rows.Row):
    """Whom to tell. Key: `id`. `position` is the last outbox row, `alarm_at` the last alarm that it took."""

    id: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]
    enabled: bool = True
    created_by: str = ""
    created_at: float
    position: int = 0
    alarm_at: float = 0.0
    last_at: float | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """Somebody signed in. `id` is the hash of the session's token; `until` ends it whatever happens.

    `reasons` says why an auditor listens, by recording. `sign_on` is how he got in: `password`, `oidc` or `header`.
    """

    id: str = field(repr=False)
    login: str
    csrf: str = field(repr=False)
    started_at: float
    seen_at: float
    until: float
    address: str = ""
    agent: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    sign_on: str = "password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How often somebody failed to get in, and when last. `kind` is `login` or `address`, `who` a hash of it."""

    kind: str
    who: str
    failures: int
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of the outbox: something that webhooks may tell. `number` counts up."""

    number: int
    at: float
    kind: str
    object: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries of a list: every criterion must hold. `words` are in lower case, each found in `search`;
    a word is a tuple of alternatives. `since` is included, `until` is not; `min_s` and `max_s` both are.
    """

    words: tuple[tuple[str, ...], ...] = ()
    since: float | None = None
    until: float | None = None
    min_s: int | None = None
    max_s: int | None = None
    way: str = ""
    result: str = ""
    recorded: bool | None = None

    @property
    def selective(self) -> bool:
        """Whether rows that are near must be looked at and passed over."""
        return bool(
            self.words or self.way or self.result
            or self.min_s is not None or self.max_s is not None or self.recorded is not None
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Entries in the order asked for. `stopped`: the search ended at this place without a full page, having
    looked at as many entries as it may; None when it is full or there is nothing more.
    """

    entries: tuple[CallEntry, ...]
    stopped: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """One story's entries, to be put in the place of those of `stories` (its old and new ids).

    `told` are lines for the outbox, `(kind, object)`; one that is there already is not written again.
    """

    stories: frozenset[str]
    entries: tuple[CallEntry, ...]
    told: tuple[tuple[str, str], ...] = ()


class PanelStore(ABC):
    """The panel's part of a store. Safe for many tasks at once."""

    # --- entries ---

    @abstractmethod
    async def replace_entries(self, stories: Sequence[Replaced], at: float) -> None:
        """All of these or none; `at` is the time of what is told."""

    @abstractmethod
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
        """The entries of these lists, each story once: newest first and older than `before`; with `after`,
        oldest first and newer than that. At most `budget` entries of each list are looked at.
        """

    @abstractmethod
    async def entry(self, story_id: str, owners: Sequence[str]) -> CallEntry | None:
        """The story's entry in the first of these lists that has one."""

    @abstractmethod
    async def owners(self, story_id: str) -> list[str]:
        """Whose lists have this story, the list of everything left out."""

    @abstractmethod
    async def newest_entry(self) -> float | None:
        """When the newest entry began; None when there is none."""

    @abstractmethod
    async def oldest_call(self) -> float | None:
        """When the oldest CDR or conversation began; None when there is none."""

    # --- people ---

    @abstractmethod
    async def user(self, login: str) -> UserRow | None:
        """The user of this login."""

    @abstractmethod
    async def users(self) -> list[UserRow]:
        """All, by login."""

    @abstractmethod
    async def change_user(self, login: str, **changed: Any) -> UserRow | None:
        """Set these fields of a user, and none else; how he is then. None when there is no such user."""

    @abstractmethod
    async def add_user(self, user: UserRow) -> bool:
        """Add a user; False when the login is taken."""

    # --- sessions ---

    @abstractmethod
    async def put_session(self, session: SessionRow) -> None:
        """Keep a session; one of the same id is replaced."""

    @abstractmethod
    async def session(self, id: str) -> SessionRow | None:
        """The session of this id, over or not."""

    @abstractmethod
    async def sessions(self, login: str) -> list[SessionRow]:
        """Somebody's, newest first."""

    @abstractmethod
    async def touch_session(self, id: str, seen_at: float) -> None:
        """It was used."""

    @abstractmethod
    async def give_reason(self, id: str, recording: str, reason: str) -> None:
        """Why its owner listens to this recording."""

    @abstractmethod
    async def end_session(self, id: str) -> bool:
        """Forget it; whether it was there."""

    @abstractmethod
    async def end_sessions(self, login: str, but: str = "") -> int:
        """Forget all of somebody's but one; how many."""

    @abstractmethod
    async def expire_sessions(self, before: float, idle_before: float) -> int:
        """Forget those whose end, or whose last use, lies before these times; how many."""

    # --- failed tries to get in ---

    @abstractmethod
    async def tries(self, of: Sequence[tuple[str, str]]) -> list[Tries]:
        """Those of these `(kind, who)` that there are, in any order."""

    @abstractmethod
    async def put_tries(self, tries: Sequence[Tries]) -> None:
        """Keep them in the place of those of the same `(kind, who)`; one without failures is forgotten."""

    @abstractmethod
    async def forget_tries(self, before: float, most: int) -> int:
        """Forget those that failed last before then, and all but the newest `most`; how many."""

    # --- tokens and webhooks ---

    @abstractmethod
    async def token(self, hash: str) -> TokenRow | None:
        """The token of this hash, over or not."""

    @abstractmethod
    async def tokens(self, login: str) -> list[TokenRow]:
        """Somebody's, oldest first."""

    @abstractmethod
    async def end_token(self, id: str) -> bool:
        """Forget it; whether it was there."""

    @abstractmethod
    async def end_tokens(self, login: str) -> int:
        """Forget all of somebody's; how many."""

    @abstractmethod
    async def touch_token(self, id: str, used_at: float) -> None:
        """It was used."""

    @abstractmethod
    async def webhooks(self) -> list[WebhookRow]:
        """All, oldest first."""

    @abstractmethod
    async def change_webhook(self, id: str, **changed: Any) -> None:
        """Set these fields; nothing happens when it is not there."""

    @abstractmethod
    async def end_webhook(self, id: str) -> bool:
        """Forget it; whether it was there."""

    @abstractmethod
    async def told(self, after: int, limit: int = 100) -> list[Told]:
        """Lines of the outbox, in order."""

    @abstractmethod
    async def last_told(self) -> int:
        """The number of the newest line, 0 when there is none."""

    @abstractmethod
    async def forget_told(self, before: float) -> int:
        """Forget older lines; how many."""

    # --- the trail ---

    @abstractmethod
    async def audit_page(
        self, equal: Mapping[str, str], *, before: Place | None = None, limit: int = 100
    ) -> list[Any]:
        """Lines of the audit trail, newest first and older than `before`; `equal` by the field's name."""
