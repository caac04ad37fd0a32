"""A disk fails, or takes sound again: which lanes go on elsewhere, and which recorders may be stopped now.

Owns what a fault of a whole folder does to the lanes that lie in it. Must not know which folder is best (`places`), how
a recorder is stopped (`stops`), nor who is to have one: the plan starts the others.
"""

from __future__ import annotations

from recorderd.core import events
from recorderd.core.calls import Calls
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.places import FROZEN, Places
from recorderd.core.recordings import LiveLane
from recorderd.core.rows import LaneState
from recorderd.core.stops import Stops, leaving

GIVEN_UP = "its disk was {}"


class Disks:
    """Told of every fault of a folder, and of its end; each returns the channels that may want a recorder."""

    def __init__(self, calls: Calls, lanes: Lanes, places: Places, stops: Stops, out: Outbox) -> None:
        self._calls = calls
        self._lanes = lanes
        self._places = places
        self._stops = stops
        self._out = out

    def fault(self, event: events.PlaceFault) -> set[str]:
        """A disk fails: what runs there goes on elsewhere, if there is a better place."""
        if event.kind != FROZEN:
            self._thawed(event.place, event.at)
        if not self._places.fault(event.place, event.kind, event.at):
            return set()
        self._stops.let_go()
        why = f"The disk of {event.place} is {event.kind}"
        self._out.alarm(event.at, "place-failed", why, place=event.place, fault=event.kind)
        moved = set()
        for lane in self._lanes.held():
            known = lane.state in (LaneState.ATTACHED, LaneState.RECORDING)
            if (
                known
                and self._places.of(lane.path) == event.place
                and self._places.better(lane.path, event.at)
            ):
                self._give_up(lane, event)
                moved.add(lane.uniqueid)
        return moved

    def _give_up(self, lane: LiveLane, event: events.PlaceFault) -> None:
        """The plan starts another elsewhere. A frozen one is stopped when its disk lives again.

        Until then Asterisk's recorder runs on, and what it takes is in its file in the end.
        """
        lane.state, lane.note = LaneState.LOST, GIVEN_UP.format(event.kind)
        self._lanes.end(lane, event.at, runs_on=event.kind == FROZEN)
        if event.kind == FROZEN:
            self._stops.hold(lane)
        else:
            self._stops.clear(lane.id, leaving(lane))

    def well(self, event: events.PlaceWell) -> set[str]:
        """What had to wait for the disk is stopped now."""
        self._thawed(event.place, event.at)
        self._places.well(event.place, event.at)
        self._stops.place_known(event.place)
        self._stops.let_go()
        return set(self._calls.channels)

    def _thawed(self, place: str, at: float) -> None:
        for lane in self._lanes.by_id.values():
            if self._places.of(lane.path) == place and self._places.frozen(lane.path):
                lane.thawed_at = at
