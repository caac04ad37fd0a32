"""The edges of policy: every order of precedence, and what must not be written at all."""

from __future__ import annotations

import itertools

import pytest

from recorderd.core.conditions import CONDITIONS, ConditionFault, Numbers
from recorderd.core.policy import FailMode, Mode, Precedence, Rule, Strength, decide
from recorderd.core.rules import Reader
from tests.core.parties import call, party
from tests.core.people import A, D, N, chooses, policy

SAID = {Strength.RULE: N, Strength.LOCK: A, Strength.CHOICE: D, Strength.DEFAULT: A}


@pytest.mark.parametrize("order", list(itertools.permutations(Strength)), ids="-".join)
def test_every_order_of_strengths_can_be_chosen_a_rules_place_included(order) -> None:
    voices = policy(
        chooses("101", A, locked=True),
        chooses("102", D),
        default=A,
        rules=(Rule(name="r", mode=N),),
        precedence=Precedence(strengths=order),
    )
    three = call("101", "102", parties=(party("101", "outbound"), party("102"), party("103")))
    decision = decide(voices, three)
    assert decision.mode is SAID[order[0]]
    assert sum(line.endswith(": wins") for line in decision.trace) == 1
    assert len(decision.trace) == 4, "every voice is in the trace"


@pytest.mark.parametrize("order", list(itertools.permutations(Mode)), ids="-".join)
def test_every_order_of_modes_can_be_chosen(order) -> None:
    voices = policy(chooses("101", order[1]), chooses("102", order[0]), precedence=Precedence(modes=order))
    assert decide(voices, call("101", "102")).mode is order[0]


@pytest.mark.parametrize(
    "wrong", [{"strengths": (Strength.RULE,)}, {"modes": (N, N, A)}, {"modes": ()}], ids=str
)
def test_an_order_that_forgets_somebody_cannot_be_built(wrong) -> None:
    with pytest.raises(ValueError, match="names every strength"):
        Precedence(**wrong)


def test_a_rule_that_is_outweighed_does_not_bring_its_fail_mode() -> None:
    locks_first = (Strength.LOCK, Strength.RULE, Strength.CHOICE, Strength.DEFAULT)
    voices = policy(
        chooses("101", A, locked=True),
        rules=(Rule(name="r", mode=N, fail_mode=FailMode.CLOSED_BEFORE),),
        precedence=Precedence(strengths=locks_first),
    )
    assert decide(voices, call("101", "102")).fail_mode is FailMode.OPEN


def test_equals_outweigh_or_agree_in_the_trace() -> None:
    voices = policy(chooses("101", A), chooses("102", N), chooses("103", N))
    three = call("101", "102", parties=(party("101", "outbound"), party("102"), party("103")))
    assert [line.rpartition(": ")[2] for line in decide(voices, three).trace] == [
        "outweighed, never is stronger than always",
        "wins",
        "agrees",
    ]


def test_one_from_outside_makes_it_an_outside_call_for_everybody() -> None:
    own = chooses("101", N, internal_inbound=A)
    joined = (party("102", "outbound"), party("101"), party("0612345678", "outbound"))
    voices = policy(own, chooses("102", D))
    assert decide(voices, call("102", "101")).mode is A
    assert decide(voices, call("102", "101", parties=joined)).mode is N


@pytest.mark.parametrize("name", sorted(CONDITIONS))
@pytest.mark.parametrize("written", ["", [], {}, None, 600, [600], [None], " , ", True])
def test_no_condition_can_be_written_empty_or_as_something_else(name, written) -> None:
    """An empty one would never hold, silently."""
    with pytest.raises(ConditionFault):
        CONDITIONS[name](written, {})


@pytest.mark.parametrize("written", ["_", "_[", "_[]", "_[3-1]X", "_X.X", "_(", "_a+", "_[a-z]", "_X{9}"])
def test_what_is_no_pattern_is_a_fault_and_no_other_exception(written) -> None:
    with pytest.raises(ConditionFault, match="not a dialplan pattern"):
        Numbers.parse(written, {})


@pytest.mark.parametrize("name", ["trunk", "context"])
def test_several_names_may_be_written_in_one_text(name) -> None:
    condition = CONDITIONS[name]("other, from-here ", {})
    assert condition.matches(call("101", "102", **{f"{name}s": ("from-here",)}))


@pytest.mark.parametrize("written", ["monkey 08:00-09:00", "Mo", "Mon-Xyz", "-", "08:00"])
def test_a_word_that_only_begins_like_a_day_is_none(written) -> None:
    with pytest.raises(ConditionFault):
        CONDITIONS["time"](written, {})


def test_a_rule_with_a_broken_condition_is_left_out_whole() -> None:
    """Without that condition it would hold for every call."""
    reader = Reader()
    good = {"name": "good", "mode": "always"}
    kept = reader.rules([{"name": "broken", "mode": "always", "when": {"caller": "_["}}, good])
    assert [rule.name for rule in kept] == ["good"]
    assert len(reader.faults) == 1


def test_an_extension_with_an_unknown_key_is_left_out() -> None:
    """`lockd: true` would be a lock that nobody has."""
    reader = Reader()
    assert reader.extension("101", {"inbound": "never", "outbound": "never", "lockd": True}, ()) is None
    assert str(reader.faults[0]).endswith("(did you mean 'locked'?)")


@pytest.mark.parametrize("mode", Mode)
def test_a_decision_carries_the_version_of_its_policy(mode) -> None:
    assert decide(policy(default=mode), call("101", "102")).version == 7
