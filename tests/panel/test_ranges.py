"""HTTP ranges as RFC 9110 has them, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.panel.ranges import Answer, Validators, answer

NOW = Validators('"tag"', 1_795_500_000.7)
DATE = "Tue, 24 Nov 2026 06:00:00 GMT"
SIZE = 1000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Answer(200, 0, 1000)),
        ("bytes=0-", Answer(206, 0, 1000)),
        ("bytes=0-0", Answer(206, 0, 1)),
        ("bytes=10-19", Answer(206, 10, 20)),
        ("bytes=990-2000", Answer(206, 990, 1000)),
        ("bytes=-100", Answer(206, 900, 1000)),
        ("bytes=-5000", Answer(206, 0, 1000)),
        ("Bytes = 5 - 6", Answer(206, 5, 7)),
        ("bytes=1000-", Answer(416)),
        ("bytes=-0", Answer(416)),
        ("bytes=99999999999999999999999-", Answer(416)),
        ("bytes=20-10", Answer(200, 0, 1000)),
        ("bytes=-", Answer(200, 0, 1000)),
        ("bytes=0-1,5-6", Answer(200, 0, 1000)),
        ("items=0-1", Answer(200, 0, 1000)),
        ("bytes=a-b", Answer(200, 0, 1000)),
        ("bytes=١-٢", Answer(200, 0, 1000)),
    ],
)
def test_a_range_means(header: str | None, expected: Answer) -> None:
    assert answer({} if header is None else {"range": header}, SIZE, NOW) == expected


@pytest.mark.parametrize(
    ("condition", "ranged"),
    [('"tag"', True), ('"other"', False), ('W/"tag"', False), (DATE, True), ("nonsense", False), ("", False)],
)
def test_if_range_sends_all_of_what_has_changed(condition: str, ranged: bool) -> None:
    found = answer({"range": "bytes=0-1", "if-range": condition}, SIZE, NOW)
    assert found.status == (206 if ranged else 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"tag"'}, 304),
        ({"if-none-match": 'W/"tag", "x"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-none-match": '"x"', "if-modified-since": DATE}, 200),
        ({"if-modified-since": DATE}, 304),
        ({"if-modified-since": "Mon, 23 Nov 2026 06:00:00 GMT"}, 200),
        ({"if-modified-since": "Mon, 99 Foo 2026 06:00:00 GMT"}, 200),
    ],
)
def test_what_the_client_has_is_not_sent_again(headers: dict[str, str], status: int) -> None:
    assert answer(headers, SIZE, NOW).status == status


@given(st.text(), st.integers(0, 1 << 40), st.text())
def test_no_header_makes_an_answer_outside_the_file(header: str, size: int, condition: str) -> None:
    for wanted in (header, f"bytes={header}"):
        found = answer({"range": wanted, "if-modified-since": condition}, size, NOW)
        assert 0 <= found.start <= found.end <= size
        assert found.status in (200, 206, 304, 416)


def test_an_empty_file_has_no_range() -> None:
    assert answer({"range": "bytes=0-"}, 0, NOW) == Answer(416)
    assert answer({}, 0, NOW) == Answer(200, 0, 0)
