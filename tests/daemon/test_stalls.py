"""A stall is told within three seconds, and silence never: a line, its file and its watcher in a time of their own."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorderd.archive.growth import STEP_BYTES, Growth, Sight, stall_seconds
from recorderd.archive.looker import SEEN_SECONDS
from recorderd.archive.watch import JUDGE_SECONDS
from recorderd.core import commands, events
from recorderd.daemon.stalls import Packets, Stalls
from recorderd.errors import ActionRefused, AmiError

LANE, PATH = "lane", "/spool/lane.wav"
FRAME, FRAME_BYTES = 0.020, 320


class Hurry(selectors.SelectSelector):
    """Nobody waits: the loop's clock jumps to its next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class HurriedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.hurry = Hurry()
        super().__init__(self.hurry)

    def time(self) -> float:
        return self.hurry.now


@dataclass
class Line:
    """Both parties of a call, and what Asterisk does of it.

    `speech`: the spans in which packets come, in seconds. `unwritten`: of so many packets one is counted and not
    written. `dead_at`: from when on nothing is written. `phase`: when the watcher's first look is.
    """

    speech: Sequence[tuple[float, float]]
    unwritten: int = 0
    dead_at: float = float("inf")
    phase: float = 0.0
    told: list[tuple[float, events.Event]] = field(default_factory=list)
    refuse: Callable[[], None] = lambda: None

    def packets(self, until: float) -> int:
        return sum(int(max(0.0, min(end, until) - start) / FRAME) for start, end in self.speech)

    def size(self, at: float) -> int:
        packets = self.packets(min(at, self.dead_at))
        written = packets - (packets // self.unwritten if self.unwritten else 0)
        return 44 + written * FRAME_BYTES // STEP_BYTES * STEP_BYTES

    def play(self, seconds: float) -> list[str]:
        """Let it happen; what was told."""
        loop = HurriedLoop()
        with contextlib.closing(loop):
            loop.run_until_complete(self._play(loop, seconds))
        return [event.kind for _, event in self.told if isinstance(event, events.FileFault)]

    async def _play(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        async def count(_: str) -> Packets:
            self.refuse()
            await asyncio.sleep(0.003)
            return Packets(received=self.packets(loop.time()), sent=0)

        growth = Growth(stall=stall_seconds(PATH), growing=True, now=0.0, headed=True)
        stalls = Stalls(
            lambda event: self.told.append((loop.time(), event)),
            lambda _: "1.1",
            count,
            lambda _: growth.size,
            loop.time,
        )
        stalls.watch(commands.Watch(lane_id=LANE, path=PATH, growing=True))
        looked = self.phase - SEEN_SECONDS
        while (now := loop.time()) < seconds:
            if now - looked >= SEEN_SECONDS:
                looked, before = now, growth.size
                growth.look(Sight(inode=1, size=self.size(now)), now)
                if growth.size > before:
                    stalls.grew(LANE)
            for kind in growth.judge(now):
                stalls.heard(events.FileFault(at=now, lane_id=LANE, kind=kind))
            await asyncio.sleep(JUDGE_SECONDS)
        stalls.unwatch(commands.Unwatch(lane_id=LANE))
        await asyncio.sleep(0)


def spans(turns: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Turns of talk and silence, as the spans of talk."""
    found, at = [], 0.0
    for talk, silence in turns:
        found.append((at, at + talk))
        at += talk + silence
    return found


turns = st.lists(st.tuples(st.floats(0.3, 25.0), st.floats(0.1, 12.0)), min_size=1, max_size=8)


@settings(max_examples=120, deadline=None)
@given(turns=turns, unwritten=st.sampled_from([0, 30, 50]), phase=st.floats(0.0, SEEN_SECONDS))
def test_a_file_that_grows_as_sound_comes_is_never_told(
    turns: list[tuple[float, float]], unwritten: int, phase: float
) -> None:
    """Whenever people pause, and however the looks fall."""
    line = Line(spans(turns), unwritten=unwritten, phase=phase)
    assert line.play(sum(map(sum, turns))) == []


@settings(max_examples=80, deadline=None)
@given(dead_at=st.floats(0.0, 90.0), phase=st.floats(0.0, SEEN_SECONDS))
def test_in_a_steady_call_a_stall_is_told_within_three_seconds_and_a_look(
    dead_at: float, phase: float
) -> None:
    """Counted from what the disk got last: what waits in Asterisk's buffer is no sign of life."""
    line = Line([(0.0, 120.0)], dead_at=dead_at, phase=phase)
    assert line.play(dead_at + 8.0) == ["stalled"]
    step = STEP_BYTES / 16000
    last_growth = dead_at // step * step
    assert line.told[-1][0] - last_growth <= 3.0 + SEEN_SECONDS + 2 * JUDGE_SECONDS


def test_a_stall_after_a_silence_is_told() -> None:
    line = Line([(0.0, 5.0), (15.0, 40.0)], dead_at=15.0)
    assert line.play(40.0) == ["stalled"]
    assert line.told[-1][0] <= 15.0 + 3.5


def test_what_is_counted_and_not_written_does_not_add_up() -> None:
    """An hour on a line that loses one packet in thirty of what Asterisk 16 should write, then a pause."""
    line = Line([(0.0, 3600.0), (3610.0, 3620.0)], unwritten=30)
    assert line.play(3620.0) == []


def test_a_silence_is_told_as_one() -> None:
    line = Line([(0.0, 5.0), (15.0, 20.0)])
    assert line.play(20.0) == []
    silences = [event for _, event in line.told if isinstance(event, events.LaneSilent)]
    assert sum(event.ms for event in silences) == pytest.approx(10_000, abs=3_500)


def test_a_channel_that_is_gone_is_no_stall() -> None:
    line = Line([(0.0, 5.0)])

    def refuse() -> None:
        raise ActionRefused("No such channel")

    line.refuse = refuse
    assert line.play(15.0) == []


def test_while_asterisk_does_not_answer_nothing_is_said() -> None:
    line = Line([(0.0, 30.0)], dead_at=5.0)

    def refuse() -> None:
        raise AmiError("timeout")

    line.refuse = refuse
    assert line.play(15.0) == []


def test_a_channel_without_packets_of_its_own_is_believed_the_file() -> None:
    async def none(_: str) -> None:
        return None

    told: list[events.Event] = []

    async def ask() -> None:
        stalls = Stalls(told.append, lambda _: "1.1", none, lambda _: 0, lambda: 0.0)
        stalls.watch(commands.Watch(lane_id=LANE, path=PATH, growing=True))
        stalls.heard(events.FileFault(at=0.0, lane_id=LANE, kind="stalled"))
        await asyncio.sleep(0.05)

    run: Coroutine[Any, Any, None] = ask()
    asyncio.run(run)
    assert [event.kind for event in told if isinstance(event, events.FileFault)] == ["stalled"]
