"""`AsteriskLink`: all that the daemon holds of one Asterisk.

Owns the order of things: after each login the whole picture (`Resync`), then events as they come, then
`ConnectionLost`. Must not decide anything about calls, nor know how a message is spelled.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, tzinfo

from recorderd.ami import actions, snapshot, translate, wire
from recorderd.ami.client import AmiClient
from recorderd.ami.clock import Clock
from recorderd.ami.executor import Executor
from recorderd.ami.pending import Reply
from recorderd.ami.settings import AmiSettings
from recorderd.core import commands, events
from recorderd.errors import ActionLost, ActionRefused, AmiError

log = logging.getLogger("recorderd.ami")

MOST_HELD = 200_000
"""Events kept back while the picture is being asked for."""

STALE_FOR = 10.0
"""Seconds after a picture in which an event from before it is not believed. Later, a clock was put back."""

RESYNC_AGAIN = 5.0
"""Seconds until a picture that Asterisk would not give is asked for again."""

STATE = (
    events.Newchannel,
    events.DialBegin,
    events.DialEnd,
    events.Pickup,
    events.BridgeEnter,
    events.BridgeLeave,
    events.BridgeDestroy,
)
"""What a picture already contains if it happened before it. A Hangup is not among them: a channel is listed
for an instant after its Hangup event, and would stay for ever."""


class AsteriskLink:
    """One Asterisk, heard and commanded over one connection.

    `put` gets every event, in order, in the event loop: Resync first after each login, then live ones (those
    that the picture may already contain are repeated, never missed), ConnectionLost at each loss. `tz` is the
    zone of Asterisk's local times. `on_trouble` gets one sentence when something needs a person, `recorder_took`
    the seconds from a MixMonitor's command to Asterisk's Success.
    """

    def __init__(
        self,
        settings: AmiSettings,
        put: Callable[[events.Event], object],
        *,
        tz: tzinfo = UTC,
        on_trouble: Callable[[AmiError], object] = lambda _error: None,
        recorder_took: Callable[[float], object] = lambda _seconds: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings, self._put, self._tz, self._clock = settings, put, tz, Clock(clock)
        self._on_trouble, self._sleep = on_trouble, sleep
        self._client = AmiClient(
            settings,
            translate.PARSERS.keys(),
            on_event=self._heard,
            on_up=self._up,
            on_down=self._down,
            on_trouble=on_trouble,
            on_pong=self._pong,
            sleep=sleep,
            chance=chance,
        )
        self._executor = Executor(
            self._client.send_action,
            put,
            self.now,
            lambda: self._client.version,
            lambda: self._asterisk_version,
            (settings.feature, *settings.more_features),
            lambda: self._client.connected,
            self._say,
            recorder_took,
        )
        self._held: list[events.Event] | None = []
        self._one_picture = asyncio.Lock()
        self._since = 0.0
        self._heard_up_to = 0.0
        self._believe_all_after = 0.0
        self._syncing: asyncio.Task[None] | None = None
        self._asterisk_version = ""
        self.ping_seconds = 0.0
        """What the last ping took there and back."""
        self.malformed = 0
        """Events that Asterisk sent and we could not read."""

    # --- what the daemon asks

    @property
    def connected(self) -> bool:
        """Logged in, and the picture is whole."""
        return self._client.connected and self._held is None

    @property
    def version(self) -> str:
        """Asterisk's version (`22.10.1...`) once known, before that the manager interface's, or empty."""
        return self._asterisk_version or self._client.version

    @property
    def trouble(self) -> AmiError | None:
        """Why there is no connection, None while there is one."""
        return self._client.trouble

    @property
    def overdue(self) -> float:
        """Seconds by which a sign of life of this link is late, as of `AmiClient`: at most 0 while all is well."""
        return self._client.overdue

    def now(self) -> float:
        """Asterisk's time, as well as we know it: ours, set right where its machine's clock is another."""
        return self._clock.now()

    async def run(self) -> None:
        """Until `close()`."""
        await self._client.run()

    async def close(self) -> None:
        await self._executor.close()
        await self._client.close()
        if self._syncing is not None:
            self._syncing.cancel()

    def execute(self, command: commands.Command) -> None:
        """Sends before it returns, unless very much is under way. What came of it follows as an event; while down,
        at once a refusal."""
        self._executor.execute(command)

    # --- a few things that are not part of recording

    async def db_put(self, family: str, key: str, value: str) -> None:
        """Sets a key of AstDB, where the dialplan can read it without us. Raises AmiError."""
        await self._client.send_action(actions.db_put(family, key, value))

    async def db_del_tree(self, family: str) -> None:
        """Removes a family of AstDB; none there is well too. Raises AmiError."""
        try:
            await self._client.send_action(actions.db_del_tree(family))
        except ActionRefused as error:
            if "not found" not in str(error):  # 16 and 22: "Database entry not found"
                raise

    async def db_get_tree(self, family: str) -> dict[str, str]:
        """Everything below a family of AstDB, by its full key without the family. Raises AmiError."""
        reply = await self._client.send_action(actions.db_get_tree(family), each=wire.parse)
        prefix = f"/{family}/"
        found = ((item.get("Key", ""), item.get("Val", "")) for item in reply.items)
        return {key.removeprefix(prefix): value for key, value in found}

    async def renew_unless_answering(self, seconds: float) -> None:
        """A session that something holds is given up for a new one, without waiting for the next ping's end."""
        try:
            await self._client.send_action({"Action": "Ping"}, deadline=seconds)
        except AmiError:
            self._client.drop(f"Asterisk did not answer within {seconds:g} s, held up by a disk")

    async def packets(self, uniqueid: str) -> tuple[int, int] | None:
        """How many RTP packets a channel has received and sent; None for one without RTP. Raises AmiError."""
        reply = await self._client.send_action(actions.packets_read(uniqueid))
        counts = dict(part.split("=", 1) for part in reply.headers.get("Value", "").split(";") if "=" in part)
        received, sent = counts.get("rxcount", ""), counts.get("txcount", "")
        return (int(received), int(sent)) if received.isdecimal() and sent.isdecimal() else None

    # --- what Asterisk says

    def _heard(self, message: bytes) -> None:
        headers = wire.parse(message)
        if headers.get("Event") == "FullyBooted":
            if self.connected:  # said late: calls may have begun that we were not told of
                self._start_sync()
            return
        at = translate.timestamp(headers)
        try:
            event = translate.read(headers, self.now() if at is None else at, self._tz)
        except AmiError as error:
            self.malformed += 1
            log.warning("%s", error)
            return
        self._heard_up_to = at or self._heard_up_to
        if event is None:
            return
        if type(event) is events.Hangup:
            self._executor.forget(event.uniqueid)
        if self._held is None:
            self._pass(event)
        elif len(self._held) < MOST_HELD:
            self._held.append(event)

    def _pass(self, event: events.Event) -> None:
        # Under load Asterisk's own queue holds events back: what the picture knew already may come after it.
        stale = event.at < self._since and isinstance(event, STATE)
        if not stale or time.monotonic() > self._believe_all_after:
            self._put(event)

    def _pong(self, headers: wire.Headers, waited: float) -> None:
        self.ping_seconds = waited
        self._clock.hear(translate.timestamp(headers), waited)
        self._heard_up_to = translate.timestamp(headers) or self._heard_up_to

    # --- the picture

    def _up(self) -> None:
        self._start_sync()

    def _down(self, reason: str) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
        self._held = []
        # What was on its way is lost too: we heard as far as Asterisk's own stamps say.
        since = self._heard_up_to or self.now() - self._client.silent_for
        self._heard_up_to = 0.0
        self._put(events.ConnectionLost(at=min(since, self.now()), reason=reason))

    def _start_sync(self) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
        self._syncing = asyncio.create_task(self._sync())

    async def _sync(self) -> None:
        while True:
            try:
                await self.resync()
                await self._ask_version()
                return
            except ActionLost as error:
                if not self._client.connected:
                    return
                self._say(error)
            except AmiError as error:
                self._say(AmiError(f"Asterisk would not tell what lives in it: {error}"))
            except Exception:
                log.exception("the picture of Asterisk was lost to a fault of our own")
            await self._sleep(RESYNC_AGAIN)

    async def resync(self) -> None:
        """Puts a `Resync` of all that lives in Asterisk. Events wait until then. Raises AmiError."""
        async with self._one_picture:
            if self._held is None:
                self._held = []
            try:
                self._put(await self._picture())
            finally:
                # Without a picture it is better to go on with what is known than to hear nothing.
                if self._client.connected:
                    self._release()

    async def _picture(self) -> events.Resync:
        """Everything asked for in one breath, so that it was true at one time: when the Ping was answered."""
        send, patience = self._client.send_action, self._settings.list_deadline
        began = time.monotonic()
        technologies: dict[str, str] = {}

        def pong(ping: asyncio.Future[Reply]) -> None:
            if not ping.cancelled() and not ping.exception():
                self._pong(ping.result().headers, time.monotonic() - began)

        ping = send({"Action": "Ping"}, deadline=patience)
        ping.add_done_callback(pong)
        bridges = send(
            snapshot.BRIDGES, deadline=patience, each=lambda one: technologies.update([snapshot.bridge(one)])
        )
        status = send(
            snapshot.STATUS, deadline=patience, each=lambda one: snapshot.channel(one, technologies)
        )
        answer, _, listed = await asyncio.gather(ping, bridges, status)
        asked = self.now() - (time.monotonic() - began)
        told = translate.timestamp(answer.headers)
        self._since = asked if told is None else min(told, asked)
        self._believe_all_after = time.monotonic() + STALE_FOR
        channels = tuple(one for one in listed.items if one is not None)
        return events.Resync(at=self._since, channels=channels)

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for event in held:
            self._pass(event)

    async def _ask_version(self) -> None:
        try:
            reply = await self._client.send_action({"Action": "CoreSettings"})
            self._asterisk_version = reply.headers.get("AsteriskVersion", "")
        except AmiError as error:
            log.info("Asterisk did not tell its version: %s", error)

    def _say(self, error: AmiError) -> None:
        log.warning("%s", error)
        self._on_trouble(error)
