"""The tests' own manager connection: truth about Asterisk that does not come through recorderd.

A plain asyncio client with full rights, for Originate, Redirect and for watching. It is used in tests only.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Self

Message = dict[str, str]


class AmiRefused(AssertionError):
    """Asterisk answered Error."""


class RigAmi:
    """One session. `events`: all that came, in order, each with our arrival time under `_at` (wall clock)."""

    def __init__(self, port: int, secret: str, username: str = "rig") -> None:
        self._port, self._secret, self._username = port, secret, username
        self.events: list[Message] = []
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._lists: dict[str, list[Message]] = {}
        self._changed = asyncio.Event()
        self._ids = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._reader.readline()
        self._reading = asyncio.create_task(self._read())
        await self.action("Login", Username=self._username, Secret=self._secret)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading:
            self._reading.cancel()
        self._writer.close()

    async def action(self, name: str, seconds: float = 5, **headers: str) -> Message:
        """The reply to an action; AmiRefused with its message when that is an Error.

        Headers are keywords; a Variable may hold several, separated by newlines.
        """
        ident = f"rig-{next(self._ids)}"
        lines = [f"Action: {name}", f"ActionID: {ident}"]
        for key, value in headers.items():
            lines += [f"{key}: {part}" for part in value.split("\n")]
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[ident] = future
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            reply = await asyncio.wait_for(future, seconds)
        finally:
            del self._replies[ident]
        if reply.get("Response") == "Error":
            raise AmiRefused(f"{name}: {reply.get('Message')}")
        return reply

    async def listing(self, name: str, seconds: float = 5, **headers: str) -> list[Message]:
        """The events of a list action (CoreShowChannels, Status ...) without the closing one."""
        mark = len(self.events)
        reply = await self.action(name, seconds, **headers)
        ident = reply["ActionID"]

        def complete() -> bool:
            return any(
                e.get("ActionID") == ident and e.get("EventList") == "Complete" for e in self.events[mark:]
            )

        await self.until(complete, f"the end of {name}", seconds)
        return [e for e in self.events[mark:] if e.get("ActionID") == ident and "EventList" not in e]

    async def setvar(self, channel: str, variable: str, value: str) -> None:
        await self.action("Setvar", Channel=channel, Variable=variable, Value=value)

    async def event(
        self,
        name: str,
        seconds: float = 10,
        since: int = 0,
        where: Callable[[Message], bool] | None = None,
        **fields: str,
    ) -> Message:
        """The first event of that name with these fields, past or to come; `since` skips that many events."""

        def found() -> Message | None:
            return next(
                (
                    event
                    for event in self.events[since:]
                    if event.get("Event") == name
                    and all(event.get(key) == value for key, value in fields.items())
                    and (where is None or where(event))
                ),
                None,
            )

        await self.until(found, f"event {name} {fields}", seconds)
        event = found()
        assert event is not None
        return event

    async def until(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {what}") from None

    def named(self, *names: str) -> list[Message]:
        """All events of these names so far."""
        return [event for event in self.events if event.get("Event") in names]

    async def _read(self) -> None:
        message: Message = {}
        while line := await self._reader.readline():
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if text:
                key, _, value = text.partition(":")
                key = key.strip()
                message[key] = f"{message[key]}\n{value.strip()}" if key in message else value.strip()
            elif message:
                self._dispatch(message)
                message = {}

    def _dispatch(self, message: Message) -> None:
        future = self._replies.get(message.get("ActionID", ""))
        if "Response" in message and future is not None and not future.done():
            future.set_result(message)
        elif "Event" in message:
            message["_at"] = repr(time.time())
            self.events.append(message)
            self._changed.set()
