"""Lanes of a real Asterisk watched while they grow, mixed, and listened to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.archive import mixdown
from recorderd.core import commands
from tests.archive.conftest import eventually
from tests.archive.sounds import stretches
from tests.archive.test_watch import Post
from tests.live.asterisk import Asterisk
from tests.live.experiments.lanes import Lane, Stage
from tests.live.phone import Phones
from tests.live.rig_ami import RigAmi
from tests.live.signals import audible_ms, hear, load, missing, missing_ms

pytestmark = pytest.mark.live

Spans = list[tuple[float, float]]
# Lanes may lie this far from each other (design, section 4).
ALIGNED_MS = 60


@pytest.fixture(params=[22, pytest.param(16, marks=pytest.mark.full)])
def asterisk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asterisk]:
    started = Asterisk.start(request.param, tmp_path / "asterisk")
    yield started
    started.stop()


def mixed(folder: Path, stage: Stage, timeline: Spans, *, keep: Spans, grew: dict[str, Spans]) -> Path:
    path = folder / "mix.wav"
    mixture = mixdown.run(
        commands.Mix(
            recording_id="r",
            path=str(path),
            timeline=stretches(*timeline),
            lanes=tuple(
                commands.MixLane(
                    lane_id=lane.name,
                    path=str(lane.path),
                    outside=False,
                    stretches=stretches(*grew[lane.name]),
                    keep=stretches(*keep),
                )
                for lane in stage.lanes
            ),
        ),
        now=time.time,
        sleep=time.sleep,
    )
    assert not [lane.problem for lane in mixture.found if lane.problem]
    return path


def said(stage: Stage, lane: Lane, spans: Spans) -> list[int]:
    """The frames that the lane's phone sent, whole, in these spans."""
    sent = stage.phones.ticker.sent_at
    return [n for n in lane.call.said() if any(a <= sent(n) and sent(n) + 0.02 <= b for a, b in spans)]


def place_ms(at: float, timeline: Spans) -> float:
    """Where this moment lies in a file that holds the time line end to end."""
    return sum(max(0.0, min(at, end) - start) for start, end in timeline) * 1000


async def test_a_transferred_call_is_mixed_where_it_was_spoken_and_only_what_may_be_heard(
    asterisk: Asterisk, tmp_path: Path
):
    post = Post()
    await post.watcher.start()
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami, Phones(asterisk) as phones:
        stage = Stage(asterisk, ami, phones, tmp_path)
        first, second, third = [await phones(number) for number in ("101", "102", "103")]
        call, other, *_ = await stage.talk(first, second)
        for lane in stage.lanes:
            post.watch(lane.path, lane_id=lane.name)
        await asyncio.sleep(3.5)
        mark = len(ami.events)
        for lane in stage.lanes:
            post.watch(lane.path, lane_id=lane.name, growing=False)
        transfer = asyncio.create_task(other.refer("103"))
        last, _ = await stage.newcomer(mark, third)
        await transfer
        await asyncio.sleep(2)
        await stage.finish(call, last)
        for lane in stage.lanes:
            post.unwatch(lane.name)
        assert [post.told(lane.name) for lane in stage.lanes[:2]] == [["seen"], ["seen"]]
        await post.watcher.close()

        grew = {lane.name: stage.stretches(lane) for lane in stage.lanes}
        timeline = grew["101"]
        assert len(timeline) == 2
        heard = hear(load(mixed(tmp_path, stage, timeline, keep=timeline, grew=grew)))
        for lane in stage.lanes:
            runs = heard[lane.call.phone.voice or 0]
            assert missing_ms(runs, said(stage, lane, grew[lane.name])) <= ALIGNED_MS, lane.name
            for run in runs:
                spoken = place_ms(phones.ticker.sent_at(run.first), timeline)
                assert abs(run.begins_ms - spoken) <= ALIGNED_MS, (lane.name, run)

        pause = (timeline[0][0] + 1.0, timeline[0][0] + 2.0)
        forbidden = [pause, timeline[1]]
        keep = [(timeline[0][0], pause[0]), (pause[1], timeline[0][1])]
        heard = hear(load(mixed(tmp_path, stage, timeline[:1], keep=keep, grew=grew)))
        for lane in stage.lanes:
            runs = heard[lane.call.phone.voice or 0]
            assert audible_ms(runs, said(stage, lane, forbidden)) == 0, lane.name
            wanted = [(max(a, s), min(b, e)) for a, b in keep for s, e in grew[lane.name]]
            assert missing_ms(runs, said(stage, lane, wanted)) <= 4 * ALIGNED_MS, lane.name


async def test_voices_stay_in_step_while_packets_are_lost_on_both_sides(asterisk: Asterisk, tmp_path: Path):
    post = Post()
    await post.watcher.start()
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami, Phones(asterisk) as phones:
        stage = Stage(asterisk, ami, phones, tmp_path)
        call, other, *_ = await stage.talk(await phones("101"), await phones("102"))
        for lane in stage.lanes:
            post.watch(lane.path, lane_id=lane.name)
        call.stream.loss = other.stream.loss = 0.05
        await asyncio.sleep(12)
        await stage.finish(call, other)
        await post.watcher.close()
        assert [post.told(lane.name) for lane in stage.lanes] == [["seen"], ["seen"]]

        grew = {lane.name: stage.stretches(lane) for lane in stage.lanes}
        timeline = grew["101"]
        heard = hear(load(mixed(tmp_path, stage, timeline, keep=timeline, grew=grew)))
        for lane in stage.lanes:
            runs = [run for run in heard[lane.call.phone.voice or 0] if run.last - run.first >= 5]
            off = [run.begins_ms - place_ms(phones.ticker.sent_at(run.first), timeline) for run in runs]
            # Laid from its start by its length alone, a lane is half a second off by now.
            assert max(map(abs, off)) <= 2 * ALIGNED_MS, (lane.name, off)
            assert abs(sum(off[-5:]) / len(off[-5:])) <= ALIGNED_MS, (lane.name, off)


async def test_lanes_of_a_killed_asterisk_are_stalled_and_mixed_as_far_as_they_go(
    asterisk: Asterisk, tmp_path: Path
):
    post = Post()
    await post.watcher.start()
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami, Phones(asterisk) as phones:
        stage = Stage(asterisk, ami, phones, tmp_path)
        await stage.talk(await phones("101"), await phones("102"))
        for lane in stage.lanes:
            post.watch(lane.path, lane_id=lane.name)
        await asyncio.sleep(5)
        asterisk.kill()
        killed = time.time()
        await eventually(lambda: all(post.told(lane.name)[1:] == ["stalled"] for lane in stage.lanes))
        await post.watcher.close()

        entered = {event["Uniqueid"]: float(event["Timestamp"]) for event in ami.named("BridgeEnter")}
        grew = {lane.name: [(max(lane.started, entered[lane.uniqueid]), killed)] for lane in stage.lanes}
        timeline = grew["101"]
        heard = hear(load(mixed(tmp_path, stage, timeline, keep=timeline, grew=grew)))
        for lane in stage.lanes:
            runs = heard[lane.call.phone.voice or 0]
            lost = missing(runs, said(stage, lane, grew[lane.name]))
            assert 20 * len(lost) <= 2048 + ALIGNED_MS
            assert all(killed - phones.ticker.sent_at(number) < 2.2 for number in lost[3:])
