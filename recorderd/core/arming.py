"""Who is given a recorder before the call is answered, so that not a word of it is lost.

Owns what would be decided if one of those answered who ring now, or whom the dialplan said it would call. Must not know
recorders: the plan puts one there.
"""

from __future__ import annotations

from recorderd.core import hearing
from recorderd.core.calls import Calls
from recorderd.core.channels import Names
from recorderd.core.conversations import Talks
from recorderd.core.deciding import Decider
from recorderd.core.policy import Policy
from recorderd.core.rows import Direction, Party


class Arming:
    """Callers who wait: `foresee` one whenever something around it has changed."""

    def __init__(self, calls: Calls, talks: Talks, decider: Decider, names: Names) -> None:
        self._calls = calls
        self._talks = talks
        self._decider = decider
        self._names = names
        self._beeps: dict[str, int] = {}

    def beep(self, uniqueid: str) -> int | None:
        """How often the recorder of this caller is to beep, in seconds, 0 for never; None: it is to have none."""
        return self._beeps.get(uniqueid)

    def foresee(self, uniqueid: str, policy: Policy, at: float) -> None:
        """A caller who waits is armed if every party now ringing would make the decision *record*.

        In a conversation that goes on (a transfer) what was asked for goes on as well.
        """
        self._beeps.pop(uniqueid, None)
        channel = self._calls.channels.get(uniqueid)
        if channel is None or not channel.real or not (channel.ringing or channel.consulted):
            return
        talk = self._talks.of(uniqueid)
        if talk is not None and uniqueid in talk.members:
            return
        ringing = list(hearing.ringing_for(self._calls, uniqueid))
        if None in ringing:
            return
        caller, zone = frozenset((uniqueid,)), policy.zone
        situations = [
            hearing.situation(self._calls, caller | {callee.uniqueid}, at, zone=zone)
            for callee in ringing
            if callee
        ] or [
            hearing.situation(self._calls, caller, at, (self._expected(number),), zone)
            for number in channel.consulted
        ]
        pressed = talk is not None and talk.pressed
        decisions = [self._decider.decide(policy, s, pressed=pressed) for s in situations]
        if decisions and all(decision.taken for decision in decisions):
            self._beeps[channel.uniqueid] = max(decision.beep for decision in decisions)

    def _expected(self, number: str) -> Party:
        """Whom the dialplan is about to call: an extension if its device would be one."""
        extension = self._names.extension(f"PJSIP/{number}-0")
        return Party(
            uniqueid="", channel="", extension=extension, number=number, name="", direction=Direction.INBOUND
        )
