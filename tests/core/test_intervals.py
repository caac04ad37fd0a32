"""The ledger's arithmetic."""

from __future__ import annotations

import pytest

from recorderd.core.intervals import covered_ms, filled, judge, length_ms, missing_ms, overlap, without
from recorderd.core.rows import Lane, LaneState, Outcome
from tests.core.test_links import A, B, talk


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        ((0, 10), (5, 15), (5, 10)),
        ((0, 10), (10, 15), None),
        ((0, 10), (2, 3), (2, 3)),
        ((5, 6), (0, 10), (5, 6)),
        ((0, 1), (2, 3), None),
    ],
)
def test_overlap(a: tuple[float, float], b: tuple[float, float], common: tuple[float, float] | None) -> None:
    assert overlap(a, b) == common
    assert overlap(b, a) == common


@pytest.mark.parametrize(
    ("stretches", "audio_ms", "spans"),
    [
        ([(0, 10)], 10_000, [(0, 10)]),
        ([(0, 10)], 4_000, [(0, 4)]),
        ([(0, 10), (20, 30)], 15_000, [(0, 10), (20, 25)]),
        ([(0, 10), (20, 30)], 99_000, [(0, 10), (20, 30)]),
        ([(0, 10), (20, None)], 15_000, [(0, 10), (20, 25)]),
        ([(0, 10)], 0, []),
        ([], 5_000, []),
    ],
)
def test_a_file_fills_its_stretches_from_the_first_one_on(
    stretches: list[tuple[float, float | None]], audio_ms: int, spans: list[tuple[float, float]]
) -> None:
    assert filled(stretches, audio_ms) == spans


@pytest.mark.parametrize(
    ("stretches", "audio_ms", "spans"),
    [
        ([(0, 10)], 10_000, [(0, 6), (6, 10)]),
        ([(0, 10)], 7_000, [(0, 3), (6, 10)]),
        ([(0, 10)], 4_000, [(6, 10)]),
        ([(0, 10)], 6_400, [(0, 2.048), (5.648, 10)]),  # a step of Asterisk's buffer ended there
        ([(0, 5)], 4_000, [(0, 4)]),
        ([(0, 5), (8, 10)], 5_000, [(0, 3), (8, 10)]),
        ([(0, 2), (4, 10)], 5_000, [(0, 1), (6, 10)]),
    ],
)
def test_what_a_frozen_disk_cost_is_lacking_before_its_thaw(
    stretches: list[tuple[float, float | None]], audio_ms: int, spans: list[tuple[float, float]]
) -> None:
    found = filled(stretches, audio_ms, thawed_at=6.0)
    assert [pytest.approx(span) for span in spans] == found


def test_what_is_covered_is_counted_once() -> None:
    assert covered_ms((5, 15), [(0, 6), (8, 10), (14, 20)]) == 4000
    assert covered_ms((5, 15), [(8, 10), (0, 9), (9.5, 12)]) == 7000


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ([], [(0, 10)]),
        ([(2, 4), (3, 6)], [(0, 2), (6, 10)]),
        ([(8, 12), (-3, 1)], [(1, 8)]),
        ([(-1, 11)], []),
        ([(12, 13)], [(0, 10)]),
    ],
)
def test_a_span_without_others(others: list[tuple[float, float]], left: list[tuple[float, float]]) -> None:
    assert without((0, 10), others) == left


@pytest.mark.parametrize(
    ("total", "missing", "outcome"),
    [
        (10_000, 0, Outcome.RECORDED),
        (10_000, 200, Outcome.RECORDED),
        (10_000, 201, Outcome.PARTIAL),
        (60_000, 600, Outcome.RECORDED),
        (60_000, 601, Outcome.PARTIAL),
        (10_000, 10_000, Outcome.NOT_RECORDED),
        (150, 150, Outcome.RECORDED),  # a flicker of a bridge, shorter than what may be missing
        (0, 0, Outcome.RECORDED),
    ],
)
def test_an_interval_is_judged_by_what_is_missing(total: int, missing: int, outcome: Outcome) -> None:
    assert judge(total, missing) is outcome


def lane(name: str, uniqueid: str, *stretches: tuple[float, float]) -> Lane:
    """A closed lane."""
    return Lane(
        id=name,
        recording_id="r1",
        uniqueid=uniqueid,
        channel="",
        label="",
        path="",
        state=LaneState.CLOSED,
        stretches=stretches,
    )


def test_the_party_who_lost_most_decides() -> None:
    held = talk(0, 10, A, B)
    start = held.started_at
    lanes = [lane("a", A.uniqueid, (start, start + 10)), lane("b", B.uniqueid, (start + 1, start + 10))]
    assert length_ms(held) == 10_000
    assert missing_ms(held, lanes, {"a": 10_000, "b": 9_000}) == 1_000
    assert missing_ms(held, lanes, {"a": 10_000, "b": 4_000}) == 6_000
    assert missing_ms(held, lanes[:1], {"a": 10_000}) == 10_000


def test_two_lanes_of_one_party_complete_each_other() -> None:
    held = talk(0, 10, A)
    start = held.started_at
    lanes = [lane("a", A.uniqueid, (start, start + 4)), lane("a2", A.uniqueid, (start + 4.5, start + 10))]
    assert missing_ms(held, lanes, {"a": 4_000, "a2": 5_500}) == 500
