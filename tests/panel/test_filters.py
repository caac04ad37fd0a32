"""The filter language: one line and a form mean the same, a fault is a sentence, nothing raises."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.panel import filter_form
from recorderd.panel.filters import KEYWORDS, LONGEST_LINE, Language
from recorderd.panel.ports import FaultyFilter, Filter

ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 15, 30, tzinfo=ZONE).timestamp()
HERE = Language(NOW, ZONE)


def at(*day: int) -> float:
    return datetime(*day, tzinfo=ZONE).timestamp()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("", {}),
        ("107", {"words": ("107",)}),
        ("107 >60s", {"words": ("107",), "min_s": 61}),
        ("107 duration>60", {"words": ("107",), "min_s": 61}),
        ("107  > 60", {"words": ("107",), "min_s": 61}),
        ("длительность>60 107", {"words": ("107",), "min_s": 61}),
        (">=2m", {"min_s": 120}),
        ("<1h", {"max_s": 3599}),
        ("<=5мин", {"max_s": 300}),
        ("=0", {"min_s": 0, "max_s": 0}),
        (">1m <5m", {"min_s": 61, "max_s": 299}),
        ("2026-11-23", {"since": at(2026, 11, 23), "until": at(2026, 11, 24)}),
        ("23.11.2026", {"since": at(2026, 11, 23), "until": at(2026, 11, 24)}),
        ("today", {"since": at(2026, 11, 23), "until": at(2026, 11, 24)}),
        ("вчера", {"since": at(2026, 11, 22), "until": at(2026, 11, 23)}),
        ("2026-11", {"since": at(2026, 11, 1), "until": at(2026, 12, 1)}),
        ("2026-11-01..2026-11-03", {"since": at(2026, 11, 1), "until": at(2026, 11, 4)}),
        ("1.11.2026..yesterday", {"since": at(2026, 11, 1), "until": at(2026, 11, 23)}),
        ("2026-11-01..", {"since": at(2026, 11, 1)}),
        ("..2026-10", {"until": at(2026, 11, 1)}),
        ("in", {"direction": "in"}),
        ("исходящие", {"direction": "out"}),
        ("MISSED", {"missed": True}),
        ("recorded", {"recorded": True}),
        ("незаписанные", {"recorded": False}),
        ("Иван", {"words": ("иван",)}),
        ('"Anna Smith" in', {"words": ("anna smith",), "direction": "in"}),
        ('"in"', {"words": ("in",)}),
        ("+7 (495)123-45-67", {"words": ("+7", "(495)123-45-67")}),
        ("8-800-555-35-35", {"words": ("88005553535",)}),
        ("107 107", {"words": ("107",)}),
        ("100% o'brien; drop", {"words": ("100%", "o'brien;", "drop")}),
        ('107"', {"words": ("107",)}),
    ],
)
def test_a_line_means(line: str, meaning: dict[str, Any]) -> None:
    found = HERE.parse(line)
    assert replace(found, line="", when="") == Filter(**meaning)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (">abc", "not a length of talk"),
        (">60x", "not a length of talk"),
        ("2026-13-45", "not a date"),
        ("30.02.2026", "not a date"),
        ("2026-11-23 today", "a second date"),
        ("yesterday..2026-11-01", "ends before it begins"),
        ("a..b", "not a date"),
        ("in out", "contradicts"),
        ("in missed", "contradicts"),
        ("recorded unrecorded", "contradicts"),
        (">5m <1m", "No talk is longer"),
        (">999999999s", "longer than a week"),
        ("x" * 65, "not a number or a name"),
        ("a b c d e f g h i j k", "at most 10 words"),
        ("x " * 200, "at most 300 characters"),
        ("a\x00b", "not a number or a name"),
    ],
)
def test_a_fault_is_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(FaultyFilter) as refused:
        HERE.parse(line)
    assert len(refused.value.faults) == 1
    assert sentence in str(refused.value)


@given(
    st.text(max_size=LONGEST_LINE + 5)
    | st.lists(
        st.sampled_from(
            [
                ">",
                "60",
                "<",
                "=",
                "..",
                "2026-11-23",
                '"',
                "in",
                "missed",
                "сек",
                "107",
                "-",
                ".",
                " ",
                "9" * 30,
            ]
        )
    ).map("".join)
)
def test_whatever_is_typed_is_a_filter_or_a_fault(line: str) -> None:
    try:
        found = HERE.parse(line)
    except FaultyFilter:
        return
    assert HERE.parse(found.line) == found
    again = filter_form.read(HERE, filter_form.fields(HERE, found))
    assert replace(again, when="", line="") == replace(found, when="", line="")


def test_a_form_means_the_same_as_a_line() -> None:
    form = {"words": "107 анна", "longer": "60", "from": "2026-11-01", "to": "23.11.2026", "direction": "in"}
    assert filter_form.read(HERE, form) == HERE.parse("107 анна >60s in 2026-11-01..2026-11-23")
    assert filter_form.read(HERE, {}) == Filter()


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"longer": "x"}, "longer"),
        ({"shorter": "-1"}, "shorter"),
        ({"from": "soon"}, "from"),
        ({"direction": "sideways"}, "direction"),
        ({"recorded": "perhaps"}, "recorded"),
    ],
)
def test_a_fault_of_a_form_is_at_its_field(form: dict[str, str], field: str) -> None:
    with pytest.raises(FaultyFilter) as refused:
        filter_form.read(HERE, form)
    assert list(refused.value.faults) == [field]


def test_no_word_has_two_meanings() -> None:
    words = [word for all in KEYWORDS.values() for words in all.values() for word in words]
    assert len(words) == len(set(words))
