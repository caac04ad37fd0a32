"""What became of every stretch of talk: the ledger's arithmetic.

Owns the judgement of an interval from the audio that was found. Must not know how audio is read: it gets
the milliseconds that each lane's file really holds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from recorderd.core.rows import Interval, Lane, Outcome

Span = tuple[float, float]

TOLERANCE_MS = 200
_TOLERANCE = 0.01
# What Asterisk writes at a time, 32 KiB, in seconds of a lane.
STEP_SECONDS = 2.048
# What it holds of a channel's sound while its recorder waits; and by how much later than the disk we may be told.
_QUEUE_SECONDS = 0.5
_LATE_SECONDS = 0.1


def length_ms(interval: Interval) -> int:
    """How long a closed interval lasted."""
    return max(0, round(((interval.ended_at or interval.started_at) - interval.started_at) * 1000))


def overlap(a: Span, b: Span) -> Span | None:
    """What two spans have in common, None for nothing."""
    start, end = max(a[0], b[0]), min(a[1], b[1])
    return (start, end) if start < end else None


def filled(
    stretches: Iterable[tuple[float, float | None]], audio_ms: int, thawed_at: float | None = None
) -> list[Span]:
    """The stretches that a file of this length covers: it is filled from the first one on.

    An open end is taken as far as the audio goes. `thawed_at`: its disk was frozen until then, see `hole`.
    """
    if thawed_at is not None:
        closed = [(a, b) for a, b in stretches if b is not None]
        length = sum(b - a for a, b in closed)
        thawed = sum(max(0.0, min(b, thawed_at) - a) for a, b in closed)
        lost = hole(length, audio_ms / 1000, thawed)
        return [*_between(closed, 0.0, lost[0]), *_between(closed, lost[1], length)]
    left = audio_ms / 1000
    spans: list[Span] = []
    for start, end in stretches:
        length = left if end is None else min(end - start, left)
        if length <= 0:
            break
        spans.append((start, start + length))
        left -= length
    return spans


def hole(length: float, audio: float, thawed: float) -> Span:
    """Where, in `length` bridged seconds, a file of `audio` seconds lacks what a disk frozen until `thawed` cost it.

    Asterisk waits with a step of its buffer in its hands, and when it goes on it has up to half a second of what came
    meanwhile (asterisk's audiohook.c): so the hole begins where a step ends, if one does in that time.
    """
    lacking = max(0.0, length - audio)
    begin = max(0.0, min(thawed, length) - lacking)
    step = math.floor((begin + _LATE_SECONDS) / STEP_SECONDS) * STEP_SECONDS
    if thawed < length and step > 0.0 and begin - step <= _QUEUE_SECONDS + _LATE_SECONDS:
        begin = step
    return begin, min(begin + lacking, length)


def _between(spans: Iterable[Span], low: float, high: float) -> list[Span]:
    """The spans from their `low`-th second to their `high`-th."""
    found, before = [], 0.0
    for start, end in spans:
        a, b = max(start, start + low - before), min(end, start + high - before)
        if b > a:
            found.append((a, b))
        before += end - start
    return found


def covered_ms(span: Span, spans: Iterable[Span]) -> int:
    """Milliseconds of `span` that `spans` cover, wherever several do once."""
    covered, reached = 0.0, span[0]
    for start, end in sorted(spans):
        if common := overlap((reached, span[1]), (start, end)):
            covered += common[1] - common[0]
            reached = common[1]
    return round(covered * 1000)


def without(span: Span, others: Iterable[Span]) -> list[Span]:
    """What is left of `span` without the others."""
    left = [span]
    for start, end in others:
        parts = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b))]
        left = [(a, b) for a, b in parts if b > a]
    return left


def missing_ms(
    interval: Interval,
    lanes: Sequence[Lane],
    audio: Mapping[str, int],
    whole: Collection[str] = (),
    thawed: Mapping[str, float] = MappingProxyType({}),
) -> int:
    """Milliseconds of the interval without audio, for the party who lost most.

    A lane's file is taken to fill its stretches from the first on. `whole` lanes were ended properly: what they
    lack inside is time of which no packet came (a telephone that sends digits, or nothing while it is silent),
    unless it is most of it. `thawed`: the lanes whose disk was frozen, and until when.
    """
    span = (interval.started_at, interval.ended_at or interval.started_at)
    total = length_ms(interval)
    worst = 0
    for party in interval.parties:
        spans = [
            s
            for lane in lanes
            if lane.uniqueid == party.uniqueid
            for s in _spoken(lane, audio.get(lane.id, 0), lane.id in whole, thawed.get(lane.id))
        ]
        worst = max(worst, total - covered_ms(span, spans))
    return max(0, worst)


def _spoken(lane: Lane, audio_ms: int, whole: bool, thawed_at: float | None) -> list[Span]:
    closed = [(start, end) for start, end in lane.stretches if end is not None]
    if whole and 2 * audio_ms >= 1000 * sum(end - start for start, end in closed):
        return closed
    return filled(lane.stretches, audio_ms, thawed_at)


def unheard(interval: Interval, lanes: Sequence[Lane], silent: Collection[str]) -> list[str]:
    """The parties of an interval all of whose lanes in it are silent."""
    span = (interval.started_at, interval.ended_at or interval.started_at)
    found = []
    for party in interval.parties:
        mine = [
            lane.id
            for lane in lanes
            if lane.uniqueid == party.uniqueid
            and any(overlap(span, (a, b if b is not None else span[1])) for a, b in lane.stretches)
        ]
        if mine and all(lane in silent for lane in mine):
            found.append(party.number or party.channel)
    return found


def judge(total_ms: int, missing: int) -> Outcome:
    """The outcome of an interval that was to be recorded."""
    if missing <= max(TOLERANCE_MS, total_ms * _TOLERANCE):
        return Outcome.RECORDED
    return Outcome.PARTIAL if missing < total_ms else Outcome.NOT_RECORDED
