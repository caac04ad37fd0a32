"""A disk that became full a moment ago, while nobody knows it yet: what a lane lacks was no silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorderd.archive import mixdown
from recorderd.archive.lanes import Found
from recorderd.core import commands
from tests.archive.sounds import RATE, mix_lane, ramp, write_lane
from tests.small_disk import mounted

T0 = 1_795_000_000.0
ROOM, FULL = "size=8m", "size=80k"


def found(folder: Path, options: str, *, spoken: float, bridged: float) -> Found:
    """What the mixer finds of a lane that Asterisk closed, on such a disk."""
    with mounted(folder / "lanes", options) as disk:
        lane = mix_lane(write_lane(disk / "lane.wav", ramp(round(spoken * RATE))), grew=((T0, T0 + bridged),))
        mix = commands.Mix(
            recording_id="r1", path=str(folder / "mix.wav"), timeline=lane.stretches, lanes=(lane,)
        )
        (one,) = mixdown.run(mix, now=lambda: T0 + 1000, sleep=lambda _: None).found
    return one


@pytest.mark.parametrize(("options", "whole", "heard_until"), [(ROOM, True, 5.0), (FULL, False, 3.0)])
def test_a_file_that_is_too_short_has_lost_its_end(
    options: str, whole: bool, heard_until: float, tmp_path: Path
) -> None:
    lane = found(tmp_path, options, spoken=3.0, bridged=5.0)
    last = lane.pieces[-1]
    assert lane.closed is whole
    assert lane.pieces[0].start == pytest.approx(T0)
    assert last.start + last.frames / RATE == pytest.approx(T0 + heard_until)


def test_one_that_is_long_enough_is_whole(tmp_path: Path) -> None:
    assert found(tmp_path, FULL, spoken=3.0, bridged=3.0).closed
