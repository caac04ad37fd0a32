"""Our recorders are found again: after a restart by their rows, and with every picture by their channel's variables.

Owns how what we remember of a lane is laid on what runs in Asterisk. One that we gave up, or know nothing of, is
stopped, so that no voice is taken twice. Must not know conversations: `catching_up` says which recordings use a lane.
"""

from __future__ import annotations

from collections.abc import Iterable

from recorderd.core import events
from recorderd.core.calls import Calls
from recorderd.core.disks import GIVEN_UP
from recorderd.core.lanes import Lanes
from recorderd.core.places import FROZEN
from recorderd.core.recordings import OVER, LiveLane
from recorderd.core.rows import Lane, LaneState
from recorderd.core.stops import Leaving, Stops

# Seconds before its recorder was stopped in which a disk lived again, at the least.
_STOPPED_AFTER = 0.001


class Adopting:
    """`restore` every lane that was open before a restart, then `adopt` what runs."""

    def __init__(self, calls: Calls, lanes: Lanes, stops: Stops) -> None:
        self._calls = calls
        self._lanes = lanes
        self._stops = stops

    def restore(self, row: Lane, users: Iterable[str], outside: bool, not_before: float) -> None:
        """A lane from before a restart, and the recordings that use it."""
        lane = LiveLane.from_row(row, outside)
        lane.users = tuple(dict.fromkeys(users))
        lane.not_before = not_before
        if lane.state is LaneState.LOST and lane.note == GIVEN_UP.format(FROZEN) and lane.spans():
            # It was stopped as soon as its disk lived again: what is lacking, is lacking before.
            lane.thawed_at = lane.spans()[-1][1] - _STOPPED_AFTER
        self._lanes.add(lane)
        if lane.state not in OVER:
            self._calls.remember_channel(lane.uniqueid, lane.channel)

    def adopt(self, live: events.LiveChannel, at: float) -> bool:
        """Find our recorder on a channel again by its variables; drop one that is not there any more.

        True if all is as we believed, and so as the last plan would have it.
        """
        for lane_id, mixmonitor_id in live.replaced.items():
            self._find_replaced(lane_id, mixmonitor_id, live, at)
        lane = self._lanes.on(live.uniqueid)
        there = bool(live.lane_id and live.mixmonitor_id)
        if lane is not None and there and lane.id == live.lane_id:
            return self._found(lane, live.mixmonitor_id)
        if lane is not None:
            lane.state, lane.note = LaneState.LOST, "it was not there any more after the link came back"
            self._lanes.end(lane, at)
        if there and not self._stops.held(live.lane_id):
            given_up = self._lanes.by_id.get(live.lane_id)
            self._stops.clear(
                live.lane_id, Leaving(live.uniqueid, live.mixmonitor_id, given_up.path if given_up else "")
            )
            return False
        return lane is None

    def _found(self, lane: LiveLane, mixmonitor_id: str) -> bool:
        """It is there; whether it runs as we believed."""
        believed = lane.mixmonitor_id == mixmonitor_id and lane.state is LaneState.RECORDING
        lane.mixmonitor_id = mixmonitor_id
        lane.began = True
        if lane.was_muted:  # whether the last order came through nobody knows
            lane.muted = None
        if lane.state is LaneState.STARTING:
            lane.state = LaneState.ATTACHED
        if lane.state is LaneState.STOPPING:
            self._stops.stop(lane)
        return believed and lane.muted is not None

    def _find_replaced(self, lane_id: str, mixmonitor_id: str, live: events.LiveChannel, at: float) -> None:
        """One of before a restart, given up on a frozen disk: it runs on, and its file goes on."""
        lane = self._lanes.by_id.get(lane_id)
        reused = mixmonitor_id in (live.mixmonitor_id, *live.foreign_ids)
        given_up = lane is not None and lane.restored and lane.state in (LaneState.LOST, LaneState.REFUSED)
        if lane is None or not given_up or self._stops.runs(lane) or reused:
            return
        self._stops.find(lane, mixmonitor_id, at)
        lane.ended_at = at
        if live.bridge_uniqueid and lane.stretches:
            *before, (start, end) = lane.stretches
            lane.ended_at, lane.stretches = end, (*before, (start, None))
