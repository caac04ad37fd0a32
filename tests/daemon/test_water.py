"""`when_full: stop` on a real small disk: what the engine is told, and that people are told before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from recorderd.archive import disk
from recorderd.config import sections
from recorderd.core import commands, events
from recorderd.core.rows import Row
from recorderd.daemon.alarms import Alarms
from recorderd.daemon.troubles import Troubles
from recorderd.daemon.water import KIND, Water
from recorderd.store.abc import AlarmRow
from tests.archive.conftest import small_disk  # noqa: F401
from tests.core.tape import tape
from tests.core.test_outages import ANSWER, BEGIN, BOTH, recorders
from tests.core.world import World
from tests.keeping.conftest import eventually

MARKS = sections.ArchiveDisk(low_water=60, high_water=80, when_full="stop")
_EVERY = 0.01


class House:
    """The daemon's part of it. `told` is everything in its order: alarms, their ends, events."""

    def __init__(self, folder: Path, marks: sections.ArchiveDisk = MARKS) -> None:
        self.told: list[object] = []
        self.world = World(BOTH)
        troubles = Troubles(Alarms(sections.Alarms(), self._saved), (KIND,), self._saved, lambda: 1.0)
        self.water = Water(folder, marks, troubles, self._put, lambda: self.world.now, every=_EVERY)

    def _saved(self, row: Row) -> None:
        assert isinstance(row, AlarmRow)
        self.told.append(row)

    def _put(self, event: events.Event) -> None:
        self.told.append(event)
        self.world.hear(event)

    def words(self) -> list[str]:
        return [
            ("alarm" if each.cleared_at is None else "over")
            if isinstance(each, AlarmRow)
            else type(each).__name__
            for each in self.told
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.water.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until(self, *words: str) -> None:
        async def so() -> bool:
            return self.words() == list(words)

        await eventually(so, f"{words}, it is {self.words()}")


def fill(folder: Path, percent: float) -> None:
    """A file that fills a disk so far."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    place = disk.usage(folder)
    filler.write_bytes(bytes(round((place.used + place.free) * percent / 100) - place.used))


async def test_from_the_high_mark_to_the_low_one_nothing_is_begun_and_people_are_told_first(
    small_disk: Path,  # noqa: F811
) -> None:
    house = House(small_disk)
    fill(small_disk, 75)
    async with house.running():
        await house.until("Room")
        fill(small_disk, 90)
        await house.until("Room", "alarm", "NoRoom")
        house.world.play(tape(BEGIN + ANSWER))
        assert recorders(house.world) == []
        fill(small_disk, 40)
        await house.until("Room", "alarm", "NoRoom", "over", "Room")
    house.world.wait(1.0)
    assert len(recorders(house.world)) == 2
    alarm = house.told[1]
    assert isinstance(alarm, AlarmRow)
    assert "until less than 60 % is" in alarm.sentence


def test_between_the_marks_it_is_as_it_was(small_disk: Path) -> None:  # noqa: F811
    water = House(small_disk).water
    seen = []
    for percent in (40, 75, 90, 70, 85, 65, 40, 70):
        fill(small_disk, percent)
        seen.append(water._look(str(small_disk)))
    assert seen == ["fine", "fine", "high", "high", "high", "high", "fine", "fine"]
    assert water._look("/nowhere/at/all") == "fine"


async def test_a_restart_between_the_marks_leaves_it_stopped(small_disk: Path) -> None:  # noqa: F811
    fill(small_disk, 70)
    house = House(small_disk)
    house.water.adopt([AlarmRow(id="a", at=0.0, kind=KIND, sentence="full", keys={})])
    assert house.water._look(str(small_disk)) == "high"
    async with house.running():
        await house.until("NoRoom", "NoRoom")
        fill(small_disk, 40)
        await house.until("NoRoom", "NoRoom", "over", "Room")


async def test_who_chose_otherwise_meanwhile_is_recorded_again(tmp_path: Path) -> None:
    house = House(tmp_path, sections.ArchiveDisk(when_full="alarm"))
    house.water.adopt([AlarmRow(id="a", at=0.0, kind=KIND, sentence="full", keys={})])
    await house.water.run()
    assert house.words() == ["NoRoom", "over", "Room"]


async def test_who_did_not_choose_it_is_never_stopped(small_disk: Path) -> None:  # noqa: F811
    house = House(small_disk, sections.ArchiveDisk(low_water=1, high_water=2, when_full="expire"))
    fill(small_disk, 90)
    await house.water.run()
    assert house.told == []
    house.world.play(tape(BEGIN + ANSWER))
    assert [c for c in house.world.sent if isinstance(c, commands.MixMonitor)]
