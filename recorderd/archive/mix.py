"""Several voices on one time line: the sum of the lanes, block by block.

Owns where each piece of a lane lies in the mix, resampling and saturation. Pure over arrays: a lane's samples
come from anything with a `read`. Must not know files, nor what may be heard: `lanes` has cut that already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recorderd.archive.lanes import SAME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from recorderd.archive import lanes
    from recorderd.core import commands

    Samples = NDArray[np.int16]

BLOCK_FRAMES = 65536
DEFAULT_RATE = 8000


class Voice(Protocol):
    """Samples to read from: `count` of them from `first` on, fewer where there are no more."""

    def read(self, first: int, count: int) -> Samples: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """`frames` samples of `voice` from `first` on, taken at `rate`, lie at `[at, end)` in the mix."""

    voice: Voice
    rate: int
    first: int
    frames: int
    at: int
    end: int


def mix_rate(found: Sequence[lanes.Found]) -> int:
    """The finest rate of any lane that has sound."""
    return max((lane.rate for lane in found if lane.frames), default=DEFAULT_RATE)


def mix_frames(timeline: Sequence[commands.Stretch], rate: int) -> int:
    """How many samples the mix of `timeline` has."""
    return _bases(timeline, rate)[-1]


def place(
    lane: lanes.Found, voice: Voice, timeline: Sequence[commands.Stretch], rate: int
) -> list[Placement]:
    """Where the pieces of `lane` lie in a mix of `timeline` at `rate`; what is not in it is left out."""
    bases = _bases(timeline, rate)
    placements = []
    for piece in lane.pieces:
        for stretch, base, limit in zip(timeline, bases, bases[1:], strict=False):
            skip = max(0, math.ceil((stretch.start - piece.start - SAME_SECONDS) * lane.rate))
            until = math.floor((stretch.end - piece.start + SAME_SECONDS) * lane.rate)
            count = min(piece.frames, until) - skip
            at = base + round((piece.start + skip / lane.rate - stretch.start) * rate)
            end = min(limit, at + round(count * rate / lane.rate))
            if count > 0 and end > at:
                placements.append(
                    Placement(
                        voice=voice, rate=lane.rate, first=piece.first + skip, frames=count, at=at, end=end
                    )
                )
    return placements


def blocks(placements: Sequence[Placement], total: int, rate: int) -> Iterator[Samples]:
    """The mix, in blocks of at most BLOCK_FRAMES samples, `total` in all; silence where nobody spoke."""
    limits = np.iinfo(np.int16)
    for begin in range(0, total, BLOCK_FRAMES):
        end = min(total, begin + BLOCK_FRAMES)
        sums = np.zeros(end - begin, dtype=np.int32)
        for placement in placements:
            low, high = max(begin, placement.at), min(end, placement.end)
            if low < high:
                part = _voice_of(placement, low, high, rate)
                sums[low - begin : low - begin + len(part)] += part
        yield np.clip(sums, limits.min, limits.max).astype(np.int16)


def stereo(left: Sequence[Placement], right: Sequence[Placement], total: int, rate: int) -> Iterator[Samples]:
    """The same in two channels, a row for each frame."""
    for sides in zip(blocks(left, total, rate), blocks(right, total, rate), strict=True):
        yield np.stack(sides, axis=1)


def _bases(timeline: Sequence[commands.Stretch], rate: int) -> list[int]:
    """Where each stretch begins in the mix, and at last where the mix ends, in samples.

    Rounded from the running sum of seconds, so that many short stretches do not add up their roundings.
    """
    seconds, bases = 0.0, [0]
    for stretch in timeline:
        seconds += max(0.0, stretch.end - stretch.start)
        bases.append(round(seconds * rate))
    return bases


def _voice_of(placement: Placement, low: int, high: int, rate: int) -> Samples:
    """What is heard of `placement` in `[low, high)` of the mix; shorter if its file has shrunk."""
    low, high = low - placement.at, high - placement.at
    if placement.rate == rate:
        high = min(high, placement.frames)
        return placement.voice.read(placement.first + low, high - low)
    return _resampled(placement, low, high, placement.rate / rate)


def _resampled(placement: Placement, low: int, high: int, step: float) -> Samples:
    """Linear between neighbours, all within the placement: what lies beyond it may be forbidden sound."""
    places = np.minimum(np.arange(low, high) * step, placement.frames - 1)
    first = int(places[0])
    last = min(placement.frames - 1, int(places[-1]) + 1)
    known = placement.voice.read(placement.first + first, last - first + 1)
    if not len(known):
        return known
    between = np.interp(places - first, np.arange(len(known)), known)
    heard: Samples = np.rint(between).astype(np.int16)
    return heard
