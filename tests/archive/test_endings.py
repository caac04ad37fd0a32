"""When a recorder ended of whose end nobody told, as its file tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorderd.archive import wav
from recorderd.archive.endings import Growing, ends
from recorderd.core import events
from recorderd.core.rows import Interval
from tests.core.people import A, policy
from tests.core.tape import T, tape, uid
from tests.core.test_calls import ANSWER, RING
from tests.core.world import World

W = 1_795_416_000.25
STEP = 2.048


def lane(path: Path, frames: int, *, closed: bool, written: float = W) -> str:
    """So much sound, last written to at `written`; its header knows no length unless it was `closed`."""
    path.write_bytes(wav.header(8000, frames if closed else 0) + bytes(2 * frames))
    os.utime(path, (written, written))
    return str(path)


def left_by_a_dead_asterisk(path: Path, made: float, grew: list[list[float | None]], died: float) -> str:
    """A file made then, that grew so until `died`: whole steps of it are on the disk, each since it was full."""
    steps, written, taken = 0, made, 0.0
    for start, end in grew:
        length = min(end or died, died) - start
        while (steps + 1) * STEP <= taken + length:
            steps += 1
            written = start + steps * STEP - taken
        taken += length
    return lane(path, steps * 16384, closed=False, written=written)


@pytest.mark.parametrize(
    ("frames", "closed", "bridged_at", "died", "end"),
    [
        # Asterisk closed it at the hang-up, whatever else is known.
        (8000, True, 0.0, 0.0, W),
        (8000, True, W - 5, W + 9, W),
        # Asterisk died, and the link broke with it.
        (8000, False, W - 5, W + 1.5, W + 1.5),
        (0, False, W + 1, W + 1.5, W + 1.5),
        # The link was lost before that, or nobody was there: within one step of sound from the last write on.
        (8000, False, W - 5, 0.0, W + STEP),
        (8000, False, W - 5, W - 0.5, W + STEP),
        # Of sound: while the channel was alone, nothing was taken.
        (0, False, W + 60, 0.0, W + 60 + STEP),
        (8000, False, W + 60, W - 0.5, W + 60 + STEP),
        (0, False, 0.0, 0.0, W + STEP),
    ],
)
def test_nobody_can_have_talked_after_the_end_that_a_file_tells(
    tmp_path: Path, frames: int, closed: bool, bridged_at: float, died: float, end: float
) -> None:
    path = lane(tmp_path / "a.wav", frames, closed=closed)
    assert ends({"a": Growing(path=path, bridged_at=bridged_at)}, died) == {"a": pytest.approx(end)}


@pytest.mark.parametrize("name", ["missing.wav", "no-sound.wav"])
def test_a_file_that_tells_nothing_is_not_guessed_at(tmp_path: Path, name: str) -> None:
    (tmp_path / "no-sound.wav").write_bytes(b"not a wav")
    assert ends({"a": Growing(path=str(tmp_path / name))}, W) == {}


@given(
    ring=st.floats(0.01, 120.0),
    talk=st.floats(0.3, 9.0),
    pause=st.none() | st.floats(0.1, 60.0),
    deaf=st.just(0.0) | st.floats(2.2, 6.0),
    restarted=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_no_moment_of_a_talk_in_which_asterisk_died_lies_outside_of_the_ledger(
    tmp_path_factory: pytest.TempPathFactory,
    ring: float,
    talk: float,
    pause: float | None,
    deaf: float,
    restarted: bool,
) -> None:
    """The link broke with it, or had been gone for longer than a step, or recorderd itself was not there."""
    world = World(policy(default=A))
    world.play(tape(RING))
    world.wait(ring)
    world.play(tape(ANSWER, start=world.now))
    if pause is not None:
        world.wait(1.5)
        world.play(tape("leave 101-00 B1\nleave 102-01 B1", start=world.now))
        world.wait(pause)
        world.play(tape("enter 101-00 B2\nenter 102-01 B2", start=world.now))
    world.wait(talk)
    if restarted:
        world.die()
    else:
        world.lose_link()
    lost = world.now
    world.wait(deaf)
    died, files = world.now, {}
    for uniqueid, channel in world.truth.channels.items():
        (monitor,) = channel.monitors
        made = T if uniqueid == uid("101-00") else monitor.written[0][0]
        path = tmp_path_factory.mktemp("lane") / "lane.wav"
        files[uniqueid] = left_by_a_dead_asterisk(path, made, monitor.written, died)
    world.truth.channels.clear()
    world.wait(5.0)
    if restarted:
        world.take_up()
    growing = {u: Growing(path=file, bridged_at=world.engine.grows_since(u)) for u, file in files.items()}
    world.link_up = True
    told = ends(growing, 0.0 if restarted else lost)
    world.hear(events.Resync(at=world.now, channels=(), ended=told))
    world.wait(3.0)
    last = max(i.ended_at or 0.0 for i in world.saved(Interval) if isinstance(i, Interval))
    assert died - 0.01 <= last <= died + STEP + 0.01
