"""The daemon dies in the middle of a call, or Asterisk does: what runs is taken up, what ended is closed.

Recorders live in Asterisk, so nothing that was said while nobody watched is lost. Truth is the file.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import until
from tests.live.scene import Scene, forgiving, hang_up, scene, talk

pytestmark = pytest.mark.live

_LOST = 200.0  # ms
POLICY = {"101": "always", "102": "always", "103": "on-demand", "104": "on-demand", "105": "never"}


both = pytest.mark.parametrize("house", [22, 16], indirect=True)


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("restart")
    # Asterisk's own table tells of the calls that ended while nobody watched.
    source = {"source": f"sqlite:///{folder / 'asterisk' / 'log' / 'master.db'}"}
    with scene(request.param, folder, POLICY, daemon={"cdr": source}) as played:
        yield played


async def end(house: Scene, how: signal.Signals) -> None:
    """End the daemon, politely or not."""
    if how is signal.SIGKILL:
        house.daemon.kill()
    else:
        assert await house.daemon.stop() == 0


def assert_nothing_of_the_outage_is_lost(recorded: ears.Heard) -> None:
    """The outages here last half a second and more; single frames are asserted where nobody dies."""
    assert recorded.runs
    assert not recorded.doubled_ms, recorded
    assert recorded.start_ms + recorded.holes_ms + recorded.end_ms <= _LOST, recorded


@both
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill-9", "stop"])
@forgiving
async def test_a_running_recorder_is_adopted_not_doubled_and_not_stopped(
    house: Scene, how: signal.Signals
) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.0)
        lanes = [lane for lane in house.lane_files() if lane.suffix == ".wav"]
        assert len(lanes) == 2
        await end(house, how)
        await asyncio.sleep(0.5)
        await house.daemon.start()
        await asyncio.sleep(1.0)
        assert [lane for lane in house.lane_files() if lane.suffix == ".wav"] == lanes
        await hang_up(call, other)
    for spoken in (call, other):
        assert_nothing_of_the_outage_is_lost(ears.heard(take.file, spoken))
    assert {row.outcome for row in take.intervals} == {Outcome.RECORDED}
    assert [row["recordingfile"] for row in take.cdrs] == [take.file.name]


@pytest.mark.parametrize("house", [22], indirect=True)
@forgiving
async def test_what_somebody_switched_on_stays_on(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("103"), await phones("104"))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(house.daemon.control.press, "start", "103", by="103", source="cli", reason="")
        on = time.time()
        await asyncio.sleep(0.5)
        house.daemon.kill()
        await house.daemon.start()
        await asyncio.sleep(0.5)
        [state] = await asyncio.to_thread(house.daemon.control.calls)
        assert state["recording"]
        await hang_up(call, other)
    for spoken in (call, other):
        there = ears.frames_in(take.file, spoken)
        lost = set(spoken.said(on + 0.1, call.ended_at - 0.1)) - there
        assert len(lost) * 20 <= _LOST


@both
@forgiving
async def test_a_call_that_ended_while_nobody_watched_becomes_a_file_all_the_same(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.0)
        house.daemon.kill()
        await asyncio.sleep(0.5)
        await hang_up(call, other)
        await asyncio.sleep(0.5)
        await house.daemon.start()
    for spoken in (call, other):
        assert_nothing_of_the_outage_is_lost(ears.heard(take.file, spoken))
    assert house.lane_files() == []
    # Its file tells when it ended, though nobody else does.
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]


@pytest.mark.parametrize("house", [22], indirect=True)
@forgiving
async def test_a_death_between_the_hang_up_and_the_mix_costs_nothing(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.0)
        await hang_up(call, other)
        house.daemon.kill()
        await house.daemon.start()
    for spoken in (call, other):
        assert_nothing_of_the_outage_is_lost(ears.heard(take.file, spoken))
    assert house.lane_files() == []


@both
@forgiving
async def test_a_call_begun_while_nobody_watched_is_recorded_from_the_start_of_the_daemon(
    house: Scene,
) -> None:
    house.daemon.kill()
    earlier = time.time() - 1
    async with house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        silent, listener = await phones.connect(await phones("103"), await phones("105"))
        await asyncio.sleep(1.0)
        files = set(house.files())
        await house.daemon.start()
        began = time.time()
        await asyncio.sleep(1.0)
        await hang_up(call, other)
        await hang_up(silent, listener)
    await house.daemon.quiet()
    [file] = set(house.files()) - files
    for spoken in (call, other):
        lost = set(spoken.said(began + 0.1, call.ended_at - 0.1)) - ears.frames_in(file, spoken)
        assert len(lost) * 20 <= _LOST
    coverage = await house.daemon.coverage()
    assert (coverage.unaccounted, coverage.orphans, coverage.lost, coverage.pending) == ((), (), (), ())
    # The time that nobody recorded is not hidden, and no more than that is lost.
    [fault] = [each for each in coverage.faults if each.started_at > earlier]
    assert fault.outcome is Outcome.PARTIAL
    assert 700 < fault.missing_ms < (began - call.up_at) * 1000 + 200


@both
async def test_in_the_end_nothing_is_left_open(house: Scene) -> None:
    await house.daemon.quiet()
    async with house.daemon.store() as store:
        left = await store.open_rows()
    assert (left.conversations, left.intervals, left.recordings, left.lanes) == ((), (), (), ())
    assert house.lane_files() == []
    house.assert_linked()


@pytest.mark.parametrize("house", [22, pytest.param(16, marks=pytest.mark.full)], indirect=True)
@forgiving
async def test_when_asterisk_dies_what_it_had_written_becomes_the_file(house: Scene) -> None:
    """Its wav grows by 2.05 s at a time and has no length in its header (asterisk-facts 2.6)."""
    files = set(house.files())
    async with house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(5.0)
        house.asterisk.kill()
        died = time.time()
        await asyncio.to_thread(house.asterisk.boot)
    await until(house.daemon.connected, "recorderd connected again")
    await house.daemon.idle()
    [file] = set(house.files()) - files
    for spoken in (call, other):
        said = set(spoken.said(call.up_at + 0.1, died - 2.3))
        assert said
        assert said <= ears.frames_in(file, spoken)
    async with house.phones() as phones:
        await talk(phones, await phones("101"), await phones("102"), 0.5)
    await house.daemon.idle()
    assert len(house.files()) == len(files) + 2
