"""Channels hang up: we hear of it, or find out later that they are gone.

Owns who is told of it, and in which order: the recorder before the picture of what lives, what is kept of the channel
last. Must not know how anybody found out.
"""

from __future__ import annotations

from collections.abc import Iterator

from recorderd.core import events
from recorderd.core.calls import Calls
from recorderd.core.dealing import Dealing
from recorderd.core.following import Following
from recorderd.core.ledger import Ledger
from recorderd.core.offering import Offering
from recorderd.core.policy import Policy
from recorderd.core.recorder import Recorder
from recorderd.core.tags import Tags


class Hangups:
    """Afterwards nothing is kept of a channel but what its recordings still need."""

    def __init__(
        self,
        calls: Calls,
        recorder: Recorder,
        ledger: Ledger,
        tags: Tags,
        dealing: Dealing,
        offering: Offering,
        following: Following,
    ) -> None:
        self._calls = calls
        self._recorder = recorder
        self._ledger = ledger
        self._tags = tags
        self._dealing = dealing
        self._offering = offering
        self._following = following

    def gone(self, event: events.Hangup, *, told: bool = True) -> set[str]:
        """A channel is gone; return the channels that this touched. Not `told`: since when, is a guess."""
        self._recorder.hangup(event.uniqueid, event, told=told)
        touched = self._calls.apply(event)
        self._recorder.follow_bridges(touched, event.at)
        self._ledger.gone(event.uniqueid)
        self._tags.forget(event.uniqueid)
        self._dealing.forget(event.uniqueid)
        self._offering.forget(event.uniqueid)
        return touched

    def unheard(self, ended: dict[str, float], policy: Policy) -> Iterator[set[str]]:
        """Channels are gone without a Hangup that we heard; `ended` says when. Yields whom each touched."""
        for uniqueid in sorted(ended, key=lambda u: ended[u]):
            name = self._calls.channels[uniqueid].name
            event = events.Hangup(at=ended[uniqueid], channel=name, uniqueid=uniqueid, linkedid="")
            yield self._following.settle(self.gone(event, told=False), event.at, policy)
