"""What is said to Asterisk for each path, step by step.

Owns the conversations: each route is a generator that yields one `Say` or `Wait` at a time and is handed
the outcome. Must not know sockets, threads or a clock: `session` drives it, a test can do so by hand.
Commands go out strictly one at a time, for Asterisk never runs a pipelined one (asterisk-facts, trap 24).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from recorderd.agi import advice as advices
from recorderd.agi import wire
from recorderd.agi.ports import Brain
from recorderd.core import commands, events

ARMED_SECONDS = 1.5
PRESS_SECONDS = 0.08  # both parties are deaf to each other while an in-call AGI runs (asterisk-facts 4)


@dataclass(frozen=True, slots=True)
class Say:
    """Send this command; the generator is handed its Reply."""

    command: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a future; the generator is handed True when it is done, False when the time is up."""

    future: Future[Any]
    seconds: float


Steps: TypeAlias = Generator[Say | Wait, Any, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every route may use. `sounds` is the folder of our tones as Asterisk's STREAM FILE names it."""

    brain: Brain
    clock: Callable[[], float]
    new_id: Callable[[], str]
    extension_of: Callable[[str], str]
    sounds: str


Route: TypeAlias = Callable[[wire.Request, House], Steps]


def consult(request: wire.Request, house: House) -> Steps:
    """Before Dial: tell the dialplan, with one variable, whether and how the call goes on.

    Arguments, or `?callee=&linkedid=&exten=&context=&monitored=`: whom it is about to call (several joined by `&`),
    what a Gosub hides from AGI, and whether the dialplan's own recorder was started (anything but empty or 0). The
    call waits only where it may not connect unrecorded.
    """
    question = question_of(request, at=house.clock())
    advice = house.brain.consult(question)
    allow = True
    if advice.must_be_armed:
        armed = house.brain.armed(request.uniqueid)
        done: bool = yield Wait(armed, ARMED_SECONDS)
        allow = done and _truth(armed)
        armed.cancel()
    yield Say(wire.set_variable(advices.VARIABLE, advices.spell(advice, allow=allow)))


def question_of(request: wire.Request, *, at: float) -> events.Consult:
    callees = request.argument(0, "callee").replace(",", "&").split("&")
    return events.Consult(
        at=at,
        channel=request.channel,
        uniqueid=request.uniqueid,
        linkedid=request.argument(1, "linkedid"),
        caller_id_num=request.caller_id_num,
        exten=request.argument(2, "exten") or request.exten,
        context=request.argument(3, "context") or request.context,
        callees=tuple(callee.strip() for callee in callees if callee.strip()),
        monitored=request.argument(4, "monitored") not in ("", "0"),
    )


def pressing(action: str) -> Route:
    """The route that asks for `action`; `?from=dialplan` plays no tone (nobody pressed anything)."""

    def press(request: wire.Request, house: House) -> Steps:
        from_dialplan = request.query.get("from") == "dialplan"
        answer = house.brain.press(
            events.Press(
                id=house.new_id(),
                at=house.clock(),
                action=action,
                uniqueid=request.uniqueid,
                by=house.extension_of(request.channel),
                source="agi" if from_dialplan else "feature-code",
            )
        )
        outcome = yield from _outcome(answer)
        heard = tone(outcome, action)
        if heard and not from_dialplan:
            yield Say(wire.stream_file(f"{house.sounds}/{heard}"))

    return press


def tone(outcome: str, action: str) -> str:
    """What the presser hears; empty where no tone would be true."""
    return _TONES.get((outcome, action)) or _TONES.get((outcome, ""), "")


def _outcome(answer: Future[commands.Answer]) -> Generator[Wait, bool, str]:
    """The engine's word; `denied` for a press that was certainly not carried out, `unsaid` when unknown."""
    if not (yield Wait(answer, PRESS_SECONDS)):
        if answer.cancel():
            return "denied"
        if not (yield Wait(answer, PRESS_SECONDS)):
            return "unsaid"
    return answer.result().outcome


def _truth(future: Future[bool]) -> bool:
    """The future's word; a failure to find out is a no: the call may connect only recorded."""
    return not future.cancelled() and future.exception() is None and future.result() is True


# (outcome, action) first, then (outcome, any action): what the presser hears.
_TONES: dict[tuple[str, str], str] = {
    ("started", ""): "started",
    ("resumed", ""): "started",
    ("stopped", ""): "stopped",
    ("paused", ""): "stopped",
    ("denied", ""): "denied",
    ("unchanged", "start"): "started",
    ("unchanged", "resume"): "started",
    ("unchanged", "stop"): "stopped",
    ("unchanged", "pause"): "stopped",
}

ROUTES: dict[str, Route] = {
    "consult": consult,
    "start": pressing("start"),
    "stop": pressing("stop"),
    "toggle": pressing("toggle"),
    "pause": pressing("pause"),
    "resume": pressing("resume"),
    "pausing": pressing("pausing"),
}
