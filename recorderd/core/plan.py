"""The plan: what should be recorded is compared with what is being recorded, and the difference is asked for.

Owns whether a recorder begins, ends, is muted and watched on a channel, and whether there is room for one. Must not
know events nor policy: what should be is kept with the conversation, or with the caller who waits. Made as often as
anything has changed, it asks for nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import tzinfo

from recorderd.core import filenames
from recorderd.core.arming import Arming
from recorderd.core.calls import Calls
from recorderd.core.channels import Channel
from recorderd.core.conversations import Talk, Talks
from recorderd.core.dealing import Dealing
from recorderd.core.foreign import ForeignRecorders
from recorderd.core.lanes import Lanes
from recorderd.core.ledger import Ledger
from recorderd.core.recorder import Recorder
from recorderd.core.recordings import LiveLane
from recorderd.core.rows import LaneState, RecordingState
from recorderd.core.tags import Tags


class Plan:
    """`make` it around the channels that were touched. `no_room` says why no recording may begin, empty if one may."""

    def __init__(
        self,
        calls: Calls,
        talks: Talks,
        arming: Arming,
        lanes: Lanes,
        recorder: Recorder,
        foreign: ForeignRecorders,
        dealing: Dealing,
        ledger: Ledger,
        tags: Tags,
        new_id: Callable[[], str],
    ) -> None:
        self.no_room = ""
        self._calls = calls
        self._talks = talks
        self._arming = arming
        self._lanes = lanes
        self._recorder = recorder
        self._foreign = foreign
        self._dealing = dealing
        self._ledger = ledger
        self._tags = tags
        self._new_id = new_id

    def may_begin(self, talk: Talk | None) -> bool:
        """There is room, or what this talk was to be recorded for goes on: that is to end well."""
        if not self.no_room:
            return True
        if talk is None:
            return False
        recorded = talk.recording is not None and bool(talk.recording.lanes)
        return recorded or any(self._lanes.on(uniqueid) for uniqueid in talk.members)

    def make(self, touched: Iterable[str], at: float, zone: tzinfo) -> None:
        """Each channel by itself, in an order that does not depend on chance."""
        for uniqueid in sorted(touched):
            channel = self._calls.channels.get(uniqueid)
            if channel is None or not channel.real:
                continue
            talk, lane = self._talks.of(uniqueid), self._lanes.on(uniqueid)
            talking = talk if talk is not None and uniqueid in talk.members else None
            if talk or lane or channel.ringing or channel.consulted:
                self._begin_or_stop(channel, talk, talking, lane, at, zone)
            if talking is None or not talking.wanted:
                self._tags.take_out(channel, talking.id if talking else None)
            if talking:
                self._serve(channel, talking, at)
                continue
            if lane := self._lanes.on(uniqueid):
                self._recorder.watch(lane, growing=False)
            if talk and talk.recording and talk.recording.source and not talk.members:
                self._foreign.watch(talk.recording.id, talk.recording.source, growing=False)

    def _begin_or_stop(
        self,
        channel: Channel,
        talk: Talk | None,
        talking: Talk | None,
        lane: LiveLane | None,
        at: float,
        zone: tzinfo,
    ) -> None:
        running = lane is not None and lane.running
        armed = self._arming.beep(channel.uniqueid)
        if talking:
            linked = talking.recording is not None and talking.recording.source is not None
            wanted: bool | None = talking.taken and not linked
        elif channel.ringing or channel.consulted:
            wanted = armed is not None
        else:
            # Alone between two conversations: what runs, runs on, and `b` keeps it from writing.
            wanted = None if talk and talk.recording else False
        if (
            wanted
            and not running
            and self.may_begin(talk)
            and not self._dealing.holds_back(channel.uniqueid, talk)
        ):
            recording = talking.recording if talking else None
            beep = talk.decision.beep if talk and talk.decision else armed or 0
            folder = filenames.day_folder(at, zone)
            held = recording.id if recording else ""
            self._recorder.start(channel, self._new_id, folder, held, at, beep)
        elif wanted is False and lane is not None and running:
            self._recorder.stop(lane)

    def _serve(self, channel: Channel, talk: Talk, at: float) -> None:
        """A party of a running conversation: its lane belongs to the recording, its CDR to the file."""
        lane, recording = self._lanes.on(channel.uniqueid), talk.recording
        if lane is not None:
            if recording and lane.running and not recording.source:
                self._ledger.attach(recording, lane)
                if lane.state is LaneState.RECORDING:
                    self._ledger.seen(recording)
            self._recorder.watch(lane, growing=True)
            self._recorder.mute(lane, talk.masked)
        if recording and recording.asked and recording.state is RecordingState.RECORDING:
            self._tags.write(talk.members, talk.id, recording.name)
        if recording and recording.source:
            self._foreign.watch(recording.id, recording.source, growing=True)
        self._dealing.act(talk, at)
