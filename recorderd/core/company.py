"""Who was in company when: for every channel the stretches of talk it took part in, recorded or not.

Owns what a recording must be told of the rest of its lanes' sound: where policy forbids it, and where nobody
heard it. Must not know lanes or files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from recorderd.core.intervals import Span, without
from recorderd.core.rows import Interval

FRAME_SECONDS = 0.020


@dataclass(slots=True)
class _Stretch:
    """One for all who talked in it."""

    start: float
    end: float | None
    forbidden: bool


class Company:
    """Told of every interval, asked by channel."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[_Stretch, ...]] = {}

    def begin(self, interval: Interval) -> None:
        """These parties talk from now on."""
        forbidden = interval.masked or not interval.wanted
        stretch = _Stretch(interval.started_at, interval.ended_at, forbidden)
        for party in interval.parties:
            self._of[party.uniqueid] = (*self._of.get(party.uniqueid, ()), stretch)

    def end(self, interval: Interval) -> None:
        """They do so no more."""
        for party in interval.parties:
            for stretch in self._of.get(party.uniqueid, ()):
                if stretch.end is None and stretch.start == interval.started_at:
                    stretch.end = interval.ended_at

    def forbidden(self, uniqueid: str) -> list[Span]:
        """When this channel's talk was not to be recorded; infinity for an end that is open.

        What is shorter than a frame is no talk, but channels of one bridge that are told of one after the other.
        """
        spans = ((s.start, _end(s)) for s in self._of.get(uniqueid, ()) if s.forbidden)
        return [(start, end) for start, end in spans if end - start > FRAME_SECONDS]

    def alone(self, uniqueid: str, within: Iterable[Span]) -> list[Span]:
        """What of `within` nobody heard: the channel was in a bridge by itself, or parked."""
        spans = list(within)
        for stretch in self._of.get(uniqueid, ()):
            spans = [part for span in spans for part in without(span, [(stretch.start, _end(stretch))])]
        return spans

    def forget(self, uniqueids: Iterable[str]) -> None:
        """Nobody will ask for these channels any more."""
        for uniqueid in uniqueids:
            self._of.pop(uniqueid, None)

    def __len__(self) -> int:
        return len(self._of)


def _end(stretch: _Stretch) -> float:
    return math.inf if stretch.end is None else stretch.end
