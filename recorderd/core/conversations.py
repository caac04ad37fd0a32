"""Conversations: people who hear each other, followed through transfers, holds and conferences.

Owns which live channels make which conversation, and when one goes on, joins another or ends. Must not know
policy's rules or recorders. A conversation goes on as long as one of its channels lives and talks nowhere
else: so a transfer continues it, and a consultation call is one of its own until it is joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from recorderd.core import hearing
from recorderd.core.calls import Calls
from recorderd.core.policy import Decision, Mode
from recorderd.core.recordings import BUFFERED, LiveRecording
from recorderd.core.rows import Conversation, Interval, RecordingState

LONGEST_PAUSE = 180.0


@dataclass(slots=True)
class Talk:
    """A live conversation. `members` hear each other now; none means that it waits (hold, transfer).

    `channels` are those that belong to it and talk nowhere else: it lives as long as one of them does.
    """

    id: str
    started_at: float
    first_uniqueid: str
    members: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    linkedids: tuple[str, ...] = ()
    pressed: bool = False
    last_press: tuple[str, float] = ("", 0.0)
    declined: bool = False
    masked: bool = False
    masked_until: float | None = None
    decision: Decision | None = None
    interval: Interval | None = None
    interval_end: float = 0.0
    recording: LiveRecording | None = None
    segments: int = 0
    ended_at: float | None = None
    joined: str | None = None
    saved: Conversation | None = None

    @property
    def wanted(self) -> bool:
        """People talk and policy wants it recorded."""
        return len(self.members) > 1 and self.decision is not None and self.decision.wanted

    @property
    def taken(self) -> bool:
        """People talk, and sound is taken."""
        return len(self.members) > 1 and self.decision is not None and self.decision.taken

    def row(self) -> Conversation:
        """This conversation as it is remembered."""
        return Conversation(
            id=self.id,
            started_at=self.started_at,
            ended_at=self.ended_at,
            linkedids=self.linkedids,
            joined=self.joined,
        )

    def __str__(self) -> str:
        what = self.decision if self.decision else "undecided"
        return f"conversation {self.id} of {len(self.members)}: {what}"


class Talks:
    """All live conversations. `home` is the one to which a channel last belonged."""

    def __init__(self, calls: Calls, new_id: Callable[[], str], longest_pause: float = LONGEST_PAUSE) -> None:
        self.longest_pause = longest_pause
        self.calls = calls
        self.new_id = new_id
        self.talks: dict[str, Talk] = {}
        self.home: dict[str, str] = {}

    def of(self, uniqueid: str) -> Talk | None:
        """The conversation a channel belongs to, talking now or waiting to go on."""
        return self.talks.get(self.home.get(uniqueid, ""))

    def settle(self, touched: Iterable[str], at: float, *, found: bool = False) -> dict[str, Talk]:
        """Find out again who talks with whom around these channels; return every conversation concerned.

        Ended ones are among them, with `ended_at` set, and are forgotten here. `found`: nobody told us for a
        while, so new ones began before `at`.
        """
        concerned = self._homes_of(touched)
        groups = self._groups(set(touched).union(*[talk.members for talk in concerned.values()]))
        if not concerned and not groups:
            return concerned
        for group in sorted(groups, key=min):
            concerned.update(self._homes_of(group))
        claimed = self._claim(groups, at, found)
        for talk in concerned.values():
            if talk.id not in claimed:
                talk.members = frozenset()
        concerned.update(claimed)
        self._end(concerned, at)
        return concerned

    def apart(self, uniqueids: Iterable[str]) -> Iterator[set[str]]:
        """These channels in lots that have nothing to do with each other, each with all that belongs to it.

        Who hears each other, has one conversation, or waits for one who rings is in one lot, so that lot by lot the
        same is found as in all at once. A lot is looked for when it is asked for.
        """
        done: set[str] = set()
        for uniqueid in uniqueids:
            if uniqueid in done:
                continue
            lot: set[str] = set()
            heard: set[str] = set()
            todo = {uniqueid}
            while todo:
                one = todo.pop()
                lot.add(one)
                if one not in heard:
                    heard |= hearing.each_other(self.calls, one)
                    todo |= heard - lot
                if talk := self.of(one):
                    todo |= talk.channels.union(talk.members) - lot
                todo.update(c.uniqueid for c in hearing.callers_of(self.calls, one) if c.uniqueid not in lot)
            done |= lot
            yield lot

    def _homes_of(self, uniqueids: Iterable[str]) -> dict[str, Talk]:
        return {talk.id: talk for u in sorted(uniqueids) if (talk := self.of(u))}

    def _groups(self, pool: Iterable[str]) -> set[frozenset[str]]:
        """Those of these channels who hear somebody, each with all whom he hears."""
        groups: set[frozenset[str]] = set()
        heard: set[str] = set()
        for uniqueid in pool:
            if uniqueid not in heard and len(group := hearing.each_other(self.calls, uniqueid)) > 1:
                groups.add(group)
                heard |= group
        return groups

    def _claim(self, groups: Iterable[frozenset[str]], at: float, found: bool) -> dict[str, Talk]:
        """Give every group its conversation: the one that most of its members are in, else the oldest."""
        claimed: dict[str, Talk] = {}
        joins: list[tuple[Talk, Talk]] = []
        for group in sorted(groups, key=lambda g: (-len(g), min(g))):
            homes = Counter(talk.id for u in sorted(group) if (talk := self.of(u)) and talk.id not in claimed)
            candidates = [self.talks[h] for h in homes]
            left = [t for t in candidates if self._waits_for(t, group)]
            talk = min(
                [t for t in candidates if t not in left],
                key=lambda t: (len(t.members & group) < 2, t.started_at, t.id),
                default=None,
            )
            if talk is None:
                talk = self._start(group, self._began(group, at) if found else at)
                talk.joined = left[0].id if left else None
            joins.extend((other, talk) for other in candidates if other is not talk and other not in left)
            talk.members = group
            self._add_linkedids(talk, group)
            for other in left:
                if other.joined is None and talk.joined != other.id:
                    other.joined = talk.id  # one story with who left it, whichever goes on
            self._move_home(group, talk)
            claimed[talk.id] = talk
        for other, talk in joins:
            if other.id not in claimed:  # else one of its people walked over, and it goes on without
                self._join(other, talk)
        return claimed

    def _waits_for(self, talk: Talk, group: frozenset[str]) -> bool:
        """Somebody of it stays behind in the bridge where they talked: who left has gone to ask a third.

        One who sent the other away (a blind transfer, a parking) does not wait, though his telephone may
        linger; nor one whose other party takes a person's place elsewhere (an attended transfer by REFER).
        """
        if len(talk.members & group) > 1 or any(
            self.calls.channels[u].took_place for u in talk.channels & group
        ):
            return False
        for uniqueid in talk.channels - group:
            channel = self.calls.channels.get(uniqueid)
            if (
                channel
                and channel.bridge
                and not channel.sent_away
                and len(hearing.each_other(self.calls, uniqueid)) == 1
            ):
                return True
        return False

    def _add_linkedids(self, talk: Talk, group: frozenset[str]) -> None:
        for uniqueid in sorted(group):
            linkedid = self.calls.channels[uniqueid].linkedid
            if linkedid not in talk.linkedids:
                talk.linkedids += (linkedid,)

    def _move_home(self, group: frozenset[str], talk: Talk) -> None:
        for uniqueid in group - talk.channels:
            if before := self.of(uniqueid):
                before.channels -= {uniqueid}
            self.home[uniqueid] = talk.id
        # Almost always nobody else belongs to it: then both are one object.
        talk.channels = group if talk.channels <= group else talk.channels | group

    def _began(self, group: frozenset[str], at: float) -> float:
        """When the second of them came, as far as is known."""
        return min(at, sorted(self.calls.channels[u].entered_at or at for u in group)[1])

    def _start(self, group: frozenset[str], at: float) -> Talk:
        channels = [self.calls.channels[u] for u in group]
        first = min(channels, key=lambda c: (c.called, c.uniqueid))
        talk = Talk(self.new_id(), at, first.uniqueid)
        self.talks[talk.id] = talk
        return talk

    @staticmethod
    def _join(other: Talk, talk: Talk) -> None:
        """Two conversations became one story. What somebody asked for in either goes on."""
        other.joined = talk.id
        if talk.joined == other.id:
            talk.joined = None
        talk.pressed = talk.pressed or other.pressed

    def _end(self, concerned: dict[str, Talk], at: float) -> None:
        """A conversation ends with its last channel, or when its last one talks elsewhere."""
        for talk in concerned.values():
            gone = [u for u in talk.channels if u not in self.calls.channels]
            for uniqueid in gone:
                self.home.pop(uniqueid, None)
            if gone:
                talk.channels = talk.channels.difference(gone)
            if not talk.channels and talk.id in self.talks:
                talk.ended_at = at
                talk.members = frozenset()
                del self.talks[talk.id]

    def end_forsaken(self, at: float) -> list[Talk]:
        """End conversations of before a restart of whose channels nothing was remembered."""
        forsaken = {talk.id: talk for talk in self.talks.values() if not talk.channels}
        self._end(forsaken, at)
        return list(forsaken.values())

    # --- a restart -----------------------------------------------------------------------------

    def restore(self, row: Conversation, held: Sequence[Interval], live: Sequence[LiveRecording]) -> None:
        """A conversation from before a restart, its intervals (oldest first) and unfinished recordings."""
        parties = {p.uniqueid: p for i in held for p in i.parties}
        talk = Talk(row.id, row.started_at, next(iter(parties), row.id), joined=row.joined, saved=row)
        talk.linkedids = row.linkedids
        talk.interval = next((i for i in held if i.ended_at is None), None)
        talk.segments = max((r.segment for r in live), default=0)
        talk.recording = next((r for r in live if r.state is not RecordingState.CLOSING), None)
        talking = {p.uniqueid for p in talk.interval.parties} if talk.interval else set()
        talk.interval_end = max((i.ended_at or 0.0 for i in held), default=0.0)
        if last := talk.interval or next(reversed(held), None):
            talk.masked = last.masked
            talk.masked_until = last.started_at + self.longest_pause if last.masked else None
            buffered = last.note == BUFFERED
            talk.pressed = last.wanted and last.mode == Mode.ON_DEMAND and not buffered
        self.talks[talk.id] = talk
        for party in parties.values():
            self.calls.remember(party, talk.id if party.uniqueid in talking else None)
        self._move_home(frozenset(parties), talk)
        talk.members = frozenset(talking)
