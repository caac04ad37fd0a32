"""What ended while Asterisk was not heard: the disk is asked first, and everything keeps its order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from recorderd.archive import wav
from recorderd.core import events
from recorderd.daemon.unheard import Unheard
from tests.core.people import A, policy
from tests.core.tape import T, press, tape, uid
from tests.core.test_calls import ANSWER, RING
from tests.core.world import SETTINGS, World


class Ear:
    """A recorded call of two whose files lie in `folder`, and what its engine would be told."""

    def __init__(self, folder: Path) -> None:
        self.world = World(policy(default=A), replace(SETTINGS, lanes=(str(folder),)))
        self.world.play(tape(RING + ANSWER))
        self.world.wait(3)
        self.told: list[events.Event] = []
        self.looking: list[asyncio.Task[None]] = []
        self.unheard = Unheard(self.world.engine, self.told.append, lambda: self.world.now, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.looking.append(asyncio.create_task(work))

    def leave_a_file(self, channel: str, at: float) -> None:
        """Its recorder's file, which Asterisk closed then."""
        path = Path(self.world.engine.file_on(uid(channel)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav.header(8000, 8000) + bytes(16000))
        os.utime(path, (at, at))


async def test_who_is_gone_from_the_list_went_when_the_file_was_closed_and_what_follows_waits(
    tmp_path: Path,
) -> None:
    ear = Ear(tmp_path)
    ear.leave_a_file("101-00", T + 2.5)
    listed = events.Resync(at=T + 9, channels=())
    later = press("101-00", "start", T + 9.1)
    ear.unheard.put(listed)
    ear.unheard.put(later)
    assert ear.told == []
    await asyncio.gather(*ear.looking)
    assert ear.told == [replace(listed, ended={uid("101-00"): T + 2.5, uid("102-01"): T + 9}), later]


async def test_who_is_gone_without_a_file_went_before_the_list_came_and_not_before_it_was_asked_for(
    tmp_path: Path,
) -> None:
    """A frozen disk holds Asterisk up for seconds, in which people talk and hang up."""
    ear = Ear(tmp_path)
    ear.leave_a_file("101-00", T + 2.9)
    asked, ear.world.now = T + 2.0, T + 4.0
    ear.unheard.put(events.Resync(at=asked, channels=()))
    await asyncio.gather(*ear.looking)
    (listed,) = ear.told
    assert isinstance(listed, events.Resync)
    assert listed.ended == {uid("101-00"): T + 2.9, uid("102-01"): T + 4.0}


async def test_an_asterisk_that_goes_down_is_gone_when_its_link_is(tmp_path: Path) -> None:
    ear = Ear(tmp_path)
    lost = events.ConnectionLost(at=T + 5, reason="closed")
    ear.unheard.put(events.Shutdown(at=T + 4))
    assert ear.told == []
    ear.unheard.put(lost)
    await asyncio.gather(*ear.looking)
    gone = dict.fromkeys((uid("101-00"), uid("102-01")), ear.world.now)
    assert ear.told == [lost, events.Shutdown(at=ear.world.now, ended=gone)]


async def test_without_a_call_a_list_is_told_at_once(tmp_path: Path) -> None:
    ear = Ear(tmp_path)
    ear.world.hear(events.Resync(at=ear.world.now, channels=()))
    listed = events.Resync(at=T + 9, channels=())
    ear.unheard.put(listed)
    assert (ear.told, ear.looking) == ([listed], [])
