"""The lists of calls follow the rows, with few questions to the store."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from recorderd.clerk.indexer import Indexer
from recorderd.core import rows
from recorderd.core.channels import Names
from recorderd.store.memory import MemoryStore
from recorderd.store.panel import Wanted
from tests.live.daemon import until
from tests.store import sample


class Counting(MemoryStore):
    """Counts what is asked of it."""

    asked = 0

    async def cdrs(self, *times: float | None, **criteria: str | tuple[str, ...] | None) -> list[rows.Cdr]:
        self.asked += 1
        return await super().cdrs(*times, **criteria)


class House:
    """A store and the indexer, at work."""

    def __init__(self) -> None:
        self.store = Counting(time.time)
        self.indexer = Indexer(self.store, Names, time.time)

    async def say(self, *said: rows.Row) -> None:
        await self.store.save(said)
        for row in said:
            self.indexer.hear(row)

    async def listed(self) -> list[str]:
        """The stories in the list of everything."""
        found = await self.store.panel.entries([""], Wanted(), limit=100)
        return sorted(entry.story_id for entry in found.entries)

    async def stories(self, count: int) -> list[str]:
        """They, once there are so many."""

        async def enough() -> bool:
            return len(await self.listed()) >= count

        await until(enough, f"{count} stories", 10)
        return await self.listed()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    task = asyncio.create_task(house.indexer.run())
    yield house
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def call(n: int) -> list[rows.Row]:
    return [
        sample.conversation(f"c{n}", linkedids=(f"{n}.1",)),
        sample.interval(f"i{n}", conversation_id=f"c{n}", recording_id=f"r{n}"),
        sample.recording(f"r{n}", conversation_id=f"c{n}"),
        sample.cdr(f"{n}.1", linkedid=f"{n}.1"),
    ]


async def test_calls_that_end_together_are_looked_up_together(house: House) -> None:
    await house.say(*(row for n in range(30) for row in call(n)))
    assert await house.stories(30) == sorted(f"{n}.1" for n in range(30))
    assert house.store.asked <= 3


async def test_a_story_is_listed_while_others_go_on(house: House) -> None:
    """Under load there is always a row on its way: nobody's list may stand still for it."""
    await house.say(*call(1))
    stop = time.monotonic() + 3

    async def chatter() -> None:
        number = 1000
        while time.monotonic() < stop:
            number += 1
            await house.say(*call(number))
            await asyncio.sleep(0.01)

    talking = asyncio.create_task(chatter())
    began = time.monotonic()
    assert "1.1" in await house.stories(1)
    assert time.monotonic() - began < 3, "while the others still came"
    await talking


async def test_rows_of_a_conversation_that_was_not_heard_of_find_their_story(house: House) -> None:
    """As after a restart, in the middle of a call."""
    conversation, *more = call(7)
    await house.store.save([conversation])
    await house.say(*more)
    assert await house.stories(1) == ["7.1"]
