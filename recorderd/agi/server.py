"""The FastAGI server: a thread of its own with an event loop of its own.

Owns the thread, the listening socket, the number of sessions and the sweep that ends late ones. Must not
know what is answered. It shares nothing with the daemon's loop, so that it answers within 100 ms while
that loop, a disk or the database is stuck; for the same reason it never logs: a log handler may be a stuck
disk. It counts, and hands sentences to `report`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recorderd.agi import routes, wire
from recorderd.agi.ports import Brain
from recorderd.agi.session import Limits, Session
from recorderd.errors import ConfigError
from recorderd.loop import new_loop

SWEEP_SECONDS = 0.05
SLICE = 16  # sessions that one sweep ends
SLICE_SECONDS = 0.002
REPORT_SECONDS = 10.0  # at most one sentence of each kind in this time: junk must not fill a log
BACKLOG = 1024  # a full one costs a call 2 s: Asterisk waits for the SYN (asterisk-facts 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen. Whoever reaches the port may ask and press: keep it on loopback.

    `sounds` is where Asterisk finds our tones: a folder below its own sounds, or an absolute path.
    """

    host: str = "127.0.0.1"
    port: int = 4573
    sounds: str = "recorderd"
    limits: Limits = field(default_factory=Limits)


class FastAgiServer:
    """Answers the dialplan from `brain`. `start` and `stop` are called from the daemon's thread.

    `report` gets one sentence at a time, `took` the seconds of each answered session, in the AGI thread; both
    must return at once.
    """

    def __init__(
        self,
        brain: Brain,
        settings: Settings,
        *,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        extension_of: Callable[[str], str] = wire.extension_of,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = new_loop,
        took: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self.house = routes.House(
            brain=brain, clock=clock, new_id=new_id, extension_of=extension_of, sounds=settings.sounds
        )
        self.limits = settings.limits
        self._settings = settings
        self._report = report
        self._new_loop = new_loop
        self._took = took
        self._reported: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        self._sessions: dict[Session, None] = {}  # oldest first
        self._port = settings.port
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._beat = 0.0

    # --- for the daemon's thread ---------------------------------------------------------------

    def start(self) -> None:
        """Listen, then return; ConfigError when the address cannot be had."""
        listener = _listen(self._settings.host, self._settings.port)
        self._port = int(listener.getsockname()[1])
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="agi", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """Close every session and the port; returns within `seconds`, also if the thread does not end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def port(self) -> int:
        """The port it listens on; once started, the one the kernel chose if 0 was asked for."""
        return self._port

    @property
    def silent_seconds(self) -> float:
        """How long the AGI thread has not moved: 0.05 as a rule; a watchdog should not like more than 2."""
        return time.monotonic() - self._beat

    def counts(self) -> Mapping[str, int]:
        """Sessions ended so far, by how: answered, hangup, gone, malformed, no-route, late-block,
        late-answer, late-session, crowded, evicted, failed, stopped."""
        return dict(self._counts)

    # --- for sessions (see session.Keeper) -----------------------------------------------------

    def admit(self, session: Session) -> bool:
        if len(self._sessions) >= self.limits.sessions and not self._evict():
            return False
        self._sessions[session] = None
        return True

    def ended(self, session: Session, how: str, trouble: str) -> None:
        self._sessions.pop(session, None)
        self._counts[how] += 1
        if how == "answered":
            self._took(session.age)
        if trouble:
            self._tell(how, trouble)

    # --- in the thread -------------------------------------------------------------------------

    def _run(self, listener: socket.socket) -> None:
        loop = self._new_loop()
        try:
            loop.run_until_complete(self._serve(loop, listener))
        finally:
            loop.close()
            listener.close()

    async def _serve(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        loop.set_exception_handler(lambda _, context: self._tell("loop", _told(context)))
        server = await loop.create_server(lambda: Session(self, loop), sock=listener, backlog=BACKLOG)
        try:
            while not self._stopping.is_set():
                more = self._sweep(loop.time())
                await asyncio.sleep(SLICE_SECONDS if more else SWEEP_SECONDS)
        finally:
            server.close()
            for session in list(self._sessions):
                session.finish("stopped")

    def _sweep(self, now: float) -> bool:
        """End what is late, a few at a time: hundreds at once would hold up a decision. Whether more may be."""
        self._beat = time.monotonic()
        most = len(self._sessions) - SLICE
        for session in list(self._sessions):
            session.expire(now)
            if len(self._sessions) <= most:
                return True
        return False

    def _evict(self) -> bool:
        """Make room by closing the oldest session that has not said who it is: Asterisk does within ms."""
        for session in self._sessions:
            if session.reading_block:
                session.finish("evicted")
                return True
        return False

    def _tell(self, kind: str, sentence: str) -> None:
        now = time.monotonic()
        if now - self._reported.get(kind, -REPORT_SECONDS) >= REPORT_SECONDS:
            self._reported[kind] = now
            # The daemon's loop may be closed by now, and then there is nobody to tell.
            with contextlib.suppress(RuntimeError):
                self._report(f"AGI: {sentence}")


def _told(context: Mapping[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Linux hands it on to every accepted connection.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except OSError as fault:
        raise ConfigError(f"agi: cannot listen on {host}:{port}: {fault.strerror or fault}") from fault
    return listener
