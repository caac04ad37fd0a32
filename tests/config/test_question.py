"""“What if A called B?”: who is inside, and what the answer tells."""

from __future__ import annotations

import pytest

from recorderd.config import Question, explain
from recorderd.config.question import situation
from recorderd.core.channels import Names
from recorderd.core.policy import ExtensionPolicy, Mode, Policy

NAMES = Names(devices={"PJSIP/lobby": "reception"})
POLICY = Policy(
    version=3,
    extensions={
        "5550101": ExtensionPolicy(extension="5550101", inbound=Mode.ALWAYS, outbound=Mode.ON_DEMAND)
    },
    emergency=frozenset({"112"}),
)


@pytest.mark.parametrize(
    ("question", "inside"),
    [
        ({"caller": "101", "callee": "102"}, (True, True)),
        ({"caller": "101", "callee": "0612345678"}, (True, False)),
        ({"caller": "101", "callee": "112"}, (True, False)),
        ({"caller": "101", "callee": "2000", "trunk": "sip-out"}, (True, False)),
        ({"caller": "2000", "callee": "101", "did": "5550101"}, (False, True)),
        ({"caller": "reception", "callee": "5550101"}, (True, True)),
        ({"caller": "5550101", "callee": "x", "trunk": "t"}, (True, False)),
    ],
)
def test_a_number_is_an_extension_when_its_telephone_would_be_called_so(
    question: dict[str, str], inside: tuple[bool, bool]
) -> None:
    found = situation(Question(**question, at=0.0), POLICY, NAMES)
    assert tuple(bool(p.extension) for p in found.parties) == inside


def test_the_did_is_dialled_first() -> None:
    asked = Question(caller="0612345678", callee="101", did="5550101", trunk="t", context="c", at=5.0)
    found = situation(asked, POLICY, NAMES)
    assert (found.dialled, found.trunks, found.contexts, found.at) == (
        ("5550101", "101"),
        ("t",),
        ("c",),
        5.0,
    )


def test_the_answer_is_the_cores_decision_as_data() -> None:
    answer = explain(Question(caller="0612345678", callee="5550101", at=0.0), POLICY, NAMES)
    assert (answer["mode"], answer["record"], answer["policy_version"]) == ("always", True, 3)
    assert answer["trace"] == ["5550101 chose always for inbound calls: wins"]


def test_a_press_makes_on_demand_a_recording() -> None:
    asked = Question(caller="5550101", callee="0612345678", at=0.0)
    assert explain(asked, POLICY, NAMES)["record"] is False
    pressed = Question(caller="5550101", callee="0612345678", at=0.0, pressed=True)
    assert explain(pressed, POLICY, NAMES)["record"] is True
