"""Who is heard on which side of a stereo recording.

Owns that choice. Must not know channels of a file or lanes. Left is the outside party or, where nobody is
from outside, the first caller; right is everyone else. Nobody ever changes sides. When the one on the left
is gone for good, the next to come takes his place, so that two people who talk are on two sides.
"""

from __future__ import annotations

from collections.abc import Iterable

from recorderd.core.rows import Direction, Interval, Party


def left_of(intervals: Iterable[Interval]) -> frozenset[str]:
    """The uniqueids of those on the left, one after the other, of a recording with these intervals."""
    left: set[str] = set()
    right: set[str] = set()
    for interval in sorted(intervals, key=lambda each: each.started_at):
        here = [party.uniqueid for party in interval.parties]
        if not left.intersection(here):
            new = [party for party in interval.parties if party.uniqueid not in right]
            left.update(party.uniqueid for party in _foremost(new))
        right.update(uniqueid for uniqueid in here if uniqueid not in left)
    return frozenset(left)


def labels(intervals: Iterable[Interval]) -> tuple[str, str]:
    """Who is on the left and who on the right, for people."""
    known = list(intervals)
    left = left_of(known)
    names: tuple[dict[str, None], dict[str, None]] = ({}, {})
    for party in (party for interval in known for party in interval.parties):
        names[party.uniqueid not in left][party.extension or party.number or party.channel] = None
    return ", ".join(names[0]), ", ".join(names[1])


def _foremost(parties: list[Party]) -> list[Party]:
    """The one who goes left: from outside before from inside, a caller before who was called."""
    order = sorted(parties, key=lambda p: (bool(p.extension), p.direction is not Direction.OUTBOUND))
    return order[:1]
