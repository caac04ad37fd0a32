"""One AGI connection: its bytes go to `wire`, the steps of its route are carried out, its time is bounded.

Owns a connection from accept to close. Must not know what is asked or answered. Whatever goes wrong, the
connection closes and Asterisk goes on to the dialplan's next priority, which finds no advice and applies
the fail mode (asterisk-facts, section 5).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, cast

from recorderd.agi import routes, wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of time, in seconds, and of number. The server looks at the times every 50 ms."""

    block_seconds: float = 1.0
    answer_seconds: float = 2.0
    session_seconds: float = 5.0
    sessions: int = 512


class Keeper(Protocol):
    """What a session needs of its server; all of it is called in the AGI thread."""

    house: routes.House
    limits: Limits

    def admit(self, session: Session) -> bool:
        """False when there is no room: the session closes at once."""

    def ended(self, session: Session, how: str, trouble: str) -> None:
        """Called once per session. `how` is a short stable word, `trouble` a sentence or empty."""


class Session(asyncio.Protocol):
    """Driven by the event loop; `expire` is called by the server's sweep. Times are the loop's own."""

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._block: wire.BlockReader | None = wire.BlockReader()
        self._replies = wire.ReplyReader()
        self._steps: routes.Steps | None = None
        self._path = ""
        self._speaking = False
        self._ticket = 0  # names the Wait that is on: an older one's outcome is stale
        self._timer: asyncio.TimerHandle | None = None
        now = self._began = loop.time()
        self._due = now + keeper.limits.block_seconds
        self._last = now + keeper.limits.session_seconds

    @property
    def reading_block(self) -> bool:
        """True while it has not said who it is: the first to go when there is no room."""
        return self._block is not None

    @property
    def age(self) -> float:
        """Seconds since the connection came."""
        return self._loop.time() - self._began

    def expire(self, now: float) -> None:
        """Close if a deadline has passed."""
        if now >= min(self._due, self._last):
            stage = "block" if self._block else "answer" if self._speaking else "session"
            self.finish(f"late-{stage}", "" if self._block else f"/{self._path} took too long: {stage}")

    def finish(self, how: str, trouble: str = "") -> None:
        """Close, whatever is going on; only the first call counts."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        self._ticket += 1
        if self._timer is not None:
            self._timer.cancel()
        if self._steps is not None:
            self._steps.close()
        # An answer already written still goes out; a silent peer must not keep the socket for it.
        if how == "answered":
            transport.close()
        else:
            transport.abort()
        self._keeper.ended(self, how, trouble)

    # --- called by the event loop --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but says it is not
        if not self._keeper.admit(self):
            self.finish("crowded", "no room for another AGI session")

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            if self._block is not None:
                self._read_block(data)
            else:
                self._read_answers(data)
        except wire.Malformed as fault:
            self.finish("malformed", "" if self._block else f"/{self._path}: {fault}")

    def eof_received(self) -> bool:
        self.finish("gone")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.finish("gone")

    # --- steps ---------------------------------------------------------------------------------

    def _read_block(self, data: bytes) -> None:
        assert self._block is not None
        whole = self._block.feed(data)
        if whole is None:
            return
        request, rest = whole
        self._block, self._path = None, request.path
        self._due = self._last
        route = routes.ROUTES.get(request.path)
        if route is None:
            self.finish("no-route", f"no AGI route /{request.path[:40]!a}")
            return
        self._steps = route(request, self._keeper.house)
        self._go_on(None)
        if rest:
            self._read_answers(rest)

    def _read_answers(self, data: bytes) -> None:
        for answer in self._replies.feed(data):
            if self._transport is None:
                return
            if isinstance(answer, wire.Hangup):
                self.finish("hangup")
                return
            if not self._speaking:
                raise wire.Malformed("an answer to no command")
            self._speaking = False
            self._due = self._last
            if answer.code == 511:  # the channel is dead: no command will do anything any more
                self.finish("hangup")
                return
            self._go_on(answer)

    def _go_on(self, outcome: object) -> None:
        """Hand the outcome of the last step to the route and begin the next one."""
        assert self._steps is not None
        try:
            step = self._steps.send(outcome)
        except StopIteration:
            self.finish("answered")
        except Exception as fault:  # the Brain's: the dialplan's fail mode answers for it
            self.finish("failed", f"/{self._path} failed: {type(fault).__name__}: {fault}")
        else:
            if isinstance(step, routes.Say):
                self._say(step)
            else:
                self._wait(step)

    def _say(self, step: routes.Say) -> None:
        assert self._transport is not None
        self._speaking = True
        self._due = self._loop.time() + self._keeper.limits.answer_seconds
        self._transport.write(step.command)

    def _wait(self, step: routes.Wait) -> None:
        self._ticket += 1
        ticket = self._ticket

        def told(_: Future[Any]) -> None:  # in whatever thread completes the future
            try:
                self._loop.call_soon_threadsafe(self._waited, ticket, True)
            except RuntimeError:
                pass  # our loop is closed: the server was stopped meanwhile

        self._timer = self._loop.call_later(step.seconds, self._waited, ticket, False)
        step.future.add_done_callback(told)

    def _waited(self, ticket: int, done: bool) -> None:
        if ticket != self._ticket:
            return
        self._ticket += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._go_on(done)
