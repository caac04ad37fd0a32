"""From a finished recording to a kept one: what is done, what is left alone, what happens when it fails."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recorderd.archive import peaks
from recorderd.core import keeping
from recorderd.core.keeping import KeepState, Kept
from recorderd.core.rows import RecordingState
from recorderd.daemon.archivist import Archivist
from recorderd.daemon.pipeline import Pipeline
from recorderd.errors import StoreError
from recorderd.store.abc import Store
from tests.keeping.conftest import archived, eventually
from tests.keeping.world import FOLDER, START, World, decoded, hears, voices


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Archivist]:
    """The archive at work, trying again after 50 ms."""
    archivist = Archivist(world.config, pause=0.05)
    task = asyncio.create_task(archivist.run())
    try:
        yield archivist
    finally:
        archivist.stop()
        await asyncio.wait_for(task, 30)
        await archivist.close()


async def row(store: Store, number: int = 1) -> Kept:
    return (await store.keeping.kept([f"r{number}"]))[f"r{number}"]


async def is_kept(store: Store, number: int = 1) -> bool:
    found = (await store.keeping.kept([f"r{number}"])).get(f"r{number}")
    return found is not None and found.state is KeepState.KEPT


async def alarms(store: Store) -> list[str]:
    return [alarm.kind for alarm in await store.alarms(active=True)]


async def test_a_recording_is_kept_linked_and_its_source_removed(world: World, store: Store) -> None:
    await world.add(store, 1)
    assert await archived(world)
    found = await row(store)
    data = world.kept(1).read_bytes()
    assert (found.state, found.format, found.channels, found.duration_ms) == (KeepState.KEPT, "opus", 2, 3000)
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (found.findings, found.attempts, found.error) == ((), 0, "")
    assert world.files() == {
        f"monitor/{FOLDER}/{world.kept(1).name}",
        f"monitor/{FOLDER}/{world.kept(1).name}.peaks",
    }
    assert world.cdr_names() == {"1.1": world.kept(1).name}
    [recording] = await store.recordings()
    assert keeping.files_of(recording, found) == (f"{FOLDER}/{world.kept(1).name}",)
    sound = decoded(world.kept(1))
    for side, hertz in enumerate(voices(1)):
        assert hears(sound[:, side], hertz) - hears(sound[:, 1 - side], hertz) > 25
    assert [lane["label"] for lane in peaks.read(world.kept(1))["lanes"]] == ["0612345678", "101"]


async def test_a_call_that_just_ended_is_left_alone_for_a_while(world: World, store: Store) -> None:
    world.configure(delay="5m")
    now = time.time()
    await world.add(store, 1, at=now - 3)
    await world.add(store, 2, at=now - 303)
    assert await archived(world)
    assert set(await store.keeping.kept(["r1", "r2"])) == {"r2"}


@pytest.mark.parametrize(
    ("named", "writable", "mix_stays"),
    [("auto", True, False), ("auto", False, True), ("keep", True, True), ("remove", False, False)],
)
async def test_the_mix_that_cdr_rows_name_is_kept_where_they_cannot_be_written(
    named: str, writable: bool, mix_stays: bool, tmp_path: Path
) -> None:
    world = World(tmp_path, archive={"named": named}, writable=writable)
    store = world.open()
    await store.migrate()
    await world.add(store, 1)
    assert await archived(world)
    found = await row(store)
    assert world.mix(1).exists() is mix_stays
    assert found.mix == (world.mix(1).name if mix_stays else "")
    assert not world.stereo(1).exists()
    [recording] = await store.recordings()
    assert len(keeping.files_of(recording, found)) == 1 + mix_stays
    [day] = await store.keeping.days(0)
    assert (day.size, day.beside) == (found.size, recording.size if mix_stays else 0)
    await store.close()


@pytest.mark.parametrize(("form", "channels"), [("wav", 2), ("wav-mono", 1)])
async def test_wav_stays_under_its_name_so_no_link_changes(
    form: str, channels: int, world: World, store: Store
) -> None:
    world.configure(format=form)
    await world.add(store, 1)
    assert await archived(world)
    assert await archived(world)
    assert (await row(store)).channels == channels
    assert decoded(world.mix(1)).shape == (24000, channels)
    assert world.cdr_names() == {"1.1": world.name(1)}
    assert world.files() == {f"monitor/{FOLDER}/{world.name(1)}", f"monitor/{FOLDER}/{world.name(1)}.peaks"}


async def test_the_format_follows_the_rules(world: World, store: Store) -> None:
    world.configure(rules=[{"name": "board", "when": {"extension": "109"}, "format": "flac"}])
    await world.add(store, 1, 2)
    await store.save([world.interval(2, inside="109")])
    assert await archived(world)
    assert [(await row(store, number)).format for number in (1, 2)] == ["opus", "flac"]


async def test_a_recording_without_its_stereo_file_is_kept_in_one_channel(world: World, store: Store) -> None:
    await world.add(store, 1)
    world.stereo(1).unlink()
    assert await archived(world)
    found = await row(store)
    assert (found.format, found.channels) == ("opus-mono", 1)
    assert found.findings[0].startswith("not stereo: ")
    assert [lane["label"] for lane in peaks.read(world.kept(1))["lanes"]] == ["0612345678, 101"]


async def test_a_recording_that_failed_has_a_row_and_keeps_its_lanes(world: World, store: Store) -> None:
    await store.save([world.recording(1, state=RecordingState.FAILED, duration_ms=0, size=0, stereo="")])
    assert await archived(world)
    assert ((await row(store)).state, (await row(store)).name) == (KeepState.KEPT, "")


async def test_a_file_shorter_than_the_talk_is_told(world: World, store: Store) -> None:
    await world.add(store, 1)
    await store.save([world.interval(1, seconds=5.0)])
    assert await archived(world)
    assert (await row(store)).findings == ("short: 2000 ms against the talk time",)


async def test_a_second_archive_on_one_machine_is_refused(world: World) -> None:
    first = Archivist(world.config)
    with pytest.raises(StoreError, match="another `recorderd archive` runs"):
        Archivist(world.config)
    await first.close()


# --- when it fails -----------------------------------------------------------------------------------


async def test_without_ffmpeg_there_is_one_alarm_and_it_goes_on_by_itself_when_it_is_there(
    world: World, store: Store, tmp_path: Path
) -> None:
    program = tmp_path / "bin-ffmpeg"
    world.configure(ffmpeg=str(program))
    await world.add(store, 1, 2)

    async def told() -> bool:
        return "archive-encoder" in await alarms(store)

    async with running(world):
        await eventually(told, "the alarm")
        before = world.files()
        await asyncio.sleep(0.3)
        assert world.files() == before
        program.symlink_to("/usr/bin/ffmpeg")
        await eventually(lambda: is_kept(store, 1), "the first is kept")
        await eventually(lambda: is_kept(store, 2), "the second is kept")
    assert await alarms(store) == []
    assert len([a for a in await store.alarms() if a.kind == "archive-encoder"]) == 1
    assert (await row(store)).attempts == 0


async def test_on_a_full_disk_the_source_is_kept_and_it_goes_on_by_itself(
    small_disk: Path, world: World, store: Store
) -> None:
    world.more = {"spool": {"monitor": str(small_disk), "lanes": str(world.lanes)}}
    world.monitor = small_disk
    world.configure()
    await world.add(store, 1)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(12 << 10))

    async def told() -> bool:
        return "archive-disk" in await alarms(store)

    async with running(world):
        await eventually(told, "the alarm")
        assert world.mix(1).exists()
        assert world.stereo(1).exists()
        filler.unlink()
        await eventually(lambda: is_kept(store), "it is kept")
    assert "archive-disk" not in await alarms(store)
    assert not world.mix(1).exists()


async def test_a_broken_source_is_kept_and_told_of_and_holds_up_nobody(world: World, store: Store) -> None:
    await world.add(store, 1, 2)
    world.stereo(1).write_bytes(b"broken")
    whole = world.mix(1).read_bytes()
    world.mix(1).write_bytes(whole[:20_000])
    assert not await archived(world)
    [alarm] = await store.alarms(active=True)
    assert (alarm.kind, alarm.keys) == ("archive-failed", {"about": "r1"})
    assert "its source is kept" in alarm.sentence
    broken = await row(store)
    assert (broken.state, broken.attempts) == (KeepState.WAITING, 1)
    assert broken.not_before > time.time()
    assert len(world.mix(1).read_bytes()) == 20_000
    assert await is_kept(store, 2)
    world.mix(1).write_bytes(whole)
    assert await archived(world)
    assert await is_kept(store, 1)
    assert await alarms(store) == []


async def test_cdr_rows_that_cannot_be_written_are_told_of_and_written_later(
    world: World, store: Store
) -> None:
    await world.add(store, 1)
    with sqlite3.connect(world.table) as asterisk:
        asterisk.execute("ALTER TABLE cdr RENAME TO away")
    assert not await archived(world)
    assert await alarms(store) == ["archive-cdr"]
    assert (await row(store)).state is KeepState.ENCODED
    assert world.mix(1).exists()
    with sqlite3.connect(world.table) as asterisk:
        asterisk.execute("ALTER TABLE away RENAME TO cdr")
    assert await archived(world)
    assert world.cdr_names() == {"1.1": world.kept(1).name}
    assert await alarms(store) == []


async def test_while_the_database_is_away_it_waits_and_then_goes_on(
    world: World, store: Store, tmp_path: Path
) -> None:
    await world.add(store, 1)
    file = tmp_path / "recorderd.db"
    file.rename(tmp_path / "away")
    (tmp_path / "recorderd.db").mkdir()
    async with running(world):
        await asyncio.sleep(0.3)
        (tmp_path / "recorderd.db").rmdir()
        (tmp_path / "away").rename(file)
        other = world.open()
        await eventually(lambda: is_kept(other), "it is kept")
        await other.close()


async def test_a_database_restored_from_before_takes_the_kept_files_as_they_are(
    world: World, store: Store
) -> None:
    await world.add(store, 1)
    assert await archived(world)
    before = await row(store)
    with sqlite3.connect(world.folder / "recorderd.db") as database:
        database.execute("DELETE FROM kept")
    assert await archived(world)
    after = await row(store)
    assert (after.state, after.sha256, after.size, after.format) == (
        KeepState.KEPT, before.sha256, before.size, "opus",
    )  # fmt: skip
    assert after.findings == ("adopted: its source is gone",)


async def test_a_recording_that_fails_is_tried_later_and_later(world: World, store: Store) -> None:
    await world.add(store, 1)
    world.stereo(1).unlink()
    world.mix(1).write_bytes(b"poison")
    waits = []
    for _ in range(5):
        assert not await archived(world)
        waits.append((await row(store)).not_before - time.time())
    assert [round(wait / 10) for wait in waits] == [1, 6, 60, 360, 360]


async def test_a_worker_that_was_killed_at_a_recording_has_counted_that(world: World, store: Store) -> None:
    """So one that kills every worker is taken later and later too."""
    await world.add(store, 1)
    taken = Kept(recording_id="r1", state=KeepState.TAKEN, started_at=START, attempts=3)
    await store.save([taken])
    seen: list[Kept] = []

    class Watched(Pipeline):
        async def _advance(self, row: Kept, expected: KeepState | None) -> Kept:
            seen.append(row)
            return await super()._advance(row, expected)

    archivist = Archivist(world.config)
    archivist._pipeline = Watched(archivist._pipeline._tools)
    assert await archivist.once()
    await archivist.close()
    assert (seen[0].state, seen[0].attempts) == (KeepState.TAKEN, 4)
    assert seen[0].not_before > time.time() + 3000
    assert (await row(store)).attempts == 0
