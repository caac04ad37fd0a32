"""The ledger judged by the telephones: what of each talk is on the disk, and what recorderd says of it.

Owns the verdicts. A talk is `whole` when no more is missing than the ledger's own tolerance; `told` when
something is missing and the ledger says so; `untold` when it does not; a `false-alarm` when the ledger tells of a fault
that was none. Where Asterisk held people connected for longer than they heard each other (a disk that froze at the
goodbye holds Asterisk up too) there was no sound for it, and to tell that is no false alarm. `forbidden` and `doubled`
are what may never be. `stuttered` would be untold, but the telephones themselves stood still in it and then sent in a
burst, of which Asterisk's recorder drops a part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorderd.core.rows import Interval, Outcome
from tests.live import signals
from tests.live.faults.load import Pair, Talk
from tests.live.rtp import Ticker
from tests.live.signals import CYCLE, FRAME_MS

FAULTS = (Outcome.PARTIAL, Outcome.NOT_RECORDED, Outcome.RECORDED_IN_ERROR)
# A lane's two edges: frames in flight (asterisk-facts 3), and on a busy machine the first after a late start.
EDGE = 0.25
_TOLERANCE_MS, _TOLERANCE = 200, 0.01
# What ledger and telephones may differ by: each counts edges its own way.
_SLACK_MS = 300
# Single frames that the ear takes for others where two voices meet on a busy machine.
_NOISE_MS = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one talk. `missing` are the moments (wall clock) of frames that are on no disk."""

    talk: Talk
    wanted: bool
    missing_ms: int
    missing: tuple[float, ...]
    doubled_ms: int
    told_ms: int
    unaccounted_ms: int
    outside_ms: int
    outcomes: tuple[str, ...]
    note: str
    stuttered: bool = False

    @property
    def whole(self) -> bool:
        return self.missing_ms <= max(_TOLERANCE_MS, self.talk.ms * _TOLERANCE)

    @property
    def kind(self) -> str:
        if self.doubled_ms > _NOISE_MS:
            return "doubled"
        if self.unaccounted_ms > max(_SLACK_MS, self.talk.ms * 0.05):
            return "unaccounted"
        if not self.wanted:
            return "as wanted" if not self.audible_ms else "forbidden"
        faulty = any(outcome in FAULTS for outcome in self.outcomes)
        if self.whole:
            clearly = self.missing_ms <= 100 and faulty and self.told_ms > self.missing_ms + self.outside_ms
            return "false-alarm" if clearly else "whole"
        if faulty or self.told_ms + _SLACK_MS >= self.missing_ms:
            return "told"
        return "stuttered" if self.stuttered else "untold"

    @property
    def gaps(self) -> list[float]:
        """The last moments of all stretches of at least 100 ms that are missing."""
        ends = [i for i in range(4, len(self.missing)) if self.missing[i] - self.missing[i - 4] < 0.09]
        return [self.missing[i] for i in ends]

    @property
    def audible_ms(self) -> int:
        said = max((len(frames) for frames in self.talk.said.values()), default=0)
        return max(0, round(said * FRAME_MS) - self.missing_ms)

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.talk} ({self.talk.ms} ms), missing {self.missing_ms} ms, told {self.told_ms} ms, "
            f"doubled {self.doubled_ms}, unaccounted {self.unaccounted_ms}, outside {self.outside_ms}, "
            f"{self.outcomes} {self.note} {_stretches(self.talk.start, self.missing)}"
        )


def judge(
    talks: Sequence[Talk],
    files: Iterable[Path],
    intervals: Sequence[Interval],
    wanted: Iterable[Pair],
    ticker: Ticker,
) -> list[Verdict]:
    """Hold every talk against all files and all intervals. `ticker` tells when a frame was said."""
    heard = _heard(talks, files, ticker)
    pairs = set(wanted)
    by_pair: dict[frozenset[str], list[Interval]] = {}
    for interval in intervals:
        by_pair.setdefault(frozenset(p.extension for p in interval.parties), []).append(interval)
    return [
        _judge(talk, heard, by_pair.get(frozenset(talk.pair), []), talk.pair in pairs, ticker)
        for talk in talks
    ]


def _heard(talks: Sequence[Talk], files: Iterable[Path], ticker: Ticker) -> dict[tuple[str, int], int]:
    """How often each frame of each extension is on the disk.

    The ear must know near which frame a file begins, or it takes short sounds for others of their kind: its name
    ends in the caller's uniqueid, whose first part is the second when that channel was made.
    """
    found: Counter[tuple[str, int]] = Counter()
    voices = {number: talk.voices[number] for talk in talks for number in talk.pair}
    pairs = {frozenset(talk.pair) for talk in talks}
    for file in files:
        numbers = frozenset(file.name.split("-")[1:3])
        if numbers in pairs:
            sound = signals.load(file)
            began = float(file.name.split("-")[5].partition(".")[0])
            near = ticker.number_at(began)
            runs = signals.hear(sound, [voices[number] for number in numbers], near=near)
            for number in numbers:
                found.update((number, frame) for frame in signals.frames_of(runs[voices[number]]))
    return found


def _judge(
    talk: Talk, heard: dict[tuple[str, int], int], intervals: Sequence[Interval], wanted: bool, ticker: Ticker
) -> Verdict:
    missing = {
        number: [frame for frame in frames if not heard.get((number, frame % CYCLE))]
        for number, frames in talk.said.items()
    }
    worst = max(missing.values(), key=len)
    doubled = sum(heard.get((n, frame % CYCLE), 0) > 1 for n, frames in talk.said.items() for frame in frames)
    mine = [i for i in intervals if _is_of(talk, i)]
    covered = sum(_common(talk, i) for i in mine)
    outside = sum(_length(i) - _common(talk, i) for i in mine if not i.cdr_uniqueid)
    grain = 1.0 if any(i.cdr_uniqueid for i in mine) else 0.0  # a CDR's times are whole seconds
    told = sum(min(i.missing_ms, round(_length(i) * 1000)) for i in mine if i.wanted)
    unaccounted = max(0.0, talk.end - talk.start - covered - grain)
    return Verdict(
        talk=talk,
        wanted=wanted,
        missing_ms=round(len(worst) * FRAME_MS),
        missing=tuple(ticker.sent_at(frame) for frame in worst),
        doubled_ms=round(doubled * FRAME_MS),
        told_ms=told + round(unaccounted * 1000),
        unaccounted_ms=round(unaccounted * 1000),
        outside_ms=round(outside * 1000),
        outcomes=tuple(str(i.outcome) for i in mine),
        note="; ".join(sorted({i.note for i in mine if i.note})),
        stuttered=any(since < talk.end and until > talk.start for since, until in ticker.stalls),
    )


def _stretches(start: float, moments: Sequence[float]) -> str:
    """`0.32..0.86` and so on: seconds from the beginning of the talk."""
    runs: list[list[float]] = []
    for at in moments:
        if runs and at - runs[-1][1] < 0.03:
            runs[-1][1] = at
        else:
            runs.append([at, at])
    return " ".join(f"{a - start:.2f}..{b - start + 0.02:.2f}" for a, b in runs)


def _is_of(talk: Talk, interval: Interval) -> bool:
    """Not its neighbour's: an interval that was made from a CDR, in whole seconds, may begin in the talk before."""
    least = min(1.0, (talk.end - talk.start) / 2) if interval.cdr_uniqueid else 0.0
    return _common(talk, interval) > least


def _common(talk: Talk, interval: Interval) -> float:
    end = interval.ended_at if interval.ended_at is not None else talk.end
    grain = 1.0 if interval.cdr_uniqueid else 0.0
    return min(talk.end, end + grain) - max(talk.start, interval.started_at)


def _length(interval: Interval) -> float:
    return (interval.ended_at or interval.started_at) - interval.started_at
