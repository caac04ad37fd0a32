"""Names that FreePBX's readers find, whatever the caller calls himself."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.core.filenames import day_folder, recording_name, safe
from recorderd.core.policy import Mode
from tests.core.parties import NOON, call


@pytest.mark.parametrize(
    ("caller", "callee", "mode", "name"),
    [
        ("101", "102", "always", "internal-102-101-20261123-120000-1795435200.7.wav"),
        ("0612345678", "101", "always", "in-101-0612345678-20261123-120000-1795435200.7.wav"),
        ("101", "0800123", "always", "out-0800123-101-20261123-120000-1795435200.7.wav"),
        ("101", "102", "on-demand", "ondemand-102-101-20261123-120000-1795435200.7.wav"),
    ],
)
def test_a_name_has_the_form_that_freepbx_reads(caller: str, callee: str, mode: str, name: str) -> None:
    assert recording_name(call(caller, callee), Mode(mode), "1795435200.7", 1) == name


def test_a_second_segment_has_its_number() -> None:
    assert recording_name(call("101", "102"), Mode.ALWAYS, "1.7", 2).endswith("-1.7.2.wav")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_hostile_number_spoils_a_name(caller: str, callee: str, uniqueid: str) -> None:
    name = recording_name(call(caller or "0", callee or "0"), Mode.ALWAYS, uniqueid, 1)
    assert re.fullmatch(r"[0-9A-Za-z+.-]+\.wav", name)
    assert len(name.encode()) <= 255
    assert name.split("-")[3] == "20261123"  # FreePBX: explode('-', name)[3] is the date


def test_a_long_uniqueid_leaves_the_name_short_enough_for_a_disk() -> None:
    name = recording_name(call("1" * 80, "2" * 80), Mode.ALWAYS, "pbx-" * 37, 12)
    assert len(name.encode()) <= 255


@pytest.mark.parametrize("number", ["../../etc/passwd", "1,a", "a-b", "", "\r\nAction: x", "Иван", "1\x002"])
def test_a_number_is_made_safe(number: str) -> None:
    assert re.fullmatch(r"[0-9A-Za-z+]+", safe(number))


def test_a_day_is_the_pbx_s_own() -> None:
    before_midnight_utc = datetime(2026, 11, 23, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    assert day_folder(before_midnight_utc, ZoneInfo("UTC")) == "2026/11/23"
    assert day_folder(before_midnight_utc, ZoneInfo("Europe/Moscow")) == "2026/11/24"


def test_the_hour_that_comes_twice_does_not_collide() -> None:
    zone = ZoneInfo("Europe/Berlin")
    names = {
        recording_name(
            call(
                "101", "102", zone=zone, at=datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=zone).timestamp()
            ),
            Mode.ALWAYS,
            f"{NOON}.{fold}",
            1,
        )
        for fold in (0, 1)
    }
    assert len(names) == 2
