"""Which samples of a lane's file were spoken when, and which of them may be heard.

Owns the arithmetic between Asterisk's clock (seconds since the epoch) and places in a lane's file. Pure:
must not know files, headers or samples themselves.

A lane's file holds its stretches end to end (option `b` cuts the time between them out), less what `drift`
knows of. What is not known is where between two anchors time is lacking, so a sample may have been spoken
earlier or later than it is laid. For hearing that is no harm, for cutting it is: wherever sound that may be
heard touches sound that may not, only what was surely spoken EDGE_SECONDS within is left.
Sound of less than one frame is no reason for that: two channels of one bridge are told of some milliseconds
apart, and every call would lose its first word to them. It is left out all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recorderd.archive import drift
from recorderd.core import commands, intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FRAME_SECONDS = 0.020
# One frame in flight when a channel enters or leaves its bridge (asterisk-facts, section 3), and what a place
# may be off by without anything lacking.
EDGE_SECONDS = FRAME_SECONDS + drift.JITTER_SECONDS
# Times near 2e9 as floats are good to a quarter of a microsecond: a sample this early is not early.
SAME_SECONDS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """At second `at` since the epoch `frames` samples of a lane were in its file."""

    at: float
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`frames` samples of a lane's file, from `first` on, that were spoken from second `start` on."""

    first: int
    frames: int
    start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of one lane: `frames` in its file at `rate`, of them `pieces` to be heard, in order.

    `problem` says why there is none, for a log. `closed`: Asterisk ended the file properly.
    """

    lane_id: str
    rate: int
    frames: int
    pieces: tuple[Piece, ...]
    problem: str = ""
    closed: bool = False

    @property
    def duration_ms(self) -> int:
        return round(self.frames * 1000 / self.rate)


@dataclass(frozen=True, slots=True)
class _Run:
    """Bridged seconds `[begin, end)` that may be heard, the first of them spoken at `start`.

    `after` and `before`: where sound that may not be heard ends before it and begins after it, if any.
    """

    begin: float
    end: float
    start: float
    after: float = -math.inf
    before: float = math.inf


def find(
    lane: commands.MixLane, frames: int, rate: int, *, anchors: Iterable[Anchor] = (), closed: bool = True
) -> Found:
    """What of a file with `frames` samples may be heard, and when it was spoken.

    Nothing outside `lane.keep` is in a piece. `closed`: Asterisk finished the file.
    """
    stretches = ordered(lane.stretches)
    length = _length(stretches)
    runs = _kept_runs(stretches, ordered(lane.keep))
    if lane.forbidden is None:
        runs = _guarded(runs, length)
    else:
        runs = _apart(runs, _kept_runs(stretches, ordered(lane.forbidden)))
    alone = [(run.begin, run.end) for run in _kept_runs(stretches, ordered(lane.alone))]
    if lane.thawed_at is not None and lacking(lane, frames / rate):
        alone = [intervals.hole(length, frames / rate, _bridged(stretches, lane.thawed_at))]
    knots = (drift.Knot(_bridged(stretches, anchor.at), anchor.frames) for anchor in anchors)
    parts = drift.parts(knots, drift.Knot(length, frames), rate, closed=closed, alone=alone)
    pieces = [piece for part in parts for run in runs if (piece := _piece(part, run, rate)) is not None]
    return Found(lane_id=lane.lane_id, rate=rate, frames=frames, pieces=tuple(pieces), closed=closed)


def lacking(lane: commands.MixLane, seconds: float) -> bool:
    """A file of so many seconds is too short for the time that its lane was bridged."""
    return _length(ordered(lane.stretches)) - seconds > drift.JITTER_SECONDS


def _length(stretches: Iterable[commands.Stretch]) -> float:
    return sum(stretch.end - stretch.start for stretch in stretches)


def _apart(runs: Iterable[_Run], forbidden: Sequence[_Run]) -> list[_Run]:
    """`runs` told where sound that is forbidden ends before them and begins after them."""
    return [
        _Run(
            run.begin,
            run.end,
            run.start,
            max((each.end for each in forbidden if each.end <= run.begin + SAME_SECONDS), default=-math.inf),
            min((each.begin for each in forbidden if each.begin >= run.end - SAME_SECONDS), default=math.inf),
        )
        for run in runs
    ]


def nothing(lane: commands.MixLane, rate: int, problem: str) -> Found:
    """A lane whose file gave no sound at all."""
    return Found(lane_id=lane.lane_id, rate=rate, frames=0, pieces=(), problem=problem)


def covered_ms(lane: Found, start: float, end: float) -> int:
    """How many milliseconds between the seconds `start` and `end` this lane's pieces fill."""
    seconds = 0.0
    for piece in lane.pieces:
        begin = max(start, piece.start)
        seconds += max(0.0, min(end, piece.start + piece.frames / lane.rate) - begin)
    return round(seconds * 1000)


def ordered(stretches: Iterable[commands.Stretch]) -> tuple[commands.Stretch, ...]:
    """The same seconds in order, empty ones dropped, each counted once."""
    done: list[commands.Stretch] = []
    for stretch in sorted(stretches, key=lambda each: each.start):
        start = max(stretch.start, done[-1].end) if done else stretch.start
        if stretch.end > start:
            done.append(commands.Stretch(start=start, end=stretch.end))
    return tuple(done)


def _bridged(stretches: Iterable[commands.Stretch], at: float) -> float:
    """For how many seconds the lane had been bridged at `at`."""
    return sum(max(0.0, min(at, stretch.end) - stretch.start) for stretch in stretches)


def _kept_runs(stretches: Sequence[commands.Stretch], keep: Sequence[commands.Stretch]) -> list[_Run]:
    """The bridged seconds that may be heard, in order."""
    runs, bridged = [], 0.0
    for stretch in stretches:
        for span in keep:
            start, end = max(span.start, stretch.start), min(span.end, stretch.end)
            if end > start:
                begin = bridged + start - stretch.start
                runs.append(_Run(begin, begin + end - start, start))
        bridged += stretch.end - stretch.start
    return runs


def _guarded(runs: Iterable[_Run], length: float) -> list[_Run]:
    """`runs` told what they must keep away from: a chain of them, from its two ends.

    At the ends of the file there is nothing beyond to be kept out.
    """
    guarded = []
    for chain in _chains(runs):
        begin, end = chain[0].begin, chain[-1].end
        after = begin if begin > FRAME_SECONDS else -math.inf
        before = end if end < length - FRAME_SECONDS else math.inf
        guarded += [_Run(run.begin, run.end, run.start, after, before) for run in chain]
    return guarded


def _chains(runs: Iterable[_Run]) -> list[list[_Run]]:
    """Runs that lie within a frame of each other in the file, together."""
    chains: list[list[_Run]] = []
    for run in runs:
        if chains and run.begin - chains[-1][-1].end <= FRAME_SECONDS:
            chains[-1].append(run)
        else:
            chains.append([run])
    return chains


def _piece(part: drift.Part, run: _Run, rate: int) -> Piece | None:
    """The samples of `part` that are laid into `run` and, for all that is known, were spoken in it."""
    begin = max(run.begin - part.offset, run.after + EDGE_SECONDS - part.low) - SAME_SECONDS
    end = min(run.end - part.offset, run.before - EDGE_SECONDS - part.high) + SAME_SECONDS
    if end <= begin:
        return None
    first = max(part.first, math.ceil(begin * rate))
    last = min(part.last, math.floor(end * rate))
    if last <= first:
        return None
    start = run.start + first / rate + part.offset - run.begin
    return Piece(first=first, frames=last - first, start=start)
