"""Every transcript leads to what is written beneath it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorderd.core.rows import Interval, Lane, Recording
from tests.core.world import RECORDINGS_END, lane_is_finished
from tests.scenarios.record import ON_16, SCENES
from tests.scenarios.transcript import FOLDER, play, read, told

FILES = sorted(FOLDER.glob("*.ami"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_call_leads_to_just_this(path: Path) -> None:
    transcript = read(path)
    assert "\n".join(told(play(transcript))).splitlines() == list(transcript.expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_call_leaves_nothing_open(path: Path) -> None:
    world = play(read(path))
    assert not world.engine.calls.channels
    assert not world.engine.talks.talks
    assert not world.engine.lanes.by_id
    assert all(row.outcome for row in world.saved(Interval))
    assert all(row.state in RECORDINGS_END for row in world.saved(Recording))
    assert all(lane_is_finished(row) for row in world.saved(Lane))


def test_every_kind_of_call_has_been_recorded() -> None:
    have = {path.stem for path in FILES}
    assert {f"{name}-22" for name in SCENES} <= have
    assert {f"{name}-16" for name in ON_16} <= have
