"""The lanes' files: when one is final, whether it can be believed, and when it may go.

Owns how long a file that is being closed is waited for, and that one which no recording uses is removed. Must not know
what is made of it: `mixing` asks, and says when it is done with one.
"""

from __future__ import annotations

from recorderd.core import commands, events
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.places import Places
from recorderd.core.recordings import OVER, LiveLane
from recorderd.core.rows import LaneState
from recorderd.core.stops import Stops

# Seconds: so long a recording waits for the disk of one of its lanes.
PATIENCE = 3600.0
# Seconds after its recorder's end from which on a file is final: the hang-up races the closing.
_SETTLES = 0.3


def settled(ended_at: float, at: float) -> bool:
    """A file whose recorder ended then is closed by now."""
    return at >= ended_at + _SETTLES


class Files:
    """Asked by lane. `sweep` now and then."""

    def __init__(self, lanes: Lanes, places: Places, stops: Stops, out: Outbox) -> None:
        self._lanes = lanes
        self._places = places
        self._stops = stops
        self._out = out

    def final(self, lane: LiveLane, at: float) -> bool:
        """Its file will not change any more: the hang-up races the closing by some milliseconds.

        While its disk is frozen, and until what ran on there is stopped, it is waited for: up to an hour.
        """
        if lane.state not in OVER:
            return False
        ended = lane.ended_at or 0.0
        open_ = self._stops.runs(lane) or self._places.frozen(lane.path)
        if open_ and at - ended < PATIENCE:
            return False
        return settled(max(ended, self._places.well_since(lane.path)), at)

    def doubtful(self, lane: LiveLane) -> bool:
        """Sound may be lost from its file although Asterisk closed it: it was given up, or its disk failed."""
        since = lane.stretches[0][0] if lane.stretches else lane.ended_at
        troubled = self._places.troubled(lane.path, since or 0.0, lane.ended_at or float("inf"))
        return lane.state is LaneState.LOST or troubled

    def silent(self, event: events.LaneSilent) -> set[str]:
        """Nobody spoke there for a while, and nothing was written: nothing is to be done."""
        if lane := self._lanes.by_id.get(event.lane_id):
            lane.silent_ms += event.ms
        return set()

    def release(self, lane: LiveLane, recording_id: str, duration_ms: int) -> None:
        """Its audio is in this recording's mix: when no other needs it, its file goes."""
        lane.users = tuple(user for user in lane.users if user != recording_id)
        if not lane.users and lane.state in OVER:
            self._remove(lane, LaneState.CLOSED, duration_ms)

    def keep(self, lane: LiveLane, why: str) -> None:
        """Its audio is not in this mix: its file stays, and the row says why."""
        lane.note, lane.kept = why, True
        self._lanes.save(lane)

    def sweep(self, at: float) -> None:
        """Throw away what no recording uses: the 44 bytes of an unanswered call, and the like."""
        for lane in self._lanes.over():
            if not lane.users and self.final(lane, at):
                self._remove(lane, LaneState.DISCARDED, 0)

    def _remove(self, lane: LiveLane, state: LaneState, duration_ms: int) -> None:
        lane.state = state
        if not lane.kept:
            self._out.do(commands.RemoveFile(path=lane.path))
        self._lanes.save(lane, duration_ms)
        self._lanes.forget(lane)
