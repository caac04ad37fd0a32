"""Extensions are given our feature code before they enter a bridge: Asterisk reads it only then.

Owns who has it already. Must not know what a press of it does (`presses`).
"""

from __future__ import annotations

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.outbox import Outbox


class Offering:
    """Once for each channel that rings, is rung or picks up."""

    def __init__(self, calls: Calls, out: Outbox) -> None:
        self._calls = calls
        self._out = out
        self._offered: dict[str, None] = {}

    def offer(self, event: events.DialBegin | events.Pickup | events.Consult) -> None:
        """To the extensions among its channels that have none."""
        uniqueids = (event.uniqueid, getattr(event, "dest_uniqueid", None))
        for channel in [self._calls.channels.get(uniqueid or "") for uniqueid in uniqueids]:
            if channel and channel.extension and channel.uniqueid not in self._offered:
                self._out.do(commands.OfferFeature(uniqueid=channel.uniqueid))
                self._offered[channel.uniqueid] = None

    def forget(self, uniqueid: str) -> None:
        """The channel is gone."""
        self._offered.pop(uniqueid, None)
