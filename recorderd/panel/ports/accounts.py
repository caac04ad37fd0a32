"""Getting in: who may sign in, and who is signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.responses import Response

from recorderd.panel.ports.people import Right, Role, Viewer


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
    `rights`: None where the role's own hold. `subject` is who he is to the provider, once he came from there.
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
    subject: str


class Entrance(Protocol):
    """Getting in."""

    async def sign_in(self, login: str, secret: str, *, language: str, address: str, agent: str) -> Signed:
        """Password or one-time code. Refused (one sentence for every cause), Throttled. Audited."""

    async def change_password(self, viewer: Viewer, old: str, new: str, again: str) -> Signed:
        """`old` is not asked for (give "") while `must_change`. Every other session ends; this one gets a new
        token: `remember` it. FaultyInput by field: `old`, `new`, `again`.
        """

    async def set_language(self, viewer: Viewer, language: str) -> None:
        """Remember it. FaultyInput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Go to `url`; keep `ticket` in the browser until the way back. It opens for nobody but us."""

    url: str
    ticket: str = field(repr=False)


class SignOn(Protocol):
    """Getting in by the word of somebody else: a provider (OpenID Connect), or the proxy before us."""

    @property
    def label(self) -> str:
        """What the provider is called; empty without one."""

    async def depart(self, following: str, *, language: str, address: str) -> Departure:
        """On the way to the provider; `following` is where to go once in. Refused, Throttled, NotFound."""

    async def arrive(
        self, query: Mapping[str, str], ticket: str, *, address: str, agent: str
    ) -> tuple[Signed, str]:
        """Back from there, with what it put into the address: who is in, and where he wanted to. Refused, one
        sentence; the log knows more. Audited.
        """

    async def by_header(self, login: str, *, language: str, address: str, agent: str) -> Signed:
        """In by the word of a proxy that is believed. Refused: he is not known here, or disabled. Audited."""

    async def farewell(self) -> str:
        """Where the provider lets one sign out of it too; empty where it does not say."""


class Accounts(Protocol):
    """Who may sign in, for administrators only."""

    async def list(self, viewer: Viewer) -> Sequence[Account]:
        """By login."""

    async def add(self, viewer: Viewer, account: Mapping[str, str]) -> tuple[Account, str]:
        """Fields `login`, `name`, `role`, `extension` (defaults to a numeric login), `scope` (blanks
        between), `rights` (blanks between; empty: the role's). The account and its one-time code.
        FaultyInput.
        """

    async def change(self, viewer: Viewer, login: str, account: Mapping[str, str]) -> Account:
        """The same fields but `login`, each may be missing. His sessions end where rights change."""

    async def new_code(self, viewer: Viewer, login: str) -> str:
        """A one-time code, valid for a day; the old password and all sessions end, and whoever he is to a provider is
        forgotten, until he comes from there again.
        """

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
