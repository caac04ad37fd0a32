"""After a restart or a lost link: what we remember is laid on what lives in Asterisk.

Owns what of a picture differs from what we knew, and which of our rows make which conversation, recording and lane
again. Must not know what is done about it: the engine has that thought about and planned.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from recorderd.core import events
from recorderd.core.adopting import Adopting
from recorderd.core.agenda import in_parts
from recorderd.core.calls import Calls
from recorderd.core.conversations import Talks
from recorderd.core.following import Following
from recorderd.core.foreign import ForeignRecorders
from recorderd.core.hangups import Hangups
from recorderd.core.ledger import Ledger
from recorderd.core.policy import Policy
from recorderd.core.recorder import Recorder
from recorderd.core.rows import Conversation, Interval, Lane, Recording
from recorderd.core.tags import Tags


class CatchingUp:
    """`restore` before the first event; `compare` with every `Resync`."""

    def __init__(
        self,
        calls: Calls,
        talks: Talks,
        recorder: Recorder,
        adopting: Adopting,
        foreign: ForeignRecorders,
        tags: Tags,
        ledger: Ledger,
        following: Following,
        hangups: Hangups,
    ) -> None:
        self._calls = calls
        self._talks = talks
        self._recorder = recorder
        self._adopting = adopting
        self._foreign = foreign
        self._tags = tags
        self._ledger = ledger
        self._following = following
        self._hangups = hangups

    def restore(
        self,
        conversations: Iterable[Conversation],
        held: Iterable[Interval],
        recorded: Iterable[Recording],
        lanes: Iterable[Lane],
    ) -> None:
        """Remember what was open before a restart.

        `conversations` that have ended are only those of unfinished recordings. `held` are the open
        intervals and all those of `recorded`. The first `Resync` tells what still lives.
        """
        held = sorted(held, key=lambda interval: interval.started_at)
        outside = {p.uniqueid: not p.extension for i in held for p in i.parties}
        live = [self._ledger.restore(row, held) for row in recorded]
        talking = [row for row in conversations if row.ended_at is None]
        for recording in live:
            if recording.conversation_id not in {row.id for row in talking}:
                self._ledger.close_forsaken(recording)
        for row in talking:
            mine = [recording for recording in live if recording.conversation_id == row.id]
            self._talks.restore(row, [i for i in held if i.conversation_id == row.id], mine)
        for lane in lanes:
            users = [r.id for r in live if lane.id in r.lanes or lane.recording_id == r.id]
            for user in users:
                self._ledger.recordings[user].add_lane(lane.id)
            began = max((self._ledger.recordings[user].started_at for user in users), default=0.0)
            self._adopting.restore(lane, users, outside.get(lane.uniqueid, False), began)

    def compare(
        self, event: events.Resync, policy: Policy
    ) -> Generator[object, None, tuple[set[str], set[str]]]:
        """Take in the picture, a little with each step.

        Returns the channels around which something has changed, and those whose recorder is not as we believed.
        """
        at, listed = event.at, {live.uniqueid: live for live in event.channels}
        touched, unlike = self._foreign.channels, set()
        ended = {u: event.ended.get(u, at) for u in self._calls.channels if u not in listed}
        for more in self._hangups.unheard(ended, policy):
            touched |= more
            yield more
        for some in in_parts(self._calls.resync(event)):
            touched.update(*some)
            yield some
        self._foreign.adopt(event.channels, at)
        touched |= self._foreign.channels
        for talk in self._talks.end_forsaken(at):
            self._following.follow(talk, at, policy)
        for lives in in_parts(listed.values()):
            for live in lives:
                if not self._adopting.adopt(live, at):
                    unlike.add(live.uniqueid)
                home = self._talks.of(live.uniqueid)
                self._tags.adopt(live, home.id if home and live.lane_id else "")
            self._recorder.follow_bridges((live.uniqueid for live in lives), at)
            yield lives
        for talk in self._talks.talks.values():
            # Of before a restart, or waiting for what nobody will tell now.
            if talk.decision is None or talk.interval is None:
                touched |= talk.channels
        return touched, unlike
