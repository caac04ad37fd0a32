"""“What if A called B?”: owns the step from a person's words to a situation, and the answer as data.

Must not know where the policy came from: the command line brings it from the store, the daemon from memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recorderd.core.channels import Names
from recorderd.core.policy import Policy, Situation, decide
from recorderd.core.rows import Direction, Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call that might be: `caller` calls `callee` at `at` (seconds since the epoch).

    `did` is the number that an outside caller dialled, `trunk` the endpoint by which the outside party comes
    or goes, `context` where the caller's channel is in the dialplan.
    """

    caller: str
    callee: str
    at: float
    did: str = ""
    trunk: str = ""
    context: str = ""
    pressed: bool = False


def situation(question: Question, policy: Policy, names: Names) -> Situation:
    """The two parties in one conversation."""
    inside = {n: _inside(n, question, policy, names) for n in (question.caller, question.callee)}
    parties = (
        _party(question.caller, Direction.OUTBOUND, inside[question.caller]),
        _party(question.callee, Direction.INBOUND, inside[question.callee]),
    )
    # What was dialled first: the DID by somebody outside, otherwise the callee.
    dialled = (question.did,) if question.did else ()
    return Situation(
        at=question.at,
        parties=parties,
        dialled=(*dialled, question.callee),
        contexts=(question.context,) if question.context else (),
        trunks=(question.trunk,) if question.trunk else (),
        zone=policy.zone,
    )


def _inside(number: str, question: Question, policy: Policy, names: Names) -> bool:
    """Whether a number is an extension: it has a policy, or its telephone would be called like one.

    With a trunk, one party is outside: the caller where a DID was dialled, otherwise the callee.
    """
    if number in policy.extensions:
        return True
    if number in policy.emergency:
        return False
    if (question.trunk or question.did) and number == (question.caller if question.did else question.callee):
        return False
    if number in names.devices.values():
        return True
    return names.extension(f"PJSIP/{number}-0") == number


def _party(number: str, direction: Direction, inside: bool) -> Party:
    channel = f"PJSIP/{number}" if inside else ""
    return Party(
        uniqueid=f"{direction}",
        channel=channel,
        extension=number if inside else "",
        number=number,
        name="",
        direction=direction,
    )


def explain(question: Question, policy: Policy, names: Names) -> dict[str, Any]:
    """The decision on such a call with every reason, as data."""
    asked = situation(question, policy, names)
    decision = decide(policy, asked, pressed=question.pressed)
    return {
        "mode": str(decision.mode),
        "record": decision.wanted,
        "reason": decision.reason,
        "fail_mode": str(decision.fail_mode),
        "policy_version": decision.version,
        "parties": [
            {"number": p.number, "extension": p.extension, "direction": str(p.direction)}
            for p in asked.parties
        ],
        "trace": list(decision.trace),
    }
