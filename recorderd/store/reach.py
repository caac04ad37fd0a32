"""How far a search that stopped early may be believed: owns that one rule, for every back end."""

from __future__ import annotations

from collections.abc import Sequence

from recorderd.core.entries import CallEntry
from recorderd.store.panel import Found, Place


def within_reach(found: tuple[CallEntry, ...], stops: Sequence[Place], *, newest_first: bool) -> Found:
    """What was found, no further than every list was looked through.

    Beyond the nearest place at which one list's search stopped, another list's finds would stand before
    what is still to be found there.
    """
    if not stops:
        return Found(entries=found)
    stop = max(stops) if newest_first else min(stops)
    places = [(entry.started_at, entry.story_id) for entry in found]
    inside = [p >= stop if newest_first else p <= stop for p in places]
    return Found(entries=tuple(e for e, near in zip(found, inside, strict=True) if near), stopped=stop)
