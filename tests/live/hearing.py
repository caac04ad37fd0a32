"""The ear: which frames of which voice are in a sound, and where.

`hear` takes any sound at 8 kHz, a mono mix of up to four of the eight voices, and must not know how it was
made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.live.numbering import CYCLE, TONES, numbered, tone_of
from tests.live.placing import HOP, Levels, Piece, Run, sharpened, with_edges
from tests.live.voices import AMPLITUDE, FRAME, FRAME_MS, HOLD_TONE_HZ, RATE, VOICES, Samples, frequency

_PRESENT = 0.5
_BLOCK = 400 * 150  # hops looked at at once, a minute; 400 hops hold whole cycles of 50 Hz multiples


def hear(
    samples: Samples, voices: Iterable[int] = range(VOICES), *, at_least: int = 2, near: int | None = None
) -> dict[int, list[Run]]:
    """Who is audible when: for each of `voices` its runs in the order of the sound, [] when it is silent.

    Runs of fewer than `at_least` frames are taken for noise. `near` is a frame number expected near the
    beginning: it tells short runs their numbers.
    """
    padded = np.concatenate([samples, np.zeros(2 * FRAME, np.int16)]).astype(np.float32)
    wanted = list(voices)
    levels = _levels(padded, wanted)
    return {
        voice: _runs_of(levels[:, 4 * i : 4 * i + 4], samples, voice, at_least, near)
        for i, voice in enumerate(wanted)
    }


def hold_music(samples: Samples) -> list[tuple[float, float]]:
    """The stretches (ms) in which the hold tone sounds, to about 10 ms."""
    padded = np.concatenate([samples, np.zeros(2 * FRAME, np.int16)]).astype(np.float32)
    loud = _tone_levels(padded, [HOLD_TONE_HZ])[:, 0] > _PRESENT
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    return [(float(a) + 10, float(b) + 10) for a, b in edges.reshape(-1, 2)]


def _levels(samples: Levels, voices: Sequence[int]) -> Levels:
    """How strong each tone of each voice is in the 20 ms from each millisecond on; 1.0 is full strength."""
    return _tone_levels(samples, [frequency(voice, tone) for voice in voices for tone in range(TONES)])


def _tone_levels(samples: NDArray[np.float32], frequencies: Sequence[int]) -> Levels:
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    within = np.exp(-2j * np.pi * np.outer(np.arange(HOP) / RATE, frequencies)).astype(np.complex64)
    turns = np.outer(np.arange(400) * HOP / RATE, frequencies) % 1.0
    spin = np.tile(np.exp(-2j * np.pi * turns).astype(np.complex64), (_BLOCK // 400 + 1, 1))
    window = FRAME // HOP
    found = []
    for start in range(0, max(1, len(hops) - window + 1), _BLOCK):
        short = hops[start : start + _BLOCK + window - 1] @ within
        short *= spin[: len(short)]
        total = np.cumsum(np.concatenate([np.zeros_like(short[:1]), short]), axis=0, dtype=np.complex128)
        found.append((np.abs(total[window:] - total[:-window]) * (2 / FRAME / AMPLITUDE)).astype(np.float32))
    return np.concatenate(found)


def _runs_of(levels: Levels, samples: Samples, voice: int, at_least: int, near: int | None) -> list[Run]:
    rows = list(_frames_in_a_row(levels))
    numbers = iter(numbered([tone for _, tones in rows for tone in tones], _steps(rows), near))
    found: list[Piece] = []  # ms of the first whole frame, tones, number
    for start, tones in rows:
        for offset, piece, first in _consecutive(tones, [next(numbers) for _ in tones]):
            found += sharpened(levels, samples, voice, start + FRAME_MS * offset, piece, first)
    found.sort(key=lambda piece: piece[0])
    kept = [piece for piece in found if len(piece[1]) >= at_least]
    kept += [piece for piece in (_beside(piece, kept) for piece in found) if piece is not None]
    kept.sort(key=lambda piece: piece[0])
    runs: list[Run] = []
    for at, tones, first in kept:
        runs.append(with_edges(levels, at, tones, first, runs[-1].end_ms if runs else 0.0))
    return runs


def _steps(rows: list[tuple[int, list[int]]]) -> list[int]:
    """For each frame, how many frames later than the one before it begins in the sound (1: next to it)."""
    steps: list[int] = []
    end = 0.0
    for start, tones in rows:
        steps += [max(1, 1 + round((start - end) / FRAME_MS)), *[1] * (len(tones) - 1)]
        end = start + FRAME_MS * len(tones)
    return steps


def _consecutive(tones: list[int], numbers: list[int]) -> Iterable[tuple[int, list[int], int]]:
    """`tones` cut wherever the numbers jump: (index, tones of the piece, number of its first or -1)."""
    start = 0
    for i in range(1, len(tones) + 1):
        if i == len(tones) or numbers[i] != (numbers[i - 1] + 1 if numbers[i - 1] >= 0 else -1):
            yield start, tones[start:i], numbers[start]
            start = i


def _beside(piece: Piece, kept: list[Piece]) -> Piece | None:
    """A piece too short to stand alone, if it touches a run or lies within 200 ms of one on its grid."""
    at, tones, number = piece
    if piece in kept or not tones:
        return None
    index = bisect_left(kept, at, key=lambda other: other[0])
    for start, others, first in kept[max(0, index - 1) : index + 1]:
        touches = abs(start - at - FRAME_MS * len(tones)) < 1 or abs(start + FRAME_MS * len(others) - at) < 1
        if touches and number >= 0:
            return piece
        frames = round((at - start) / FRAME_MS)
        beside = -11 <= frames < 0 or len(others) <= frames <= len(others) + 10
        close = abs(at - start - frames * FRAME_MS) < 4
        if beside and close and first >= 0 and tone_of(first + frames) == tones[0]:
            return start + frames * FRAME_MS, tones, (first + frames) % CYCLE
    return None


def _frames_in_a_row(levels: Levels) -> Iterable[tuple[int, list[int]]]:
    """Frames that follow each other on one 20 ms grid: (millisecond of the first, their tones)."""
    loudest = levels.max(axis=1)
    tone = levels.argmax(axis=1)
    at = 0
    while at < len(loudest):
        onset = _next_onset(loudest, at)
        if onset is None:
            return
        tones: list[int] = []
        position = onset
        while position < len(loudest) and loudest[position] >= _PRESENT:
            if tones and tone[position] == tones[-1]:
                break  # a voice never says the same tone twice: a cut, or a doubled frame
            tones.append(int(tone[position]))
            position += FRAME // HOP
        yield onset, tones
        at = max(position - 8, onset + FRAME // HOP // 2)


def _next_onset(loudest: Levels, start: int) -> int | None:
    """The first millisecond from which a whole frame sounds."""
    step = FRAME // HOP
    above = np.flatnonzero(loudest[start:] >= _PRESENT + 0.1)
    if not len(above):
        return None
    first = start + int(above[0])
    # The level rises for up to 20 ms to the frame's true beginning and falls to a half at the next boundary;
    # other voices blur that, so look at the frames behind it too, as many as are there.
    frames = 1
    while frames < 10 and (loudest[first + step * frames : first + step * (frames + 1)] > 0.9).any():
        frames += 1
    grid = loudest[first : first + step * frames]
    grid = np.pad(grid, (0, step * frames - len(grid)))
    return first + int(grid.reshape(frames, step).sum(axis=0).argmax())
