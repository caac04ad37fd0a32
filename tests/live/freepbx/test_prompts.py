"""FreePBX records what comes before the talk as well: where the talk begins in a linked file is found all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.freepbx.pbx import freepbx
from tests.live.scene import Scene, forgiving, hang_up
from tests.live.signals import CYCLE

pytestmark = pytest.mark.live

POLICY = dict.fromkeys(("101", "102"), "always")


@pytest.fixture(scope="module", params=[(22, False), (22, True), (16, False)], ids=["22", "22-b", "16"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    version, b = request.param
    folder = tmp_path_factory.mktemp("prompts")
    with freepbx(version, folder, POLICY, {}, foreign="link", bridged_only=b) as played:
        yield played


@forgiving
async def test_the_offset_leads_to_what_was_said_then(house: Scene, request: pytest.FixtureRequest) -> None:
    async with house.take() as take, house.phones() as phones:
        await phones("102")
        call, other = await phones.connect(await phones("101"), await phones("102"), "620")
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    (made,) = take.recordings
    (interval,) = [i for i in take.intervals if i.wanted]
    assert made.linked
    assert interval.outcome is Outcome.RECORDED
    prompt = made.duration_ms - (interval.ended_at - interval.started_at) * 1000
    assert (prompt < 200) if request.node.callspec.id.endswith("-b") else (prompt > 500)
    said = next(iter(other.said(interval.started_at + 1.0)))
    run = next(r for r in ears.voice_in(take.file, other, other.up_at) if r.first <= said % CYCLE <= r.last)
    at = run.start_ms + 20 * (said % CYCLE - run.first)
    assert abs(at - (interval.offset_ms + 1000)) <= 80, (at, interval.offset_ms)
