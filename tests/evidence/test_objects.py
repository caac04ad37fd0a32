"""The proof reaches into the bucket: an object is held against the chain, and a bundle takes its sound from there."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import signing, verify_bundle
from recorderd.clerk import heads
from recorderd.clerk.entries import keyring_of
from recorderd.clerk.notary import Notary
from recorderd.daemon.buckets import bucket_of
from recorderd.daemon.bundle import Exporter, Wish
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.stock import Stock
from recorderd.store.abc import Store
from tests import buckets
from tests.evidence.conftest import Told, archived_at, kinds, proven, settled, shortly_after, talked
from tests.keeping.conftest import Clock
from tests.keeping.world import FOLDER, START, World

NODE = "pbx1"


@pytest.fixture(scope="module")
def server() -> Iterator[buckets.Server]:
    with buckets.running() as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, server: buckets.Server) -> World:
    made = World(tmp_path, more={"node": NODE})
    made.configure(
        objects={
            "url": server.new_bucket(f"b{time.time_ns()}"), "endpoint": server.endpoint,
            "region": buckets.REGION, "credentials": str(buckets.credentials(tmp_path)),
        }
    )  # fmt: skip
    return made


def notary_of(world: World, store: Store, clock: Clock) -> Notary:
    return Notary(
        store, world.monitor, world.state, world.config.signing_key, clock, Told(), node=world.config.node
    )


async def lived(world: World, store: Store, *numbers: int) -> Clock:
    """Calls that are over, archived, and entered."""
    clock = shortly_after()
    notary = notary_of(world, store, clock)
    await talked(world, store, *numbers)
    await store.give_node("", world.config.node)
    await notary.turn()
    assert await archived_at(world, clock)
    settled(clock)
    await notary.turn()
    return clock


def place(world: World) -> dict[str, Any]:
    return {"node": world.config.node, "bucket": bucket_of(world.config)}


async def only_there(world: World, store: Store) -> None:
    """No file is here any more."""
    bucket = bucket_of(world.config)
    assert bucket is not None
    await Stock(
        store.keeping, bucket, world.monitor, keyring_of(world.config), world.config.node, 0
    ).make_room()


def key(world: World, number: int) -> str:
    return f"{NODE}/{FOLDER}/{world.kept(number).name}"


def bucket_name(world: World) -> str:
    return str(world.archive["objects"]["url"]).removeprefix("s3://")


async def test_objects_are_proven_beside_their_files_and_without_them(world: World, store: Store) -> None:
    await lived(world, store, 1, 2)
    found = await proven(world, store, **place(world))
    assert (found.faults, found.files, found.elsewhere) == ([], 4, 0)
    await only_there(world, store)
    assert not world.kept(1).exists()
    found = await proven(world, store, **place(world))
    assert (found.faults, found.files) == ([], 2)


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        ("change", "file-changed"),
        ("cut", "file-truncated"),
        ("remove", "file-gone"),
        ("swap", "file-swapped"),
    ],
)
async def test_an_object_that_was_tampered_with_is_named(
    world: World, store: Store, server: buckets.Server, tamper: str, kind: str
) -> None:
    await lived(world, store, 1, 2)
    await only_there(world, store)
    name, client = bucket_name(world), server.client()
    data = bytearray(server.objects(name)[key(world, 1)])
    if tamper == "remove":
        client.delete_object(Bucket=name, Key=key(world, 1))
    else:
        if tamper == "change":
            data[1000] ^= 1
        elif tamper == "cut":
            del data[-10:]
        else:
            data = bytearray(server.objects(name)[key(world, 2)])
        client.put_object(Bucket=name, Key=key(world, 1), Body=bytes(data))
    found = await proven(world, store, **place(world))
    assert [(fault.kind, fault.what) for fault in found.faults] == [(kind, key(world, 1))]


async def test_an_object_that_comes_back_after_its_deletion_is_named(
    world: World, store: Store, server: buckets.Server
) -> None:
    clock = await lived(world, store, 1)
    name = bucket_name(world)
    data = server.objects(name)[key(world, 1)]
    bucket = bucket_of(world.config)
    assert bucket is not None
    stock = Stock(store.keeping, bucket, world.monitor, keyring_of(world.config), NODE, 10**9)
    keeper = Keeper(store, world.monitor, world.state, clock, lambda: "k1", node=NODE, stock=stock)
    assert (await keeper.delete("r1", "cli:anna", "asked")).goes
    assert await kinds(world, store, **place(world)) == []
    server.client().put_object(Bucket=name, Key=key(world, 1), Body=data)
    assert await kinds(world, store, **place(world)) == ["file-back"]


async def test_what_a_bucket_does_not_say_is_not_proven(world: World, store: Store) -> None:
    await lived(world, store, 1)
    assert await kinds(world, store, node=NODE) == ["file-unread"]


async def test_a_bundle_takes_its_sound_from_the_bucket(
    world: World, store: Store, server: buckets.Server
) -> None:
    clock = await lived(world, store, 1)
    await only_there(world, store)
    key_file = signing.load(world.config.signing_key)
    keeper = Keeper(store, world.monitor, world.state, clock, lambda: "k1", node=NODE)
    exporter = Exporter(store, keeper, world.monitor, world.state, key_file, bucket=bucket_of(world.config))
    path = world.folder / "bundle.zip"
    wish = Wish(recordings=await store.recordings(), scope="a test", who="cli:me")
    made = await exporter.make(wish, path, clock())
    assert (made.files, made.missing) == (1, ())
    assert verify_bundle.verify(str(path), made.public_key) == ([], made.public_key)
    with zipfile.ZipFile(path) as bundle:
        sound = bundle.read(f"audio/{FOLDER}/{world.kept(1).name}")
    assert sound == server.objects(bucket_name(world))[key(world, 1)]


async def test_two_nodes_enter_into_one_chain_and_either_proves_it(
    world: World, store: Store, tmp_path: Path
) -> None:
    other = World(tmp_path / "other", url=world.url, more={"node": "pbx2"})
    other.configure(objects=world.archive["objects"])
    clock = shortly_after()
    signing.load(world.config.signing_key)
    # One chain, one key.
    shutil.copy2(world.config.signing_key, other.config.signing_key)
    notaries = [notary_of(world, store, clock), notary_of(other, store, clock)]
    await world.add(store, 1, seconds=1.0, node="pbx1")
    await other.add(store, 2, seconds=1.0, node="pbx2")
    for notary in notaries:
        await notary.turn()
    # Each entered its own file, and never the other's as missing.
    for number in (1, 2):
        [closed] = (await store.chain.entries_of([f"r{number}"]))[f"r{number}"]
        assert "missing" not in closed.detail
        assert len(closed.detail["files"]) == 1
    assert heads.read(world.state) == heads.read(other.state) == await store.chain.heads()
    found = await proven(world, store, **place(world))
    assert (found.faults, found.elsewhere) == ([], 1)
    for each in (world, other):
        assert await archived_at(each, Clock(START + 400))
    for each in (world, other):
        found = await proven(each, store, **place(each))
        assert (found.faults, found.files, found.elsewhere) == ([], 3, 0)
