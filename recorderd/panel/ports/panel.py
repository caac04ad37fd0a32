"""All services together, and one page of the table of pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import tzinfo

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.ports.accounts import Accounts, Entrance, Sessions, SignOn
from recorderd.panel.ports.admin import Admin, Audit
from recorderd.panel.ports.calls import Calls
from recorderd.panel.ports.live import Live
from recorderd.panel.ports.machines import Tokens, Webhooks
from recorderd.panel.ports.media import Media
from recorderd.panel.ports.people import Right
from recorderd.panel.ports.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Every service of the room."""

    zone: tzinfo
    clock: Callable[[], float]
    calls: Calls
    live: Live
    media: Media
    settings: Settings
    entrance: Entrance
    sign_on: SignOn
    accounts: Accounts
    sessions: Sessions
    audit: Audit
    admin: Admin
    tokens: Tokens
    webhooks: Webhooks


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
