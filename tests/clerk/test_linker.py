"""CDRs are matched with what the store has of their call, however many come together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from recorderd.clerk import linker as linkers
from recorderd.clerk.linker import Linker
from recorderd.core import rows
from recorderd.core.channels import Names
from recorderd.core.policy import Policy
from recorderd.errors import StoreError
from recorderd.store.memory import MemoryStore
from tests.keeping.conftest import eventually
from tests.store import sample


class Counted(MemoryStore):
    """A store that counts its transactions, and may be away."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.saves = 0
        self.refuses = 0

    async def save(self, batch: Sequence[rows.Row]) -> None:
        self.saves += 1
        await super().save(batch)

    async def intervals(self, *args: object, **criteria: object) -> list[rows.Interval]:
        if self.refuses:
            self.refuses -= 1
            raise StoreError("The database is away")
        return await super().intervals(*args, **criteria)  # type: ignore[arg-type]


async def nothing_waits() -> None:
    """Every row that was written is stored."""


@contextlib.asynccontextmanager
async def running(store: Counted, caught_up: Callable[[], Awaitable[object]] = nothing_waits):
    linker = Linker(store, caught_up, Policy, Names, time.time)
    task = asyncio.create_task(linker.run())
    try:
        yield linker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def call(number: int) -> tuple[rows.Interval, rows.Cdr]:
    uniqueid = f"1795500000.{2 * number}"
    one = sample.party("101", uniqueid, channel=f"PJSIP/101-{number:08x}")
    other = sample.party("102", f"1795500000.{2 * number + 1}", channel=f"PJSIP/102-{number:08x}")
    talk = sample.interval(f"i{number}", parties=(one, other), recording_id=f"r{number}")
    return talk, sample.cdr(uniqueid, channel=one.channel, dstchannel=other.channel, linkedid=uniqueid)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkers, "_SETTLE", 0.05)
    monkeypatch.setattr(linkers, "_AGAIN", 0.05)


async def links(store: Counted) -> list[str]:
    return sorted(link.recording_id for link in await store.links())


@pytest.mark.parametrize("refuses", [0, 3], ids=["", "the database refuses three times"])
async def test_cdrs_that_come_together_are_matched_together(refuses: int) -> None:
    """A transaction each would be a disk's flush each."""
    store = Counted()
    calls = [call(number) for number in range(100)]
    await store.save([row for pair in calls for row in pair])
    store.saves, store.refuses = 0, refuses
    matched: list[rows.Cdr] = []
    async with running(store) as linker:
        linker._matched = matched.append
        for _talk, cdr in calls:
            linker.hear(cdr)

        async def all_are() -> bool:
            return linker.waiting == 0 and len(await store.links()) == len(calls)

        await eventually(all_are, "every CDR has its link")
        assert await links(store) == sorted(f"r{number}" for number in range(100))
    assert store.saves <= 2
    assert {cdr.uniqueid for cdr in matched} == {cdr.uniqueid for _, cdr in calls}


async def test_a_cdr_waits_for_the_rows_of_its_call() -> None:
    """Else it would be told as a call that nobody told us of."""
    store = Counted()
    there = asyncio.Event()
    talk, cdr = call(1)
    await store.save([cdr])
    async with running(store, there.wait) as linker:
        linker.hear(cdr)
        await asyncio.sleep(0.3)
        assert linker.waiting >= 1
        assert await store.intervals() == []
        await store.save([talk])
        there.set()

        async def linked() -> bool:
            return await links(store) == ["r1"]

        await eventually(linked, "the CDR has its link")


async def test_a_cdr_that_a_clerk_stored_and_did_not_live_to_match_is_matched_by_the_next() -> None:
    store = Counted()
    now = float(int(time.time()))
    talk, cdr = call(1)
    talk, cdr = (
        replace(talk, started_at=now - 50, ended_at=now - 10),
        replace(cdr, start=now - 51, answer=now - 50, end=now - 10),
    )
    await store.save([talk, cdr])
    async with running(store):

        async def linked() -> bool:
            return await links(store) == ["r1"]

        await eventually(linked, "the CDR has its link")
