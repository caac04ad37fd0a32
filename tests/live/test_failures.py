"""What goes wrong around recorderd, and what it says and does then: one clear sentence, and nothing lost.

Each test has an Asterisk and a recorderd of its own, which it breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome, RecordingState
from recorderd.store.abc import AlarmRow
from tests.live import ears
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd, until
from tests.live.scene import Scene, hang_up, talk
from tests.postgres import Cluster, running
from tests.small_disk import mounted, remount

pytestmark = pytest.mark.live

# A manager user who may not do all that recorderd needs.
_LESS = """
[callonly]
secret = {secret}
read = system,call,cdr,user
write = call
"""
POLICY = {"101": "always", "102": "always", "103": "never"}


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """One for all tests that do not break Asterisk itself."""
    instance = Asterisk.start(22, tmp_path_factory.mktemp("failures"))
    manager = instance.etc / "manager.conf"
    manager.write_text(manager.read_text() + _LESS.format(secret=instance.secret))
    instance.reload("manager")
    yield instance
    instance.stop()


@contextlib.asynccontextmanager
async def daemon(beside: Asterisk, folder: Path, /, **overrides: object) -> AsyncIterator[Scene]:
    """A recorderd of the test's own with folders of its own, not started yet."""
    recorderd = Recorderd(beside, folder / "recorderd", **overrides)
    recorderd.monitor = folder / "monitor"
    recorderd.lanes = folder / "lanes"
    recorderd.fallback = folder / "fallback"
    recorderd.configure()
    try:
        yield Scene(beside, recorderd)
    finally:
        recorderd.kill()


# --- Asterisk's manager ---------------------------------------------------------------------------


async def test_a_wrong_secret_is_said_once_and_tried_ever_more_slowly(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with daemon(asterisk, tmp_path, asterisk={"secret": "not-the-secret"}) as house:
        await house.daemon.launch()
        line = await house.daemon.says("refused")
        assert "recorderd" in line
        status = await house.daemon.status()
        assert not status["asterisk"]["connected"]
        assert "refused" in status["asterisk"]["trouble"]
        assert not status["healthy"]
        tries = asterisk.log.read_text().count("failed to authenticate as 'recorderd'")
        await asyncio.sleep(3.5)
        # 2 s, then 4 s: at most two more.
        assert asterisk.log.read_text().count("failed to authenticate as 'recorderd'") - tries <= 2
        assert house.daemon.said().count("refused") == 1
        assert "Traceback" not in house.daemon.said()


async def test_a_manager_user_without_the_class_system_is_told_in_a_sentence_and_is_a_fault(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with daemon(asterisk, tmp_path, asterisk={"username": "callonly"}) as house:
        await house.daemon.allow(POLICY)
        await house.daemon.launch()
        await house.daemon.says("the manager user needs `write = system,call`")
        async with house.take() as take, house.phones() as phones:
            await talk(phones, await phones("101"), await phones("102"), 1.0)
        assert take.files == []
        assert [row.outcome for row in take.intervals] == [Outcome.NOT_RECORDED]
        assert "Permission denied" in house.daemon.said()
        assert not (await house.daemon.coverage()).proven
        assert "Traceback" not in house.daemon.said()


# --- the spool ------------------------------------------------------------------------------------


@pytest.mark.parametrize("begins", ["before us", "with the call"])
async def test_where_the_spool_cannot_be_written_it_says_so_and_records_in_the_next_place(
    asterisk: Asterisk, tmp_path: Path, begins: str
) -> None:
    async with daemon(asterisk, tmp_path) as house:
        await house.daemon.allow(POLICY)
        with mounted(house.daemon.lanes, "ro" if begins == "before us" else "rw"):
            await house.daemon.start()
            if begins == "before us":
                assert str(house.daemon.lanes) in await house.daemon.says(
                    "cannot be made: Read-only file system"
                )
            async with house.take() as take, house.phones() as phones:
                one, two = await phones("101"), await phones("102")
                if begins == "with the call":
                    remount(house.daemon.lanes, "ro")
                call, other = await talk(phones, one, two, 3.0)
        # It may have tried the first place once more: what that cost, the ledger says too.
        for spoken in (call, other):
            assert set(spoken.said(call.up_at + 2.0, call.ended_at - 0.1)) <= ears.frames_in(
                take.file, spoken
            )
        assert take.intervals[-1].outcome in (Outcome.RECORDED, Outcome.PARTIAL)


async def test_a_spool_that_is_full_is_told_and_the_next_place_taken(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with daemon(asterisk, tmp_path) as house:
        await house.daemon.allow(POLICY)
        with mounted(house.daemon.lanes, "size=1m"):
            await house.daemon.start()
            async with house.take() as take, house.phones() as phones:
                call, other = await phones.connect(await phones("101"), await phones("102"))
                await other.hearing(call.stream.voice or 0)
                with contextlib.suppress(OSError):
                    (house.daemon.lanes / "ballast").write_bytes(bytes(1 << 20))
                await house.daemon.says("is full", seconds=8)
                moved = time.time()
                await asyncio.sleep(2.0)
                await hang_up(call, other)
        for spoken in (call, other):
            assert set(spoken.said(moved + 1.0, call.ended_at - 0.1)) <= ears.frames_in(take.file, spoken)
        assert [row.outcome for row in take.intervals] in ([Outcome.RECORDED], [Outcome.PARTIAL])


async def test_a_file_for_which_there_is_no_room_is_told_and_made_when_there_is(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with daemon(asterisk, tmp_path) as house:
        await house.daemon.allow(POLICY)
        with mounted(house.daemon.monitor, "size=16k"):
            await house.daemon.start()
            async with house.take() as take:
                async with house.phones() as phones:
                    call, other = await talk(phones, await phones("101"), await phones("102"), 2.0)
                await house.daemon.says("No space left on device")
                assert house.files() == []
                assert len([lane for lane in house.lane_files() if lane.suffix == ".wav"]) == 2
                await asyncio.to_thread(remount, house.daemon.monitor, "size=4m")
            for spoken in (call, other):
                assert ears.heard(take.file, spoken).complete
            assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]
            assert house.lane_files() == []


async def test_from_the_high_water_mark_on_no_call_begins_to_be_recorded_until_there_is_room(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    """`when_full: stop`: what runs ends well, what begins then is told as not recorded."""
    marks = {"low_water": 60, "high_water": 80, "when_full": "stop"}
    async with daemon(asterisk, tmp_path, archive={"disk": marks}) as house:
        await house.daemon.allow({**POLICY, "104": "always", "105": "always"})
        with mounted(house.daemon.monitor, "size=8m"):
            await house.daemon.start()
            ballast = house.daemon.monitor / "ballast"
            async with house.take() as take, house.phones() as phones:
                first, other = await phones.connect(await phones("101"), await phones("102"))
                await other.hearing(first.stream.voice or 0)
                ballast.write_bytes(bytes(7 << 20))
                await house.daemon.says("No recording is begun", seconds=8)
                await talk(phones, await phones("104"), await phones("105"), 1.5)
                await hang_up(first, other)
                ballast.unlink()
            for spoken in (first, other):
                assert ears.heard(take.file, spoken).complete
            found = {row.parties[0].extension: row.outcome for row in take.intervals}
            assert found == {"101": Outcome.RECORDED, "104": Outcome.NOT_RECORDED}

            async def room() -> bool:
                return bool((await alarms(house, "recordings-stopped"))[-1].cleared_at)

            await until(room, "word that there is room again", 8)
            async with house.take() as take, house.phones() as phones:
                call, other = await talk(phones, await phones("104"), await phones("105"), 1.5)
            assert ears.heard(take.file, call).complete
            assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]


async def alarms(house: Scene, kind: str) -> list[AlarmRow]:
    return [row for row in await house.daemon.ledger(lambda store: store.alarms()) if row.kind == kind]


# --- the database ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this module's own."""
    with running() as made:
        yield made


async def test_a_database_that_goes_in_the_middle_of_a_call_costs_no_row(
    asterisk: Asterisk, tmp_path: Path, cluster: Cluster
) -> None:
    cluster.create("midcall")
    async with daemon(asterisk, tmp_path, store_url=cluster.url("midcall")) as house:
        await house.daemon.allow(POLICY)
        await house.daemon.start()
        async with house.phones() as phones:
            one, two, three = [await phones(number) for number in sorted(POLICY)]
            call, other = await phones.connect(one, two)
            await asyncio.to_thread(cluster.stop, "immediate")
            try:
                await asyncio.sleep(1.0)
                await hang_up(call, other)
                later = await talk(phones, one, two, 0.8)
                await talk(phones, three, two, 0.5)
                await house.daemon.says("database")
            finally:
                await asyncio.to_thread(cluster.start)
        await house.daemon.quiet()
        outcomes = sorted(row.outcome or "" for row in await house.daemon.intervals())
        assert outcomes == [Outcome.NOT_BY_POLICY, Outcome.RECORDED, Outcome.RECORDED]
        assert len(await house.daemon.cdrs()) == 3
        assert {row.state for row in await house.daemon.recordings()} == {RecordingState.CLOSED}
        assert (await house.daemon.coverage()).proven
        files = house.daemon.monitor.rglob("*.wav")
        assert {frozenset(ears.audible(file)) for file in files} == {frozenset((0, 1))}
        assert later[0].ended_at


async def test_with_the_database_down_from_the_start_policy_comes_from_the_snapshot(
    asterisk: Asterisk, tmp_path: Path, cluster: Cluster
) -> None:
    cluster.create("down")
    async with daemon(asterisk, tmp_path, store_url=cluster.url("down")) as house:
        await house.daemon.allow(POLICY)
        await house.daemon.start()
        assert await house.daemon.stop() == 0
        await asyncio.to_thread(cluster.stop)
        try:
            await house.daemon.start()
            async with house.phones() as phones:
                one, two, three = [await phones(number) for number in sorted(POLICY)]
                await talk(phones, one, two, 0.8)
                await talk(phones, one, three, 0.5)
            assert "policy is taken from" in house.daemon.said()
        finally:
            await asyncio.to_thread(cluster.start)
        await house.daemon.quiet()
        outcomes = sorted(row.outcome or "" for row in await house.daemon.intervals())
        assert outcomes == [Outcome.NOT_BY_POLICY, Outcome.RECORDED]
        assert (await house.daemon.coverage()).proven
        assert "Traceback" not in house.daemon.said()
