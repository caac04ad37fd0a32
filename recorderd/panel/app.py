"""The assembly: every service made once, every path with its guard, every error as an answer.

Owns which path leads where and who may pass. Must not know what any of them shows. The order is always the
same: who is it (`door`), may he (`PageRoute.right`), is it his own wish (CSRF), then the page; and the
service behind the page asks once more whether he may.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from recorderd import __version__
from recorderd.archive.keyring import Keyring
from recorderd.config import Config
from recorderd.errors import RecorderdError
from recorderd.panel import api, pages, tasks
from recorderd.panel.accounts import AccountKeeper
from recorderd.panel.admin import Administration
from recorderd.panel.audit import AuditTrail
from recorderd.panel.calls import CallList
from recorderd.panel.daemon import Daemon
from recorderd.panel.door import Door, check_form, https, signed_in
from recorderd.panel.entrance import EntranceKeeper
from recorderd.panel.language import _
from recorderd.panel.live import LiveCalls
from recorderd.panel.media import Listening
from recorderd.panel.oidc import Provider
from recorderd.panel.paths import media_routes
from recorderd.panel.ports import NotFound, NotSignedIn, PageRoute, Panel, Refused
from recorderd.panel.sessions import SessionKeeper
from recorderd.panel.settings import OwnSettings
from recorderd.panel.shelf import Shelf
from recorderd.panel.sign_on import SignOnKeeper
from recorderd.panel.tokens import TokenKeeper
from recorderd.panel.trusted import Peer, TrustedHeader, proxies
from recorderd.panel.webhooks import Hooks
from recorderd.store.abc import Store

if TYPE_CHECKING:
    from recorderd.daemon.stock import Stock

log = logging.getLogger("recorderd.panel")

STATIC = Path(__file__).with_name("static")
# Where somebody goes who has still to choose a password; he may go nowhere else but out.
_PASSWORD = "/password"
_WAYS_OUT = (_PASSWORD, "/logout", "/language")


@dataclass(frozen=True, slots=True)
class House:
    """The services as their own classes, for the app and its tasks."""

    panel: Panel
    entrance: EntranceKeeper
    sessions: SessionKeeper
    tokens: TokenKeeper
    listening: Listening
    hooks: Hooks


def build(config: Config, store: Store, clock: Callable[[], float] = time.time) -> House:
    """Every service, over this store."""
    audit = AuditTrail(store, clock)
    sessions = SessionKeeper(store, audit, config, clock)
    tokens = TokenKeeper(store, audit, config, clock)
    keyring = Keyring(config.archive.encryption.keys, config.archive.encryption.key_id)
    stock = _stock(config, store)
    shelf = Shelf(
        store, sessions, audit, config.spool.monitor, config.spool.lanes, config.zone, keyring,
        node=config.node, bucket=stock.bucket if stock else None,
    )  # fmt: skip
    listening = Listening(store, shelf, sessions, audit, config.names, config.state, clock, stock)
    daemon = Daemon(config.control.socket)
    hooks = Hooks(store, audit, clock)
    entrance = EntranceKeeper(store, sessions, audit, clock, https)
    provider = Provider(config.panel.oidc, clock) if config.panel.oidc.issuer else None
    panel = Panel(
        zone=config.zone,
        clock=clock,
        calls=CallList(store, shelf, audit, config.names, config.zone, clock),
        live=LiveCalls(daemon, audit),
        media=listening,
        settings=OwnSettings(store, audit, lambda: config),
        entrance=entrance,
        sign_on=SignOnKeeper(store, entrance, audit, provider, clock),
        accounts=AccountKeeper(store, audit, clock),
        sessions=sessions,
        audit=audit,
        admin=Administration(store, daemon, audit, config, clock),
        tokens=tokens,
        webhooks=hooks,
    )
    return House(panel, entrance, sessions, tokens, listening, hooks)


def _stock(config: Config, store: Store) -> Stock | None:
    """What is in the bucket. Raises ConfigError."""
    if not config.archive.objects.url:
        return None
    # Only here: with it comes a part of the daemon, and who has no bucket needs none of it.
    from recorderd.daemon.buckets import SOMEBODY_WAITS, stock_of

    return stock_of(config, store, SOMEBODY_WAITS)


def make_app(config: Config, store: Store, clock: Callable[[], float] = time.time) -> Starlette:
    """The panel over this store. Its lifespan sweeps sessions and tells webhooks; the store is the
    caller's.
    """
    house = build(config, store, clock)
    machine = api.make_app(house.panel, house.listening)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with tasks.running((house.sessions.sweep, house.entrance.sweep), house.hooks.run):
            yield

    routes: list[BaseRoute] = [
        Mount("/static", _Static(directory=STATIC, check_dir=False)),
        Mount(api.PREFIX, machine),
        *media_routes(house.listening),
        *(_route(page) for page in pages.ROUTES),
        Route("/healthz", _health),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            # Who stands there, whom he speaks for, who that is: in this order.
            Middleware(Peer, socket=config.panel.socket is not None),
            Middleware(ProxyHeadersMiddleware, trusted_hosts=proxies(config)),
            Middleware(
                Door,
                sessions=house.sessions,
                tokens=house.tokens,
                trusted=TrustedHeader(config),
                refuse=_refused,
            ),
        ],
        exception_handlers={
            RecorderdError: _refused,
            HTTPException: _unrouted,
            Exception: _failed,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.panel = house.panel
    return app


def _route(page: PageRoute) -> Route:
    """A page behind its guard."""

    async def guarded(request: Request) -> Response:
        await _admit(page, request)
        return await page.endpoint(request)

    return Route(page.path, guarded, methods=list(page.methods))


async def _admit(page: PageRoute, request: Request) -> None:
    if not page.public:
        viewer = signed_in(request)
        if viewer.via != "session":
            raise NotSignedIn(_("Pages are for people: a token has the API."))
        if viewer.must_change and page.path not in _WAYS_OUT:
            raise _FirstAPassword(_("Choose a password first."))
        if page.right is not None and not viewer.may(page.right):
            panel: Panel = request.app.state.panel
            await panel.audit.note(viewer, "refused", request.url.path, {"right": str(page.right)})
            raise Refused(_("You may not do that."))
    await check_form(request)


class _FirstAPassword(Refused):
    """Somebody is in, and has no password of his own yet."""


# --- errors ------------------------------------------------------------------------------------------


async def _refused(request: Request, error: Exception) -> Response:
    """A refusal as a page; the login or the new password where that is what is wanting."""
    if isinstance(error, NotSignedIn) and request.method in ("GET", "HEAD"):
        query = f"?{request.url.query}" if request.url.query else ""
        following = quote(request.url.path + query, safe="")
        return RedirectResponse("/login" if following == "%2F" else f"/login?next={following}", 303)
    if isinstance(error, _FirstAPassword):
        return RedirectResponse(_PASSWORD, 303)
    refused = error if isinstance(error, Refused) else api.unavailable(error)
    answer = await _shown(request, refused)
    if (seconds := getattr(refused, "retry_after", None)) is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


async def _unrouted(request: Request, error: Exception) -> Response:
    """No such path, or not with this method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 404:
        return await _refused(request, NotFound(_("There is no such page.")))
    refused = Refused(_("This page does not take that."))
    refused.status = status
    return await _refused(request, refused)


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours: the log says which, the reader that it is not his."""
    log.error("%s failed", request.url.path, exc_info=error)
    return await _shown(request, api.broken())


async def _shown(request: Request, refused: Refused) -> Response:
    if request.url.path.startswith(("/media/", f"{api.PREFIX}/")):
        return JSONResponse(api.problem(refused), refused.status)
    return await pages.error(request, refused)


# --- what is not a page ------------------------------------------------------------------------------


class _Static(StaticFiles):
    """Files that never change under their address: pages put their hash into it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        known = b"v=" in scope.get("query_string", b"")
        answer.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if known else "public, max-age=300"
        )
        return answer


async def _health(_request: Request) -> Response:
    """For a load balancer: the panel answers."""
    return JSONResponse({"ok": True, "version": __version__})
