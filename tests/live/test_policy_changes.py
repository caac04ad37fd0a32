"""Policy that changes while people talk: from the moment it is in force, the call obeys it.

Truth for "in force" is the clock of the test: before it changed the policy, and after the daemon said that it
had it. What was said before the first moment and after the second leaves no doubt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.scene import Scene, forgiving, hang_up, scene

pytestmark = pytest.mark.live

_FRAMES = 0.1  # seconds: two frames on their way, and the margin that is cut before a never
_WITHIN = 1.0  # seconds in which a change reaches the daemon


both = pytest.mark.parametrize("house", [22, 16], indirect=True)
on_22_first = pytest.mark.parametrize("house", [22, pytest.param(16, marks=pytest.mark.full)], indirect=True)


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(request.param, tmp_path_factory.mktemp("changes")) as played:
        yield played


async def change(house: Scene, mode: str) -> tuple[float, float]:
    """102 chooses; from when to when that took. Must take effect within a second."""
    began = time.time()
    await house.daemon.allow({"101": "always", "102": mode})
    over = time.time()
    assert over - began < _WITHIN + 0.5  # storing it is part of it, on a noisy machine
    return began, over


@both
@forgiving
async def test_what_is_said_after_a_change_to_never_is_not_on_the_disk(house: Scene) -> None:
    await change(house, "always")
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.0)
        changed, in_force = await change(house, "never")
        await asyncio.sleep(0.8)
        assert [lane for lane in house.lane_files() if time.time() - lane.stat().st_mtime < 0.3] == []
        await hang_up(call, other)
    for spoken in (call, other):
        there = ears.frames_in(take.file, spoken)
        assert not there & set(spoken.said(since=in_force))
        assert set(spoken.said(until=changed - _FRAMES)[1:]) <= there
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED, Outcome.NOT_BY_POLICY]


@on_22_first
@forgiving
async def test_a_change_to_always_starts_at_once(house: Scene) -> None:
    await change(house, "never")
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(0.8)
        changed, in_force = await change(house, "always")
        await asyncio.sleep(1.0)
        await hang_up(call, other)
    for spoken in (call, other):
        there = ears.frames_in(take.file, spoken)
        assert not there & set(spoken.said(until=changed))
        assert set(spoken.said(since=in_force + _FRAMES, until=call.ended_at - _FRAMES)) <= there
    assert [row.outcome for row in take.intervals] == [Outcome.NOT_BY_POLICY, Outcome.RECORDED]


@on_22_first
@forgiving
async def test_never_in_the_middle_leaves_two_files_and_none_of_it(house: Scene) -> None:
    await change(house, "always")
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(0.6)
        _, stopped = await change(house, "never")
        await asyncio.sleep(0.6)
        started, _ = await change(house, "always")
        await asyncio.sleep(0.6)
        await hang_up(call, other)
    assert len(take.files) == 2
    for spoken in (call, other):
        for file in take.files:
            assert not ears.frames_in(file, spoken) & set(spoken.said(stopped, started))


@both
async def test_in_the_end_everything_is_accounted_for(house: Scene) -> None:
    await house.proof()
