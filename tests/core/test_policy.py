"""Policy as tables: who outweighs whom, and every reason said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recorderd.core.policy import (
    DEFAULT_EXTENSION,
    FailMode,
    Mode,
    Precedence,
    Rule,
    Strength,
    decide,
)
from tests.core.parties import ANNOUNCE, BEFORE, DURING, OPEN, call, chose, party, policy

MODES = [mode.value for mode in Mode]


@pytest.mark.parametrize("ours", MODES)
@pytest.mark.parametrize("theirs", MODES)
def test_among_equals_never_beats_always_beats_on_demand(ours: str, theirs: str) -> None:
    decision = decide(policy(chose("101", ours), chose("102", theirs)), call("101", "102"))
    strongest = next(mode for mode in ("never", "always", "on-demand") if mode in (ours, theirs))
    assert decision.mode == strongest
    assert decision.wanted is (strongest == "always")


@pytest.mark.parametrize("locked", MODES)
@pytest.mark.parametrize("chosen", MODES)
def test_a_lock_beats_a_choice_whatever_the_two_say(locked: str, chosen: str) -> None:
    said = policy(chose("101", locked, locked=True, lock_reason="works council"), chose("102", chosen))
    decision = decide(said, call("101", "102"))
    assert decision.mode == locked
    assert "works council" in decision.reason


@pytest.mark.parametrize("rule", MODES)
@pytest.mark.parametrize("locked", MODES)
def test_a_rule_beats_a_lock(rule: str, locked: str) -> None:
    said = policy(chose("101", locked, locked=True), rules=(Rule(name="all", mode=Mode(rule)),))
    assert decide(said, call("101", "102")).mode == rule


@pytest.mark.parametrize("default", MODES)
@pytest.mark.parametrize("chosen", MODES)
def test_a_choice_beats_the_default_of_an_extension_without_one(default: str, chosen: str) -> None:
    spoken = replace(DEFAULT_EXTENSION, inbound=Mode(default), outbound=Mode(default))
    decision = decide(policy(chose("101", chosen), default=spoken), call("101", "102"))
    assert decision.mode == chosen


def test_the_default_speaks_where_nobody_chose() -> None:
    spoken = replace(DEFAULT_EXTENSION, inbound=Mode.ALWAYS, outbound=Mode.ON_DEMAND)
    assert decide(policy(default=spoken), call("101", "102")).mode is Mode.ALWAYS


def test_nobody_outside_has_a_say() -> None:
    decision = decide(policy(chose("101", "always")), call("0612345678", "4930123456"))
    assert (decision.mode, decision.wanted) == (Mode.NEVER, False)
    assert decision.reason == "no extension takes part"


@pytest.mark.parametrize(
    ("caller", "callee", "mode"),
    [
        ("101", "102", "on-demand"),  # internal: 101's own value for it
        ("101", "0612345678", "always"),
        ("0612345678", "101", "never"),
        ("102", "101", "never"),  # no internal_inbound: the general one
    ],
)
def test_each_direction_has_its_own_mode_and_internal_calls_may_have_another(
    caller: str, callee: str, mode: str
) -> None:
    own = chose("101", "never", "always", internal_outbound=Mode.ON_DEMAND)
    assert decide(policy(own, chose("102", "on-demand")), call(caller, callee)).mode == mode


@pytest.mark.parametrize(
    ("mode", "pressed", "wanted"),
    [
        ("always", False, True),
        ("always", True, True),
        ("on-demand", False, False),
        ("on-demand", True, True),
        ("never", False, False),
        ("never", True, False),
    ],
)
def test_only_on_demand_yields_to_a_press(mode: str, pressed: bool, wanted: bool) -> None:
    said = policy(chose("101", mode), chose("102", mode))
    assert decide(said, call("101", "102"), pressed=pressed).wanted is wanted


def test_the_first_rule_that_applies_wins() -> None:
    class Never:
        def matches(self, _situation: object) -> bool:
            return False

        def __str__(self) -> str:
            return "it is not so"

    rules = (
        Rule(name="off", mode=Mode.NEVER, conditions=(Never(),)),
        Rule(name="first", mode=Mode.ALWAYS, reason="contracts"),
        Rule(name="second", mode=Mode.NEVER),
    )
    decision = decide(policy(chose("101", "never"), rules=rules), call("101", "102"))
    assert decision.mode is Mode.ALWAYS
    assert decision.reason == "rule “first” says always, contracts"
    assert decision.trace[0] == "rule “off”: does not apply, it is not so"
    assert decision.trace[1] == "rule “first” says always, contracts: wins"
    assert not any("second" in line for line in decision.trace)


def test_the_order_is_configurable() -> None:
    order = Precedence(
        strengths=(Strength.CHOICE, Strength.LOCK, Strength.RULE, Strength.DEFAULT),
        modes=(Mode.ALWAYS, Mode.ON_DEMAND, Mode.NEVER),
    )
    said = policy(chose("101", "never"), chose("102", "always"), precedence=order)
    assert decide(said, call("101", "102")).mode is Mode.ALWAYS


def test_the_trace_says_of_every_vote_why_it_won_or_lost() -> None:
    said = policy(chose("101", "always"), chose("102", "never", locked=True, lock_reason="trust"))
    three = call("101", "102", parties=(party("101", "outbound"), party("102"), party("103")))
    trace = decide(said, three).trace
    assert trace == (
        "101 chose always for internal outbound calls: outweighed, a lock is stronger than a choice",
        "internal inbound calls of 102 are locked to never, trust: wins",
        "the default for internal inbound calls of 103 is never: "
        "outweighed, a lock is stronger than a default",
    )


def test_a_decision_prints_as_a_log_line() -> None:
    decision = decide(policy(chose("101", "always")), call("101", "0612345678"))
    assert str(decision) == "record (always: 101 chose always for outbound calls; policy 7)"


@pytest.mark.parametrize(
    ("ours", "theirs", "general", "expected"),
    [
        (None, None, OPEN, OPEN),
        (None, None, BEFORE, BEFORE),
        (ANNOUNCE, None, OPEN, ANNOUNCE),
        (ANNOUNCE, BEFORE, OPEN, BEFORE),
        (DURING, BEFORE, OPEN, DURING),
        (OPEN, OPEN, DURING, OPEN),
    ],
)
def test_the_strictest_fail_mode_that_a_party_asks_for_holds(
    ours: FailMode | None, theirs: FailMode | None, general: FailMode, expected: FailMode
) -> None:
    said = policy(
        chose("101", "always", fail_mode=ours), chose("102", "always", fail_mode=theirs), fail_mode=general
    )
    assert decide(said, call("101", "102")).fail_mode is expected


def test_the_winning_rule_may_name_its_own_fail_mode() -> None:
    rule = Rule(name="r", mode=Mode.ALWAYS, fail_mode=ANNOUNCE)
    said = policy(chose("101", "always", fail_mode=BEFORE), rules=(rule,))
    assert decide(said, call("101", "102")).fail_mode is ANNOUNCE


def test_an_emergency_number_is_open_whatever_else_is_said() -> None:
    rule = Rule(name="r", mode=Mode.ALWAYS, fail_mode=BEFORE)
    said = policy(chose("101", "always"), rules=(rule,), emergency=frozenset({"112"}), fail_mode=DURING)
    assert decide(said, call("101", "112", dialled=("112",))).fail_mode is OPEN
    assert decide(said, call("101", "112", dialled=())).fail_mode is OPEN
    assert decide(said, call("101", "102")).fail_mode is BEFORE
