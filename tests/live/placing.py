"""Where exactly a run of frames lies in a sound: to the sample, and with its cut edges.

Works on what `hearing` found roughly. `levels` are how strong each of the voice's four tones is in the 20 ms
from each millisecond on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.live.numbering import CYCLE, tone_of
from tests.live.voices import FRAME, FRAME_MS, RATE, Samples, tone_frame

HOP = 8  # the ear's time step in samples: 1 ms
_BLUR = 40  # samples: where a tone is loudest, another voice at another boundary makes a plateau of
Levels = NDArray[np.float32]
Piece = tuple[float, list[int], int]  # ms of the first whole frame, the frames' tones, its number


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one voice that follow each other without a break.

    `start_ms`, `end_ms`: where in the sound. `first`, `last`: numbers of the frames there (modulo CYCLE),
    -1 when the run is too short to tell; a frame of which less than a half is there is not counted.
    `cut_ms`: how much of the first frame's beginning is not there; negative: how much of the one before is.
    """

    start_ms: float
    end_ms: float
    first: int
    last: int
    cut_ms: float = 0.0

    @property
    def length_ms(self) -> float:
        return self.end_ms - self.start_ms

    @property
    def begins_ms(self) -> float:
        """Where frame `first` begins, or would if it were whole."""
        return self.start_ms - self.cut_ms


def sharpened(
    levels: Levels, samples: Samples, voice: int, at_ms: float, tones: list[int], first: int
) -> Iterable[Piece]:
    """The piece with its place to the sample, in two where its place jumps by less than a frame."""
    block = 8
    start = at_ms + _shift(levels, samples, voice, at_ms, tones[:block])
    for i in range(block, len(tones) - block + 1, block):
        jump = _shift(levels, samples, voice, start + FRAME_MS * i, tones[i : i + block])
        if abs(jump) > 0.3:
            cut = _where_it_jumps(samples, voice, start, start + jump, tones[: i + block], i - block)
            rest = first + cut if first >= 0 else -1
            yield start, tones[:cut], first
            if tones[cut:]:
                yield from sharpened(levels, samples, voice, start + jump + FRAME_MS * cut, tones[cut:], rest)
            return
    yield start, tones, first


def _shift(levels: Levels, samples: Samples, voice: int, at_ms: float, tones: list[int]) -> float:
    """How many ms later than `at_ms` (up to 11, either way) these tones lie; 0 for less than three."""
    if len(tones) < 3:
        return 0.0
    # First where each tone is loudest, to a millisecond and without ambiguity; then the waveform, to a
    # sample.
    rows = round(at_ms) + 20 * np.arange(len(tones))[:, None] + np.arange(-11, 12)
    rows = np.clip(rows, 0, len(levels) - 1)
    coarse = round(at_ms) - 11 + int(levels[rows, np.array(tones)[:, None]].sum(axis=0).argmax())
    said = np.frombuffer(b"".join(tone_frame(voice, tone) for tone in tones), "<i2").astype(np.float64)
    low = max(0, coarse * HOP - _BLUR)
    piece = samples[low : coarse * HOP + _BLUR + len(said)].astype(np.float64)
    if len(piece) < len(said):
        return 0.0
    match = np.correlate(piece, said, "valid")
    return (low + int(match.argmax())) * 1000 / RATE - at_ms


def _where_it_jumps(
    samples: Samples, voice: int, before_ms: float, after_ms: float, tones: list[int], earliest: int
) -> int:
    """The index of the first frame that lies on the later grid rather than on the earlier one."""
    gain = [
        _match(samples, voice, after_ms + FRAME_MS * i, tones[i])
        - _match(samples, voice, before_ms + FRAME_MS * i, tones[i])
        for i in range(earliest, len(tones))
    ]
    sums = np.cumsum([0.0, *reversed(gain)])[::-1]  # what is gained by jumping before each frame
    return max(1, earliest + int(sums.argmax()))


def _match(samples: Samples, voice: int, at_ms: float, tone: int) -> float:
    start = max(0, round(at_ms * RATE / 1000))
    piece = samples[start : start + FRAME].astype(np.float64)
    return float(piece @ np.frombuffer(tone_frame(voice, tone), "<i2")[: len(piece)].astype(np.float64))


def with_edges(levels: Levels, at_ms: float, tones: list[int], first: int, after_ms: float) -> Run:
    """The run with its edges measured: frames of which only a part is there count with that part."""
    end = at_ms + len(tones) * FRAME_MS
    if first < 0:
        return Run(at_ms, end, -1, -1)
    last = first + len(tones) - 1
    before = min(_part(levels, at_ms - FRAME_MS, tone_of(first - 1)), max(0.0, at_ms - after_ms))
    behind = _part(levels, end, tone_of(last + 1))
    short = 0.0 if behind else FRAME_MS - _part(levels, end - FRAME_MS, tones[-1])
    half = FRAME_MS / 2
    return Run(
        start_ms=at_ms - before,
        end_ms=end + behind - (short if short > 3 else 0.0),
        first=(first - (before > half)) % CYCLE,
        last=(last + (behind > half)) % CYCLE,
        cut_ms=FRAME_MS - before if before > half else -before,
    )


def _part(levels: Levels, at_ms: float, tone: int) -> float:
    """How many ms of a frame with this tone sound in the 20 ms from `at_ms` on; 0 when hardly any do."""
    index = round(at_ms)
    if index < 0:
        # The sound begins inside this frame: look at what there is of it.
        inside = index + FRAME_MS
        level = float(levels[0, tone]) if inside > 0 and len(levels) else 0.0
        return 0.0 if level < 0.3 else float(inside)
    level = float(levels[index, tone]) if index < len(levels) else 0.0
    return 0.0 if level < 0.3 else min(1.0, level) * FRAME_MS
