"""The one connection to Asterisk: panoramisk 1.4, subclassed at its two seams; nothing else imports it.

Owns connecting, reconnecting, and what goes in and out of the socket. Must not know what any event means, nor
what a call is. panoramisk's own faults (half-open links, replayed actions, CR/LF let out, texts cut at a
chunk's edge, ...) are each shown and cured in tests/ami/test_panoramisk_faults.py.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any, cast

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from recorderd.ami import session, wire
from recorderd.ami.pending import MOST, Pending, Reply
from recorderd.ami.settings import AmiSettings
from recorderd.errors import ActionLost, AmiError, LoginRefused, RecorderdError

log = logging.getLogger("recorderd.ami")

BANNER = b"Asterisk Call Manager/"
MOST_UNSENT = 1024 * 1024
"""Bytes waiting for a socket that does not take them."""

_MARGIN = 1.0
"""Seconds that a busy machine may take longer before that counts as stuck."""


class Connection(AMIProtocol):
    """One TCP connection, from its banner to its end. `lost` becomes the reason of the end.

    An event's name is looked at as bytes: a wanted one is handed on whole, a list's item goes to whoever
    asked for the list, and all others are dropped unread.
    """

    def __init__(self, wanted: Collection[str], on_event: Callable[[bytes], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._handlers = {f"Event: {name}".encode(): self._event for name in wanted}
        self._handlers[b"Event: FullyBooted"] = self._fully_booted
        self._splitter = wire.Splitter()
        self._sent = 0
        self.pending = Pending(self._loop)
        self.banner: asyncio.Future[bytes] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.booted = asyncio.Event()
        self.received = 0
        self.heard_at = self._loop.time()

    # --- what comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but says it is not
        self.closed = False

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.heard_at = self._loop.time()
        try:
            if not self.banner.done():
                line = self._splitter.line(data)
                if line is None:
                    return
                self.banner.set_result(line)
                data = b""
            messages = self._splitter.feed(data)
        except AmiError as error:
            self.end(str(error))
            return
        handlers, lists = self._handlers, self.pending.lists
        for message in messages:
            head = message.partition(b"\r")[0]
            handler = handlers.get(head)
            if handler is not None:
                handler(message)
            elif head[:7] != b"Event: ":
                self._other(message)
            elif lists:
                self.pending.item(message)

    def _other(self, message: bytes) -> None:
        """An answer, a list's item, or a message with the line ends of a doubled empty line before it."""
        message = wire.start(message)
        handler = self._handlers.get(message.partition(b"\r")[0])
        if handler is not None:
            handler(message)
        elif message.startswith(b"Event: "):
            self.pending.item(message)
        elif message.startswith(b"Response:") and not self.pending.answer(message):
            log.debug("nobody waits for %r", message)

    def _event(self, message: bytes) -> None:
        try:
            self._on_event(message)
        except Exception:
            log.exception("an event was lost to a fault of our own: %r", message[:2000])

    def _fully_booted(self, message: bytes) -> None:
        self.booted.set()
        self._event(message)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.end(f"the connection broke: {exc}" if exc else "Asterisk closed the connection")

    # --- what goes out

    def send(  # type: ignore[override]  # panoramisk's returns a future without an end
        self,
        headers: wire.Headers,
        deadline: float,
        each: Callable[[bytes], Any] | None = None,
        late: Callable[[wire.Headers], None] | None = None,
    ) -> asyncio.Future[Reply]:
        """Written before this returns. Raises AmiError for what cannot be sent, ActionLost if down."""
        name = headers.get("Action", "an action")
        self._sent += 1
        action_id = f"recorderd-{self._sent}"
        data = wire.spell(headers, action_id)
        if self.closed:
            raise ActionLost(f"{name} was not sent: there is no connection to Asterisk")
        if len(self.pending) >= MOST or self.transport.get_write_buffer_size() > MOST_UNSENT:
            raise ActionLost(f"{name} was not sent: Asterisk does not take what is waiting already")
        future = self.pending.add(action_id, name, deadline, each, late)
        self.transport.write(data)
        return future

    def close(self) -> None:
        self.end("closed by recorderd")

    def end(self, reason: str) -> None:
        """Over, once and for all: nothing more is sent, and who waits is told."""
        self.closed = True
        if not self.lost.done():
            self.lost.set_result(reason)
        if not self.banner.done():
            self.banner.set_exception(AmiError(reason))
            self.banner.exception()  # told, even if nobody is there to hear it
        self.pending.lose(reason)
        # Not close(): on a half-open link that waits for bytes which nobody will ever take.
        self.transport.abort()


class AmiClient(Manager):
    """A supervised connection: `run()` holds it up until `close()`.

    `on_event` gets each wanted event's bytes, in order, from within the reading of the socket; what it raises
    is logged and hurts nobody else. `on_up` follows each login, `on_down` each loss, with the reason.
    `on_trouble` gets one sentence once, not at every attempt, when Asterisk cannot be reached or refuses us.
    `on_pong` gets the answer to each Ping and how many seconds it took.
    """

    def __init__(
        self,
        settings: AmiSettings,
        wanted: Collection[str],
        *,
        on_event: Callable[[bytes], object],
        on_up: Callable[[], object] = lambda: None,
        on_down: Callable[[str], object] = lambda _reason: None,
        on_trouble: Callable[[AmiError], object] = lambda _error: None,
        on_pong: Callable[[wire.Headers, float], object] = lambda _headers, _waited: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        where = {"host": settings.host, "port": settings.port}
        super().__init__(**where, protocol_factory=self._connection)  # type: ignore[no-untyped-call]
        self._settings = settings
        self._wanted = sorted({*wanted, "FullyBooted"})
        self._on_event, self._on_up, self._on_down = on_event, on_up, on_down
        self._on_trouble, self._on_pong = on_trouble, on_pong
        self._sleep, self._chance = sleep, chance
        self._current: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._refusals = 0
        self._tries = 1
        self._due = float("inf")
        self.trouble: AmiError | None = None
        """Why there is no connection, None while there is one."""
        self.silent_for = 0.0
        """When the link was lost: how many seconds before Asterisk was last heard."""
        self.version = ""
        """The manager interface's own version, from the banner: 5.0.4 is Asterisk 16's, 11.0.0 is 22's."""

    @property
    def connected(self) -> bool:
        """Logged in, filters set, events flowing."""
        return self._current is not None and not self._current.closed

    @property
    def overdue(self) -> float:
        """Seconds by which the next sign of life is late: a byte while connected, the next step while not.

        At most 0 while all is well, however long Asterisk is away or silent: that ends a connection, and a new
        one is tried. Above 0 means that whoever hears or connects here is stuck.
        """
        now = asyncio.get_running_loop().time()
        if self._closing:
            return 0.0
        if self._current is None:
            return now - self._due
        settings = self._settings
        return now - self._current.heard_at - settings.ping_interval - 2 * settings.ping_deadline - _MARGIN

    def _next_step_within(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().time() + seconds + _MARGIN

    async def run(self) -> None:
        """Connects and stays connected until `close()`. Raises nothing that Asterisk or the network does."""
        self._task = asyncio.create_task(self._supervise(), name="ami")
        try:
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.result()
        finally:
            await self.close()

    def connect(self, *_args: object, **_options: object) -> None:
        """panoramisk's own way in has no deadline and no end; `run()` is the only one here."""
        raise AmiError("AmiClient.run() connects")

    async def close(self) -> None:
        """When this returns there is no connection, and there will be none."""
        self._closing = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    def send_action(  # type: ignore[override]  # panoramisk's keeps what it cannot send, and sends it later
        self,
        headers: wire.Headers,
        *,
        deadline: float | None = None,
        each: Callable[[bytes], Any] | None = None,
        late: Callable[[wire.Headers], None] | None = None,
    ) -> asyncio.Future[Reply]:
        """Sends now, before this returns, or fails now: nothing is kept to be sent after a reconnect.

        The future ends within `deadline` seconds as a Reply, ActionRefused or ActionLost. `each` makes one
        item of each event of a list. `late` is told what comes after the deadline, if it still comes.
        Raises AmiError for a value that must not go out, ActionLost if there is no connection.
        """
        if self._current is None:
            name = headers.get("Action", "an action")
            raise ActionLost(f"{name} was not sent: there is no connection to Asterisk")
        seconds = self._settings.action_deadline if deadline is None else deadline
        return self._current.send(headers, seconds, each, late)

    def drop(self, reason: str) -> None:
        """This connection is of no use: take another at once."""
        if self._current is not None:
            self._current.end(reason)

    # --- the life of a connection

    async def _supervise(self) -> None:
        while not self._closing:
            try:
                await self._session()
            except LoginRefused as error:
                self._refusals += 1
                self._tell(error)
            except RecorderdError as error:
                self._tell(AmiError(str(error)))
            except OSError as error:
                where = f"{self._settings.host}:{self._settings.port}"
                self._tell(AmiError(f"Asterisk at {where} cannot be reached: {error.strerror or error}"))
            except Exception:
                log.exception("the connection to Asterisk ended by a fault of our own")
            delay = self._delay()
            self._next_step_within(delay)
            await self._sleep(delay)
            self._tries += 1

    def _delay(self) -> float:
        """A refused login is tried ever more slowly; everything else again within a second.

        A link that was just lost at once: what is not armed by then is lost audio.
        """
        if isinstance(self.trouble, LoginRefused):
            doubled = self._settings.refused_first * 2.0 ** min(self._refusals - 1, 16)
            return min(self._settings.refused_most, doubled)
        within = self._settings.reconnect_within / (1 if self._tries else 10)
        return within * (0.1 + 0.9 * self._chance())

    def _tell(self, error: AmiError) -> None:
        news = self.trouble is None or str(self.trouble) != str(error)
        self.trouble = error
        if news:
            self._on_trouble(error)

    async def _session(self) -> None:
        """From connecting to the loss; always ends by raising."""
        self._next_step_within(self._settings.longest_greeting)
        connection = await self._open()
        try:
            await session.login(connection, self._settings)
            self._refusals = 0
            await session.booted(connection, self._settings)
            await session.choose_events(connection, self._settings, self._wanted)
            self._up(connection)
            await session.stay(connection, self._settings, self._on_pong)
        finally:
            connection.close()
            if self._current is connection:
                self._current = None
                self.silent_for = asyncio.get_running_loop().time() - connection.heard_at
                self._on_down(connection.lost.result())

    async def _open(self) -> Connection:
        settings, loop = self._settings, asyncio.get_running_loop()
        where = f"{settings.host}:{settings.port}"
        connection: Connection | None = None
        try:
            async with asyncio.timeout(settings.connect_timeout):
                _, connection = await loop.create_connection(self._connection, settings.host, settings.port)
                banner = await connection.banner
            if not banner.startswith(BANNER):
                said = banner[:60].decode("ascii", "replace")
                raise AmiError(f"{where} is not Asterisk's manager: it says {said!r}")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, TimeoutError) and not error.errno:
                seconds = settings.connect_timeout
                raise AmiError(f"Asterisk at {where} did not answer within {seconds:g} s") from None
            raise
        self.version = banner[len(BANNER) :].decode("ascii", "replace").strip()
        return connection

    def _connection(self) -> Connection:
        return Connection(self._wanted, self._on_event)

    def _up(self, connection: Connection) -> None:
        self._current = connection
        self._tries = 0
        self.trouble = None
        log.info("connected to Asterisk's manager %s", self.version)
        self._on_up()
