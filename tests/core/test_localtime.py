"""The wall clock of any zone is the standard library's own, at any moment of a century."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.core.localtime import local

ZONES = [
    "UTC",
    "Europe/Moscow",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Africa/Casablanca",
]


@given(
    zone=st.sampled_from([ZoneInfo(name) for name in ZONES]),
    at=st.floats(min_value=0, max_value=4_000_000_000, allow_nan=False),
)
def test_it_is_what_the_zone_says(zone: ZoneInfo, at: float) -> None:
    assert local(at, zone) == datetime.fromtimestamp(at, zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    "name", [name for name in ZONES if name not in ("UTC", "Europe/Moscow", "Asia/Kathmandu")]
)
def test_clocks_change_between_two_quarters(name: str) -> None:
    """Around each change of ten years, second by second."""
    zone, before, changes = ZoneInfo(name), None, 0
    for quarter in range(1_767_225_600, 1_767_225_600 + 3653 * 86_400, 900):
        offset = datetime.fromtimestamp(quarter, zone).utcoffset()
        if before not in (None, offset):
            changes += 1
            for second in range(quarter - 2, quarter + 2):
                expected = datetime.fromtimestamp(second, zone).replace(tzinfo=None)
                assert local(second, zone) == expected, second
        before = offset
    assert changes >= 19
