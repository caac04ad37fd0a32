"""CDRs are matched with what the store has of their call, however many come together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from recorderd.core import rows
from recorderd.core.calls import Names
from recorderd.core.policy import Policy
from recorderd.daemon import linker as linkers
from recorderd.daemon.linker import Linker
from recorderd.errors import StoreError
from recorderd.store.journal import Journal
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


@contextlib.asynccontextmanager
async def running(store: Counted, folder: Path):
    journal = Journal(folder, store)
    linker = Linker(store, journal, Policy, Names, time.time)
    tasks = [asyncio.create_task(journal.run()), asyncio.create_task(linker.run())]
    try:
        yield journal, linker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        journal.close()


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
async def test_cdrs_that_come_together_are_matched_together(tmp_path: Path, refuses: int) -> None:
    """A wait for the journal each would be three a second at most."""
    store = Counted()
    async with running(store, tmp_path) as (journal, linker):
        calls = [call(number) for number in range(100)]
        for talk, cdr in calls:
            journal.write(talk)
            journal.write(cdr)
            linker.hear(cdr)
        store.refuses = refuses

        async def all_are() -> bool:
            return linker.waiting == 0 and len(await store.links()) == len(calls)

        await eventually(all_are, "every CDR has its link")
        assert await links(store) == sorted(f"r{number}" for number in range(100))
    assert store.saves <= 10


async def test_a_cdr_waits_for_the_rows_of_its_call(tmp_path: Path) -> None:
    """Else it would be told as a call that nobody told us of."""
    store = Counted()
    journal = Journal(tmp_path, store)
    linker = Linker(store, journal, Policy, Names, time.time)
    talk, cdr = call(1)
    journal.write(talk)
    linker.hear(cdr)
    matching = asyncio.create_task(linker.run())
    await asyncio.sleep(0.3)
    assert (linker.waiting, journal.lag) == (1, 1)
    storing = asyncio.create_task(journal.run())

    async def linked() -> bool:
        return await links(store) == ["r1"]

    await eventually(linked, "the CDR has its link")
    for task in (matching, storing):
        task.cancel()
    await asyncio.gather(matching, storing, return_exceptions=True)
    journal.close()
