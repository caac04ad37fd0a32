"""Our recorders: one lane on a channel at most, from its start to its closed file.

Owns which lane runs on which channel, what Asterisk and the file watcher say of it, retries, and the
recorders of others. Must not know policy or conversations: the engine says who is to be recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recorderd.core import commands, events
from recorderd.core.calls import Calls, Channel
from recorderd.core.outbox import Outbox
from recorderd.core.recordings import OVER, LiveLane
from recorderd.core.rows import Lane, LaneState

LaneFact = (
    events.LaneStarted
    | events.LaneRefused
    | events.LaneStopped
    | events.LaneStopFailed
    | events.FileSeen
    | events.FileFault
)


@dataclass(slots=True)
class _Trouble:
    """A channel whose recorder failed: how often, which folder next, and not before when."""

    failures: int = 0
    place: int = 0
    not_before: float = 0.0


class Recorder:
    """Every lane that runs or whose file is not dealt with yet. `places` are the folders, best first."""

    def __init__(
        self, calls: Calls, out: Outbox, places: tuple[str, ...], waits: tuple[float, ...], settle: float
    ) -> None:
        self.calls = calls
        self.out = out
        self.lanes: dict[str, LiveLane] = {}
        self._places = places
        self._waits = waits
        self._settle = settle
        self._on: dict[str, str] = {}
        self._growing: dict[str, bool] = {}
        self._foreign: dict[str, int] = {}
        self._trouble: dict[str, _Trouble] = {}
        self._over: dict[str, None] = {}

    # --- questions -----------------------------------------------------------------------------

    def on(self, uniqueid: str) -> LiveLane | None:
        """The lane that Asterisk holds on a channel, or is about to hold or to let go."""
        return self.lanes.get(self._on.get(uniqueid, ""))

    def foreign(self, uniqueid: str) -> bool:
        """Somebody else records this channel."""
        return bool(self._foreign.get(uniqueid))

    # --- orders --------------------------------------------------------------------------------

    def start(self, channel: Channel, lane_id: str, folder: str, recording_id: str, at: float) -> None:
        """Take this channel's voice, unless it is being taken or failed a moment ago."""
        trouble = self._trouble.get(channel.uniqueid)
        if self._on.get(channel.uniqueid) or (trouble and at < trouble.not_before):
            return
        place = self._places[(trouble.place if trouble else 0) % len(self._places)]
        lane = LiveLane(
            id=lane_id,
            uniqueid=channel.uniqueid,
            channel=channel.name,
            label=channel.extension or channel.number,
            path=f"{place}/{folder}/{lane_id}.wav",
            outside=not channel.extension,
            recording_id=recording_id,
        )
        self.lanes[lane_id] = lane
        self._on[channel.uniqueid] = lane_id
        self.save(lane)
        self.out.do(commands.MixMonitor(lane_id=lane_id, uniqueid=channel.uniqueid, path=lane.path))

    def stop(self, lane: LiveLane, at: float) -> None:
        """Stop it as soon as Asterisk has confirmed it; until then the answer brings the plan back here."""
        if lane.state is LaneState.STARTING:
            return
        lane.state = LaneState.STOPPING
        lane.close_stretch(at)
        self._send_stop(lane)

    def _send_stop(self, lane: LiveLane) -> None:
        self.out.do(
            commands.StopMixMonitor(lane_id=lane.id, uniqueid=lane.uniqueid, mixmonitor_id=lane.mixmonitor_id)
        )

    def stop_foreign(self, uniqueid: str) -> None:
        """Stop the newest recorder on a channel, which is somebody else's."""
        self._foreign[uniqueid] -= 1
        self.out.do(commands.StopForeign(uniqueid=uniqueid))

    def mute(self, lane: LiveLane, muted: bool) -> None:
        """Have silence written instead of the voice, or the voice again."""
        if lane.muted is muted or lane.state not in (LaneState.ATTACHED, LaneState.RECORDING):
            return
        lane.muted = muted
        self.out.do(
            commands.MixMonitorMute(
                lane_id=lane.id, uniqueid=lane.uniqueid, mixmonitor_id=lane.mixmonitor_id, muted=muted
            )
        )

    def watch(self, lane: LiveLane, growing: bool) -> None:
        """Its file must be there, and grow while its party talks with another."""
        if lane.state not in (LaneState.ATTACHED, LaneState.RECORDING):
            return
        if self._growing.get(lane.id) is not growing:
            self._growing[lane.id] = growing
            self.out.do(commands.Watch(lane_id=lane.id, path=lane.path, growing=growing))

    def save(self, lane: LiveLane, duration_ms: int = 0) -> None:
        """Have the lane remembered as it is now."""
        self.out.do(commands.Save(row=lane.row(duration_ms)))

    # --- facts ---------------------------------------------------------------------------------

    def monitor_started(self, event: events.MixMonitorStart) -> None:
        """Ours if we are waiting for one there, else somebody else's."""
        lane = self.on(event.uniqueid)
        if lane is not None and lane.state is LaneState.STARTING and not lane.began:
            self._begin(lane, event.at)
        else:
            self._foreign[event.uniqueid] = self._foreign.get(event.uniqueid, 0) + 1

    def monitor_stopped(self, event: events.MixMonitorStop) -> None:
        """Ours if we asked for it; else somebody else's, or ours stopped behind our back."""
        lane = self.on(event.uniqueid)
        if lane is not None and lane.state is LaneState.STOPPING:
            return
        if self.foreign(event.uniqueid):
            self._foreign[event.uniqueid] -= 1
        elif lane is not None and lane.running:
            self.fact(events.FileFault(at=event.at, lane_id=lane.id, kind="stopped by somebody else"))

    def fact(self, event: LaneFact) -> str | None:
        """Follow the state table; return the channel that the fact is about, None when it came too late."""
        lane = self.lanes.get(event.lane_id)
        if lane is None or lane.state in OVER:
            return None
        if isinstance(event, events.LaneStarted):
            lane.mixmonitor_id = event.mixmonitor_id
            if not lane.began:
                self._begin(lane, event.at)
        before = lane.state
        lane.advance(event)
        match event:
            case events.FileFault() if lane.state is LaneState.LOST:
                self._failed(lane, event.at, f"its file is {event.kind}", next_place=True)
                self._send_stop(lane)
            case events.LaneRefused():
                self._failed(lane, event.at, event.reason, next_place=False)
            case events.LaneStopFailed():
                why = f"The recorder on {lane.channel} cannot be stopped: {event.reason}"
                self.out.alarm(event.at, "stop-failed", why, lane=lane.id)
            case events.FileSeen():
                self._trouble.pop(lane.uniqueid, None)
        if lane.state in OVER:
            self._ended(lane, event.at)
        elif lane.state is not before:
            self.save(lane)
        return lane.uniqueid

    def hangup(self, uniqueid: str, event: events.Event) -> None:
        """The channel is gone, and every recorder on it."""
        lane = self.on(uniqueid)
        if lane is not None:
            lane.advance(event)
            self._ended(lane, event.at)
        self._foreign.pop(uniqueid, None)
        self._trouble.pop(uniqueid, None)

    def follow_bridges(self, touched: Iterable[str], at: float) -> None:
        """A lane's file grows while its channel is in a bridge: note from when to when."""
        for uniqueid in touched:
            lane, channel = self.on(uniqueid), self.calls.channels.get(uniqueid)
            if lane is not None and channel is not None and lane.state is not LaneState.STOPPING:
                if channel.bridge:
                    lane.open_stretch(at)
                else:
                    lane.close_stretch(at)

    def due(self, at: float) -> set[str]:
        """Channels whose recorder failed and may be tried again now."""
        return {u for u, t in self._trouble.items() if t.not_before <= at and u not in self._on}

    def _begin(self, lane: LiveLane, at: float) -> None:
        lane.began = True
        channel = self.calls.channels.get(lane.uniqueid)
        if channel and channel.bridge:
            lane.open_stretch(at)

    def _failed(self, lane: LiveLane, at: float, why: str, *, next_place: bool) -> None:
        """The recorder failed while its channel lives: alarm now, and try again where it may work."""
        trouble = self._trouble.setdefault(lane.uniqueid, _Trouble())
        trouble.not_before = at + self._waits[min(trouble.failures, len(self._waits) - 1)]
        trouble.failures += 1
        trouble.place += next_place
        lane.note = why
        self.out.alarm(at, "recorder-failed", f"The recorder on {lane.channel} failed: {why}", lane=lane.id)

    def _ended(self, lane: LiveLane, at: float) -> None:
        lane.ended_at = at
        lane.close_stretch(at)
        if self._on.get(lane.uniqueid) == lane.id:
            del self._on[lane.uniqueid]
        if self._growing.pop(lane.id, None) is not None:
            self.out.do(commands.Unwatch(lane_id=lane.id))
        self._over[lane.id] = None
        self.save(lane)

    # --- what becomes of the files -------------------------------------------------------------

    def final(self, lane: LiveLane, at: float) -> bool:
        """Its file will not change any more: the hang-up races the closing by some milliseconds."""
        return lane.state in OVER and at >= (lane.ended_at or 0.0) + self._settle

    def release(self, lane: LiveLane, recording_id: str, duration_ms: int) -> None:
        """Its audio is in this recording's mix: when no other needs it, its file goes."""
        lane.users.discard(recording_id)
        if not lane.users and lane.state in OVER:
            self._forget(lane, LaneState.CLOSED, duration_ms)

    def keep(self, lane: LiveLane, why: str) -> None:
        """Its audio is in no mix: its file stays, and the row says why."""
        lane.note = why
        self.save(lane)
        self._over.pop(lane.id, None)
        self.lanes.pop(lane.id, None)

    def sweep(self, at: float) -> None:
        """Throw away what no recording uses: the 44 bytes of an unanswered call, and the like."""
        for lane in [self.lanes[lane_id] for lane_id in self._over]:
            if not lane.users and self.final(lane, at):
                self._forget(lane, LaneState.DISCARDED, 0)

    def _forget(self, lane: LiveLane, state: LaneState, duration_ms: int) -> None:
        lane.state = state
        self.out.do(commands.RemoveFile(path=lane.path))
        self.save(lane, duration_ms)
        self._over.pop(lane.id, None)
        del self.lanes[lane.id]

    # --- a restart -----------------------------------------------------------------------------

    def adopt(self, live: events.LiveChannel, at: float) -> None:
        """Find our recorder on a channel again by its variables; drop one that is not there any more."""
        lane = self.on(live.uniqueid)
        listed = self.lanes.get(live.lane_id) if live.mixmonitor_id else None
        if listed is not None and (listed is lane or listed.state not in OVER):
            listed.mixmonitor_id = live.mixmonitor_id
            listed.began = True
            if listed.state is LaneState.STARTING:
                listed.state = LaneState.ATTACHED
            self._on[live.uniqueid] = listed.id
            self._growing.pop(listed.id, None)
        elif lane is not None:
            lane.state, lane.note = LaneState.LOST, "it was not there any more after the link came back"
            self._ended(lane, at)

    def restore(self, row: Lane, users: Iterable[str], outside: bool) -> None:
        """A lane from before a restart."""
        lane = self.lanes[row.id] = LiveLane.from_row(row, outside)
        lane.users.update(users)
        if lane.state in OVER:
            self._over[lane.id] = None
        else:
            self._on[lane.uniqueid] = lane.id
            self.calls.remember_channel(lane.uniqueid, lane.channel)
