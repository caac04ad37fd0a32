"""The actions that wait for an answer: each has a deadline, and nothing waits longer than that.

Owns the way from an ActionID to whoever asked. Must not know how bytes come and go, nor what an answer means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recorderd.ami import wire
from recorderd.errors import ActionLost, ActionRefused

MOST = 20_000
"""Actions under way at once. One more is refused: Asterisk is not answering, and memory is not endless."""

MOST_ITEMS = 200_000
"""Events of one list."""

MOST_LATE = 64
"""Answers after the deadline for which somebody asked to be told."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Asterisk's `Response: Success`. `items` are the events of a list, as its `each` made them."""

    headers: wire.Headers
    items: list[Any]


@dataclass(slots=True)
class _Waiting:
    name: str
    future: asyncio.Future[Reply]
    each: Callable[[bytes], Any] | None
    late: Callable[[wire.Headers], None] | None
    timer: asyncio.TimerHandle | None = None
    headers: dict[str, str] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)


class Pending:
    """The actions under way on one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[bytes, _Waiting] = {}
        self._late: dict[bytes, Callable[[wire.Headers], None]] = {}
        self.lists = 0
        """How many lists are under way: while it is 0, no event can belong to one."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self,
        action_id: str,
        name: str,
        deadline: float,
        each: Callable[[bytes], Any] | None,
        late: Callable[[wire.Headers], None] | None,
    ) -> asyncio.Future[Reply]:
        """A future of the answer: a Reply, ActionRefused or ActionLost, within `deadline` seconds."""
        key = action_id.encode()
        waiting = _Waiting(name, self._loop.create_future(), each, late)
        waiting.timer = self._loop.call_later(deadline, self._expire, key, deadline)
        self._waiting[key] = waiting
        self.lists += each is not None
        return waiting.future

    def answer(self, message: bytes) -> bool:
        """A `Response:`. False if nobody waits for it (any more)."""
        headers = wire.parse(message)
        key = headers.get("ActionID", "").encode("utf-8", "surrogateescape")
        waiting = self._waiting.get(key)
        if waiting is None:
            late = self._late.pop(key, None)
            if late is not None:
                late(headers)
            return late is not None
        if headers.get("Response") == "Error":
            self._take(key)
            self._fail(waiting, ActionRefused(_reason(waiting.name, headers.get("Message", ""))))
        elif waiting.each is not None and headers.get("EventList", "").lower() == "start":
            waiting.headers = headers
        else:
            self._take(key)
            self._succeed(waiting, headers)
        return True

    def item(self, message: bytes) -> bool:
        """An event that may belong to a list. False if it does not."""
        start = message.rfind(b"\r\nActionID: ")
        if start < 0:
            return False
        end = message.find(b"\r\n", start + 12)
        key = message[start + 12 : end] if end > 0 else message[start + 12 :]
        waiting = self._waiting.get(key)
        if waiting is None or waiting.each is None:
            return False
        if b"\r\nEventList: " in message:  # `Complete`, or `cancelled`: only the last event has one
            self._take(key)
            self._succeed(waiting, waiting.headers)
        elif len(waiting.items) >= MOST_ITEMS:
            self._take(key)
            self._fail(waiting, ActionLost(f"{waiting.name} lists more than {MOST_ITEMS} things"))
        else:
            self._add_item(key, waiting, message)
        return True

    def lose(self, reason: str) -> None:
        """The connection is gone: nobody waits any longer, and nothing is kept to be sent again."""
        for key in list(self._waiting):
            waiting = self._take(key)
            self._fail(waiting, ActionLost(f"{waiting.name} had no answer: {reason}"))

    def _add_item(self, key: bytes, waiting: _Waiting, message: bytes) -> None:
        assert waiting.each is not None
        try:
            waiting.items.append(waiting.each(message))
        except Exception as error:  # whatever it is belongs to whoever asked, not to the stream
            self._take(key)
            if not waiting.future.done():
                waiting.future.set_exception(error)

    def _expire(self, key: bytes, deadline: float) -> None:
        waiting = self._take(key)
        if waiting.late is not None:
            self._late[key] = waiting.late
            while len(self._late) > MOST_LATE:
                del self._late[next(iter(self._late))]
        self._fail(waiting, ActionLost(f"{waiting.name} had no answer within {deadline:g} s"))

    def _take(self, key: bytes) -> _Waiting:
        waiting = self._waiting.pop(key)
        self.lists -= waiting.each is not None
        if waiting.timer is not None:
            waiting.timer.cancel()
        return waiting

    @staticmethod
    def _succeed(waiting: _Waiting, headers: wire.Headers) -> None:
        if not waiting.future.done():
            waiting.future.set_result(Reply(headers, waiting.items))

    @staticmethod
    def _fail(waiting: _Waiting, error: Exception) -> None:
        if not waiting.future.done():
            waiting.future.set_exception(error)


def _reason(action: str, message: str) -> str:
    """Asterisk's own word on a refused action, and the cure where it is always the same."""
    if message == "Permission denied":
        return f"{message}: the manager user needs `write = system,call` for {action}"
    return message or f"Asterisk refused {action}"
