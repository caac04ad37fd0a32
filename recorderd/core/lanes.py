"""The lanes there are: those that Asterisk holds on a channel, and those whose file is not dealt with yet.

Owns which lane is on which channel, which are over, and that a lane is remembered as it is. Must not know why one
begins or ends, nor what its file is for.
"""

from __future__ import annotations

from recorderd.core import commands
from recorderd.core.outbox import Outbox
from recorderd.core.recordings import OVER, LiveLane


class Lanes:
    """`by_id` are all of them. On a channel is one at most."""

    def __init__(self, out: Outbox) -> None:
        self.by_id: dict[str, LiveLane] = {}
        self._out = out
        self._on: dict[str, LiveLane] = {}
        self._over: dict[str, None] = {}

    def on(self, uniqueid: str) -> LiveLane | None:
        """The lane that Asterisk holds on a channel, or is about to hold or to let go."""
        return self._on.get(uniqueid)

    def held(self) -> list[LiveLane]:
        """All that Asterisk holds, or is about to hold or to let go."""
        return list(self._on.values())

    def over(self) -> list[LiveLane]:
        """All that only lack the end of their file."""
        return [self.by_id[lane_id] for lane_id in self._over]

    def add(self, lane: LiveLane) -> None:
        """A new one on its channel, or one from before a restart, which may be over."""
        self.by_id[lane.id] = lane
        if lane.state in OVER:
            self._over[lane.id] = None
        else:
            self._on[lane.uniqueid] = lane

    def end(self, lane: LiveLane, at: float, *, runs_on: bool = False) -> None:
        """Its channel is free for another; it `runs_on` if Asterisk still writes its file."""
        lane.ended_at = at
        if not runs_on:
            lane.close_stretch(at)
        if self._on.get(lane.uniqueid) is lane:
            del self._on[lane.uniqueid]
        if lane.growing is not None:
            lane.growing = None
            self._out.do(commands.Unwatch(lane_id=lane.id))
        self._over[lane.id] = None
        self.save(lane)

    def forget(self, lane: LiveLane) -> None:
        """Its file is dealt with."""
        self._over.pop(lane.id, None)
        del self.by_id[lane.id]

    def save(self, lane: LiveLane, duration_ms: int = 0) -> None:
        """Have the lane remembered as it is now."""
        self._out.do(commands.Save(row=lane.row(duration_ms)))
