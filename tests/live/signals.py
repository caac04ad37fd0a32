"""Voices that can be recognised, and what a test asks of them.

The whole kit under one name: speaking is in `voices`, the ear in `hearing`; here stand the questions about
what was heard: what is missing, doubled, displaced, or audible although it must not be. Frames are named by
their numbers; a telephone's clock tells when each was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from tests.live.hearing import hear, hold_music
from tests.live.numbering import CYCLE, tone_of
from tests.live.placing import Run
from tests.live.voices import (
    FRAME,
    FRAME_MS,
    HOLD_TONE_HZ,
    RATE,
    VOICES,
    Samples,
    Signal,
    load,
    ulaw_decode,
    ulaw_encode,
)

# So many frames in a row have one place in the hour (`numbering`).
_SURE = 12

__all__ = [
    "CYCLE",
    "FRAME",
    "FRAME_MS",
    "HOLD_TONE_HZ",
    "RATE",
    "VOICES",
    "Run",
    "Samples",
    "Signal",
    "ambiguous",
    "astray",
    "audible_ms",
    "doubled",
    "frames_of",
    "hear",
    "hold_music",
    "holes_ms",
    "load",
    "missing",
    "missing_ms",
    "offsets_ms",
    "tone_of",
    "ulaw_decode",
    "ulaw_encode",
]


def frames_of(runs: Iterable[Run]) -> list[int]:
    """The numbers of the frames in `runs`, in the order of the sound; a doubled frame comes twice."""
    known = [run for run in runs if run.first >= 0]
    return [(run.first + i) % CYCLE for run in known for i in range((run.last - run.first) % CYCLE + 1)]


def ambiguous(runs: Sequence[Run]) -> set[int]:
    """Frames at a seam of two runs whose tones are just those of the frames that the other run would go on with.

    A voice has four tones: some frames in a row sound like others of another time, and the ear gives them to either.
    """
    found: set[int] = set()
    for before, after in pairwise(run for run in runs if run.first >= 0):
        if after.begins_ms - before.end_ms > FRAME_MS / 2:
            continue
        shared = round((before.end_ms - after.begins_ms) / FRAME_MS)
        # `after` begins where `before` has, or would have, this frame.
        there = before.last + 1 - shared
        if there % CYCLE == after.first % CYCLE:
            continue
        for towards, frame in ((1, 0), (-1, -1)):
            while tone_of((after.first + frame) % CYCLE) == tone_of((there + frame) % CYCLE):
                found.add((after.first + frame if towards > 0 else there + frame) % CYCLE)
                frame += towards
    return found


def astray(runs: Sequence[Run]) -> set[int]:
    """Frames in pieces too short to be known by their tones that do not lie where their numbers would.

    At a seam, where a frame is cut or lost, the ear finds numbers for a handful of frames somewhere else, seconds
    away: five tones fit in one place of three hundred. Where they lie in the sound, by the nearest pieces whose
    numbers are beyond doubt, tells whether they are there.
    """
    numbered = [run for run in runs if run.first >= 0]
    sure = [i for i, run in enumerate(numbered) if _length(run) >= _SURE]
    found: set[int] = set()
    for i, run in enumerate(numbered):
        if i in sure:
            continue
        beside = [*[j for j in sure if j < i][-1:], *[j for j in sure if j > i][:1]]
        if not any(abs(_apart_ms(run, numbered[j])) < FRAME_MS / 2 for j in beside):
            found.update(frames_of([run]))
    return found


def _length(run: Run) -> int:
    return (run.last - run.first) % CYCLE + 1


def _apart_ms(run: Run, other: Run) -> float:
    """How far `run` lies from where it would, if time ran from `other` to it as it did on the wall."""
    frames = (run.first - other.first + CYCLE // 2) % CYCLE - CYCLE // 2
    return run.begins_ms - other.begins_ms - FRAME_MS * frames


def missing(runs: Iterable[Run], said: Iterable[int]) -> list[int]:
    """Those of the frames `said` that are not in `runs`."""
    heard = set(frames_of(runs))
    return [number for number in said if number % CYCLE not in heard]


def missing_ms(runs: Iterable[Run], said: Iterable[int]) -> float:
    """Milliseconds of the frames `said` that are not in `runs`."""
    return FRAME_MS * len(missing(runs, said))


def holes_ms(runs: Iterable[Run], said: Iterable[int]) -> float:
    """Like `missing_ms`, but only between the first and the last frame heard: edges do not count."""
    listed = list(runs)
    heard = frames_of(listed)
    if not heard:
        return 0.0
    return FRAME_MS * sum(1 for number in missing(listed, said) if heard[0] < number < heard[-1])


def audible_ms(runs: Iterable[Run], forbidden: Iterable[int] | None = None) -> float:
    """Milliseconds heard; with `forbidden` only of those frames."""
    listed = list(runs)
    if forbidden is None:
        return sum(run.length_ms for run in listed)
    banned = {number % CYCLE for number in forbidden}
    return FRAME_MS * sum(1 for number in frames_of(listed) if number in banned)


def doubled(runs: Iterable[Run]) -> list[int]:
    """Numbers of the frames that are in the sound more than once."""
    heard = frames_of(runs)
    seen: set[int] = set()
    return [number for number in heard if number in seen or seen.add(number)]  # type: ignore[func-returns-value]


def offsets_ms(runs: Iterable[Run]) -> list[tuple[int, float]]:
    """For each run: its first frame, and how far right of 20 ms times that number it lies in the sound.

    Where time runs in the sound as it ran on the wall, all are the same.
    """
    return [(run.first, run.begins_ms - run.first * FRAME_MS) for run in runs if run.first >= 0]
