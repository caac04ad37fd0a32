"""Policy as written: read whole, or every fault at once."""

from __future__ import annotations

from recorderd.core.policy import FailMode, Mode
from recorderd.core.rules import EXTENSION_KEYS, RULE_KEYS, Reader


def faults(reader: Reader) -> list[str]:
    """What was found, as a person reads it."""
    return [str(fault) for fault in reader.faults]


def test_a_rule_is_read_with_all_its_keys() -> None:
    reader = Reader({"council": ("103",)})
    written = {
        "name": "works council",
        "when": {"party": "@council", "direction": "internal"},
        "mode": "never",
        "reason": "agreement",
        "fail_mode": "open",
    }
    (rule,) = reader.rules([written])
    assert faults(reader) == []
    assert (rule.name, rule.mode, rule.reason) == ("works council", Mode.NEVER, "agreement")
    assert rule.fail_mode is FailMode.OPEN
    assert len(rule.conditions) == 2
    assert set(written) <= set(RULE_KEYS)


def test_every_fault_of_a_policy_is_told_at_once_with_its_place() -> None:
    reader = Reader()
    rules = [
        {"name": "a", "mode": "alway", "whem": {}},
        {"name": "b", "when": {"colour": "red", "time": "never"}, "mode": "never"},
        {"mode": "always", "fail_mode": "shut"},
        "nonsense",
        {"name": "c"},
        {"name": "d", "mode": "always", "when": ["caller"]},
    ]
    assert reader.rules(rules) == ()  # a rule with a fault might apply where it should not
    assert faults(reader) == [
        "rules.0.whem: unknown key 'whem' (did you mean 'when'?)",
        "rules.0.mode: 'alway' is not one of always, on-demand, never (did you mean 'always'?)",
        "rules.1.when.colour: unknown key 'colour'",
        "rules.1.when.time: 'never' in 'never' is not a day of the week (Mon to Sun)",
        "rules.2: a rule needs a name",
        "rules.2.fail_mode: 'shut' is not one of open, announce, closed-before, closed-during",
        "rules.3: a rule is a mapping with name, when and mode",
        "rules.4: rule 'c' needs a mode: always, on-demand or never",
        "rules.5.when: `when` is a mapping of conditions",
    ]


def test_two_rules_of_one_name_are_a_fault() -> None:
    reader = Reader()
    reader.rules([{"name": "a", "mode": "never"}, {"name": "a", "mode": "always"}])
    assert faults(reader) == ["rules: two rules are called 'a'"]


def test_rules_that_are_no_list_are_one_fault() -> None:
    reader = Reader()
    assert reader.rules({"name": "a"}) == ()
    assert faults(reader) == ["rules: rules must be a list"]


def test_an_extension_may_be_one_word() -> None:
    policy = Reader().extension("101", "always", ("extensions", "101"))
    assert policy is not None
    assert (policy.inbound, policy.outbound, policy.locked) == (Mode.ALWAYS, Mode.ALWAYS, False)


def test_an_extension_is_read_with_all_its_keys() -> None:
    written = {
        "inbound": "always",
        "outbound": "never",
        "internal_inbound": "on-demand",
        "internal_outbound": "never",
        "locked": "true",
        "lock_reason": "law",
        "fail_mode": "closed-before",
    }
    reader = Reader()
    policy = reader.extension("101", written, ())
    assert policy is not None
    assert faults(reader) == []
    assert policy.internal_inbound is Mode.ON_DEMAND
    assert (policy.locked, policy.lock_reason, policy.fail_mode) == (True, "law", FailMode.CLOSED_BEFORE)
    assert set(written) <= set(EXTENSION_KEYS)


def test_the_faults_of_an_extension_are_told_at_once() -> None:
    reader = Reader()
    written = {"inbound": "allways", "locked": "perhaps", "colour": "red"}
    assert reader.extension("101", written, ("extensions", "101")) is None
    assert faults(reader) == [
        "extensions.101.colour: unknown key 'colour'",
        "extensions.101.inbound: 'allways' is not one of always, on-demand, never (did you mean 'always'?)",
        "extensions.101.outbound: outbound is missing: always, on-demand or never",
        "extensions.101.locked: 'perhaps' is not true or false",
    ]


def test_an_extension_that_is_a_list_is_one_fault() -> None:
    reader = Reader()
    assert reader.extension("101", ["always"], ("101",)) is None
    assert faults(reader) == ["101: give a mode, or a mapping with inbound and outbound"]
