"""The advice, its spelling in one variable, and the law for when nobody answers."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.agi.advice import Advice, from_mapping, spell
from recorderd.agi.fallback import without_daemon
from tests.agi.laws import FALLBACKS, Fallback


@given(st.text(), st.text(), st.text(), st.text())
def test_the_variable_always_has_six_fields_and_nothing_the_dialplan_would_read(
    mode: str, fail_mode: str, announce: str, reason: str
) -> None:
    advice = Advice(mode=mode, record=True, fail_mode=fail_mode, announce=announce, reason=reason)
    text = spell(advice, allow=True)
    assert text.count(",") == 5
    assert not set(text) & set('"\\${}[]()|&;\n\r\0')
    assert len(text) < 300


def test_an_advice_survives_json() -> None:
    advice = Advice(mode="always", record=True, fail_mode="open", announce="x", emergency=True, reason="r")
    assert from_mapping(json.loads(json.dumps(dataclasses.asdict(advice)))) == advice


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"mode": 1, "record": True, "fail_mode": "open"},
        {"mode": "always", "record": "yes", "fail_mode": "open"},
        {"mode": "always", "record": True, "fail_mode": None},
    ],
)
def test_json_that_is_no_advice_is_refused_with_a_sentence(data: object) -> None:
    with pytest.raises(ValueError, match="an advice"):
        from_mapping(data)


@pytest.mark.parametrize("case", FALLBACKS, ids=str)
def test_without_the_daemon_the_strictest_mirrored_fail_mode_holds(case: Fallback) -> None:
    advice, allow = without_daemon(
        lambda key: case.astdb.get(key, ""), caller=case.caller, callees=case.callees, dialled=case.dialled
    )
    assert (allow, advice.fail_mode, advice.announce) == (case.allow, case.fail_mode, case.prompt)
