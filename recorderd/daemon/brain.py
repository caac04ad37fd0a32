"""What the dialplan is answered from: policy in memory, whatever else is stuck.

Owns the advice. Runs in the AGI thread and shares with the daemon's loop one reference to an immutable
policy, nothing else. Must not wait for anything.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from recorderd.agi.advice import Advice
from recorderd.core import commands, events
from recorderd.core.channels import Names, device_of
from recorderd.core.policy import FailMode, Policy, Situation, decide
from recorderd.core.rows import Direction, Party
from recorderd.daemon.switchboard import Switchboard


class Brain:
    """The AGI room's `Brain`. `policy` gives the one in force."""

    def __init__(self, policy: Callable[[], Policy], names: Callable[[], Names], board: Switchboard) -> None:
        self._policy = policy
        self._names = names
        self._board = board

    def consult(self, question: events.Consult) -> Advice:
        """What policy says of this call; the engine hears of it and arms the caller's recorder."""
        self._board.put_soon(question)
        deaf = not self._board.engine.able
        return advise(question, self._policy(), self._names(), deaf=deaf)

    def press(self, press: events.Press) -> Future[commands.Answer]:
        """Hand a press to the engine."""
        return self._board.press(press)

    def armed(self, uniqueid: str) -> Future[bool]:
        """Whether the caller's file has been seen."""
        return self._board.armed(uniqueid)


def advise(question: events.Consult, policy: Policy, names: Names, *, deaf: bool = False) -> Advice:
    """Policy on a call about to be dialled. Pure. `deaf`: it cannot be recorded now, whatever policy says.

    Of several callees, the call is to be recorded only if it is with every one of them; the strictest fail
    mode holds.
    """
    numbers = question.callees or (question.exten,)
    decisions = [decide(policy, _situation(question, number, policy, names)) for number in numbers]
    record = all(decision.wanted for decision in decisions)
    told = next((d for d in decisions if d.wanted is record), decisions[0])
    order = list(FailMode)
    fail_mode = max((d.fail_mode for d in decisions), key=order.index)
    emergency = not policy.emergency.isdisjoint((*numbers, question.exten))
    told_before = record and deaf and fail_mode is FailMode.ANNOUNCE
    return Advice(
        mode=told.mode,
        record=record,
        fail_mode=fail_mode,
        announce="not-recorded" if told_before else told.announce if any(d.taken for d in decisions) else "",
        emergency=emergency,
        reason=told.reason,
    )


def _situation(question: events.Consult, callee: str, policy: Policy, names: Names) -> Situation:
    caller = names.extension(question.channel)
    extension = names.extension(f"PJSIP/{callee}-0")
    parties = (
        Party(
            uniqueid=question.uniqueid,
            channel=question.channel,
            extension=caller,
            number=caller or question.caller_id_num,
            name="",
            direction=Direction.OUTBOUND,
        ),
        Party(
            uniqueid="",
            channel="",
            extension=extension,
            number=callee,
            name="",
            direction=Direction.INBOUND,
        ),
    )
    trunk = () if caller else (device_of(question.channel).partition("/")[2],)
    return Situation(
        at=question.at,
        parties=parties,
        dialled=tuple(dict.fromkeys(n for n in (question.exten, callee) if n)),
        contexts=(question.context,) if question.context else (),
        trunks=trunk,
        zone=policy.zone,
    )
