"""Tables and times, as a person reads and writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from recorderd.cli import moments
from recorderd.cli.command import Wrong
from recorderd.cli.output import cell, table

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN).timestamp()


def test_columns_stand_in_line_whatever_the_script() -> None:
    shown = table(("name", "n", "x"), [("Иван", 5, "a"), ("漢字", 10, "b"), ("e\u0301", 100, "c")])
    assert shown.splitlines() == [
        "name    n  x",
        "Иван    5  a",
        "漢字   10  b",
        "e\u0301     100  c",
    ]


def test_nothing_is_told_in_words() -> None:
    assert table(("a",), [], "nobody talks") == "nobody talks"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (0, "0"),
        ("\x1b[2J\r\nx", "\ufffd[2J\ufffd\ufffdx"),
        ("a\udcffb", "a\ufffdb"),
        ("a\u202eb", "a\ufffdb"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(value: object, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600), ("today", 43200)],
)
def test_since_may_be_a_time_ago(text: str, ago: int) -> None:
    assert moments.since(text, NOW, BERLIN) == NOW - ago


def test_yesterday_begins_at_its_midnight_even_where_a_day_has_23_hours() -> None:
    noon = datetime(2026, 3, 30, 12, 0, tzinfo=BERLIN).timestamp()
    assert moments.since("yesterday", noon, BERLIN) == datetime(2026, 3, 29, tzinfo=BERLIN).timestamp()
    assert moments.since("Today", noon, BERLIN) - moments.since("yesterday", noon, BERLIN) == 23 * 3600


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("9:30", datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN)),
        ("09:30:15", datetime(2026, 11, 23, 9, 30, 15, tzinfo=BERLIN)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=BERLIN)),
        ("2026-07-01 10:00", datetime(2026, 7, 1, 10, 0, tzinfo=BERLIN)),
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23 10:00+03:00", datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_the_pbxs(text: str, instant: datetime) -> None:
    assert moments.moment(text, NOW, BERLIN) == instant.timestamp()


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "25:00", "2026-13-01", "-5m", "5y", "9999999h", "0001-01-01"]
)
def test_what_is_no_time_is_one_sentence(text: str) -> None:
    with pytest.raises(Wrong, match="is not a time such as"):
        moments.since(text, NOW, BERLIN)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "-"), (0, "0:00"), (42.4, "0:42"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_lengths_are_written_as_on_a_player(seconds: float | None, shown: str) -> None:
    assert moments.length(seconds) == shown
