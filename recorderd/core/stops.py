"""How a recorder of ours is stopped: by its id, once more if the answer is lost, and never on a frozen disk.

Owns what is on its way to be stopped. Closing a file on a disk that is frozen would hold up all that is asked of
Asterisk, so that waits until the disk lives again, and until the link is there. A daemon that is killed meanwhile finds
those again by a variable of their channel. Must not know why one has to go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recorderd.core import commands, events
from recorderd.core.awaited import Awaited
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.places import Places
from recorderd.core.recordings import LiveLane
from recorderd.core.rows import LaneState

REPLACED = "RECORDERD_REPLACED"
# Seconds: of a disk of which nothing was heard since a restart, that it is not frozen is known by then.
_KNOWN_AFTER = 2.0

Stretches = tuple[tuple[float, float | None], ...]
StopAnswer = events.LaneStopped | events.LaneStopFailed


@dataclass(slots=True)
class Leaving:
    """A recorder that is to go. `again`: that was asked for twice.

    `replaced`: its disk was frozen, so that another may begin beside it; until it is stopped it runs on, and what it
    takes `counts` or does not. `path` is its file, if we know of one. `found_at`: a restart found it then, and whether
    its disk is frozen still is not known; `found` are its lane's stretches then, for if it was stopped before.
    """

    uniqueid: str
    mixmonitor_id: str
    path: str = ""
    replaced: bool = False
    counts: bool = False
    again: bool = False
    found_at: float | None = None
    found: Stretches | None = None


def leaving(lane: LiveLane) -> Leaving:
    """The recorder of this lane."""
    return Leaving(lane.uniqueid, lane.mixmonitor_id, lane.path)


class Stops:
    """By lane. A channel's variables may tell of one of which `lanes` knows nothing."""

    def __init__(self, lanes: Lanes, places: Places, out: Outbox) -> None:
        self._lanes = lanes
        self._places = places
        self._out = out
        # Whose MixMonitorStop is still to come: it names no recorder, and comes before or after the answer.
        self._told = Awaited()
        # Over for us and not yet for Asterisk; and their channels, unless another may begin there before.
        self._clearing: dict[str, Leaving] = {}
        self._blocking = Awaited()
        # To be stopped once their disk is no longer frozen.
        self._held: dict[str, Leaving] = {}
        self._hears = True

    # --- questions -----------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is given up and still running."""
        return not self._held and not self._clearing

    def blocks(self, uniqueid: str) -> bool:
        """None may begin on this channel before another is gone."""
        return uniqueid in self._blocking

    def ids_on(self, uniqueid: str) -> list[str]:
        """The MixMonitorIDs of those on a channel."""
        return [one.mixmonitor_id for _, one in self._leaving(uniqueid)]

    def running_on(self, uniqueid: str) -> list[LiveLane]:
        """Lanes of a channel that were given up on a frozen disk, where Asterisk's recorder runs on for them."""
        lanes = [self._lanes.by_id.get(lane_id) for lane_id, one in self._leaving(uniqueid) if one.counts]
        return [lane for lane in lanes if lane]

    def _leaving(self, uniqueid: str) -> list[tuple[str, Leaving]]:
        """Those on a channel, by lane. Asked at every event: mostly there is none anywhere."""
        if self.idle:
            return []
        both = (*self._held.items(), *self._clearing.items())
        return [(lane_id, one) for lane_id, one in both if one.uniqueid == uniqueid]

    def runs(self, lane: LiveLane) -> bool:
        """It was given up, and may take sound still."""
        clearing = self._clearing.get(lane.id)
        return lane.id in self._held or bool(clearing and clearing.replaced)

    def held(self, lane_id: str) -> bool:
        """It is to be stopped, and waits for its disk or for the link."""
        return lane_id in self._held

    # --- orders --------------------------------------------------------------------------------

    def stop(self, lane: LiveLane) -> None:
        """One that runs well, and whose lane says that it is being stopped."""
        self._send(lane.id, leaving(lane))

    def clear(self, lane_id: str, one: Leaving, *, beside: bool = False) -> None:
        """One that is over for us. None may begin there before it is gone, unless another runs `beside` it already.

        Nor where its disk is frozen: that may take an hour, and the voice goes to another disk meanwhile.
        """
        if self._places.frozen(one.path):
            self._hold(lane_id, one)
            return
        self._clearing[lane_id] = one
        if not beside:
            self._blocking.add(lane_id, one.uniqueid)
        self._send(lane_id, one)

    def hold(self, lane: LiveLane) -> None:
        """One on a frozen disk that is given up: another takes the voice, this is stopped when the disk lives again."""
        self._hold(lane.id, replace(leaving(lane), counts=True))

    def _hold(self, lane_id: str, one: Leaving) -> None:
        one.replaced = True
        self._held[lane_id] = one
        self._mark(one.uniqueid)

    def find(self, lane: LiveLane, mixmonitor_id: str, at: float) -> None:
        """One of before a restart that was held then."""
        self._held[lane.id] = Leaving(
            lane.uniqueid,
            mixmonitor_id,
            lane.path,
            replaced=True,
            counts=True,
            found_at=at,
            found=lane.stretches,
        )

    def due(self, at: float) -> None:
        """Of one that a restart found, that its disk is frozen would be known by now: it waits no longer for that."""
        late = [one for one in self._held.values() if one.found_at is not None]
        due = [one for one in late if at - (one.found_at or 0.0) >= _KNOWN_AFTER]
        for one in due:
            one.found_at = None
        if due:
            self.let_go()

    def place_known(self, place: str) -> None:
        """Of this disk something was heard: those that a restart found there need not wait for that."""
        for one in self._held.values():
            if self._places.of(one.path) == place:
                one.found_at = None

    def _mark(self, uniqueid: str) -> None:
        """Have the channel itself remember who of ours is still to be stopped there."""
        ids = {lane_id: one.mixmonitor_id for lane_id, one in self._leaving(uniqueid) if one.replaced}
        value = ",".join(f"{lane_id}={mixmonitor_id}" for lane_id, mixmonitor_id in ids.items())
        self._out.do(commands.Setvar(uniqueid=uniqueid, variable=REPLACED, value=value))

    def let_go(self) -> None:
        """Stop what waited for its disk."""
        if not self._hears:
            return
        for lane_id, one in list(self._held.items()):
            lane = self._lanes.by_id.get(lane_id)
            if self._places.frozen(one.path) or one.found_at is not None:
                continue
            if lane is not None and lane.state is LaneState.STOPPING:
                self._send(lane_id, one)
            else:
                taken = self._lanes.on(one.uniqueid) is not None
                self.clear(lane_id, one, beside=one.replaced and taken)

    def _send(self, lane_id: str, one: Leaving) -> None:
        if self._places.frozen(one.path):
            self._held[lane_id] = one
            return
        self._held.pop(lane_id, None)
        self._told.add(lane_id, one.uniqueid)
        self._out.do(
            commands.StopMixMonitor(
                lane_id=lane_id,
                uniqueid=one.uniqueid,
                mixmonitor_id=one.mixmonitor_id,
                replaced=one.replaced,
            )
        )

    # --- facts ---------------------------------------------------------------------------------

    def told(self, uniqueid: str) -> bool:
        """A recorder on this channel was stopped, and the event does not say which; whether it is one of ours."""
        return self._told.take(uniqueid) is not None

    def asked_again(self, event: events.LaneStopFailed) -> bool:
        """Perhaps only the question was lost: what is not to be recorded is worth asking twice."""
        self._told.drop(event.lane_id)
        lane, clearing = self._lanes.by_id.get(event.lane_id), self._clearing.get(event.lane_id)
        if clearing is not None and not clearing.again:
            clearing.again = True
            self._send(event.lane_id, clearing)
            return True
        stopping = clearing is None and lane is not None and lane.state is LaneState.STOPPING
        if stopping and lane is not None and not lane.stop_failed:
            lane.stop_failed = True
            self.stop(lane)
            return True
        return False

    def answered(self, event: StopAnswer) -> Leaving | None:
        """Asterisk's last word on one that was over for us; None if it is on another.

        One that runs on and could not be stopped, perhaps only for want of a link, is tried again when that is back.
        """
        one = self._clearing.pop(event.lane_id, None)
        if one is not None:
            self._blocking.drop(event.lane_id)
            if one.replaced and one.found is None and isinstance(event, events.LaneStopFailed):
                self._hold_again(event.lane_id, one)
            elif one.replaced:
                self._mark(one.uniqueid)
        return one

    def _hold_again(self, lane_id: str, one: Leaving) -> None:
        if self._lanes.by_id.get(lane_id):
            one.again = False
            self._held[lane_id] = one

    def hangup(self, uniqueid: str) -> None:
        """The channel is gone, and every recorder on it."""
        for lane_id, _ in self._leaving(uniqueid):
            self._held.pop(lane_id, None)
            self._clearing.pop(lane_id, None)
        self._told.forget(uniqueid)
        self._blocking.forget(uniqueid)

    # --- the link ------------------------------------------------------------------------------

    def deaf(self) -> None:
        """It is lost: what was still to be told never will be."""
        self._hears = False
        for lane_id, one in self._clearing.items():
            if one.replaced:
                self._hold_again(lane_id, one)
        self._told.clear()
        self._clearing.clear()
        self._blocking.clear()

    def hears_again(self) -> None:
        """It is back."""
        self._hears = True
        self.let_go()
