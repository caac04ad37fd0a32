"""Conversations are followed: who talks with whom now, what policy says of it, which interval that ends and begins.

Owns that each conversation has its decision, its running interval and its row, as of now. Must not know our recorders:
the plan compares what is decided here with what runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recorderd.core import commands, hearing
from recorderd.core.calls import Calls
from recorderd.core.conversations import Talk, Talks
from recorderd.core.dealing import Dealing
from recorderd.core.deciding import Decider
from recorderd.core.ledger import Ledger
from recorderd.core.outbox import Outbox
from recorderd.core.policy import Policy
from recorderd.core.recordings import BUFFERED
from recorderd.core.rows import Party


class Following:
    """`settle` whatever an event has touched."""

    def __init__(
        self, calls: Calls, talks: Talks, decider: Decider, dealing: Dealing, ledger: Ledger, out: Outbox
    ) -> None:
        self._calls = calls
        self._talks = talks
        self._decider = decider
        self._dealing = dealing
        self._ledger = ledger
        self._out = out

    def settle(self, touched: set[str], at: float, policy: Policy, *, found: bool = False) -> set[str]:
        """Who talks with whom now, what policy says of it; return all channels that this concerns.

        `found`: nobody told us for a while, as in `Talks.settle`.
        """
        concerned = set(touched)
        for talk in self._talks.settle(touched, at, found=found).values():
            self.follow(talk, at, policy)
            concerned |= talk.channels
        return concerned

    def follow(self, talk: Talk, at: float, policy: Policy) -> None:
        """Its row comes before its intervals', and its end after theirs: a crash may lie in between."""
        if talk.ended_at is None:
            self._remember(talk)
        self._decide(talk, at, policy)
        if talk.ended_at is not None:
            self._ledger.close_recording(talk, at)
            self._remember(talk)

    def _remember(self, talk: Talk) -> None:
        saved = talk.saved
        if saved is None or (saved.ended_at, saved.linkedids, saved.joined) != (
            talk.ended_at,
            talk.linkedids,
            talk.joined,
        ):
            talk.saved = talk.row()
            self._out.do(commands.Save(row=talk.saved))

    def _decide(self, talk: Talk, at: float, policy: Policy) -> None:
        """Make the decision again; a change of parties, decision or mask ends an interval and begins one."""
        postponed = self._dealing.has_postponed(talk, at)
        if not talk.members:
            if not self._dealing.goes_on_postponing(talk):
                self._begin_postponed(talk)
            self._ledger.end(talk, at, None)
            return
        if talk.interval is None and not talk.interval_end and not postponed:
            at = talk.started_at
        situation = hearing.situation(self._calls, talk.members, at, zone=policy.zone)
        decision = self._decider.decide(policy, situation, pressed=talk.pressed)
        if talk.declined:  # who ended a recording does not want what follows to be taken for later
            decision = replace(decision, buffered=False)
        talk.decision = decision
        self._dealing.meet(talk)
        if self._dealing.postpones(talk, situation, decision):
            return
        self._begin_postponed(talk)
        source = self._dealing.link(talk, decision)
        before = talk.interval
        if before is None or (
            before.wanted,
            before.note == BUFFERED,
            before.mode,
            before.masked,
            _who(before.parties),
            talk.recording.source if talk.recording else None,
        ) != (
            decision.taken,
            decision.buffered,
            decision.mode,
            talk.masked,
            talk.members,
            source,
        ):
            self._ledger.end(talk, at, decision)
            self._ledger.begin(talk, situation, decision, source)

    def _begin_postponed(self, talk: Talk) -> None:
        """Each as of then, and ended as of then."""
        for one in self._dealing.take_postponed(talk):
            source = self._dealing.link(talk, one.decision, one.members)
            self._ledger.begin(talk, one.situation, one.decision, source)
            if one.ended_at is not None:
                self._ledger.end(talk, one.ended_at, None)
            for uniqueid in one.members - self._calls.channels.keys():  # who hung up while it was postponed
                self._ledger.gone(uniqueid)


def _who(parties: Iterable[Party]) -> frozenset[str]:
    return frozenset(party.uniqueid for party in parties)
