"""What is said on a fresh connection before and while it is used: login, filters, pings.

Owns the order and the deadlines of these. Must not know who reconnects afterwards, nor what an event means.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from recorderd.ami import wire
from recorderd.ami.settings import AmiSettings
from recorderd.errors import ActionLost, ActionRefused, AmiError, LoginRefused

if TYPE_CHECKING:
    from recorderd.ami.client import Connection

log = logging.getLogger("recorderd.ami")


async def login(connection: Connection, settings: AmiSettings) -> None:
    """First with class `system` alone, so that nothing pours in before the filters stand.

    Raises LoginRefused, one sentence without the secret.
    """
    headers = {
        "Action": "Login",
        "Username": settings.username,
        "Secret": settings.secret,
        "Events": "system",
    }
    try:
        await connection.send(headers, settings.login_timeout)
    except ActionRefused as error:
        where = f"{settings.host}:{settings.port}"
        raise LoginRefused(
            f"Asterisk at {where} refused the login of manager user {settings.username!r}: {error}"
        ) from None


async def booted(connection: Connection, settings: AmiSettings) -> None:
    """Asterisk says FullyBooted to each login, at once or when it is.

    Not waited for without end: the user may lack `read = system`, and a system half up already has calls.
    """
    waiting = asyncio.create_task(connection.booted.wait())
    lost = asyncio.ensure_future(connection.lost)
    try:
        both: set[asyncio.Future[object]] = {waiting, lost}  # type: ignore[arg-type]  # Future is invariant
        await asyncio.wait(both, timeout=settings.boot_timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if not connection.booted.is_set() and not connection.lost.done():
        log.warning("no FullyBooted: Asterisk is still starting, or this manager user's `read` lacks system")


async def choose_events(connection: Connection, settings: AmiSettings, wanted: Collection[str]) -> None:
    """One filter, then the full mask.

    The filter saves Asterisk's bytes and our time, nothing else: whatever it lets through, or a refusal
    leaves unfiltered, only wanted events are handed on.
    """
    choice = {"Action": "Filter", "Operation": "Add", "Filter": event_filter(wanted)}
    try:
        await connection.send(choice, settings.action_deadline)
    except ActionRefused as error:
        log.warning("Asterisk refused our event filter and will send us everything: %s", error)
    mask = {"Action": "Events", "EventMask": "system,call,cdr,user"}
    await connection.send(mask, settings.action_deadline)


def event_filter(wanted: Collection[str]) -> str:
    """A regular expression for the action Filter that 16 and 22 understand alike, exact to the name.

    An old-style filter is a POSIX regex over the whole event, so it is anchored in front, and behind by the
    CR that ends the line, which only a class can name: without, `Event: Hangup` lets HangupRequest through.
    22's own `MatchCriteria` is no choice: 16 says Success to it and filters nothing (asterisk-facts 7).
    """
    return f"^Event: ({'|'.join(sorted(wanted))})[[:cntrl:]]"


async def stay(
    connection: Connection, settings: AmiSettings, on_pong: Callable[[wire.Headers, float], object]
) -> None:
    """Until the link is lost, or silent: a dead peer sends no FIN, so a Ping must come back.

    `on_pong` gets each answer and the seconds it took. Always ends by raising AmiError with the reason.
    """
    unanswered = 0
    while True:
        await asyncio.wait({connection.lost}, timeout=settings.ping_interval)
        if connection.lost.done():
            raise AmiError(f"the connection to Asterisk was lost: {connection.lost.result()}")
        received, asked = connection.received, time.monotonic()
        try:
            pong = await connection.send({"Action": "Ping"}, settings.ping_deadline)
            on_pong(pong.headers, time.monotonic() - asked)
            unanswered = 0
        except ActionLost:
            # Asterisk answers an overloaded session late while events still flow: then wait a little more.
            unanswered += 1
            if connection.received == received or unanswered > 2:
                connection.end(f"Asterisk was silent for {settings.ping_deadline:g} s")
