"""What each route says, driven by hand: no socket, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from recorderd.agi import routes, wire
from recorderd.agi.advice import Advice
from recorderd.core import commands, events
from tests.agi.brain import ChosenBrain, block


@pytest.fixture
def brain() -> ChosenBrain:
    return ChosenBrain()


def house(brain: ChosenBrain) -> routes.House:
    return routes.House(
        brain=brain,
        clock=lambda: 5.0,
        new_id=lambda: "p1",
        extension_of=wire.extension_of,
        sounds="recorderd",
    )


def request(**changes: str | None) -> wire.Request:
    return wire.parse_block(block(**changes).rstrip(b"\n"))


def said(brain: ChosenBrain, waits: list[bool] | None = None, **changes: str | None) -> list[str]:
    """All commands of one conversation; `waits` are the outcomes of its waits, default: done if done."""
    asked = request(**changes)
    steps = routes.ROUTES[asked.path](asked, house(brain))
    outcomes: Iterator[bool] = iter(waits or [])
    heard: list[str] = []
    outcome: object = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration:
            return heard
        if isinstance(step, routes.Say):
            heard.append(step.command.decode().rstrip("\n"))
            outcome = wire.Reply(code=200, result=1, text="200 result=1")
        else:
            outcome = next(outcomes, step.future.done())


def test_a_consult_is_answered_by_one_variable(brain: ChosenBrain) -> None:
    assert said(brain) == ['SET VARIABLE RECORDERD_ADVICE "allow,always,1,open,,extension 101 wants always"']


def test_the_question_holds_what_the_gosub_hides(brain: ChosenBrain) -> None:
    said(brain, agi_arg_1="102&103", agi_arg_2="170.1", agi_arg_3="601", agi_arg_4="from-phones")
    assert brain.asked == [
        events.Consult(
            at=5.0,
            channel="PJSIP/101-0000002a",
            uniqueid="pbx-1700000000.42",
            linkedid="170.1",
            caller_id_num="101",
            exten="601",
            context="from-phones",
            callees=("102", "103"),
        )
    ]


def test_the_callee_may_come_in_the_query(brain: ChosenBrain) -> None:
    said(brain, agi_network_script="consult?callee=102", agi_extension="102", agi_context="from-phones")
    assert (brain.asked[0].callees, brain.asked[0].exten) == (("102",), "102")


CLOSED = Advice(mode="always", record=True, fail_mode="closed-before")


@pytest.mark.parametrize(
    ("arms", "verb"), [(True, "allow"), (False, "refuse"), (None, "refuse"), (OSError("disk"), "refuse")]
)
def test_closed_before_connects_only_once_the_file_is_seen(
    brain: ChosenBrain, arms: bool | Exception | None, verb: str
) -> None:
    brain.advice, brain.arms = CLOSED, arms
    assert said(brain) == [f'SET VARIABLE RECORDERD_ADVICE "{verb},always,1,closed-before,,"']


@pytest.mark.parametrize(
    "advice",
    [
        Advice(mode="never", record=False, fail_mode="closed-before"),
        Advice(mode="always", record=True, fail_mode="closed-before", emergency=True),
        Advice(mode="always", record=True, fail_mode="closed-during"),
    ],
)
def test_nothing_is_waited_for_where_the_call_goes_on_anyway(brain: ChosenBrain, advice: Advice) -> None:
    brain.advice, brain.arms = advice, None
    assert "allow," in said(brain)[0]


@pytest.mark.parametrize(
    ("action", "outcome", "tone"),
    [
        ("toggle", "started", "started"),
        ("toggle", "stopped", "stopped"),
        ("toggle", "denied", "denied"),
        ("toggle", "unchanged", None),
        ("start", "unchanged", "started"),
        ("stop", "unchanged", "stopped"),
        ("pause", "paused", "stopped"),
        ("resume", "resumed", "started"),
        ("start", "denied", "denied"),
    ],
)
def test_the_presser_hears_what_became_of_the_press(
    brain: ChosenBrain, action: str, outcome: str, tone: str | None
) -> None:
    brain.outcome = outcome
    expected = [f'STREAM FILE "recorderd/{tone}" ""'] if tone else []
    assert said(brain, agi_network_script=action) == expected
    assert brain.presses == [
        events.Press(
            id="p1", at=5.0, action=action, uniqueid="pbx-1700000000.42", by="101", source="feature-code"
        )
    ]


def test_a_press_from_the_dialplan_makes_no_sound(brain: ChosenBrain) -> None:
    assert said(brain, agi_network_script="start?from=dialplan") == []
    assert brain.presses[0].source == "agi"


def test_a_press_that_nobody_took_up_is_withdrawn_and_heard_as_denied(brain: ChosenBrain) -> None:
    brain.outcome = None
    assert said(brain, agi_network_script="toggle") == ['STREAM FILE "recorderd/denied" ""']
    assert not brain.futures[0].set_running_or_notify_cancel()


class SlowBrain(ChosenBrain):
    """The engine has the press in hand when the time is up."""

    def press(self, press: events.Press) -> Future[commands.Answer]:
        future = super().press(press)
        future.set_running_or_notify_cancel()
        return future


def test_a_press_in_hand_is_waited_for_once_more_and_then_left_without_a_tone() -> None:
    brain = SlowBrain()
    brain.outcome = None
    assert said(brain, agi_network_script="toggle") == []
