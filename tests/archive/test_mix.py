"""Where every sample of a lane lands in the mix, and which never do. Pure: no files.

A lane's samples tell their own place in it (`sounds.ramp`), so that each sample of a mix tells when it was
spoken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorderd.archive import lanes, mix
from recorderd.core import commands
from tests.archive.sounds import mix_lane, ramp, stretches

T0 = 1_795_000_000.0
EDGE = lanes.EDGE_SECONDS
Pairs = tuple[tuple[float, float], ...]


@dataclass
class Voice:
    samples: np.ndarray

    def read(self, first: int, count: int) -> np.ndarray:
        assert first >= 0
        assert count >= 0
        return self.samples[first : first + count]


def since(*pairs: tuple[float, float]) -> Pairs:
    return tuple((T0 + start, T0 + end) for start, end in pairs)


def render(
    timeline: Pairs,
    *voices: tuple[commands.MixLane, np.ndarray, int],
    anchors: tuple[lanes.Anchor, ...] = (),
    closed: bool = True,
) -> tuple[np.ndarray, int]:
    """The mix of these voices and its rate; the anchors are the first one's."""
    found = [
        lanes.find(lane, len(samples), rate, anchors=() if index else anchors, closed=closed)
        for index, (lane, samples, rate) in enumerate(voices)
    ]
    rate = mix.mix_rate(found)
    line = stretches(*timeline)
    placements = [
        placement
        for each, (_, samples, _) in zip(found, voices, strict=True)
        for placement in mix.place(each, Voice(samples), line, rate)
    ]
    total = mix.mix_frames(line, rate)
    blocks = list(mix.blocks(placements, total, rate))
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.int16)), rate


def one(
    timeline: Pairs,
    *,
    grew: Pairs,
    keep: Pairs | None = None,
    frames: int,
    anchors: dict[float, int] | None = None,
    closed: bool = True,
) -> list[int]:
    """The mix of a single lane of 1,000 samples a second; `anchors` are seconds and samples by then."""
    known = tuple(lanes.Anchor(at=T0 + at, frames=known) for at, known in (anchors or {}).items())
    lane = mix_lane("x.wav", grew=grew, keep=keep)
    mixed, _ = render(timeline, (lane, ramp(frames), 1000), anchors=known, closed=closed)
    return mixed.tolist()


def test_a_lane_of_one_stretch_is_the_mix():
    assert one(since((0, 5)), grew=since((0, 5)), frames=5000) == list(range(1, 5001))


def test_a_lane_that_starts_later_lies_later():
    heard = one(since((0, 5)), grew=since((2, 4)), frames=2000)
    assert heard == [0] * 2000 + list(range(1, 2001)) + [0] * 1000


def test_time_in_no_bridge_is_a_gap_unless_the_time_line_leaves_it_out():
    grew = since((0, 2), (3, 5))
    assert one(since((0, 5)), grew=grew, frames=4000) == [
        *range(1, 2001), *[0] * 1000, *range(2001, 4001)
    ]  # fmt: skip
    assert one(since((0, 2), (3, 5)), grew=grew, frames=4000) == list(range(1, 4001))


def test_an_edge_between_what_may_be_heard_and_what_may_not_moves_inwards():
    margin = round(EDGE * 1000)
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((0, 2), (3, 5)), frames=5000)
    assert heard == [
        *range(1, 2001 - margin), *[0] * (1000 + 2 * margin), *range(3001 + margin, 5001)
    ]  # fmt: skip


def test_a_forbidden_stretch_guards_the_edges_of_its_neighbours_in_the_file():
    margin = round(EDGE * 1000)
    grew = since((0, 2), (10, 12), (20, 22))
    heard = one(grew, grew=grew, keep=since((0, 2), (20, 22)), frames=6000)
    assert heard == [
        *range(1, 2001 - margin), *[0] * (2000 + 2 * margin), *range(4001 + margin, 6001)
    ]  # fmt: skip


def test_a_few_milliseconds_between_two_channels_cost_nothing_but_themselves():
    grew = since((0, 2), (3, 5))
    heard = one(since((0, 5)), grew=grew, keep=since((0.003, 1.99), (3.01, 4.997)), frames=4000)
    assert heard == [
        *[0] * 3, *range(4, 1991), *[0] * 1020, *range(2011, 3998), *[0] * 3
    ]  # fmt: skip


def test_a_margin_may_reach_through_a_short_run_into_the_next():
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((2, 2.03), (2.04, 5)), frames=5000)
    assert heard == [*[0] * 2050, *range(2051, 5001)]


def test_where_time_is_lacking_only_what_was_surely_spoken_inside_is_left():
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((0, 2)), frames=4000)
    assert heard == [*range(1, 2001 - 50 - 1000), *[0] * (3000 + 1050)]
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((3, 5)), frames=4000)
    assert heard == [*[0] * 4050, *range(3051, 4001)]


def test_what_a_frozen_disk_cost_is_lacking_just_before_its_thaw():
    """Not in the middle, as where nothing is known: what Asterisk could not write was said last."""
    lane = replace(mix_lane("x.wav", grew=since((0, 5)), keep=since((0, 5))), thawed_at=T0 + 4)
    mixed, _ = render(since((0, 5)), (lane, ramp(4000), 1000), anchors=(), closed=True)
    assert mixed.tolist() == [*range(1, 3001), *[0] * 1000, *range(3001, 4001)]


def test_a_file_too_long_loses_its_end_and_is_cut_for_what_it_may_have_twice():
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((2, 5)), frames=5500)
    assert heard == [*[0] * 2550, *range(2551, 5001)]


def test_a_file_a_little_too_long_is_cut_for_what_it_may_have_twice():
    heard = one(since((0, 5)), grew=since((0, 5)), keep=since((2, 5)), frames=5051)
    assert heard == [*[0] * 2101, *range(2102, 5001)]


def test_a_few_lost_packets_are_spread_and_one_silence_is_a_gap_in_the_middle():
    heard = one(since((0, 5)), grew=since((0, 5)), frames=4850)
    assert heard == [*range(1, 1617), *[0] * 75, *range(1617, 3234), *[0] * 75, *range(3234, 4851)]
    heard = one(since((0, 5)), grew=since((0, 5)), frames=4000)
    assert heard == [*range(1, 2001), *[0] * 1000, *range(2001, 4001)]


def test_sound_is_laid_where_its_file_was_seen_to_grow():
    anchors = {2.0: 2000, 5.0: 4000, 7.0: 6000}
    heard = one(since((0, 8)), grew=since((0, 8)), frames=7000, anchors=anchors)
    assert heard == [*range(1, 3001), *[0] * 1000, *range(3001, 7001)]
    assert lanes.covered_ms(
        lanes.find(
            mix_lane("x.wav", grew=since((0, 8))),
            7000,
            1000,
            anchors=[lanes.Anchor(at=T0 + at, frames=known) for at, known in anchors.items()],
        ),
        T0,
        T0 + 4,
    ) == 3000  # fmt: skip


def test_an_anchor_tells_that_a_cut_need_not_be_wider_for_time_lacking_elsewhere():
    anchors = {2.0: 2000, 5.0: 4000}
    heard = one(since((0, 8)), grew=since((0, 8)), keep=since((6, 8)), frames=7000, anchors=anchors)
    assert heard == [*[0] * 6050, *range(5051, 7001)]


def test_an_anchor_that_others_prove_wrong_is_passed_over():
    whole = list(range(1, 8001))
    for wrong in ({1.0: 4000}, {7.0: 4000}, {-9.0: 4000}, {99.0: 4000}, {3.0: 9000}, {3.0: 0}):
        anchors = {2.0: 2000, 6.0: 6000, **wrong}
        assert one(since((0, 8)), grew=since((0, 8)), frames=8000, anchors=anchors) == whole, wrong


def test_jitter_of_anchors_tears_no_hole():
    anchors = {2.02: 2000, 3.98: 4000, 6.025: 6000}
    assert one(since((0, 8)), grew=since((0, 8)), frames=7990, anchors=anchors) == [
        *range(1, 7991),
        *[0] * 10,
    ]


def test_a_killed_asterisk_costs_the_end_only():
    grew = since((0, 2), (3, 5))
    assert one(since((0, 5)), grew=grew, frames=3000, closed=False) == [
        *range(1, 2001), *[0] * 1000, *range(2001, 3001), *[0] * 1000
    ]  # fmt: skip


def test_voices_are_summed_and_saturate():
    loud = np.full(1000, 30000, np.int16)
    lane = mix_lane("x.wav", grew=since((0, 1)))
    late = mix_lane("y.wav", grew=since((0.5, 1.5)))
    mixed, _ = render(since((0, 2)), (lane, loud, 1000), (late, loud, 1000))
    assert mixed.tolist() == [30000] * 500 + [32767] * 500 + [30000] * 500 + [0] * 500
    mixed, _ = render(since((0, 2)), (lane, -loud, 1000), (late, -loud, 1000))
    assert mixed.min() == -32768


def test_the_finest_rate_wins_and_coarser_lanes_are_drawn_between_their_samples():
    wide = mix_lane("x.wav", grew=since((0, 1)))
    narrow = mix_lane("y.wav", grew=since((2, 3)))
    mixed, rate = render(since((0, 3)), (wide, ramp(2000), 2000), (narrow, ramp(1000) * 2, 1000))
    assert rate == 2000
    assert mixed[:2000].tolist() == ramp(2000).tolist()
    assert mixed[4000:].tolist() == [*range(2, 2001), 2000]


def test_resampling_never_looks_past_a_cut():
    forbidden = np.zeros(3000, np.int16)
    forbidden[1000:] = 32000
    narrow = mix_lane("y.wav", grew=since((0, 3)), keep=since((0, 1.0 + EDGE)))
    wide = mix_lane("x.wav", grew=since((5, 6)))
    mixed, _ = render(since((0, 6)), (narrow, forbidden, 1000), (wide, ramp(8000), 8000))
    assert not mixed[: 5 * 8000].any()


@pytest.mark.parametrize("frames", [1, 999])
def test_a_scanty_lane_leaves_silence(frames: int):
    heard = one(since((0, 5)), grew=since((0, 5)), frames=frames, closed=False)
    assert heard == [*range(1, frames + 1), *[0] * (5000 - frames)]


def test_an_empty_lane_leaves_silence_at_the_usual_rate():
    assert one(since((0, 5)), grew=since((0, 5)), frames=0) == [0] * (5 * mix.DEFAULT_RATE)


def test_no_time_line_no_sound():
    assert one((), grew=since((0, 5)), frames=5000) == []
    assert one(since((0, 0), (3, 2)), grew=since((0, 5)), frames=5000) == []


def test_nothing_kept_nothing_heard():
    assert not any(one(since((0, 5)), grew=since((0, 5)), keep=(), frames=5000))
    assert not any(one(since((0, 5)), grew=(), frames=5000)), "a file that should not have grown at all"


def test_coverage_tells_how_much_sound_lies_between_two_moments():
    lane = mix_lane("x.wav", grew=since((0, 2), (3, 5)))
    found = lanes.find(lane, 3500, 1000, closed=False)
    table = {(0, 2): 2000, (2, 3): 0, (1, 4): 2000, (0, 9): 3500, (4.25, 5): 250, (5, 4): 0}
    for (start, end), expected in table.items():
        assert lanes.covered_ms(found, T0 + start, T0 + end) == expected
    assert found.duration_ms == 3500
    assert lanes.covered_ms(lanes.nothing(lane, 8000, "gone"), T0, T0 + 9) == 0


# --- the law ------------------------------------------------------------------------------------

RATE = 1000


# Spans of a frame or less are no reason to widen a cut: see the table above for those.
GRAIN = 0.025


def spans(most: int) -> st.SearchStrategy[Pairs]:
    """Up to `most` disjoint spans within ten seconds, in order."""

    def paired(marks: list[int]) -> Pairs:
        marks = sorted(marks)[: len(marks) & ~1]
        return since(*((a * GRAIN, b * GRAIN) for a, b in zip(marks[::2], marks[1::2], strict=True)))

    return st.lists(st.integers(0, 400), max_size=2 * most, unique=True).map(paired)


def moments_of(stretches: Pairs, rate: int, frames: int | None = None) -> np.ndarray:
    """When each sample is spoken in a sound that holds these stretches end to end."""
    lengths = [end - start for start, end in stretches]
    places = np.arange(round(sum(lengths) * rate) if frames is None else frames) / rate
    if not stretches:
        return places
    begins = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    which = np.searchsorted(begins, places + 1e-6, side="right") - 1
    return np.array([start for start, _ in stretches])[which] + places - begins[which]


Hurts = tuple[tuple[int, int], ...]


def truth(grew: Pairs, holes: Hurts, doubles: Hurts) -> np.ndarray:
    """When each sample of the file was spoken; with stretches of it lost, or written twice."""
    spoken = moments_of(grew, RATE)
    for at, length in holes:
        spoken = np.delete(spoken, slice(at, at + length))
    for at, length in doubles:
        spoken = np.insert(spoken, min(at, len(spoken)), spoken[at : at + length])
    return spoken


hurts = st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 400)), max_size=3).map(tuple)


@settings(max_examples=300, deadline=None)
@given(
    grew=spans(4),
    keep=spans(4),
    timeline=spans(4),
    holes=hurts,
    doubles=hurts,
    which=st.booleans(),
    closed=st.booleans(),
    step=st.sampled_from([0, 100, 512]),
    late=st.floats(0, lanes.FRAME_SECONDS / 2),
)
def test_no_sample_outside_keep_is_ever_heard_and_every_other_lies_where_it_belongs(
    grew: Pairs,
    keep: Pairs,
    timeline: Pairs,
    holes: Hurts,
    doubles: Hurts,
    which: bool,
    closed: bool,
    step: int,
    late: float,
):
    spoken = truth(grew, holes if which else (), () if which else doubles)
    lane = mix_lane("x.wav", grew=grew, keep=keep)
    level = mix_lane("y.wav", grew=since((99, 100)))
    grown = range(step, len(spoken), step) if which and step else ()
    anchors = tuple(lanes.Anchor(at=spoken[frames] + late, frames=frames) for frames in grown)
    mixed, _ = render(
        timeline, (lane, ramp(len(spoken)), RATE), (level, ramp(RATE), RATE), anchors=anchors, closed=closed
    )
    assert len(mixed) == sum(round((end - start) * RATE) for start, end in timeline)

    moments = moments_of(timeline, RATE)
    heard = mixed != 0
    said = spoken[mixed[heard] - 1]
    in_keep = np.zeros(len(said), bool)
    for start, end in keep:
        in_keep |= (said > start - 1e-5) & (said < end - 1e-5)
    assert in_keep.all()

    whole = len(spoken) == sum(round((end - start) * RATE) for start, end in grew)
    if whole:
        assert np.abs(said - moments[heard]).max(initial=0.0) <= 0.001 + 1e-6
        assert missing_seconds(grew, keep, moments, heard) <= 2 * EDGE * len(keep) * (len(grew) + 1)


def missing_seconds(grew: Pairs, keep: Pairs, moments: np.ndarray, heard: np.ndarray) -> float:
    """How much of what may be heard, and is in the file and on the time line, is not heard."""
    wanted = np.zeros(len(moments), bool)
    for start, end in keep:
        for first, last in grew:
            wanted |= (moments >= max(start, first)) & (moments < min(end, last))
    return float((wanted & ~heard).sum()) / RATE


@settings(max_examples=100, deadline=None)
@given(grew=spans(5), rate=st.sampled_from([8000, 11025, 16000]), other=st.sampled_from([8000, 16000]))
def test_at_any_rates_a_sample_lands_within_a_millisecond_and_nothing_is_missing(
    grew: Pairs, rate: int, other: int
):
    frames = round(sum(end - start for start, end in grew) * rate)
    spoken = moments_of(grew, rate, frames)
    level = ((spoken - T0) * 3000 + 1).astype(np.int16)
    wide = mix_lane("w.wav", lane_id="w", grew=since((20, 20.1)))
    lane = mix_lane("x.wav", grew=grew)
    mixed, top = render(since((0, 10)), (lane, level, rate), (wide, np.zeros(other // 10, np.int16), other))
    heard = np.flatnonzero(mixed)
    moment = heard / top
    assert np.abs((mixed[heard] - 1) / 3000 - moment).max(initial=0.0) < 0.001 + 1 / 3000
    assert abs(len(heard) / top - frames / rate) < 0.002 * (len(grew) + 1)
