"""What a press does: toggle, start, stop, pause, resume.

Owns who may change what by pressing. *on-demand* yields to a press, *always* and *never* do not. Must not
know how a press came or how its answer is heard.
"""

from __future__ import annotations

from recorderd.core import commands, events
from recorderd.core.conversations import LONGEST_PAUSE, Talk, Talks
from recorderd.core.outbox import Outbox
from recorderd.core.policy import Decision, Mode
from recorderd.core.rows import Mark

# A telephone that sends its code twice, or a press that came by two ways, is one press.
_REPEAT = 1.0


def press(
    talk: Talk | None,
    event: events.Press,
    out: Outbox,
    longest_pause: float = LONGEST_PAUSE,
    refusal: str = "",
) -> set[str]:
    """Carry out a press and answer it; return the channels around which the plan is made again.

    A pause ends by itself after `longest_pause` seconds. `refusal`: why nothing may be started now.
    """
    if talk is None or event.uniqueid not in talk.members or talk.decision is None:
        reason = "nobody talks there now"
        out.do(commands.Answer(press_id=event.id, outcome="denied", reason=reason))
        return set()
    before = talk.pressed, talk.declined
    outcome, reason = _ACTIONS[event.action](talk, talk.decision, event)
    if outcome == "started" and refusal:
        talk.pressed, talk.declined = before
        outcome, reason = "denied", refusal
    if outcome == "paused":
        talk.masked_until = event.at + longest_pause
    out.do(commands.Answer(press_id=event.id, outcome=outcome, reason=reason))
    row = Mark(
        id=event.id,
        conversation_id=talk.id,
        at=event.at,
        kind=outcome,
        who=event.by,
        text=f"{event.action} by {event.source}: {event.reason or reason}",
    )
    out.do(commands.Save(row=row))
    return set(talk.members) if outcome not in ("denied", "unchanged") else set()


def overdue(talks: Talks, at: float, out: Outbox) -> set[str]:
    """End every pause that lasted too long; return the channels that this concerns."""
    due: set[str] = set()
    for talk in talks.talks.values():
        if talk.masked_until is not None and talk.masked_until <= at:
            talk.masked, talk.masked_until = False, None
            due |= talk.members
            row = Mark(
                id=f"{talk.id}-resumed-{at:.3f}",
                conversation_id=talk.id,
                at=at,
                kind="resumed",
                who="recorderd",
                text="the pause lasted as long as one may",
            )
            out.do(commands.Save(row=row))
    return due


def _toggle(talk: Talk, decision: Decision, event: events.Press) -> tuple[str, str]:
    who, when = talk.last_press
    if who == event.uniqueid and event.at - when < _REPEAT:
        return "unchanged", "pressed twice within a second"
    if decision.mode is not Mode.ON_DEMAND:
        return "denied", decision.reason
    talk.last_press = (event.uniqueid, event.at)
    return _stop(talk, decision, event) if talk.pressed else _start(talk, decision, event)


def _start(talk: Talk, decision: Decision, _event: events.Press) -> tuple[str, str]:
    if decision.mode is Mode.NEVER:
        return "denied", decision.reason
    if decision.wanted:
        return "unchanged", "it is being recorded"
    talk.pressed, talk.declined = True, False
    return "started", decision.reason


def _stop(talk: Talk, decision: Decision, _event: events.Press) -> tuple[str, str]:
    if decision.mode is Mode.ALWAYS:
        return "denied", decision.reason
    if not decision.wanted:
        return "unchanged", "it is not being recorded"
    talk.pressed, talk.declined = False, True
    talk.masked, talk.masked_until = False, None
    return "stopped", decision.reason


def _pause(talk: Talk, decision: Decision, event: events.Press) -> tuple[str, str]:
    if not decision.wanted:
        return "denied", "it is not being recorded"
    if talk.masked:
        return "unchanged", "it is paused"
    talk.masked = True
    return "paused", event.reason or "asked for"


def _resume(talk: Talk, _decision: Decision, _event: events.Press) -> tuple[str, str]:
    if not talk.masked:
        return "unchanged", "it is not paused"
    talk.masked, talk.masked_until = False, None
    return "resumed", "asked for"


def _pausing(talk: Talk, decision: Decision, event: events.Press) -> tuple[str, str]:
    """One code for both: pause, or go on."""
    return (_resume if talk.masked else _pause)(talk, decision, event)


_ACTIONS = {
    "toggle": _toggle,
    "start": _start,
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "pausing": _pausing,
}
