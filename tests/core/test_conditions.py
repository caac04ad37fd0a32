"""Every condition a row, hostile texts a sentence."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from recorderd.core.conditions import CONDITIONS, ConditionFault
from recorderd.core.policy import Situation
from tests.core.parties import NOON, call

LISTS = {"council": ("103", "_9[0-2]X"), "empty": ()}
INSIDE = call("101", "102", contexts=("from-phones",))
INBOUND = call("0612345678", "101", dialled=("5550101",), trunks=("trunk",), contexts=("from-trunk",))
OUTBOUND = call("101", "0800123", trunks=("backup",))

# condition, what is written, situation, whether it holds
TABLE: list[tuple[str, object, Situation, bool]] = [
    ("direction", "internal", INSIDE, True),
    ("direction", "internal", INBOUND, False),
    ("direction", "inbound", INBOUND, True),
    ("direction", "inbound", OUTBOUND, False),
    ("direction", "inbound", INSIDE, False),
    ("direction", "outbound", OUTBOUND, True),
    ("direction", "outbound", INBOUND, False),
    ("caller", "101", INSIDE, True),
    ("caller", "102", INSIDE, False),
    ("caller", "0612345678", INBOUND, True),
    ("caller", ["999", "_06XXXXXXXX"], INBOUND, True),
    ("callee", "102", INSIDE, True),
    ("callee", "_0800.", OUTBOUND, True),
    ("callee", "_0800", OUTBOUND, False),
    ("callee", "_0800!", OUTBOUND, True),
    ("callee", "_NXX", INSIDE, False),
    ("callee", "_Z02", INSIDE, True),
    ("callee", "_[1-3]0[25-9]", INSIDE, True),
    ("party", "@council", INSIDE, False),
    ("party", "@council", call("103", "102"), True),
    ("party", "@council", call("101", "912"), True),
    ("party", "500, 102", INSIDE, True),
    ("did", "5550101", INBOUND, True),
    ("did", "5550102", INBOUND, False),
    ("did", "102", INSIDE, False),
    ("queue", "600", call("101", "102", dialled=("600",)), True),
    ("queue", "600", INSIDE, False),
    ("group", "601", call("0612345678", "102", dialled=("5550101", "601")), True),
    ("group", "601", INSIDE, False),
    ("trunk", "trunk", INBOUND, True),
    ("trunk", ["backup", "other"], INBOUND, False),
    ("context", "from-phones", INSIDE, True),
    ("context", "from-trunk", INSIDE, False),
    ("time", "Mon-Fri 08:00-18:00", INSIDE, True),
    ("time", "Sat, Sun", INSIDE, False),
    ("time", "12:00-12:01", INSIDE, True),
    ("time", "11:00-12:00", INSIDE, False),
]


@pytest.mark.parametrize(("name", "written", "situation", "holds"), TABLE)
def test_a_condition_holds_exactly_when_the_table_says(
    name: str, written: object, situation: Situation, holds: bool
) -> None:
    condition = CONDITIONS[name](written, LISTS)
    assert condition.matches(situation) is holds
    assert str(condition).startswith(name)


def test_every_condition_has_rows_that_hold_and_rows_that_do_not() -> None:
    for name in CONDITIONS:
        assert {holds for n, _, _, holds in TABLE if n == name} == {True, False}, name


@pytest.mark.parametrize(
    ("name", "written", "sentence"),
    [
        ("direction", "incoming", "'incoming' is not inbound, outbound or internal"),
        ("direction", ["inbound"], "is not inbound, outbound or internal"),
        ("caller", "", "at least one number"),
        ("caller", ",", "at least one number"),
        ("caller", "_(a+)+", "is not a dialplan pattern"),
        ("caller", "_", "is not a dialplan pattern"),
        ("caller", "_9.9", "is not a dialplan pattern"),
        ("caller", {"a": 1}, "is not a text or a list of texts"),
        ("caller", 101, "is not a text or a list of texts"),
        ("party", "@nobody", "there is no list 'nobody'; known lists: council, empty"),
        ("trunk", 7, "is not a text or a list of texts"),
        ("time", "Mon-Foo 08:00-18:00", "'foo' in 'Mon-Foo 08:00-18:00' is not a day of the week"),
        ("time", "25:00-26:00", "is not a time of day"),
        ("time", "08:60-09:00", "is not a time of day"),
        ("time", "08:00-08:00", "is not a time of day"),
        ("time", "sometimes", "is not a day of the week"),
        ("time", "", "give at least one time"),
    ],
)
def test_a_faulty_text_gives_one_clear_sentence(name: str, written: object, sentence: str) -> None:
    with pytest.raises(ConditionFault, match=sentence.replace("(", r"\(").replace("+", r"\+")):
        CONDITIONS[name](written, LISTS)


def test_a_pattern_cannot_be_made_to_run_for_ever() -> None:
    condition = CONDITIONS["caller"]("_" + "X" * 60 + ".", {})
    assert not condition.matches(call("1" * 59 + "a" * 5000, "102"))


def test_a_number_is_not_a_regular_expression() -> None:
    assert not CONDITIONS["caller"]("1.1", {}).matches(call("101", "102"))


def at(zone: str, *when: int) -> Situation:
    """A call at that local time."""
    place = ZoneInfo(zone)
    return call("101", "102", at=datetime(*when, tzinfo=place).timestamp(), zone=place)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "when", "holds"),
    [
        ("Fri 22:00-06:00", (2026, 11, 27, 23, 0), True),
        ("Fri 22:00-06:00", (2026, 11, 28, 5, 59), True),  # Saturday morning still belongs to Friday
        ("Fri 22:00-06:00", (2026, 11, 28, 6, 0), False),
        ("Fri 22:00-06:00", (2026, 11, 27, 5, 0), False),
        ("Sat-Mon", (2026, 11, 29, 0, 0), True),
        ("Sat-Mon", (2026, 11, 24, 0, 0), False),
        ("Sunday 00:00-24:00", (2026, 11, 29, 23, 59), True),
    ],
)
def test_times_are_local_and_a_span_over_midnight_belongs_to_its_first_day(
    written: str, when: tuple[int, ...], holds: bool
) -> None:
    assert CONDITIONS["time"](written, {}).matches(at("Europe/Berlin", *when)) is holds


def test_the_hour_that_comes_twice_counts_twice() -> None:
    zone = ZoneInfo("Europe/Berlin")
    condition = CONDITIONS["time"]("02:00-03:00", {})
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=0).timestamp()
    second = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1).timestamp()
    assert second - first == 3600
    for moment in (first, second):
        assert condition.matches(call("101", "102", at=moment, zone=zone))
    assert datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("UTC")).timestamp() == NOON
