"""Whom the proxy before us says somebody is: owns whose word counts, and how it is read.

The header is believed from the addresses of `panel.proxies` and from the panel's own socket, and from nobody
else: from others it is as if it were not there, and the log says so. Must not know users or sessions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from recorderd.config import Config
from recorderd.panel.accounts import LOGIN

log = logging.getLogger("recorderd.panel")

# What stands for the other end of a unix socket, which has no address.
UNIX = "unix"
# One peer is told of no more often than this, and of no more peers than these at a time.
_TELL_SECONDS = 60.0
_MOST_TOLD = 1000


class Peer:
    """ASGI middleware, outermost: notes who really stands at the other end, before any header is believed."""

    def __init__(self, app: ASGIApp, socket: bool) -> None:
        self._app = app
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._socket and not scope.get("client"):
                scope["client"] = (UNIX, 0)
            scope.setdefault("state", {})["peer"] = scope["client"][0] if scope.get("client") else ""
        await self._app(scope, receive, send)


def proxies(config: Config) -> list[str]:
    """Whose word counts, as uvicorn writes it."""
    return [*config.panel.proxies, *([UNIX] if config.panel.socket else [])]


class TrustedHeader:
    """`named` says whom a request is from by the word of a proxy."""

    def __init__(self, config: Config) -> None:
        self._name = config.panel.user_header.lower().encode()
        self._shown = config.panel.user_header
        self._socket = config.panel.socket is not None
        self._networks = [ip_network(proxy) for proxy in config.panel.proxies]
        self._told: dict[str, float] = {}

    def named(self, headers: Iterable[tuple[bytes, bytes]], peer: str) -> str:
        """The login, in lower case; empty where nobody who is believed says one."""
        if not self._name:
            return ""
        said = [value for name, value in headers if name.lower() == self._name]
        if not said:
            return ""
        if not self._believed(peer):
            return self._ignored(peer, "it is not in panel.proxies")
        login = said[0].decode("latin-1").lower()
        if len(said) > 1 or not LOGIN.fullmatch(login):
            return self._ignored(peer, "it says it twice" if len(said) > 1 else "it is not a login")
        return login

    def _believed(self, peer: str) -> bool:
        if peer == UNIX:
            return self._socket
        try:
            address = _plain(ip_address(peer))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _ignored(self, peer: str, why: str) -> str:
        now = time.monotonic()
        if now - self._told.get(peer, -_TELL_SECONDS) >= _TELL_SECONDS:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[peer] = now
            log.warning("%s from %s is ignored: %s", self._shown, peer or "somebody unknown", why)
        return ""


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that came over IPv6 is that IPv4 address."""
    return getattr(address, "ipv4_mapped", None) or address
