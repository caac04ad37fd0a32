"""When channels ended that nobody told us of, as their recorders' files tell."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from recorderd.archive import wav
from recorderd.core import events
from recorderd.daemon.ends import Ends, ended_at

_CLOSED_AT = 1_795_416_000.25


def lane(path: Path, *, closed: bool = True) -> Path:
    """A second of sound, last written to at _CLOSED_AT; its header knows no length unless it was `closed`."""
    sound = wav.header(8000, 8000 if closed else 0) + bytes(16000)
    path.write_bytes(sound)
    os.utime(path, (_CLOSED_AT, _CLOSED_AT))
    return path


def channel(uniqueid: str) -> events.LiveChannel:
    return events.LiveChannel(channel=f"PJSIP/{uniqueid}-0", uniqueid=uniqueid, linkedid=uniqueid)


class Told:
    """Where events go on to; `first` waits for that many."""

    def __init__(self, **paths: Path) -> None:
        self._queue: asyncio.Queue[events.Event] = asyncio.Queue()
        unfinished = {uniqueid: str(path) for uniqueid, path in paths.items()}
        self.ends = Ends(lambda: unfinished, self._queue.put_nowait)

    async def first(self, count: int) -> list[events.Event]:
        async with asyncio.timeout(5):
            return [await self._queue.get() for _ in range(count)]


def test_a_file_that_was_closed_tells_the_hang_up(tmp_path: Path) -> None:
    assert ended_at(lane(tmp_path / "a.wav")) == pytest.approx(_CLOSED_AT)


def test_a_file_that_was_never_closed_ended_within_one_buffer_of_its_last_growth(tmp_path: Path) -> None:
    assert ended_at(lane(tmp_path / "a.wav", closed=False)) == pytest.approx(_CLOSED_AT + 2.048)


@pytest.mark.parametrize("name", ["missing.wav", "no-sound.wav"])
def test_a_file_that_tells_nothing_is_not_guessed_at(tmp_path: Path, name: str) -> None:
    (tmp_path / "no-sound.wav").write_bytes(b"not a wav")
    assert ended_at(tmp_path / name) is None


async def test_what_comes_while_the_files_are_looked_at_waits_behind_the_resync(tmp_path: Path) -> None:
    told = Told(gone=lane(tmp_path / "gone.wav"), alive=tmp_path / "alive.wav")
    ticks = [events.Tick(at=_CLOSED_AT + 61), events.Tick(at=_CLOSED_AT + 62)]
    for event in (events.Resync(at=_CLOSED_AT + 60, channels=(channel("alive"),)), *ticks):
        told.ends.put(event)
    resync, *later = await told.first(3)
    assert isinstance(resync, events.Resync)
    assert resync.ended == {"gone": pytest.approx(_CLOSED_AT)}
    assert later == ticks


async def test_where_nothing_is_gone_the_resync_goes_on_as_it_is(tmp_path: Path) -> None:
    told = Told(alive=tmp_path / "alive.wav")
    resync = events.Resync(at=1.0, channels=(channel("alive"),))
    told.ends.put(resync)
    assert await told.first(1) == [resync]


async def test_no_end_lies_after_the_moment_at_which_it_was_known(tmp_path: Path) -> None:
    told = Told(gone=lane(tmp_path / "gone.wav"))
    told.ends.put(events.Resync(at=_CLOSED_AT - 5, channels=()))
    [resync] = await told.first(1)
    assert isinstance(resync, events.Resync)
    assert resync.ended == {"gone": _CLOSED_AT - 5}
