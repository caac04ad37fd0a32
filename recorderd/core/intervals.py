"""What became of every stretch of talk: the ledger's arithmetic.

Owns the judgement of an interval from the audio that was found. Must not know how audio is read: it gets
the milliseconds that each lane's file really holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from recorderd.core.rows import Interval, Lane, Outcome

Span = tuple[float, float]

TOLERANCE_MS = 200
_TOLERANCE = 0.01


def length_ms(interval: Interval) -> int:
    """How long a closed interval lasted."""
    return max(0, round(((interval.ended_at or interval.started_at) - interval.started_at) * 1000))


def overlap(a: Span, b: Span) -> Span | None:
    """What two spans have in common, None for nothing."""
    start, end = max(a[0], b[0]), min(a[1], b[1])
    return (start, end) if start < end else None


def filled(stretches: Iterable[tuple[float, float | None]], audio_ms: int) -> list[Span]:
    """The stretches that a file of this length covers: it is filled from the first one on.

    An open end is taken as far as the audio goes.
    """
    left = audio_ms / 1000
    spans: list[Span] = []
    for start, end in stretches:
        length = left if end is None else min(end - start, left)
        if length <= 0:
            break
        spans.append((start, start + length))
        left -= length
    return spans


def covered_ms(span: Span, spans: Iterable[Span]) -> int:
    """Milliseconds of `span` that `spans` (not overlapping each other) cover."""
    common = (overlap(span, other) for other in spans)
    return round(sum(c[1] - c[0] for c in common if c) * 1000)


def missing_ms(
    interval: Interval,
    lanes: Sequence[Lane],
    audio: Mapping[str, int],
    whole: Collection[str] = (),
) -> int:
    """Milliseconds of the interval without audio, for the party who lost most.

    A lane's file is taken to fill its stretches from the first on. `whole` lanes were ended properly: what they
    lack inside is time of which no packet came (a telephone that sends digits, or nothing while it is silent),
    unless it is most of it.
    """
    span = (interval.started_at, interval.ended_at or interval.started_at)
    total = length_ms(interval)
    worst = 0
    for party in interval.parties:
        spans = [
            s
            for lane in lanes
            if lane.uniqueid == party.uniqueid
            for s in _spoken(lane, audio.get(lane.id, 0), lane.id in whole)
        ]
        worst = max(worst, total - covered_ms(span, spans))
    return max(0, worst)


def _spoken(lane: Lane, audio_ms: int, whole: bool) -> list[Span]:
    closed = [(start, end) for start, end in lane.stretches if end is not None]
    if whole and 2 * audio_ms >= 1000 * sum(end - start for start, end in closed):
        return closed
    return filled(lane.stretches, audio_ms)


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
