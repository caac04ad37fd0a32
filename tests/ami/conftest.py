"""A fake Asterisk on a real port, and clients of it that are closed when the test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from recorderd.ami.client import AmiClient
from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings
from recorderd.ami.translate import PARSERS
from recorderd.core import events
from recorderd.errors import AmiError


async def until(condition: Callable[[], object], within: float = 10.0) -> None:
    """Returns as soon as `condition` holds; fails if it never does."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - anything may change, not only what has an event
            await asyncio.sleep(0.002)


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as fake:
        yield fake


def settings(fake: FakeAsterisk, **changes: object) -> AmiSettings:
    values = {"port": fake.port, "username": "recorderd", "secret": "s3cret", **changes}
    return AmiSettings(**values)  # type: ignore[arg-type]


class Heard:
    """A running client and all that it told."""

    def __init__(self, fake: FakeAsterisk, changes: dict[str, object], options: dict[str, object]) -> None:
        self.events: list[bytes] = []
        self.ups = 0
        self.downs: list[str] = []
        self.troubles: list[AmiError] = []
        told: dict[str, object] = {
            "on_event": self.events.append,
            "on_up": self._up,
            "on_down": self.downs.append,
            "on_trouble": self.troubles.append,
        }
        self.client = AmiClient(settings(fake, **changes), PARSERS.keys(), **{**told, **options})  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.client.run())

    def _up(self) -> None:
        self.ups += 1

    @property
    def names(self) -> list[str]:
        """The events' names, without FullyBooted."""
        names = [message.split(b"\r")[0].removeprefix(b"Event: ").decode() for message in self.events]
        return [name for name in names if name != "FullyBooted"]

    async def close(self) -> None:
        await self.client.close()
        await self.task


@pytest.fixture
async def connect(asterisk: FakeAsterisk) -> AsyncIterator[Callable[..., Heard]]:
    """`connect(up=True, settings={}, **options of AmiClient)` starts a client."""
    async with AsyncExitStack() as stack:

        async def start(
            up: bool = True, settings: dict[str, object] | None = None, **options: object
        ) -> Heard:
            heard = Heard(asterisk, settings or {}, options)
            stack.push_async_callback(heard.close)
            if up:
                await until(lambda: heard.ups)
            return heard

        yield start  # type: ignore[misc]


class Linked:
    """A running AsteriskLink and the events that it put."""

    def __init__(self, fake: FakeAsterisk, changes: dict[str, object], options: dict[str, object]) -> None:
        self.events: list[events.Event] = []
        self.troubles: list[AmiError] = []
        told: dict[str, object] = {"put": self.events.append, "on_trouble": self.troubles.append}
        self.link = AsteriskLink(settings(fake, **changes), **{**told, **options})  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.link.run())

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.events if type(event) is kind]

    async def close(self) -> None:
        await self.link.close()
        await self.task


@pytest.fixture
async def linked(asterisk: FakeAsterisk) -> AsyncIterator[Callable[..., Linked]]:
    """`linked(up=True, settings={}, **options of AsteriskLink)` starts a link."""
    async with AsyncExitStack() as stack:

        async def start(
            up: bool = True, settings: dict[str, object] | None = None, **options: object
        ) -> Linked:
            one = Linked(asterisk, settings or {}, options)
            stack.push_async_callback(one.close)
            if up:
                await until(lambda: one.link.connected)
            return one

        yield start  # type: ignore[misc]
