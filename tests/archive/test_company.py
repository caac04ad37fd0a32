"""What the mixer makes of what it is told besides: what was forbidden in a lane, and when nobody heard it."""

from __future__ import annotations

import pytest

from recorderd.archive import drift, jobs, lanes
from recorderd.core import commands

RATE = 8000
T = 1_700_000_000.0


def stretch(start: float, end: float) -> commands.Stretch:
    return commands.Stretch(start=T + start, end=T + end)


def lane(
    keep: tuple[commands.Stretch, ...],
    forbidden: tuple[commands.Stretch, ...] | None,
    alone: tuple[commands.Stretch, ...] = (),
) -> commands.MixLane:
    return commands.MixLane(
        lane_id="l",
        path="/l.wav",
        outside=False,
        stretches=(stretch(0, 10),),
        keep=keep,
        forbidden=forbidden,
        alone=alone,
    )


def heard(found: lanes.Found) -> list[tuple[float, float]]:
    """From when to when its pieces were spoken."""
    return [(round(p.start - T, 3), round(p.start - T + p.frames / RATE, 3)) for p in found.pieces]


def test_a_voice_that_goes_on_in_another_recording_loses_nothing_at_the_change() -> None:
    both = [lanes.find(lane((stretch(a, b),), ()), 10 * RATE, RATE) for a, b in ((0, 4), (4, 10))]
    assert [heard(found) for found in both] == [[(0, 4)], [(4, 10)]]


def test_next_to_what_is_forbidden_a_little_more_is_left_out() -> None:
    found = lanes.find(lane((stretch(0, 4), stretch(6, 10)), (stretch(4, 6),)), 10 * RATE, RATE)
    edge = lanes.EDGE_SECONDS
    assert heard(found) == [(0, 4 - edge), (6 + edge, 10)]


def test_where_nobody_knows_what_was_forbidden_all_that_is_not_kept_is() -> None:
    found = lanes.find(lane((stretch(0, 4), stretch(6, 10)), None), 10 * RATE, RATE)
    edge = lanes.EDGE_SECONDS
    assert heard(found) == [(0, 4 - edge), (6 + edge, 10)]


def test_what_was_written_after_the_order_to_stop_is_cut_off_even_if_as_much_is_lacking_before() -> None:
    """The tail of a lane that a *never* ended: 100 ms are lacking somewhere, 80 ms were written too many."""
    tail = commands.MixLane(
        lane_id="l",
        path="/l.wav",
        outside=False,
        stretches=(stretch(0, 4.08),),
        keep=(stretch(0, 4),),
        forbidden=(stretch(4, 4.08),),
    )
    found = lanes.find(tail, round(3.98 * RATE), RATE)
    last = max(piece.first + piece.frames for piece in found.pieces)
    assert last / RATE <= 3.98 - 0.08


def test_time_that_is_lacking_is_lacking_where_nobody_was_there() -> None:
    """500 of 513 ms alone in a bridge were not written: what was said before and after lies right."""
    told = lane((stretch(0, 3), stretch(3.513, 10)), (), (stretch(3, 3.513),))
    found = lanes.find(told, round(9.5 * RATE), RATE)
    spans = heard(found)
    assert spans[0] == (0, 3)
    assert spans[-1][0] == pytest.approx(3.513, abs=0.001)
    assert spans[-1][1] == pytest.approx(10, abs=0.001)


def test_lacking_time_is_shared_by_all_who_were_times_alone() -> None:
    parts = drift.parts((), drift.Knot(10, 8 * RATE), RATE, closed=True, alone=((1, 2), (5, 6)))
    assert [(part.first / RATE, part.last / RATE, part.offset) for part in parts] == [
        (0, 1, 0),
        (1, 4, 1),
        (4, 8, 2),
    ]


def test_sound_that_comes_a_little_early_is_not_dropped() -> None:
    knots = (drift.Knot(2.01, round(2.048 * RATE)),)
    parts = drift.parts(knots, drift.Knot(4.0, round(4.02 * RATE)), RATE, closed=True)
    assert sum(part.last - part.first for part in parts) >= round(4.0 * RATE)


def test_a_job_carries_both() -> None:
    for forbidden in (None, (), (stretch(1, 2),)):
        job = commands.Mix(
            recording_id="r",
            path="/m.wav",
            timeline=(stretch(0, 1),),
            lanes=(lane((stretch(0, 1),), forbidden, (stretch(3, 4),)),),
        )
        assert jobs.load_mix(jobs.dump_mix(job)) == job
