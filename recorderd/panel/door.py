"""The door: who stands before it, what he may bring in, and what every answer carries out.

Owns the middleware around every path: identity, language, the size of a body, CSRF, and the headers of
safety. Must not know any path's meaning. Cookies are sent by a browser whoever made the request; so
whatever changes something and comes with a cookie shows a token that only our own pages know. A bearer
token needs none.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorderd.errors import RecorderdError
from recorderd.panel import language
from recorderd.panel.language import _
from recorderd.panel.ports import NotSignedIn, Refused, Viewer
from recorderd.panel.sessions import LANGUAGE_COOKIE, SessionKeeper
from recorderd.panel.tokens import TokenKeeper
from recorderd.panel.trusted import TrustedHeader

MOST_BODY = 4 << 20
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
# Before anybody is signed in the form of the login needs a token too, or others could sign a victim in as
# themselves. It lives in a cookie of its own, and in the form.
VISITOR_COOKIE = "recorderd_visitor"
_VISITOR_BYTES = 18
# What a page says when it asks again by itself: whoever only looks on is idle.
POLL_HEADER = "x-poll"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS = "max-age=31536000"

_https: ContextVar[bool] = ContextVar("https", default=False)


def https() -> bool:
    """Whether the present request came by https."""
    return _https.get()


class TooLarge(Refused):
    """A body that nobody needs."""

    status = 413
    code = "too-large"


class Unreadable(Refused):
    """A request that is none."""

    status = 400
    code = "bad-request"


class Door:
    """ASGI middleware: puts `viewer`, `csrf`, `language` and `named` into the request's state."""

    def __init__(
        self,
        app: ASGIApp,
        sessions: SessionKeeper,
        tokens: TokenKeeper,
        trusted: TrustedHeader,
        refuse: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._tokens = tokens
        self._trusted = trusted
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        _https.set(scope["scheme"] == "https")
        state: dict[str, Any] = scope.setdefault("state", {})
        state |= {"viewer": None, "csrf": "", "bearer": False, "named": "", "language": language.DEFAULT}
        fresh, inside = "", self._app
        try:
            _refuse_nul(scope)
            fresh = await self._know(scope, headers, cookies, state)
        except RecorderdError as error:
            inside = await self._refuse(Request(scope, receive), error)
        state["language"] = _language(state["viewer"], cookies, headers)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), fresh, secure=https())
            await send(message)

        await inside(scope, _bounded(receive, headers), dressed)

    async def _know(
        self, scope: Scope, headers: Headers, cookies: Mapping[str, str], state: dict[str, Any]
    ) -> str:
        """Find out who it is; return a visitor's token that is new to him."""
        address = scope["client"][0] if scope.get("client") else ""
        kind, _blank, token = headers.get("authorization", "").partition(" ")
        state["bearer"] = kind.lower() == "bearer"
        # What asks nothing of us (a style sheet) costs no look at the store.
        if scope["path"].startswith("/static/"):
            return ""
        if state["bearer"]:
            state["viewer"] = await self._tokens.find(token.strip(), address)
            return ""
        state["named"] = self._trusted.named(headers.raw, state.get("peer", ""))
        polled = POLL_HEADER in headers
        found = await self._sessions.find(cookies, address, state["named"], polled=polled)
        if found is not None:
            state["viewer"], state["csrf"] = found
            return ""
        known = cookies.get(VISITOR_COOKIE, "")
        state["csrf"] = (
            known if 20 <= len(known) <= 64 and known.isascii() else secrets.token_urlsafe(_VISITOR_BYTES)
        )
        return state["csrf"] if state["csrf"] != known else ""


def check_token(request: Request, shown: str) -> None:
    """Refused unless what changes something was asked for by a page of ours."""
    if request.method in SAFE or request.state.bearer:
        return
    # Every browser of today says so; one that does not is held to the token alone.
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(_("This came from another site."))
    expected = request.state.csrf.encode()
    if not expected or not hmac.compare_digest(expected, shown.encode("utf-8", "replace")):
        raise Refused(_("This page is too old. Load it again."))


async def check_form(request: Request) -> None:
    """The same, with the token from the header or from the form's field."""
    if request.method in SAFE or request.state.bearer:
        return
    shown = request.headers.get("x-csrf-token", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not shown and kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        shown = str((await request.form()).get("csrf", ""))
    check_token(request, shown)


def signed_in(request: Request) -> Viewer:
    """Who it is. NotSignedIn; Refused to somebody who has first to choose a password."""
    viewer: Viewer | None = request.state.viewer
    if viewer is None:
        raise NotSignedIn(_("Sign in first."))
    return viewer


def _language(viewer: Viewer | None, cookies: Mapping[str, str], headers: Headers) -> str:
    if viewer is not None and viewer.via == "session":
        return language.use(viewer.language)
    chosen = cookies.get(LANGUAGE_COOKIE, "")
    if chosen not in language.LANGUAGES:
        chosen = language.choose(headers.get("accept-language", ""))
    return language.use(chosen)


def _refuse_nul(scope: Scope) -> None:
    """No text of ours holds one, and a database may choke on it."""
    if (
        "\0" in scope["path"]
        or b"%00" in scope.get("query_string", b"")
        or b"\0" in scope.get("query_string", b"")
    ):
        raise Unreadable(_("This address cannot be read."))


def _dress(headers: MutableHeaders, visitor: str, *, secure: bool) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if secure:
        headers["Strict-Transport-Security"] = _HSTS
    if visitor:
        flags = "; Secure" if secure else ""
        headers.append("Set-Cookie", f"{VISITOR_COOKIE}={visitor}; Path=/; HttpOnly; SameSite=Lax{flags}")


def _bounded(receive: Receive, headers: Headers) -> Receive:
    """The body, as long as it is no longer than anybody needs."""
    told = headers.get("content-length", "")
    count = int(told[:12]) if told.isascii() and told.isdigit() else 0

    async def bounded() -> Message:
        nonlocal count
        if count > MOST_BODY:
            raise TooLarge(_("That is too long."))
        message = await receive()
        if message["type"] == "http.request" and not told:
            count += len(message.get("body", b""))
        return message

    return bounded
