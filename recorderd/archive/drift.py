"""How far a lane's file lags behind the talk it holds.

Owns the arithmetic of offsets: the bridged second of a sample (how long its lane had been in a bridge when
it was spoken) less the sample's own second in the file. Pure: must not know files, clocks or policy.

Time of which Asterisk got no packets from anybody (loss on both sides, silence suppression, a hold without
music; on Asterisk 16 without option S even silence of one side) is not in the file at all: the offset grows.
When, is known only where the file was seen to grow: libc writes 32 KiB at a time, and the modification time
of such a write says at which moment so much sound had been taken. Between two of these the time that is
lacking may lie anywhere. Asterisk never puts time in: a file is too long by its last frame at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Places of frames in a lane without any loss differ from the clock's by -25 to +25 ms, and an anchor by the
# frame that was just being written: an offset must change by more than this to have changed.
JITTER_SECONDS = 0.030
# Up to this share of a window lacking is taken for lost packets, and spread over it; more, for one silence.
LOSS_SHARE = 0.10
_LOSS_SECONDS = 0.080
# Sound that came too early is laid late rather than dropped, up to this: it is heard all the same.
_SURPLUS_SECONDS = 0.060


@dataclass(frozen=True, slots=True)
class Knot:
    """`frames` samples were in the file when its lane had been bridged for `bridged` seconds."""

    bridged: float
    frames: int


@dataclass(frozen=True, slots=True)
class Part:
    """Samples `[first, last)` of a file: the offset they are laid at, and what it may be in truth."""

    first: int
    last: int
    offset: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Turn:
    """From sample `frames` on the offset may be another; here it is `offset`, and before it never below `low`."""

    frames: int
    offset: float
    low: float


def parts(
    anchors: Iterable[Knot],
    end: Knot,
    rate: int,
    *,
    closed: bool,
    alone: Sequence[tuple[float, float]] = (),
) -> list[Part]:
    """The whole file, in order, but for sound that is too much for its time.

    `alone` are the bridged seconds in which nobody else was in the bridge: what is lacking is lacking there first.

    `end`: all that the file holds, against all the time its lane was bridged. A file that was not `closed`
    lacks its last sound, so nothing is taken to lack before.
    """
    turns = _turns(_plausible(anchors, end, rate), end, rate)
    found = []
    for turn, following in pairwise(turns):
        whole = closed or following is not turns[-1]
        found += _window(turn, following, rate, alone) if whole else [_start_of(turn, following)]
    return [part for part in found if part.last > part.first]


def _offset(knot: Knot, rate: int) -> float:
    return knot.bridged - knot.frames / rate


def _plausible(anchors: Iterable[Knot], end: Knot, rate: int) -> list[Knot]:
    """The anchors that fit with all later ones: Asterisk leaves time out, it does not put it back.

    Another program may have touched the file, and the file may have been closed long after its last sound.
    """
    known = sorted((knot for knot in anchors if 0 < knot.frames < end.frames), key=lambda knot: knot.frames)
    ceiling = _offset(end, rate)
    floor = min(0.0, ceiling) - JITTER_SECONDS
    kept = []
    for knot in reversed(known):
        offset = _offset(knot, rate)
        if floor <= offset <= ceiling + JITTER_SECONDS:
            kept.append(knot)
            ceiling = min(ceiling, offset)
    return kept[::-1]


def _turns(anchors: Sequence[Knot], end: Knot, rate: int) -> list[_Turn]:
    """Where the offset changes, with the first and the last sample; in between it stays or moves evenly."""
    turns = [_Turn(0, 0.0, 0.0)]
    before, low = 0, 0.0
    for knot in (*anchors, end):
        offset = _offset(knot, rate)
        change = offset - turns[-1].offset
        if change > JITTER_SECONDS or change < -_SURPLUS_SECONDS:
            if before > turns[-1].frames:
                turns.append(_Turn(before, turns[-1].offset, low))
            turns.append(_Turn(knot.frames, offset, min(turns[-1].offset, offset)))
            low = offset
        elif change < -JITTER_SECONDS:
            # Laid where it is all the same, but not surely spoken there.
            low = min(low, offset)
        before = knot.frames
    if turns[-1].frames < end.frames:
        turns.append(_Turn(end.frames, turns[-1].offset, low))
    return turns


def _window(
    turn: _Turn, following: _Turn, rate: int, alone: Sequence[tuple[float, float]] = ()
) -> list[Part]:
    """The samples between two turns, with the time that is lacking between them in one or more gaps."""
    lacking = following.offset - turn.offset
    if lacking <= 0:
        return [_start_of(turn, following, drop=round(-lacking * rate))]
    since, until = turn.frames / rate + turn.offset, following.frames / rate + following.offset
    silent = [(max(a, since), min(b, until)) for a, b in alone if a < until and b > since]
    if lacking > JITTER_SECONDS and lacking <= sum(b - a for a, b in silent) + _LOSS_SECONDS:
        return _lacking_alone(turn, following, rate, silent)
    frames = following.frames - turn.frames
    spread = lacking <= LOSS_SHARE * (frames / rate + lacking)
    gaps = math.ceil(lacking / _LOSS_SECONDS) if spread else 1
    edges = [turn.frames + frames * i // (gaps + 1) for i in range(gaps + 2)]
    return [
        Part(first, last, turn.offset + lacking * i / gaps, turn.offset, following.offset)
        for i, (first, last) in enumerate(pairwise(edges))
    ]


def _lacking_alone(
    turn: _Turn, following: _Turn, rate: int, silent: Sequence[tuple[float, float]]
) -> list[Part]:
    """The samples between two turns where all that is lacking is lacking in `silent`, by their lengths.

    What was said once somebody was there again lies right; what was said alone is laid at the silence's beginning.
    """
    lacking, total = following.offset - turn.offset, sum(b - a for a, b in silent)
    first, offset, found = turn.frames, turn.offset, []
    for begin, end in silent:
        after = offset + lacking * (end - begin) / total
        last = min(max(first, round((end - after) * rate)), following.frames)
        found.append(Part(first, last, offset, turn.offset, following.offset))
        first, offset = last, after
    return [*found, Part(first, following.frames, following.offset, turn.offset, following.offset)]


def _start_of(turn: _Turn, following: _Turn, *, drop: int = 0) -> Part:
    """The samples between two turns, laid from the first turn on, without the last `drop` of them."""
    low, high = min(turn.offset, following.low), max(turn.offset, following.offset)
    return Part(turn.frames, following.frames - drop, turn.offset, low, high)
