"""Two ends ask each other many things at once, and each gets its own answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from types import MappingProxyType

import pytest

from recorderd.clerk.line import Line, LineCut
from recorderd.errors import StoreError
from recorderd.store.abc import RowRefused

ENDS = tuple[Line, Line]


async def later(value: object, seconds: float) -> object:
    await asyncio.sleep(seconds)
    return value


async def refuse() -> None:
    raise RowRefused("no such row")


async def fail() -> None:
    raise ZeroDivisionError("a fault")


class Said(list[object]):
    """What was told, in order."""


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
async def ends(said: Said) -> AsyncIterator[ENDS]:
    """Two of them, the other one's task is cancelled to cut the line."""
    deeds = {"later": later, "refuse": refuse, "fail": fail, "say": said.append}
    lines, tasks, writers = [], [], []
    for end in socket.socketpair():
        reader, writer = await asyncio.open_unix_connection(sock=end)
        lines.append(Line(reader, writer, deeds))
        tasks.append(asyncio.create_task(lines[-1].run()))
        writers.append(writer)
    yield lines[0], lines[1]
    for writer in writers:
        writer.close()
    await asyncio.gather(*tasks)


async def test_each_gets_its_own_answer_whatever_their_order(ends: ENDS) -> None:
    asked = [
        line.ask("later", (n, index), 0.05 * ((7 * n) % 5))
        for n in range(20)
        for index, line in enumerate(ends)
    ]
    assert await asyncio.gather(*asked) == [(n, index) for n in range(20) for index in range(2)]


async def test_what_is_told_is_done_in_order_and_before_what_is_asked_then(ends: ENDS, said: Said) -> None:
    for n in range(100):
        ends[0].send("say", n)
    await ends[0].ask("later", None, 0.0)
    assert said == list(range(100))


async def test_an_error_of_ours_comes_back_as_it_is_and_a_fault_as_a_sentence(ends: ENDS) -> None:
    with pytest.raises(RowRefused, match="no such row"):
        await ends[0].ask("refuse")
    with pytest.raises(StoreError, match="ZeroDivisionError: a fault"):
        await ends[0].ask("fail")
    with pytest.raises(StoreError, match="KeyError"):
        await ends[0].ask("no such deed")


async def test_what_cannot_be_done_does_not_end_the_listening(ends: ENDS, said: Said) -> None:
    ends[0].send("no such deed")
    ends[0].send("say", 1, 2)
    ends[0].send("say", 3)
    await ends[0].ask("later", None, 0.0)
    assert said == [3]


async def test_who_waits_when_the_line_is_cut_hears_of_it(ends: ENDS) -> None:
    waiting = asyncio.create_task(ends[0].ask("later", 1, 60.0))
    await asyncio.sleep(0.05)
    ends[1]._writer.close()  # type: ignore[attr-defined]
    with pytest.raises(LineCut):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(LineCut):
        await ends[0].ask("later", 1, 0.0)
    ends[0].send("say", "to nobody")


async def test_a_mapping_that_cannot_be_changed_arrives_as_one(ends: ENDS) -> None:
    got = await ends[0].ask("later", MappingProxyType({"a": MappingProxyType({})}), 0.0)
    assert got == {"a": {}}
    assert isinstance(got, MappingProxyType)
