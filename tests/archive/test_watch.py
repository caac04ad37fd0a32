"""The watcher over real files, with real threads and real time, and a disk that stops answering."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from recorderd.archive import anchors, lanes, looker, watch, wav
from recorderd.archive.growth import Sight
from recorderd.core import commands, events
from recorderd.errors import AudioError
from tests.archive.conftest import eventually

HEADER = b"RIFF" + bytes(40)


class Post:
    """A Watcher and what it told, each with the moment."""

    def __init__(self, look=looker.see) -> None:
        self.events: list[tuple[float, events.Event]] = []
        self.threads: set[int] = set()
        self.watcher = watch.Watcher(self.put, time.monotonic, now=time.time, look=look)

    def put(self, event: events.Event) -> None:
        self.threads.add(threading.get_ident())
        self.events.append((time.monotonic(), event))

    def watch(self, path: Path, *, growing: bool = True, lane_id: str = "lane") -> None:
        self.watcher.watch(commands.Watch(lane_id=lane_id, path=str(path), growing=growing))

    def unwatch(self, lane_id: str = "lane") -> None:
        self.watcher.unwatch(commands.Unwatch(lane_id=lane_id))

    def told(self, lane_id: str = "lane") -> list[str]:
        """`seen` and the kinds of fault, in order."""
        return [
            event.kind if isinstance(event, events.FileFault) else "seen"
            for _, event in self.events
            if isinstance(event, events.FileSeen | events.FileFault) and event.lane_id == lane_id
        ]


@pytest_asyncio.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    await made.watcher.start()
    yield made
    await made.watcher.close()


async def test_a_file_that_is_there_is_seen_at_once(post: Post, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(HEADER)
    post.watch(tmp_path / "a.wav", growing=False)
    await eventually(lambda: post.told())
    assert post.told() == ["seen"]
    assert post.threads == {threading.get_ident()}, "events are put in the loop's own thread"


async def test_a_file_made_after_watch_is_seen_soon(post: Post, tmp_path: Path):
    post.watch(tmp_path / "a.wav")
    await asyncio.sleep(0.1)
    (tmp_path / "a.wav").write_bytes(HEADER)
    made = time.monotonic()
    await eventually(lambda: post.told())
    assert post.told() == ["seen"]
    assert post.events[0][0] - made < 0.8, "eager looks, not the late ones"


async def test_a_file_that_does_not_come_is_missing_after_a_second_and_seen_when_it_comes(
    post: Post, tmp_path: Path
):
    asked = time.monotonic()
    post.watch(tmp_path / "none" / "a.wav")
    await eventually(lambda: post.told())
    assert post.told() == ["missing"]
    assert post.events[0][0] - asked >= 1.0
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.wav").write_bytes(HEADER)
    await eventually(lambda: len(post.told()) > 1)
    assert post.told() == ["missing", "seen"]


async def test_what_is_no_plain_file_is_missing(post: Post, tmp_path: Path):
    (tmp_path / "a.wav").mkdir()
    os.mkfifo(tmp_path / "b.wav")
    (tmp_path / "plain").write_text("")
    paths = [tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "plain" / "c.wav", tmp_path / "d\0.wav"]
    paths.append(tmp_path / ("x" * 300 + ".wav"))
    for path in paths:
        post.watch(path, lane_id=str(path))
    await eventually(lambda: len(post.events) == len(paths))
    assert [post.told(str(path)) for path in paths] == [["missing"]] * len(paths)


async def test_a_bridged_file_that_does_not_grow_is_stalled_and_an_unbridged_one_is_not(
    post: Post, tmp_path: Path
):
    for lane_id in ("bridged", "ringing"):
        (tmp_path / f"{lane_id}.wav").write_bytes(HEADER)
        post.watch(tmp_path / f"{lane_id}.wav", growing=lane_id == "bridged", lane_id=lane_id)
    await eventually(lambda: len(post.events) == 3)
    assert post.told("bridged") == ["seen", "stalled"]
    assert post.told("ringing") == ["seen"]
    assert post.events[-1][0] - post.events[0][0] >= 2.5
    post.watch(tmp_path / "ringing.wav", growing=True, lane_id="ringing")
    await eventually(lambda: len(post.events) == 4)
    assert post.told("ringing") == ["seen", "stalled"]


async def test_a_growing_file_is_not_stalled_and_then_it_is(post: Post, tmp_path: Path):
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        file.write(HEADER)
        post.watch(tmp_path / "a.wav")
        for _ in range(3):
            await asyncio.sleep(1.5)
            file.write(bytes(32768))
        grown = time.monotonic()
        assert post.told() == ["seen"]
        await eventually(lambda: len(post.told()) > 1)
        assert post.told() == ["seen", "stalled"]
        assert post.events[-1][0] - grown >= 2.5


async def test_every_growth_is_noted_beside_the_file_with_its_moment(post: Post, tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav.header(8000, 0))
    post.watch(path)
    await eventually(lambda: post.told())
    moments = []
    for step in (1, 2):
        with path.open("ab") as file:
            file.write(bytes(32768))
        moments.append(path.stat().st_mtime)
        await eventually(lambda step=step: len(notes(path)) == step)
    assert [(anchor.at, anchor.frames) for anchor in notes(path)] == [
        (pytest.approx(moments[0] - anchors.LATENCY_SECONDS, abs=1e-5), 16384),
        (pytest.approx(moments[1] - anchors.LATENCY_SECONDS, abs=1e-5), 32768),
    ]


def notes(path: Path) -> list[lanes.Anchor]:
    with wav.reading(path) as sound:
        return anchors.of(sound)


def test_lines_that_are_no_notes_are_passed_over_and_go_with_their_lane(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav.header(8000, 0))
    assert notes(path) == []
    with (tmp_path / "a.wav.growth").open("wb") as file:
        file.write(b"32812 1795000000000000000\n\xff\n1 2 3\n\nx y\n10 5\n9" + b"9" * 5000 + b" 1\n655")
    assert [anchor.frames for anchor in notes(path)] == [16384, 0]
    anchors.remove_lane(str(path))
    anchors.remove_lane(str(path))
    assert os.listdir(tmp_path) == []


async def test_a_full_disk_is_a_stall(post: Post, small_disk: Path):
    path = small_disk / "a.wav"
    with path.open("wb", buffering=0) as file:
        file.write(HEADER)
        post.watch(path)
        for _ in range(3):
            with contextlib.suppress(OSError):
                file.write(bytes(32768))
        assert path.stat().st_size == 65536
        await eventually(lambda: len(post.told()) > 1)
    assert post.told() == ["seen", "stalled"]


async def test_a_cut_or_deleted_file_is_told_once(post: Post, tmp_path: Path):
    for lane_id in ("cut", "gone", "other"):
        (tmp_path / f"{lane_id}.wav").write_bytes(HEADER + bytes(32768))
        post.watch(tmp_path / f"{lane_id}.wav", growing=False, lane_id=lane_id)
    await eventually(lambda: len(post.events) == 3)
    os.truncate(tmp_path / "cut.wav", 44)
    (tmp_path / "gone.wav").unlink()
    (tmp_path / "new.wav").write_bytes(HEADER + bytes(99999))
    (tmp_path / "new.wav").rename(tmp_path / "other.wav")
    post.watch(tmp_path / "later.wav", lane_id="later")
    await eventually(lambda: post.told("later"))
    assert post.told("cut") == ["seen", "truncated"]
    assert post.told("gone") == ["seen", "deleted"]
    assert post.told("other") == ["seen", "deleted"]


async def test_nothing_is_told_of_a_lane_once_it_is_unwatched(post: Post, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(HEADER)
    post.watch(tmp_path / "a.wav")
    await eventually(lambda: post.told())
    post.unwatch()
    post.unwatch("never heard of")
    (tmp_path / "a.wav").unlink()
    post.watch(tmp_path / "b.wav", lane_id="b")
    await eventually(lambda: post.told("b"))
    assert post.told() == ["seen"]
    assert len(post.watcher) == 1


async def test_a_lane_with_a_new_path_is_watched_afresh(post: Post, tmp_path: Path):
    post.watch(tmp_path / "a.wav")
    await eventually(lambda: post.told() == ["missing"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.wav").write_bytes(HEADER)
    post.watch(tmp_path / "elsewhere" / "a.wav")
    await eventually(lambda: post.told() == ["missing", "seen"])


async def test_an_unknown_format_is_refused_and_the_lane_watched_on(post: Post, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(HEADER)
    post.watch(tmp_path / "a.wav", growing=False)
    with pytest.raises(AudioError, match=r"no format \.mp3"):
        post.watch(tmp_path / "a.mp3")
    await eventually(lambda: post.told() == ["seen"])


class FrozenDisk:
    """A look at anything below `place` hangs while it is frozen."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)
        self.thaw = threading.Event()
        self.thaw.set()

    def see(self, path: str) -> Sight | None:
        if path.startswith(self.place):
            self.thaw.wait()
        return looker.see(path)


async def test_a_frozen_disk_stalls_its_own_lanes_and_neither_the_loop_nor_another_disk(tmp_path: Path):
    for place in ("cold", "warm"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.wav").write_bytes(HEADER)
    disk = FrozenDisk(tmp_path / "cold")
    post = Post(disk.see)
    await post.watcher.start()
    post.watch(tmp_path / "cold" / "a.wav", lane_id="seen")
    await eventually(lambda: post.told("seen"))
    disk.thaw.clear()
    before = threading.active_count()
    try:
        post.watch(tmp_path / "cold" / "b.wav", lane_id="unseen")
        post.watch(tmp_path / "warm" / "a.wav", lane_id="warm", growing=False)
        slowest = 0.0
        while post.told("seen") == ["seen"]:
            asked = time.monotonic()
            await asyncio.sleep(0)
            slowest = max(slowest, time.monotonic() - asked)
            assert time.monotonic() - post.events[0][0] < 20
        assert post.told("seen") == ["seen", "stalled"]
        assert post.told("unseen") == ["stalled"]
        assert post.told("warm") == ["seen"]
        assert slowest < 1.0
        for number in range(50):
            post.watch(tmp_path / "cold" / f"{number}.wav", lane_id=str(number))
            post.unwatch(str(number))
        assert threading.active_count() <= before + 1, "a frozen disk holds one thread"
    finally:
        disk.thaw.set()
    with (tmp_path / "cold" / "a.wav").open("ab") as file:
        file.write(bytes(32768))
    await eventually(lambda: post.told("unseen") == ["stalled", "missing"])
    await eventually(lambda: post.told("seen") == ["seen", "stalled", "stalled"])
    await post.watcher.close()


async def test_threads_end_when_there_is_nothing_to_watch(post: Post, tmp_path: Path):
    before = threading.active_count()
    for number in range(3):
        post.watch(tmp_path / str(number) / "a.wav", lane_id=str(number))
    assert threading.active_count() == before + 3
    for number in range(3):
        post.unwatch(str(number))
    await eventually(lambda: threading.active_count() == before)


STOPPABLE = """
import asyncio, sys, time
from recorderd.archive import watch
from recorderd.core import commands

async def main():
    watcher = watch.Watcher(lambda event: print(getattr(event, "kind", "seen"), flush=True), time.monotonic)
    await watcher.start()
    watcher.watch(commands.Watch(lane_id="lane", path=sys.argv[1], growing=True))
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_process_that_stood_still_does_not_take_its_own_sleep_for_a_stall(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(HEADER)
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPABLE, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "seen\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        path.write_bytes(HEADER + bytes(32768))
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        path.unlink()
        assert process.stdout.readline() == "deleted\n"
    finally:
        process.kill()
        process.wait()


async def test_an_event_that_nobody_can_take_does_not_end_the_watch(tmp_path: Path):
    post = Post()
    taken = post.put

    def choke(event: events.Event) -> None:
        taken(event)
        raise RuntimeError("choked")

    watcher = watch.Watcher(choke, time.monotonic, now=time.time)
    await watcher.start()
    (tmp_path / "a.wav").write_bytes(HEADER)
    watcher.watch(commands.Watch(lane_id="a", path=str(tmp_path / "a.wav"), growing=False))
    watcher.watch(commands.Watch(lane_id="b", path=str(tmp_path / "b.wav"), growing=False))
    await eventually(lambda: post.told("a") == ["seen"] and post.told("b") == ["missing"])
    await watcher.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_no_note_is_taken_beside_somebody_elses_file(post: Post, tmp_path: Path):
    path = tmp_path / "x.wav"
    path.write_bytes(bytes(44))
    post.watcher.watch(commands.Watch(lane_id="l", path=str(path), growing=True, notes=False))
    await eventually(lambda: post.told)
    with path.open("ab") as file:
        file.write(bytes(40_000))
    await eventually(lambda: post.watcher.size("l") > 40_000)
    assert names(tmp_path) == ["x.wav"]
