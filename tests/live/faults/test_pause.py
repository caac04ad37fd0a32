"""A pause keeps time: the recording holds silence of equal length, and nothing of what was said or pressed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import until
from tests.live.scene import Scene, hang_up, scene

pytestmark = pytest.mark.live

FEATURES = """
[general]
featuredigittimeout = 1000
[applicationmap]
recorderd => *1,self,AGI,agi://127.0.0.1:@agi_port@/toggle
recorderd-pause => *5,self,AGI,agi://127.0.0.1:@agi_port@/pausing
"""
_LIMIT = 5
_SLACK = 0.35  # the code itself takes 0.3 s of keys, and a busy machine some


@pytest.fixture(scope="module", params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    daemon = {"feature": {"pause": "recorderd-pause", "longest_pause": _LIMIT}}
    folder = tmp_path_factory.mktemp("pause")
    policy = {"101": "always", "102": "always"}
    with scene(request.param, folder, policy, features=FEATURES, daemon=daemon) as played:
        yield played


async def masked(house: Scene, wanted: bool) -> float:
    """When the call under way is paused (or not)."""

    async def is_so() -> bool:
        calls = await asyncio.to_thread(house.daemon.control.calls)
        return bool(calls) and bool(calls[0]["paused"]) is wanted

    await until(is_so, f"paused is {wanted}")
    return time.time()


async def test_what_is_said_and_pressed_in_a_pause_is_nowhere_and_the_time_is_kept(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        one, two = await phones("101"), await phones("102")
        call = await one.call("102")
        other = await two.ringing()
        await asyncio.sleep(0.3)  # the code is put on a channel while it rings
        await other.answer()
        await call.up()
        await asyncio.sleep(1.5)
        await call.dtmf("*5")
        begun = await masked(house, True)
        await asyncio.sleep(0.5)
        await other.dtmf("4929")
        await asyncio.sleep(0.5)
        await call.dtmf("*5")
        ended = await masked(house, False)
        await asyncio.sleep(1.5)
        await hang_up(call, other)
    for speaker in (call, other):
        there = ears.frames_in(take.file, speaker)
        forbidden = set(speaker.said(begun + _SLACK, ended - _SLACK))
        wanted = set(speaker.said(until=begun - 1.0)) | set(speaker.said(since=ended + _SLACK))
        assert forbidden
        assert not forbidden & there
        assert len(wanted & there) >= 0.9 * len(wanted)
    assert ears.skew_ms(take.file, call, other) <= 400, (
        "the time is kept: later words lie where they were said"
    )
    assert [(row.masked, row.outcome) for row in take.intervals] == [
        (False, Outcome.RECORDED),
        (True, Outcome.RECORDED),
        (False, Outcome.RECORDED),
    ]
    assert "4929" not in house.daemon.said()
    marks = await house.daemon.ledger(lambda store: store.marks(take.intervals[0].conversation_id))
    assert [(mark.kind, mark.who) for mark in marks] == [("paused", "101"), ("resumed", "101")]
    assert house.lane_files() == []


async def test_a_pause_ends_by_itself(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(0.5)
        control = house.daemon.control
        said = await asyncio.to_thread(
            control.press, "pause", "101", by="operator", source="cli", reason="card number"
        )
        assert said["outcome"] == "paused"
        begun = await masked(house, True)
        ended = await masked(house, False)
        assert _LIMIT - 1 <= ended - begun <= _LIMIT + 3
        await asyncio.sleep(1.0)
        await hang_up(call, other)
    marks = await house.daemon.ledger(lambda store: store.marks(take.intervals[0].conversation_id))
    assert [(mark.kind, mark.who) for mark in marks] == [("paused", "operator"), ("resumed", "recorderd")]
    assert "card number" in marks[0].text
