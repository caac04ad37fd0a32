"""The ear is only worth what it notices: every fault that a recording can have is made here on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from tests.live.signals import (
    CYCLE,
    FRAME,
    Samples,
    Signal,
    ambiguous,
    astray,
    audible_ms,
    doubled,
    frames_of,
    hear,
    hold_music,
    holes_ms,
    missing,
    missing_ms,
    ulaw_decode,
    ulaw_encode,
)


def through_ulaw(samples: Samples) -> Samples:
    return ulaw_decode(ulaw_encode(samples))


def mix(length_ms: int, *parts: tuple[float, Samples]) -> Samples:
    """Each part laid in at its millisecond, summed with saturation."""
    total = np.zeros(length_ms * 8, np.int32)
    for at_ms, part in parts:
        start = round(at_ms * 8)
        total[start : start + len(part)] += part[: len(total) - start]
    return np.clip(total, -32768, 32767).astype(np.int16)


def silence(ms: float) -> Samples:
    return np.zeros(round(ms * 8), np.int16)


def test_neighbouring_frames_never_have_the_same_tone_even_where_the_cycle_closes():
    for number in [*range(2000), *range(CYCLE - 5, CYCLE + 5)]:
        assert Signal(0).frame(number) != Signal(0).frame(number + 1)


@pytest.mark.parametrize("voice", range(8))
def test_a_whole_voice_is_heard_whole_and_no_other_voice_is(voice):
    heard = hear(through_ulaw(Signal(voice).frames(1000, 200)))
    (run,) = heard.pop(voice)
    assert (run.first, run.last) == (1000, 1199)
    assert run.start_ms == pytest.approx(0, abs=0.2)
    assert run.end_ms == pytest.approx(4000, abs=0.5)
    assert all(runs == [] for runs in heard.values())


@pytest.mark.parametrize("at_ms", [0, 3, 7.5, 10, 133.125])
def test_the_place_in_the_sound_is_told_at_any_offset(at_ms):
    (run,) = hear(mix(4000, (at_ms, Signal(2).frames(500, 100))), [2])[2]
    assert run.start_ms == pytest.approx(at_ms, abs=0.3)
    assert (run.first, run.last) == (500, 599)


@pytest.mark.parametrize("lost", [0, 1, 57, 98])
def test_a_silent_hole_of_one_frame_is_found(lost):
    sound = Signal(3).frames(7000, 100).copy()
    sound[lost * FRAME : (lost + 1) * FRAME] = 0
    runs = hear(through_ulaw(sound), [3], near=7000)[3]
    assert missing(runs, range(7000, 7100)) == [7000 + lost]


@pytest.mark.parametrize("lost", [13, 57])
def test_a_frame_that_was_cut_out_is_found(lost):
    signal = Signal(3)
    sound = np.concatenate([signal.frames(0, lost), signal.frames(lost + 1, 99 - lost)])
    runs = hear(sound, [3])[3]
    assert missing(runs, range(100)) == [lost]
    assert holes_ms(runs, range(100)) == 20


@pytest.mark.parametrize("voices", [(2, 3), (0, 1), (4, 6), (1, 5)])
@pytest.mark.parametrize("samples", [10, 30, 90, 115])
def test_another_voice_at_another_boundary_cuts_no_voice_in_pieces(voices, samples):
    one, other = (Signal(voice) for voice in voices)
    sound = mix(4700, (20, one.frames(357, 231)), (samples / 8, other.frames(356, 232)))
    heard = hear(through_ulaw(sound), voices)
    assert [(run.first, run.last) for runs in heard.values() for run in runs] == [(357, 587), (356, 587)]


def test_a_shift_of_40_ms_in_the_middle_is_found():
    signal = Signal(4)
    sound = mix(3000, (0, signal.frames(0, 50)), (1040, signal.frames(50, 50)))
    first, second = hear(sound, [4])[4]
    assert (first.first, first.last, second.first, second.last) == (0, 49, 50, 99)
    assert second.start_ms - first.end_ms == pytest.approx(40, abs=1)


@pytest.mark.parametrize("shift_ms", [3.5, 7, 11])
def test_a_shift_that_is_no_whole_frame_is_found(shift_ms):
    signal = Signal(4)
    sound = mix(3000, (0, signal.frames(0, 50)), (1000 + shift_ms, signal.frames(50, 50)))
    runs = hear(sound, [4])[4]
    assert runs[-1].last == 99
    assert runs[-1].end_ms == pytest.approx(2000 + shift_ms, abs=1)
    assert len(runs) > 1


def test_a_doubled_frame_is_found():
    signal = Signal(1)
    sound = np.concatenate([signal.frames(0, 40), signal.frames(39, 40)])
    assert doubled(hear(sound, [1])[1]) == [39]


@pytest.mark.parametrize(("cut_start_ms", "cut_end_ms"), [(8, 0), (0, 12), (14, 7)])
def test_cut_edges_are_measured(cut_start_ms, cut_end_ms):
    sound = Signal(5).frames(300, 60)[cut_start_ms * 8 : len(Signal(5).frames(300, 60)) - cut_end_ms * 8]
    (run,) = hear(through_ulaw(sound), [5])[5]
    assert run.length_ms == pytest.approx(1200 - cut_start_ms - cut_end_ms, abs=3)


def test_an_absent_voice_is_loudly_absent():
    runs = hear(through_ulaw(Signal(0).frames(0, 500)), [1])[1]
    assert runs == []
    assert missing_ms(runs, range(500)) == 10_000
    with pytest.raises(AssertionError):
        assert missing_ms(runs, range(500)) == 0


@pytest.mark.parametrize("offsets", [(0, 0), (0, 10), (3, 16.5), (250, 261)])
def test_two_voices_in_one_mix_are_told_apart(offsets):
    sounds = [through_ulaw(Signal(voice).frames(900, 150)) for voice in (0, 1)]
    heard = hear(through_ulaw(mix(4000, *zip(offsets, sounds, strict=True))))
    for voice, at in enumerate(offsets):
        (run,) = heard[voice]
        assert (run.first, run.last) == (900, 1049)
        assert run.start_ms == pytest.approx(at, abs=0.5)
    assert all(heard[voice] == [] for voice in range(2, 8))


@pytest.mark.parametrize("seed", range(12))
def test_four_voices_at_any_offsets_are_told_apart(seed):
    rng = np.random.default_rng(seed)
    voices = rng.permutation(8)[:4]
    parts = [
        (rng.integers(0, 400) / 8, int(voice), int(rng.integers(0, CYCLE - 400)), int(rng.integers(100, 300)))
        for voice in voices
    ]
    sound = mix(7000, *((at, through_ulaw(Signal(v).frames(first, n))) for at, v, first, n in parts))
    heard = hear(through_ulaw(sound))
    for at, voice, first, count in parts:
        assert missing(heard[voice], range(first, first + count)) == []
        assert len(heard[voice]) == 1
        assert heard[voice][0].start_ms == pytest.approx(at, abs=0.5)
    for voice in set(range(8)) - {int(v) for v in voices}:
        assert heard[voice] == []


@pytest.mark.parametrize("seed", range(6))
def test_a_hole_in_one_of_four_voices_is_found_and_the_others_stay_whole(seed):
    rng = np.random.default_rng(100 + seed)
    voices = [int(voice) for voice in rng.permutation(8)[:4]]
    sounds = {voice: Signal(voice).frames(2000, 200).copy() for voice in voices}
    lost = int(rng.integers(20, 180))
    sounds[voices[0]][lost * FRAME : (lost + 1) * FRAME] = 0
    parts = [(rng.integers(0, 160) / 8, sounds[voice]) for voice in voices]
    heard = hear(through_ulaw(mix(4300, *parts)), near=2000)
    assert missing(heard[voices[0]], range(2000, 2200)) == [2000 + lost]
    for voice in voices[1:]:
        assert missing(heard[voice], range(2000, 2200)) == []


def test_a_late_piece_after_a_minute_keeps_its_numbers():
    signal = Signal(6)
    sound = mix(70_000, (0, signal.frames(100, 500)), (62_003, signal.frames(3150, 300)))
    first, second = hear(sound, [6])[6]
    assert (first.first, first.last) == (100, 599)
    assert (second.first, second.last) == (3150, 3449)


def test_single_frames_are_found_when_asked_for():
    sound = mix(1000, (333, Signal(0).frames(40, 1)))
    assert hear(sound, [0])[0] == []
    (run,) = hear(sound, [0], at_least=1, near=40)[0]
    assert run.start_ms == pytest.approx(333, abs=1)
    assert audible_ms([run]) == pytest.approx(20, abs=1)


def test_forbidden_frames_are_counted():
    runs = hear(Signal(0).frames(0, 100), [0])[0]
    assert audible_ms(runs, range(95, 200)) == 100
    assert frames_of(runs) == list(range(100))


@pytest.mark.parametrize("apart_ms", range(0, 20, 2))
def test_two_voices_at_boundaries_of_their_own_are_no_hold_music(apart_ms):
    sound = mix(16_100, (0, Signal(1).frames(3000, 800)), (apart_ms, Signal(2).frames(3000, 800)))
    assert max((until - since for since, until in hold_music(through_ulaw(sound))), default=0.0) < 20.0


def test_hold_music_is_no_voice_and_is_heard_as_hold_music():
    at = np.arange(8000) / 8000
    tone = np.round(5000 * np.sin(2 * np.pi * 450 * at)).astype(np.int16)
    sound = mix(3000, (0, Signal(0).frames(0, 150)), (1000, tone))
    assert all(runs == [] for voice, runs in hear(sound).items() if voice)
    ((start, end),) = hold_music(sound)
    assert start == pytest.approx(1000, abs=15)
    assert end == pytest.approx(2000, abs=15)


def test_silence_and_nothing_have_no_voices():
    assert all(runs == [] for runs in hear(silence(1000)).values())
    assert all(runs == [] for runs in hear(silence(0)).values())


def test_noise_has_no_voices():
    noise = np.random.default_rng(1).normal(0, 3000, 80_000).astype(np.int16)
    assert all(runs == [] for runs in hear(noise).values())


@pytest.mark.parametrize("closed_up", [True, False])
def test_frames_keep_their_numbers_through_5_percent_of_loss(closed_up):
    """A frame alone between two lost ones may be told amiss: three of 1,500, over a dozen sounds."""
    signal, amiss, wrong, sounds = Signal(2), 0, 0, 12
    for seed in range(sounds):
        rng = np.random.default_rng(seed)
        kept = [number for number in range(5000, 6500) if rng.random() > 0.05]
        if closed_up:
            sound = np.concatenate([signal.frames(number, 1) for number in kept])
        else:
            sound = mix(30_000, *((20 * (number - 5000), signal.frames(number, 1)) for number in kept))
        runs = hear(through_ulaw(sound), [2], near=4990)[2]
        heard = frames_of(runs)
        amiss += len(missing(runs, kept))
        wrong += len(set(heard) - set(kept))
        assert heard == sorted(heard)
    assert amiss <= 3 * sounds
    assert wrong <= 3 * sounds


def test_frames_at_a_seam_that_sound_like_others_are_told_as_ambiguous():
    """Those of 6480 to 6497, cut off where 6733 follows, are heard as 6728 to 6732, which nobody may keep."""
    voice = Signal(1)
    talk = (voice.frames(6190, 210), silence(280), voice.frames(6480, 18)[:-50], voice.frames(6733, 211))
    runs = hear(np.concatenate([*talk, silence(100)]), [1], near=6189)[1]
    taken_for = set(frames_of(runs)) - {*range(6190, 6400), *range(6480, 6498), *range(6733, 6944)}
    assert taken_for == set(range(6728, 6733)), "what this is about"
    assert ambiguous(runs) == taken_for


def test_frames_away_from_a_seam_and_a_seam_of_neighbours_are_certain():
    voice = Signal(1)
    whole = hear(np.concatenate([voice.frames(100, 40), silence(100)]), [1], near=100)[1]
    assert ambiguous(whole) == set()
    apart = np.concatenate([voice.frames(100, 30), silence(200), voice.frames(140, 30), silence(100)])
    assert ambiguous(hear(apart, [1], near=100)[1]) == set()


@pytest.mark.parametrize(
    ("first", "before", "lost", "cut", "second"),
    [
        (2887, 199, 8, (7, 94, 83), 3385),
        (4431, 202, 4, (5, 14, 64), 4906),
        (7456, 201, 2, (6, 33, 93), 7920),
        (8752, 200, 1, (6, 108, 49), 9212),
        (2390, 211, 8, (7, 88, 2), 2859),
        (8949, 211, 5, (5, 36, 14), 9467),
    ],
)
@pytest.mark.parametrize("silent", [0, 80])
def test_what_the_ear_reads_into_a_few_cut_frames_at_a_seam_is_told_as_astray(
    first: int, before: int, lost: int, cut: tuple[int, int, int], second: int, silent: int
) -> None:
    """Packets were lost just before a talk was left for seconds: of the frames there, numbers of the pause are told."""
    voice, (count, head, tail) = Signal(1), cut
    island = voice.frames(first + before + lost, count)[head : count * FRAME - tail]
    talk = (voice.frames(first, before), np.zeros(silent, np.int16), island, voice.frames(second, 200))
    runs = hear(np.concatenate([*talk, silence(100)]), [1], near=first)[1]
    said = {*range(first, first + before + lost + count + 1), *range(second - 1, second + 200)}
    wrong = set(frames_of(runs)) - said
    assert wrong <= astray(runs) | ambiguous(runs), "nothing of the pause is in this sound"


def test_120_ms_of_a_pause_are_read_where_there_are_none() -> None:
    voice = Signal(1)
    island = voice.frames(4431 + 206, 5)[14 : 5 * FRAME - 64]
    sound = np.concatenate([voice.frames(4431, 202), island, voice.frames(4906, 200), silence(100)])
    runs = hear(sound, [1], near=4431)[1]
    assert {*range(4830, 4836)} <= set(frames_of(runs)) - ambiguous(runs)


def test_frames_that_are_left_of_a_talk_with_losses_are_not_heard_as_a_dozen_others() -> None:
    """Seen: 1799 to 1803, 1807 to 1811 and 1815 to 1818, closed up, were heard as 1848 to 1862, said in the pause."""
    voice = Signal(1)
    left = [*range(1771, 1776), *range(1799, 1804), *range(1807, 1812), *range(1815, 1819)]
    talk = [voice.frames(1495, 210), silence(280), voice.frames(1725, 30), silence(220)]
    talk += [voice.frames(number, 1) for number in left]
    talk += [voice.frames(1819, 1)[:57], silence(20), voice.frames(2059, 210), silence(100)]
    runs = hear(np.concatenate(talk), [1], near=1490)[1]
    pause = {*range(1845, 2059)}
    assert not (set(frames_of(runs)) & pause) - ambiguous(runs) - astray(runs)


@pytest.mark.parametrize("extra", [2, 3, 5, 20])
@pytest.mark.parametrize("where", ["before the seam", "behind the seam", "an island"])
def test_what_was_kept_too_long_or_too_early_is_certain(where: str, extra: int) -> None:
    voice, first, second = Signal(1), 3000, 3500
    late = extra if where == "before the seam" else 0
    early = extra if where == "behind the seam" else 0
    island = voice.frames(first + 250, 20) if where == "an island" else silence(0)
    parts = (voice.frames(first, 200 + late), island, voice.frames(second - early, 200 + early))
    runs = hear(np.concatenate([*parts, silence(100)]), [1], near=first)[1]
    certain = set(frames_of(runs)) - ambiguous(runs) - astray(runs)
    forbidden = {*range(first + 200, second)}
    assert len(certain & forbidden) >= (20 if where == "an island" else extra) - 1
