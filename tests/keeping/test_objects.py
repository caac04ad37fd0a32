"""What is kept goes into a bucket: after it was verified, before its source goes, and as people decide about it.

Against a server that speaks S3, on each database.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import keyring, sealed
from recorderd.clerk.entries import keyring_of
from recorderd.core import coverage, keeping
from recorderd.core.keeping import Copy, Hold, KeepState, Kept
from recorderd.daemon.archivist import Archivist
from recorderd.daemon.buckets import bucket_of, stock_of
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.rotation import Rotation
from recorderd.daemon.stock import Stock
from recorderd.errors import BucketFault
from recorderd.evidence import gather
from recorderd.store.abc import AuditRow, Store
from tests import buckets
from tests.keeping.conftest import Clock, eventually
from tests.keeping.world import FOLDER, START, World

NODE = "pbx1"
# The day after FOLDER.
LATER = 1_795_046_400.0
S = KeepState


@pytest.fixture(scope="module")
def server() -> Iterator[buckets.Server]:
    with buckets.running() as running:
        yield running


@pytest.fixture
def bucket(server: buckets.Server) -> str:
    name = f"b{time.time_ns()}"
    server.new_bucket(name)
    return name


def objects_of(server: buckets.Server, bucket: str, folder: Path, **changed: Any) -> dict[str, Any]:
    """The section of the configuration."""
    return {
        "url": f"s3://{bucket}/calls", "endpoint": server.endpoint, "region": buckets.REGION,
        "credentials": str(buckets.credentials(folder)), **changed,
    }  # fmt: skip


@pytest.fixture
def there(either: World, server: buckets.Server, bucket: str) -> World:
    """A world with a bucket, on each database."""
    either.more["node"] = NODE
    either.configure(objects=objects_of(server, bucket, either.folder))
    return either


async def archived(world: World, **more: Any) -> bool:
    archivist = Archivist(world.config, bucket_seconds=1.0, **more)
    try:
        return await archivist.once()
    finally:
        await archivist.close()


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Store]:
    store = world.open()
    await store.migrate()
    yield store
    await store.close()


@asynccontextmanager
async def kept_calls(world: World, *numbers: int) -> AsyncIterator[Store]:
    async with opened(world) as store:
        await world.add(store, *numbers, seconds=1.0, node=NODE)
        assert await archived(world)
        yield store


async def row(store: Store, number: int) -> Kept:
    return (await store.keeping.kept([f"r{number}"]))[f"r{number}"]


def key(world: World, number: int, node: str = NODE) -> str:
    return f"{node}/{FOLDER}/{world.kept(number).name}"


def inside(server: buckets.Server, bucket: str) -> dict[str, bytes]:
    return {name.removeprefix("calls/"): data for name, data in server.objects(bucket).items()}


async def alarms(store: Store) -> dict[str, str]:
    return {alarm.kind: alarm.sentence for alarm in await store.alarms(active=True)}


def keeper_of(world: World, store: Store, clock: Clock | None = None) -> Keeper:
    numbers = iter(range(1_000_000))
    stock = stock_of(world.config, store, 1.0)
    return Keeper(
        store, world.monitor, world.state, clock or time.time, lambda: f"k{next(numbers)}", node=NODE, stock=stock
    )  # fmt: skip


def stock_with(world: World, store: Store, cache: int = 10**9) -> Stock:
    bucket = bucket_of(world.config, 2.0)
    assert bucket is not None
    return Stock(store.keeping, bucket, world.monitor, keyring_of(world.config), world.config.node, cache)


# --- there ----------------------------------------------------------------------------------------------


async def test_what_is_kept_is_in_the_bucket_and_only_then_its_sources_go(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        found, data = await row(store, 1), there.kept(1).read_bytes()
        assert (found.state, found.object, found.local) == (S.KEPT, key(there, 1), True)
        assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
        shape = there.kept(1).with_name(there.kept(1).name + ".peaks").read_bytes()
        assert inside(server, bucket) == {key(there, 1): data, key(there, 1) + ".peaks": shape}
        assert not there.mix(1).exists()
        assert not there.stereo(1).exists()


async def test_what_is_encrypted_here_is_encrypted_there(
    there: World, server: buckets.Server, bucket: str
) -> None:
    keyring.make(there.folder / "key")
    there.configure(encryption={"key_id": "k", "keys": {"k": str(there.folder / "key")}})
    async with kept_calls(there, 1) as store:
        lying = inside(server, bucket)
        assert {sealed.key_id(data[: sealed.HEADER]) for data in lying.values()} == {"k"}
        assert lying[key(there, 1)] == there.kept(1).read_bytes()
        ring = keyring.Keyring({"k": str(there.folder / "key")}, "k")
        stock = stock_with(there, store)
        sound = stock.bucket.opened(key(there, 1), ring)
        assert hashlib.sha256(sound.read()).hexdigest() == (await row(store, 1)).sha256


async def test_the_same_sound_that_lies_there_already_is_ours(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        # As if the worker had been killed between the upload and its row.
        await store.save([replace(await row(store, 1), state=S.LINKED, object="")])
        before = inside(server, bucket)
        assert await archived(there)
        assert (await row(store, 1)).object == key(there, 1)
        assert inside(server, bucket) == before


async def test_another_sound_at_its_key_is_told_and_not_overwritten(
    there: World, server: buckets.Server, bucket: str
) -> None:
    server.client().put_object(Bucket=bucket, Key=f"calls/{key(there, 1)}", Body=b"somebody else's")
    async with opened(there) as store:
        await there.add(store, 1, 2, seconds=1.0, node=NODE)
        assert not await archived(there)
        assert inside(server, bucket)[key(there, 1)] == b"somebody else's"
        found = await row(store, 1)
        assert (found.state, found.object) == (S.LINKED, "")
        assert "is another sound, and is not overwritten" in (await alarms(store))["archive-failed"]
        assert there.stereo(1).exists()
        assert there.kept(1).exists()
        assert (await row(store, 2)).state is S.KEPT
        # Taken away by somebody, it goes on by itself.
        server.client().delete_object(Bucket=bucket, Key=f"calls/{key(there, 1)}")
        assert await archived(there)
        assert inside(server, bucket)[key(there, 1)] == there.kept(1).read_bytes()
        assert await alarms(store) == {}


async def test_what_comes_back_as_another_sound_does_not_count_as_stored(
    there: World, server: buckets.Server, bucket: str
) -> None:
    section = there.archive.pop("objects")
    there.configure()
    async with kept_calls(there, 1) as store:
        there.configure(objects=section)
        found = await row(store, 1)
        await store.save([replace(found, sha256="00" * 32)])
        done = await stock_with(there, store).bring_older()
        assert "came back as another sound than was stored" in done.failed["r1"]
        assert key(there, 1) not in inside(server, bucket)
        assert (await row(store, 1)).object == ""


# --- a bucket that refuses, hangs or is away --------------------------------------------------------------


@pytest.mark.parametrize("way", ["away", "hangs", "refuses"])
async def test_while_the_bucket_fails_encoding_goes_on_every_source_stays_and_it_resumes_by_itself(
    there: World, bucket: str, way: str
) -> None:
    port = buckets.free_port()
    server = buckets.Server(port)
    there.configure(objects=objects_of(server, bucket, there.folder))
    async with opened(there) as store:
        await there.add(store, 1, 2, 3, seconds=1.0, node=NODE)
        archivist = Archivist(there.config, pause=0.05, bucket_seconds=0.3)
        running = asyncio.create_task(archivist.run())
        try:
            if way == "hangs":
                with buckets.hanging(port):
                    await encoded_and_waiting(there, store)
                server.start()
            elif way == "refuses":
                server.start()  # and there is no such bucket
                await encoded_and_waiting(there, store)
            else:
                await encoded_and_waiting(there, store)
                server.start()
            server.new_bucket(bucket)

            async def all_kept() -> bool:
                return {(await row(store, n)).state for n in (1, 2, 3)} == {S.KEPT}

            await eventually(all_kept, "all kept, by itself", 40)

            async def quiet() -> bool:
                return await alarms(store) == {}

            await eventually(quiet, "the alarm is over")
            assert len(inside(server, bucket)) == 6
            assert not there.stereo(1).exists()
            told = [alarm for alarm in await store.alarms() if alarm.kind == "archive-bucket"]
            assert len(told) == 1
        finally:
            archivist.stop()
            await running
            await archivist.close()
            server.stop()


async def encoded_and_waiting(world: World, store: Store) -> None:
    async def waits() -> bool:
        kept = await store.keeping.kept(["r1", "r2", "r3"])
        waiting = [found for found in kept.values() if found.state is S.LINKED]
        return "archive-bucket" in await alarms(store) and len(waiting) == 3

    await eventually(waits, "everything is encoded, an alarm is told", 30)
    for number in (1, 2, 3):
        assert world.stereo(number).exists()
        assert world.kept(number).exists()


# --- decisions about it -------------------------------------------------------------------------------------


async def test_a_deletion_takes_the_objects_and_a_hold_keeps_them(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2) as store:
        keeper = keeper_of(there, store)
        held = Hold(id="h", at=START, who="cli:counsel", reason="case 7", recording_id="r2")
        await keeper.hold(held)
        assert (await keeper.delete("r1", "cli:anna", "asked")).goes
        assert not (await keeper.delete("r2", "cli:anna", "asked")).goes
        assert set(inside(server, bucket)) == {key(there, 2), key(there, 2) + ".peaks"}
        gone = await row(store, 1)
        assert (gone.state, gone.deleted_by) == (S.DELETED, "cli:anna")
        erased = await keeper.erase("0612345678", "cli:dpo", "asked")
        assert (erased.deleted, erased.held) == ((), ("r2",))
        await keeper.release("h", "cli:counsel", "settled")
        assert await archived(there)
        assert inside(server, bucket) == {}
        assert there.files() == set()


async def test_a_deletion_while_the_bucket_is_away_is_written_down_and_finished_later(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        port = buckets.free_port()
        there.configure(objects=objects_of(buckets.Server(port), bucket, there.folder))
        with pytest.raises(BucketFault):
            await keeper_of(there, store).delete("r1", "cli:anna", "asked")
        doomed = await row(store, 1)
        assert (doomed.state, doomed.deleted_why) == (S.DELETING, "asked")
        [recording] = await store.recordings(id="r1")
        assert keeping.files_of(recording, doomed) == ()
        assert there.files() == set()
        assert not await archived(there)
        assert set(await alarms(store)) == {"archive-bucket"}
        there.configure(objects=objects_of(server, bucket, there.folder))
        assert await archived(there)
        assert (await row(store, 1)).state is S.DELETED
        assert inside(server, bucket) == {}
        assert await alarms(store) == {}


async def test_what_expires_while_the_bucket_is_away_is_one_alarm_and_goes_later(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2, 3) as store:
        port = buckets.free_port()
        there.configure(maximum="1d", objects=objects_of(buckets.Server(port), bucket, there.folder))
        assert not await archived(there)
        assert {(await row(store, n)).state for n in (1, 2, 3)} == {S.DELETING}
        assert set(await alarms(store)) == {"archive-bucket"}
        assert len(await store.alarms()) == 1
        there.configure(objects=objects_of(server, bucket, there.folder))
        assert await archived(there)
        assert inside(server, bucket) == {}
        assert await alarms(store) == {}


async def test_expiry_takes_objects_as_it_takes_files(
    there: World, server: buckets.Server, bucket: str
) -> None:
    there.configure(maximum="1d")
    async with kept_calls(there, 1):
        assert inside(server, bucket) == {}
        assert there.files() == set()


async def test_a_deletion_in_the_middle_of_an_upload_leaves_nothing(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node=NODE)
        stock = stock_with(there, store)
        there.configure(objects={**objects_of(server, bucket, there.folder), "url": ""})
        there.more.pop("node")
        there.configure(objects={})
        assert await archived(there)
        found = replace(await row(store, 1), state=S.LINKED)
        await store.save([found])
        brought = await stock.bring(found)
        doomed = replace(
            found, state=S.DELETING, was=S.LINKED, deleted_at=START, deleted_by="x", deleted_why="y"
        )
        assert await store.keeping.advance(doomed, S.LINKED)
        assert not await store.keeping.advance(replace(brought, state=S.STORED), S.LINKED)
        await stock.overtaken(found)
        assert inside(server, bucket) == {}


# --- older recordings, the cache, the sweep ------------------------------------------------------------------


async def test_what_was_kept_before_there_was_a_bucket_goes_there_too(
    there: World, server: buckets.Server, bucket: str
) -> None:
    section = there.archive.pop("objects")
    there.configure()
    async with kept_calls(there, *range(1, 4)) as store:
        assert inside(server, bucket) == {}
        there.configure(objects=section)
        assert await archived(there)
        assert {name for name in inside(server, bucket) if not name.endswith(".peaks")} == {
            key(there, number) for number in (1, 2, 3)
        }
        assert {(await row(store, n)).object for n in (1, 2, 3)} == {key(there, n) for n in (1, 2, 3)}


async def test_what_was_played_least_recently_makes_room_and_is_still_proven(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2, 3) as store:
        newest = max([(await row(store, n)).archived_at or 0.0 for n in (1, 2, 3)])
        # The oldest was played last.
        await store.save(
            [
                AuditRow(id="a1", at=newest + 5, who="101", action="play", object="r1"),
                AuditRow(id="a2", at=newest + 1, who="101", action="list", object="r2"),
            ]
        )
        sizes = {n: (await row(store, n)).size for n in (1, 2, 3)}
        stock = stock_with(there, store, cache=round(sizes[1] * 1.2))
        done = await stock.make_room()
        assert (done.done, done.failed) == (["r2", "r3"], {})
        assert [there.kept(n).exists() for n in (1, 2, 3)] == [True, False, False]
        assert [(await row(store, n)).local for n in (1, 2, 3)] == [True, False, False]
        assert await store.keeping.cached(NODE) == sizes[1]
        assert len(inside(server, bucket)) == 6
        # No file without a row, no row without a file: the bucket counts.
        seen = await gather(store, there.config, START - 60, LATER)
        found = coverage.reconcile(seen.intervals, seen.cdrs, seen.recordings, seen.files, seen.kept)
        assert (found.lost, found.orphans, len(seen.recordings)) == ((), (), 3)
        # And its deletion is one of the object alone.
        assert (await keeper_of(there, store).delete("r2", "x", "y")).goes
        assert key(there, 2) not in inside(server, bucket)


async def test_a_file_whose_object_is_gone_stays_here_and_is_brought_again(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        server.client().delete_object(Bucket=bucket, Key=f"calls/{key(there, 1)}")
        stock = stock_with(there, store, cache=0)
        done = await stock.make_room()
        assert "is gone or cut short: the file here stays" in done.failed["r1"]
        assert there.kept(1).exists()
        assert (await stock.bring_older()).done == ["r1"]
        assert inside(server, bucket)[key(there, 1)] == there.kept(1).read_bytes()


async def test_a_restored_bucket_is_swept_and_what_is_missing_there_is_told(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2) as store:
        backup = inside(server, bucket)
        await keeper_of(there, store).delete("r1", "x", "y")
        client = server.client()
        client.put_object(Bucket=bucket, Key=f"calls/{key(there, 1)}", Body=backup[key(there, 1)])
        client.delete_object(Bucket=bucket, Key=f"calls/{key(there, 2)}")
        shutil.rmtree(there.monitor)
        there.monitor.mkdir()
        assert await archived(there)
        assert key(there, 1) not in inside(server, bucket)
        assert "is gone from the bucket" in (await alarms(store))["archive-object"]
        client.put_object(Bucket=bucket, Key=f"calls/{key(there, 2)}", Body=backup[key(there, 2)])
        await store.save([replace(await row(store, 2), object=key(there, 2), local=False)])
        assert await archived(there)
        assert "archive-object" not in await alarms(store)


async def test_what_is_missing_in_the_bucket_and_here_is_brought_again(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        server.client().delete_object(Bucket=bucket, Key=f"calls/{key(there, 1)}")
        assert await archived(there)
        assert inside(server, bucket)[key(there, 1)] == there.kept(1).read_bytes()
        assert await alarms(store) == {}
        assert [alarm.kind for alarm in await store.alarms()] == ["archive-object"]


# --- after a disaster ------------------------------------------------------------------------------------------


async def forgotten(world: World, store: Store, *numbers: int) -> None:
    """The database is as it was before the archive took these, and their files are in the bucket alone."""
    await stock_with(world, store, cache=0).make_room()
    for number in numbers:
        assert not world.kept(number).exists()
        await store.save([replace(await row(store, number), state=S.WAITING, name="", object="", sha256="")])


async def test_a_database_of_before_finds_what_the_bucket_has(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2) as store:
        before, data = inside(server, bucket), there.kept(1).read_bytes()
        await forgotten(there, store, 1, 2)
        assert await archived(there)
        found = await row(store, 1)
        assert (found.state, found.object, found.findings) == (
            S.KEPT, key(there, 1), ("adopted: its source is gone",),
        )  # fmt: skip
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert inside(server, bucket) == before


async def test_what_only_the_bucket_has_waits_for_it(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1) as store:
        await forgotten(there, store, 1)
        away = buckets.Server(buckets.free_port())
        there.configure(objects=objects_of(away, bucket, there.folder))
        assert not await archived(there)
        waiting = await row(store, 1)
        assert (waiting.state, waiting.attempts) == (S.WAITING, 0)
        assert waiting.not_before > time.time() + 1
        there.configure(objects=objects_of(server, bucket, there.folder))
        assert await archived(there)
        assert (await row(store, 1)).state is S.KEPT


async def test_an_erasure_after_the_backup_reaches_what_the_restored_database_does_not_know(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with kept_calls(there, 1, 2) as store:
        await forgotten(there, store, 1, 2)
        erased = await keeper_of(there, store).erase("0612345678", "cli:dpo", "asked")
        assert set(erased.deleted) == {"r1", "r2"}
        assert inside(server, bucket) == {}


async def test_a_sweep_finds_what_came_back_though_the_row_never_had_a_name(
    there: World, server: buckets.Server, bucket: str
) -> None:
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node=NODE)
        assert (await keeper_of(there, store).delete("r1", "x", "y")).goes
        server.client().put_object(Bucket=bucket, Key=f"calls/{key(there, 1)}", Body=b"from a backup")
        assert await archived(there)
        assert inside(server, bucket) == {}


# --- several nodes ---------------------------------------------------------------------------------------------


@pytest.fixture
def other(there: World, tmp_path: Path) -> World:
    """A second machine: its own disk, the same database and bucket."""
    made = World(tmp_path / "other", url=there.url, more={"node": "pbx2"})
    made.configure(objects=there.archive["objects"])
    return made


async def test_two_nodes_work_on_their_own_and_never_on_each_others(
    there: World, other: World, server: buckets.Server, bucket: str
) -> None:
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node="pbx1")
        # The same names, down to the second and the uniqueid: the nodes' own names keep them apart.
        await other.add(store, 1, seconds=1.0, node="pbx2", id="r1b")
        assert await archived(there)
        assert set(await store.keeping.kept(["r1", "r1b"])) == {"r1"}
        assert await archived(other)
        assert set(inside(server, bucket)) == {
            key(there, 1, node) + suffix for node in ("pbx1", "pbx2") for suffix in ("", ".peaks")
        }
        rows = await store.keeping.kept(["r1", "r1b"])
        assert {id: kept.node for id, kept in rows.items()} == {"r1": "pbx1", "r1b": "pbx2"}
        assert other.kept(1).read_bytes() == inside(server, bucket)[key(there, 1, "pbx2")]


async def test_a_deletion_asked_for_on_one_node_is_carried_out_by_the_node_that_has_the_file(
    there: World, other: World, server: buckets.Server, bucket: str
) -> None:
    async with opened(there) as store:
        await other.add(store, 7, seconds=1.0, node="pbx2")
        assert await archived(other)
        keeper = keeper_of(there, store)
        assert (await keeper.delete("r7", "cli:anna", "asked")).goes
        assert (await row(store, 7)).state is S.DELETING
        assert other.kept(7).exists()
        assert await archived(there)
        assert (await row(store, 7)).state is S.DELETING
        assert await archived(other)
        assert (await row(store, 7)).state is S.DELETED
        assert other.files() == set()
        assert inside(server, bucket) == {}


async def test_an_erasure_reaches_every_node(there: World, other: World) -> None:
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node="pbx1")
        await other.add(store, 7, seconds=1.0, node="pbx2")
        assert await archived(there)
        assert await archived(other)
        erased = await keeper_of(there, store).erase("0612345678", "cli:dpo", "asked")
        assert (erased.deleted, erased.elsewhere) == (("r1",), ("r7",))
        assert await archived(other)
        assert (there.files(), other.files()) == (set(), set())
        # Both remember it outside the database.
        assert (other.state / "erasures.jsonl").exists()


async def test_an_export_of_another_nodes_recording_goes_with_it(there: World, other: World) -> None:
    async with opened(there) as store:
        await other.add(store, 7, seconds=1.0, node="pbx2")
        assert await archived(other)
        bundle = there.folder / "bundle.zip"
        bundle.write_bytes(b"audio")
        await store.save([Copy(recording_id="r7", path=str(bundle), at=START, kind="export", node="pbx1")])
        assert (await keeper_of(there, store).delete("r7", "cli:anna", "asked")).goes
        assert await archived(other)
        assert (await row(store, 7)).state is S.DELETED
        assert bundle.exists()
        assert await archived(there)
        assert not bundle.exists()
        assert await store.keeping.copies("r7") == []


async def test_coverage_asks_for_no_file_that_is_on_another_disk(there: World, other: World) -> None:
    async def lost() -> tuple[int, list[str]]:
        seen = await gather(store, there.config, START - 60, LATER)
        found = coverage.reconcile(seen.intervals, seen.cdrs, seen.recordings, seen.files, seen.kept)
        assert found.orphans == ()
        return len(seen.recordings), [recording.id for recording in found.lost]

    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node="pbx1")
        await other.add(store, 7, seconds=1.0, node="pbx2")
        assert await lost() == (1, [])
        assert await archived(there)
        assert await archived(other)
        # Now it is in the bucket, and counts here too.
        assert await lost() == (2, [])
        there.kept(1).unlink()
        assert await lost() == (2, [])
        await store.save([replace(await row(store, 1), object="")])
        assert await lost() == (2, ["r1"])


async def test_an_alarm_of_one_node_is_not_cleared_by_another(there: World, other: World) -> None:
    there.configure(ffmpeg="/no/such/ffmpeg")
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0, node="pbx1")
        await other.add(store, 7, seconds=1.0, node="pbx2")
        assert not await archived(there)
        assert await archived(other)
        [alarm] = await store.alarms(active=True)
        assert (alarm.kind, alarm.keys) == ("archive-encoder", {"node": "pbx1"})


async def test_rows_of_before_there_were_names_are_given_to_a_node(there: World) -> None:
    async with opened(there) as store:
        await there.add(store, 1, seconds=1.0)
        assert await archived(there)
        assert await store.keeping.kept(["r1"]) == {}
        assert await store.give_node("", "pbx1") == 1
        assert await archived(there)
        assert (await row(store, 1)).object == key(there, 1)


# --- other keys --------------------------------------------------------------------------------------------------


async def test_a_new_key_reaches_objects_whose_files_are_here_and_those_alone_there(
    there: World, server: buckets.Server, bucket: str
) -> None:
    for name in ("a", "b"):
        keyring.make(there.folder / name)
    places = {name: str(there.folder / name) for name in ("a", "b")}
    there.configure(encryption={"key_id": "a", "keys": places})
    async with kept_calls(there, 1, 2) as store:
        await stock_with(there, store, cache=round((await row(store, 2)).size * 1.2)).make_room()
        assert {there.kept(n).exists() for n in (1, 2)} == {True, False}
        there.configure(encryption={"key_id": "b", "keys": places})
        stock = stock_with(there, store)
        ring = keyring_of(there.config)
        rotation = Rotation(keeper_of(there, store), there.monitor, ring, stock.bucket)
        assert dict(await rotation.count()) == {"a": 2}
        done = await rotation.run()
        assert (done.changed, done.same, done.failed) == (2, 0, [])
        assert dict(await rotation.count()) == {"b": 2}
        assert (await rotation.run()).same == 2
        lying = inside(server, bucket)
        assert {sealed.key_id(data[: sealed.HEADER]) for data in lying.values()} == {"b"}
        assert {there.kept(n).exists() for n in (1, 2)} == {True, False}
        for number in (1, 2):
            sound = stock.bucket.opened(key(there, number), ring)
            assert hashlib.sha256(sound.read()).hexdigest() == (await row(store, number)).sha256
