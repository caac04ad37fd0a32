"""What the pages and the API may ask: plain data, and one Protocol for each service.

Owns the contract of the room. Must not know a database, HTTP or HTML. Every service checks rights itself,
so a page cannot show or do what its viewer may not: it raises `Refused` (or a child), which the app turns
into an answer. Refusals are sentences in the reader's language.

Times are seconds since the epoch, UTC; `Panel.zone` is the zone in which people read them.

How a page finds all this (a Starlette `Request`, set by the app's middleware before any page runs):

    request.app.state.panel    the `Panel`: every service request.state.viewer       the `Viewer`; None on a
    public page before login request.state.csrf         the token for `<input type="hidden" name="csrf">` or
    the header X-CSRF-Token request.state.language     `en` or `ru`; `recorderd.panel.language._` follows it
    request.state.nonce        unused by us; the policy is `script-src 'self'; style-src 'self'`: nothing
    inline
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from recorderd.core.entries import CallEntry as Entry
from recorderd.core.entries import Result
from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.core.rows import Party
from recorderd.errors import RecorderdError
from recorderd.store.abc import AuditRow, RuleRow

__all__ = [
    "Account",
    "Accounts",
    "Admin",
    "Audit",
    "AuditRow",
    "CallDetail",
    "Calls",
    "Choice",
    "Entry",
    "ExtensionRow",
    "FaultyFilter",
    "FaultyInput",
    "Filter",
    "Leg",
    "Live",
    "LiveCall",
    "Media",
    "NeedsReason",
    "NotFound",
    "OwnPolicy",
    "Page",
    "PageRoute",
    "Panel",
    "Part",
    "Press",
    "Refused",
    "Result",
    "Right",
    "Role",
    "Session",
    "Sessions",
    "Settings",
    "Signed",
    "Sound",
    "Throttled",
    "TimeMark",
    "Tokens",
    "Viewer",
    "Webhooks",
]

T = TypeVar("T")


# --- who ---------------------------------------------------------------------------------------


class Role(StrEnum):
    """What somebody is here. A role brings rights and a scope; see `rights`."""

    USER = "user"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """What somebody may do within his scope. AUDIT and ADMINISTER open the administrator's pages."""

    LIST = "list"
    PLAY = "play"
    DOWNLOAD = "download"
    DELETE = "delete"
    POLICY = "policy"
    PRESS = "press"
    AUDIT = "audit"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who is signed in, as every service sees him.

    `extension` is his own, empty for one without a telephone. `scope` are the extensions whose calls he sees,
    his own included; None means everybody's. `needs_reason`: he must say why before he listens or downloads.
    `must_change`: he may do nothing before he has chosen a password. `via` is `session` or `token`.
    """

    login: str
    name: str
    role: Role
    extension: str
    scope: frozenset[str] | None
    rights: frozenset[Right]
    language: str = "en"
    needs_reason: bool = False
    must_change: bool = False
    via: str = "session"
    session_id: str = ""
    address: str = ""

    def sees(self, extension: str) -> bool:
        """Whether this extension's calls are his to see."""
        return self.scope is None or (extension != "" and extension in self.scope)

    def may(self, right: Right, extension: str | None = None) -> bool:
        """Whether he has the right at all; with an extension, whether he has it there.

        POLICY reaches no further than his own extension, but for an administrator.
        """
        if right not in self.rights:
            return False
        if extension is None:
            return True
        if right is Right.POLICY and self.role is not Role.ADMINISTRATOR:
            return extension != "" and extension == self.extension
        return self.sees(extension)


# --- what is refused ---------------------------------------------------------------------------


class Refused(RecorderdError):
    """No; `str()` is one sentence for a person, `status` the HTTP status, `code` a word for a machine."""

    status = 403
    code = "refused"


class NotSignedIn(Refused):
    """Nobody is signed in, or not any more. Pages are sent to the login, the API answers 401."""

    status = 401
    code = "not-signed-in"


class NotFound(Refused):
    """It is not there, or it is not his to know that it is: the two look alike."""

    status = 404
    code = "not-found"


class NeedsReason(Refused):
    """An auditor has not said why yet: ask him, give it to `Media.give_reason`, and try again."""

    status = 428
    code = "needs-reason"


class Conflict(Refused):
    """It cannot be done as things are now: a locked value, a call that is over."""

    status = 409
    code = "conflict"


class Throttled(Refused):
    """Too many tries; `retry_after` is in seconds."""

    status = 429
    code = "throttled"

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class FaultyInput(Refused):
    """What was typed cannot be used: `faults` are sentences, by the field's name where there is one."""

    status = 422
    code = "faulty-input"

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


class FaultyFilter(FaultyInput):
    """The filter's line cannot be read; faults are keyed by the word at fault."""

    code = "faulty-filter"


# --- calls -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What narrows a list of calls; every criterion must hold. See `filters` for the one-line language.

    `words` must each be mentioned: part of a number or a name. Talk lasts from `min_s` to `max_s` seconds,
    both included. `when` is the date as it was typed (`today`, `2026-11-01..2026-11-23`), `since`
    (included) and `until` (not) are what it means. `direction` is `in`, `out` or empty. `line` is the whole
    in one line, which `filters.parse` reads back to the same.
    """

    words: tuple[str, ...] = ()
    min_s: int | None = None
    max_s: int | None = None
    when: str = ""
    since: float | None = None
    until: float | None = None
    direction: str = ""
    missed: bool = False
    recorded: bool | None = None
    line: str = ""

    def __bool__(self) -> bool:
        return bool(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a long list, newest first, and how to ask for more.

    `older` and `newer` are cursors (text for a URL's query), None where there is nothing more. There is no
    total: it would cost a scan. `searched_to`: a rare filter was looked for no further back than this time;
    `older` goes on from there.
    """

    rows: Sequence[T]
    older: str | None = None
    newer: str | None = None
    searched_to: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One recording that can be played: a segment of a conversation.

    `state` is `ready`, `recording`, `making` (the mix is not made yet), `failed`, `gone` (expired, erased
    or deleted; `note` says why and who) or `withheld` (this viewer may not play it). URLs, all GET:
    `/media/{id}` plays (Range, HEAD), `/media/{id}/download` saves under `file_name`, `/media/{id}/peaks`
    is the waveform (`Media.peaks`). `needs_reason`: this viewer has still to say why, before any of the
    three answers anything but 428.
    """

    id: str
    segment: int
    started_at: float
    duration_ms: int
    size: int
    state: str
    media_type: str
    file_name: str
    may_play: bool
    may_download: bool
    may_delete: bool
    needs_reason: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a call in which nobody came or went: its people, its decision and its place in the audio.

    `sound_id` and `offset_ms` tell where it lies in which recording, None where there is none. `outcome` is
    empty while it is not judged yet, else one of `rows.Outcome`. `trace` is why, line by line.
    """

    started_at: float
    ended_at: float | None
    parties: tuple[Party, ...]
    mode: str
    wanted: bool
    paused: bool
    reason: str
    trace: tuple[str, ...]
    outcome: str
    missing_ms: int
    note: str
    sound_id: str | None
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMark:
    """Something on the time line: `kind` is `transfer`, `press`, `pause`, `resume`, `cut`, `join`, ...

    `sound_id` and `offset_ms` place it in a recording, None where it lies outside all of them.
    """

    at: float
    kind: str
    who: str
    text: str
    sound_id: str | None
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One of Asterisk's own CDR rows of the call; `talk_s` is its billsec."""

    started_at: float
    answered_at: float | None
    ended_at: float
    source: str
    destination: str
    caller: str
    disposition: str
    talk_s: int
    application: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """One entry opened. `sounds` in the order in which they are played one after the other."""

    entry: Entry
    parts: tuple[Part, ...]
    sounds: tuple[Sound, ...]
    marks: tuple[TimeMark, ...]
    legs: tuple[Leg, ...]


class Calls(Protocol):
    """The past calls."""

    def parse(self, line: str) -> Filter:
        """The filter of one line. Raises FaultyFilter."""

    def from_form(self, form: Mapping[str, str]) -> Filter:
        """The filter of a form with the fields `words`, `longer` (seconds), `shorter`, `from`, `to` (dates),
        `direction` (``, in, out, missed) and `recorded` (``, yes, no); each may be missing. FaultyFilter.
        """

    def form(self, filter: Filter) -> dict[str, str]:
        """The reverse: the same fields, to fill the form with."""

    async def page(
        self,
        viewer: Viewer,
        filter: Filter,
        *,
        extension: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Entry]:
        """Calls, newest first. `extension`: that one's (Refused if it is not his to see); None: his own if he
        sees no others, else everything in his scope. A stale or forged cursor is the first page.
        """

    async def detail(self, viewer: Viewer, id: str) -> CallDetail:
        """One entry opened. NotFound."""

    def csv(self, viewer: Viewer, filter: Filter, *, extension: str | None = None) -> AsyncIterator[str]:
        """The list as CSV (RFC 4180, UTF-8 with BOM), the newest 100,000 at most; audited."""

    async def names(self) -> Mapping[str, str]:
        """The display name of every extension that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call of this moment. `presses` are the actions that this viewer may take now: `start`, `stop`,
    `pause`, `resume`. `recording` is whether it is being recorded, `paused` whether that is paused.
    """

    id: str
    since: float
    talking: bool
    parties: tuple[Party, ...]
    mode: str
    recording: bool
    paused: bool
    reason: str
    presses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What a press came to: `started`, `stopped`, `paused`, `resumed`, `unchanged` or `denied`, and why."""

    outcome: str
    reason: str


class Live(Protocol):
    """The calls of this moment, asked of the daemon."""

    async def calls(self, viewer: Viewer) -> Sequence[LiveCall]:
        """Those in his scope, oldest first. Unavailable daemon: ControlError, one sentence."""

    async def press(self, viewer: Viewer, id: str, action: str) -> Press:
        """Press for him; audited. NotFound when that call is over or not his."""


# --- listening ---------------------------------------------------------------------------------


class Media(Protocol):
    """Playing and saving. The paths below /media are served by the back end; pages only link to them."""

    async def sound(self, viewer: Viewer, id: str) -> Sound:
        """What is known of one recording. NotFound."""

    async def give_reason(self, viewer: Viewer, id: str, reason: str) -> None:
        """Why he listens: holds for this recording until his session ends; audited. FaultyInput if empty."""

    async def peaks(self, viewer: Viewer, id: str) -> Mapping[str, Any]:
        """`{"version": 1, "duration_ms": int, "bucket_ms": int, "lanes": [{"label": str, "peaks":
        [0..255]}]}`.

        One lane (the mix) or two (left: the outside party or the caller, right: the others).
        """

    async def heard(self, viewer: Viewer, id: str, ranges: Sequence[tuple[int, int]]) -> None:
        """The player tells which milliseconds were really heard: POST /media/{id}/heard with JSON
        `{"ranges": [[from_ms, to_ms], ...]}` and the header X-CSRF-Token does it; audited.
        """

    async def delete(self, viewer: Viewer, id: str, reason: str) -> None:
        """Delete the audio, keep the row and say who and why. Refused, NotFound, Conflict (a legal hold)."""


# --- settings ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """An extension's own choice. The `internal_` ones are None where internal calls follow the others.

    `locked`: greyed, with `lock_reason` (the administrator's words). `by_default`: he never chose, and the
    default holds. `in_force`: the daemon has taken the last change.
    """

    extension: str
    name: str
    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None
    internal_outbound: Mode | None
    locked: bool
    lock_reason: str
    by_default: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody chose; None in an `internal_` field lets internal calls follow the others."""

    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None = None
    internal_outbound: Mode | None = None


class Settings(Protocol):
    """One's own policy: "call monitor settings"."""

    async def own(self, viewer: Viewer) -> OwnPolicy:
        """His own. NotFound when he has no extension."""

    async def choose(self, viewer: Viewer, choice: Choice) -> OwnPolicy:
        """Change it; in force within a second, audited. Conflict, with the reason, where it is locked."""


# --- getting in --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A login that succeeded. Give it to `Sessions.remember` on the response; then, if
    `viewer.must_change`, go to /password. `secure`: the login came by https.
    """

    viewer: Viewer
    token: str = field(repr=False)
    csrf: str = field(repr=False)
    secure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in, as the administrator sees him. `state`: `active`, `disabled`, `new` (has a
    one-time code, no password yet) or `must-change`. `scope` as typed: extensions and `@list` names.
    `rights`: None where the role's own hold.
    """

    login: str
    name: str
    role: Role
    extension: str
    scope: tuple[str, ...]
    rights: tuple[Right, ...] | None
    state: str
    language: str
    created_at: float
    last_login_at: float | None


class Accounts(Protocol):
    """Who may sign in."""

    async def sign_in(self, login: str, secret: str, *, language: str, address: str, agent: str) -> Signed:
        """Password or one-time code. Refused (one sentence for every cause), Throttled. Audited."""

    async def change_password(self, viewer: Viewer, old: str, new: str, again: str) -> Signed:
        """`old` is not asked for (give "") while `must_change`. Every other session ends; this one gets a new
        token: `remember` it. FaultyInput by field: `old`, `new`, `again`.
        """

    async def set_language(self, viewer: Viewer, language: str) -> None:
        """Remember it. FaultyInput."""

    async def list(self, viewer: Viewer) -> Sequence[Account]:
        """By login; administrators only, like all below."""

    async def add(self, viewer: Viewer, account: Mapping[str, str]) -> tuple[Account, str]:
        """Fields `login`, `name`, `role`, `extension` (defaults to a numeric login), `scope` (blanks
        between), `rights` (blanks between; empty: the role's). The account and its one-time code.
        FaultyInput.
        """

    async def change(self, viewer: Viewer, login: str, account: Mapping[str, str]) -> Account:
        """The same fields but `login`, each may be missing. His sessions end where rights change."""

    async def new_code(self, viewer: Viewer, login: str) -> str:
        """A one-time code, valid for a day; the old password and all sessions end."""

    async def set_disabled(self, viewer: Viewer, login: str, disabled: bool) -> None:
        """Disabling ends his sessions and tokens at once. Conflict: nobody disables himself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of somebody, to look at and to end. `id` is not its token."""

    id: str
    started_at: float
    seen_at: float
    address: str
    agent: str
    current: bool


class Sessions(Protocol):
    """Who is signed in. The app reads the cookie itself; pages need these."""

    def remember(self, response: Response, signed: Signed) -> None:
        """Set the session's cookie (HttpOnly, SameSite=Lax, Secure where configured) and the language's."""

    async def end(self, viewer: Viewer, response: Response) -> None:
        """Sign out: end this session and clear its cookie."""

    async def list(self, viewer: Viewer) -> Sequence[Session]:
        """His own, newest first."""

    async def revoke(self, viewer: Viewer, id: str) -> None:
        """End one of his own. NotFound."""


# --- administration ----------------------------------------------------------------------------


class Audit(Protocol):
    """The append-only trail: every play, download, export, change and refusal."""

    async def note(
        self, viewer: Viewer | None, action: str, object: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write a line. Services do it themselves; a page needs it for nothing else."""

    async def page(
        self,
        viewer: Viewer,
        *,
        cursor: str | None = None,
        who: str = "",
        action: str = "",
        object: str = "",
        limit: int = 100,
    ) -> Page[AuditRow]:
        """Newest first; each filter is an exact word. Right AUDIT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRow:
    """One extension for the bulk editor; `own` is False where only the default speaks for it."""

    policy: ExtensionPolicy
    name: str
    own: bool


class Admin(Protocol):
    """The administrator's pages. Right ADMINISTER, but for `coverage` and `status`, for which AUDIT is
    enough.
    """

    async def extensions(self, viewer: Viewer) -> Sequence[ExtensionRow]:
        """Every extension with a policy or an account, by number; and the default first, as extension ""."""

    async def save_extensions(
        self, viewer: Viewer, extensions: Sequence[str], change: Mapping[str, str]
    ) -> int:
        """Bulk edit: fields `inbound`, `outbound`, `internal_inbound`, `internal_outbound` (a mode, `same`,
        or missing: stays), `locked` (yes, no), `lock_reason`, `fail_mode`, `lookback` (off, whole-call),
        `announce` (a prompt, `-` for none), `beep` (seconds), `name`. The new version. FaultyInput.
        """

    async def delete_extension(self, viewer: Viewer, extension: str) -> int:
        """Let it follow the default again; the new version. NotFound."""

    async def import_policy(self, viewer: Viewer, text: str, form: str, *, replace: bool = False) -> int:
        """A CSV or YAML file (`form`: csv, yaml), whole or not at all; the number of extensions taken.

        Extensions that the file does not name stay, unless `replace`. FaultyInput: key `file`, one fault a
        line.
        """

    async def export_policy(self, viewer: Viewer, form: str) -> str:
        """The text that `import_policy` takes; CSV has no rules."""

    async def rules(self, viewer: Viewer) -> Sequence[RuleRow]:
        """In their order."""

    async def rules_text(self, viewer: Viewer) -> str:
        """The rules as YAML, to edit."""

    async def save_rules(self, viewer: Viewer, text: str) -> int:
        """All rules from YAML; the new version. FaultyInput: key `rules`, one fault a line."""

    async def explain(self, viewer: Viewer, question: Mapping[str, str]) -> Mapping[str, Any]:
        """What would be decided: fields `caller`, `callee`, `at` (local `2026-11-23 10:30`, empty: now),
        `did`, `trunk`, `context`, `pressed`. As `config.question.explain`. FaultyInput.
        """

    async def what_if(
        self, viewer: Viewer, rules: str, *, days: int = 30, limit: int = 500
    ) -> Mapping[str, Any]:
        """These rules held against real calls of the past: `{"checked": n, "changed": [{"id", "started_at",
        "source", "destination", "was", "would_be", "reason"}], "counts": {"always -> never": n}}`.
        FaultyInput.
        """

    async def coverage(self, viewer: Viewer, since: str = "today") -> Mapping[str, Any]:
        """The proof, as `recorderd coverage --json` gives it. FaultyInput."""

    async def status(self, viewer: Viewer) -> Mapping[str, Any]:
        """The daemon's status as `recorderd status --json`, `{"reachable": False, "why": str}` without it."""

    async def storage(self, viewer: Viewer) -> Mapping[str, Any]:
        """For everybody signed in. The disk: `{"total", "used", "free"` (bytes)`, "recordings", "seconds",
        "bytes"` (of the past 30 days) `, "bytes_per_hour", "hours_left", "full_at": float | None,
        "formats": [{"name", "mb_per_hour", "hours": {"250 GB": n, "500 GB": n, "1 TB": n}}]}`.
        """

    async def alarms(self, viewer: Viewer, days: int = 7) -> Sequence[Mapping[str, Any]]:
        """Newest first: `at`, `kind`, `sentence`, `keys`, `cleared_at`."""


class Tokens(Protocol):
    """Keys for machines. A token never has more rights than its owner has at that moment."""

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        """His own: `id`, `name`, `scopes`, `created_at`, `expires_at`, `used_at`."""

    async def add(self, viewer: Viewer, name: str, scopes: Sequence[str], days: int | None) -> str:
        """The token itself, shown once. `scopes` are words of `Right`. FaultyInput."""

    async def revoke(self, viewer: Viewer, id: str) -> None:
        """It ends at once. NotFound."""


class Webhooks(Protocol):
    """Whom to tell of finished recordings and alarms. Right ADMINISTER."""

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        """`id`, `url`, `events`, `enabled`, `created_at`, `last_at`, `last_error`."""

    async def add(self, viewer: Viewer, url: str, events: Sequence[str]) -> Mapping[str, Any]:
        """`events` of `recording.finished`, `alarm`. The webhook with its `secret`, shown once.
        FaultyInput.
        """

    async def remove(self, viewer: Viewer, id: str) -> None:
        """NotFound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Every service of the room. `version` is of policy-less things: recorderd's own."""

    zone: tzinfo
    clock: Callable[[], float]
    calls: Calls
    live: Live
    media: Media
    settings: Settings
    accounts: Accounts
    sessions: Sessions
    audit: Audit
    admin: Admin
    tokens: Tokens
    webhooks: Webhooks
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRoute:
    """One page, as `pages.ROUTES: tuple[PageRoute, ...]` lists them.

    The app calls `endpoint` only for somebody who is signed in and has `right` (None: anybody signed in);
    `public` pages are for everybody. Unsafe methods come through only with a right CSRF token. Beside
    ROUTES, `pages` has `async def error(request, refused: Refused) -> Response`, which shows a refusal.
    """

    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    methods: tuple[str, ...] = ("GET",)
    right: Right | None = Right.LIST
    public: bool = False
