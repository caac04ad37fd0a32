"""Our recorders: one lane on a channel at most, from its start to its end.

Owns what Asterisk and the file watcher say of a recorder, and retries; which lanes there are is kept by `lanes`, how
one is stopped by `stops`. Must not know policy or conversations: the plan says who is to be recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recorderd.core import commands, events
from recorderd.core.awaited import Awaited
from recorderd.core.calls import Calls
from recorderd.core.channels import Channel
from recorderd.core.foreign import ForeignRecorders
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.places import Places
from recorderd.core.recordings import LANE, OVER, LiveLane
from recorderd.core.rows import LaneState
from recorderd.core.stops import Stops, leaving

LaneFact = (
    events.LaneStarted
    | events.LaneRefused
    | events.LaneStopped
    | events.LaneStopFailed
    | events.FileSeen
    | events.FileFault
)

# Seconds after one, two, … failures of a recorder until the next is tried.
_RETRIES = (0.0, 0.5, 2.0, 5.0)


@dataclass(slots=True)
class _Trouble:
    """A channel whose recorder failed: how often, which folder next, and not before when."""

    failures: int = 0
    place: int = 0
    not_before: float = 0.0


class Recorder:
    """Starts and stops them, and hears what became of it."""

    def __init__(
        self,
        calls: Calls,
        out: Outbox,
        lanes: Lanes,
        places: Places,
        stops: Stops,
        foreign: ForeignRecorders,
    ) -> None:
        self._calls = calls
        self._out = out
        self._lanes = lanes
        self._places = places
        self._stops = stops
        self._foreign = foreign
        # Lanes of ours whose MixMonitorStart is still to come, and their channels: the event names no recorder, and
        # comes before or after the reply to the action.
        self._starting = Awaited()
        self._trouble: dict[str, _Trouble] = {}

    # --- questions -----------------------------------------------------------------------------

    def ids_on(self, uniqueid: str) -> frozenset[str]:
        """The MixMonitorIDs of all of ours there, those included that wait to be stopped."""
        lane, others = self._lanes.on(uniqueid), self._stops.ids_on(uniqueid)
        return frozenset([*others, lane.mixmonitor_id] if lane else others)

    def secured(self, uniqueid: str) -> bool:
        """Its voice is in a file that was seen, on a disk of which nothing bad is known."""
        lane = self._lanes.on(uniqueid)
        return lane is not None and lane.state is LaneState.RECORDING and not self._places.failing(lane.path)

    # --- orders --------------------------------------------------------------------------------

    def start(
        self,
        channel: Channel,
        new_id: Callable[[], str],
        folder: str,
        recording_id: str,
        at: float,
        beep: int = 0,
    ) -> None:
        """Take this channel's voice, unless it is being taken or failed a moment ago."""
        trouble = self._trouble.get(channel.uniqueid)
        if self._lanes.on(channel.uniqueid) or self._stops.blocks(channel.uniqueid):
            return
        if trouble and at < trouble.not_before:
            return
        place = self._places.choose(trouble.place if trouble else 0, at)
        if place is None:
            return
        lane_id = new_id()
        lane = LiveLane(
            id=lane_id,
            uniqueid=channel.uniqueid,
            channel=channel.name,
            label=channel.extension or channel.number,
            path=f"{place}/{folder}/{lane_id}.wav",
            outside=not channel.extension,
            recording_id=recording_id,
        )
        self._lanes.add(lane)
        self._starting.add(lane_id, channel.uniqueid)
        self._lanes.save(lane)
        self._out.do(
            commands.MixMonitor(lane_id=lane_id, uniqueid=channel.uniqueid, path=lane.path, beep_seconds=beep)
        )

    def stop(self, lane: LiveLane) -> None:
        """Stop it as soon as Asterisk has confirmed it; until then the answer brings the plan back here."""
        if lane.state is LaneState.STARTING:
            return
        # Its file grows until Asterisk has stopped it, and what that adds must be known to be cut off.
        lane.state = LaneState.STOPPING
        self._stops.stop(lane)

    def mute(self, lane: LiveLane, muted: bool) -> None:
        """Have silence written instead of the voice, or the voice again."""
        if lane.muted is muted or lane.state not in (LaneState.ATTACHED, LaneState.RECORDING):
            return
        lane.muted = muted
        lane.was_muted = True
        self._out.do(
            commands.MixMonitorMute(
                lane_id=lane.id, uniqueid=lane.uniqueid, mixmonitor_id=lane.mixmonitor_id, muted=muted
            )
        )

    def watch(self, lane: LiveLane, growing: bool) -> None:
        """Its file must be there, and grow while its party talks with another."""
        if lane.state not in (LaneState.ATTACHED, LaneState.RECORDING):
            return
        if lane.growing is not growing:
            lane.growing = growing
            self._out.do(commands.Watch(lane_id=lane.id, path=lane.path, growing=growing))

    # --- facts ---------------------------------------------------------------------------------

    def monitor_started(self, event: events.MixMonitorStart) -> set[str]:
        """Somebody else's if the dialplan foretold it, ours if we are waiting for one there; return its channel."""
        if self._foreign.was_foretold(event):
            return {event.uniqueid}
        if lane_id := self._starting.take(event.uniqueid):
            if lane := self._lanes.by_id.get(lane_id):
                self._begin(lane, event.at)
        else:
            self._foreign.started(event)
        return {event.uniqueid}

    def monitor_stopped(self, event: events.MixMonitorStop) -> set[str]:
        """Ours if we asked for it; else somebody else's, or ours stopped behind our back; return its channel."""
        if self._stops.told(event.uniqueid):
            return {event.uniqueid}
        lane = self._lanes.on(event.uniqueid)
        if self._foreign.stopped(event.uniqueid, event.at, perhaps_ours=lane is not None):
            return {event.uniqueid}
        if lane is not None and lane.state in (LaneState.ATTACHED, LaneState.RECORDING):
            self.fact(events.FileFault(at=event.at, lane_id=lane.id, kind="stopped by somebody else"))
        return {event.uniqueid}

    def fact(self, event: LaneFact) -> str | None:
        """Follow the state table; return the channel that the fact is about, None when it came too late."""
        lane = self._lanes.by_id.get(event.lane_id)
        if isinstance(event, events.LaneStopFailed) and self._stops.asked_again(event):
            return None
        if isinstance(event, events.LaneStopped | events.LaneStopFailed) and (
            gone := self._stops.answered(event)
        ):
            if lane is not None and gone.replaced and isinstance(event, events.LaneStopped):
                self._runs_no_more(lane, event.at)
            elif lane is not None and gone.found is not None:  # it had been stopped before the restart
                lane.stretches = gone.found
                lane.ended_at = max((end for _, end in gone.found if end is not None), default=lane.ended_at)
                self._lanes.save(lane)
            return gone.uniqueid
        if lane is None or (lane.state, type(event)) not in LANE:
            return None
        if isinstance(event, events.LaneStarted):
            lane.mixmonitor_id = event.mixmonitor_id
            if not lane.began:
                self._begin(lane, event.at)
        before = lane.state
        lane.advance(event)
        match event:
            case events.FileFault() if lane.state is LaneState.LOST:
                self._places.file_failed(lane.path, event.kind, event.at)
                self._failed(lane, event.at, f"its file is {event.kind}", next_place=True)
                self._stops.clear(lane.id, leaving(lane))
            case events.LaneRefused():
                if not self._starting.drop(lane.id):
                    # It did start, and nobody answers for it: from now on it is like somebody else's.
                    self._foreign.runs_after_all(lane.uniqueid)
                self._failed(lane, event.at, event.reason, next_place=False)
            case events.LaneStopFailed():
                why = f"The recorder on {lane.channel} cannot be stopped: {event.reason}"
                self._out.alarm(event.at, "stop-failed", why, lane=lane.id)
            case events.FileSeen():
                self._trouble.pop(lane.uniqueid, None)
        if lane.state in OVER:
            self._lanes.end(lane, event.at)
        elif lane.state is not before:
            self._lanes.save(lane)
        return lane.uniqueid

    def hangup(self, uniqueid: str, event: events.Event, *, told: bool = True) -> None:
        """The channel is gone, and every recorder on it; not `told`: since when, is a guess."""
        lane = self._lanes.on(uniqueid)
        if lane is not None:
            lane.told = told
            lane.advance(event)
            self._lanes.end(lane, event.at)
        for lane in self._stops.running_on(uniqueid):
            self._runs_no_more(lane, event.at, told=told)
        self._stops.hangup(uniqueid)
        self._foreign.hangup(uniqueid, event.at)
        self._trouble.pop(uniqueid, None)
        self._starting.forget(uniqueid)

    def follow_bridges(self, touched: Iterable[str], at: float) -> None:
        """A lane's file grows while its channel is in a bridge: note from when to when."""
        for uniqueid in touched:
            lane, channel = self._lanes.on(uniqueid), self._calls.channels.get(uniqueid)
            if channel is None:
                continue
            if lane is not None:
                self._follow_bridge(lane, channel, at)
            for lane in self._stops.running_on(uniqueid):
                self._follow_bridge(lane, channel, at)

    def _follow_bridge(self, lane: LiveLane, channel: Channel, at: float) -> None:
        before = lane.stretches
        if channel.bridge:
            lane.open_stretch(min(at, channel.entered_at or at))
        else:
            lane.close_stretch(at)
        if lane.stretches is not before:
            self._lanes.save(lane)

    def _runs_no_more(self, lane: LiveLane, at: float, *, told: bool = True) -> None:
        lane.told = told
        lane.close_stretch(at)
        lane.ended_at = at
        self._lanes.save(lane)

    def due(self, at: float) -> set[str]:
        """Channels whose recorder failed, or would not stop, and may be tried again now."""
        self._stops.due(at)
        return self._foreign.due(at) | {
            u for u, t in self._trouble.items() if t.not_before <= at and self._lanes.on(u) is None
        }

    def _begin(self, lane: LiveLane, at: float) -> None:
        """It runs since `at`: Asterisk's own stamp if that comes first or was before, else our reply's."""
        channel = self._calls.channels.get(lane.uniqueid)
        first = not lane.began
        lane.began = True
        if not channel or not channel.bridge or lane.state is LaneState.STOPPING:
            return
        at = max(at, channel.entered_at)
        if first:
            lane.open_stretch(at)
        else:
            lane.began_at(at)

    def _failed(self, lane: LiveLane, at: float, why: str, *, next_place: bool) -> None:
        """The recorder failed while its channel lives: alarm now, and try again where it may work."""
        trouble = self._trouble.setdefault(lane.uniqueid, _Trouble())
        trouble.not_before = at + _RETRIES[min(trouble.failures, len(_RETRIES) - 1)]
        trouble.failures += 1
        trouble.place += next_place
        lane.note = why
        self._out.alarm(at, "recorder-failed", f"The recorder on {lane.channel} failed: {why}", lane=lane.id)

    def deaf(self) -> None:
        """The link is lost: what was still to be told of starts and stops never will be."""
        self._starting.clear()
        self._stops.deaf()
        self._foreign.deaf()
