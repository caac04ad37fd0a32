"""Whatever is tampered with is found and named, in a store and in a bundle; what is untouched is accepted."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path

import pytest

from recorderd.archive import signing, verify_bundle
from recorderd.clerk import heads
from recorderd.core.chain_walk import Fault
from recorderd.store.abc import Store
from tests.evidence.conftest import archived_at, notary_of, proven, settled, shortly_after, talked
from tests.evidence.tampering import DEEDS, Deed, Forger, committed
from tests.evidence.tampering_bundle import BUNDLE_DEEDS, BundleDeed, pack, unpack
from tests.evidence.test_bundle import exported
from tests.keeping.conftest import Clock, keeper_of
from tests.keeping.world import DAY, START, World
from tests.store.sample_keeping import hold

SHORT, LONG_STORE, LONG_BUNDLE = 2, 12, 14


async def lived(world: World, store: Store) -> Clock:
    """Three days: calls, some of them archived, one deleted; a hold and an erasure; a head for each day."""
    clock = shortly_after()
    notary = notary_of(world, store, clock)
    await talked(world, store, 1, 2, 5)
    await notary.turn()
    assert await archived_at(world, clock)
    settled(clock)
    await notary.turn()
    clock.now = START + DAY + 2
    await talked(world, store, 3, 4, at=START + DAY)
    await notary.turn()
    settled(clock)
    keeper = keeper_of(world, store, clock)
    await keeper.hold(hold("h1", recording_id="r4"))
    await keeper.delete("r5", "cli:me", "private")
    await keeper.erase("0700000000", "cli:dpo", "asked")
    await notary.turn()
    clock.now = START + 2 * DAY
    await notary.turn()
    return clock


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a world, and a bundle of it beside."""
    folder = tmp_path_factory.mktemp("lived")

    async def living() -> None:
        world = World(folder / "world")
        store = world.open()
        await store.migrate()
        clock = await lived(world, store)
        await exported(world, store, clock, folder / "bundle.zip", 1, 2, 3, 4, 5)
        await store.close()

    (folder / "world").mkdir()
    asyncio.run(living())
    committed(folder / "world")
    return folder


async def looked_at(
    template: Path, to: Path, deed: Deed | None, chance: random.Random
) -> tuple[str, list[Fault]]:
    """What a deed says must be named, and the faults that are found afterwards."""
    shutil.copytree(template / "world", to)
    world = World(to)
    published = heads.read(world.state)
    named = ""
    if deed is not None:
        forger = Forger(world)
        named = deed(forger, chance)
        forger.close()
    store = world.open()
    try:
        report = await proven(world, store, published=published)
        return named, report.faults
    finally:
        await store.close()
        shutil.rmtree(to)


async def test_an_untouched_store_is_accepted(lived_in: Path, tmp_path: Path) -> None:
    assert await looked_at(lived_in, tmp_path / "w", None, random.Random(0)) == ("", [])


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
async def test_whatever_is_done_to_a_store_is_found_and_named(
    lived_in: Path, tmp_path: Path, deed: Deed
) -> None:
    await _all_found(lived_in, tmp_path, deed, SHORT)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
async def test_every_one_of_many_tamperings_of_a_store_is_found(
    lived_in: Path, tmp_path: Path, deed: Deed
) -> None:
    await _all_found(lived_in, tmp_path, deed, LONG_STORE)


async def _all_found(template: Path, tmp_path: Path, deed: Deed, times: int) -> None:
    for seed in range(times):
        named, faults = await looked_at(
            template, tmp_path / "w", deed, random.Random(f"{deed.__name__}{seed}")
        )
        assert any(named in fault.sentence for fault in faults), (seed, named, faults)


# --- bundles -------------------------------------------------------------------------------------------


def test_an_untouched_bundle_is_accepted_and_so_is_one_packed_anew(lived_in: Path, tmp_path: Path) -> None:
    bundle = lived_in / "bundle.zip"
    again = tmp_path / "again.zip"
    again.write_bytes(pack(unpack(bundle)))
    assert again.read_bytes() == bundle.read_bytes()
    assert (
        verify_bundle.verify(str(bundle), _key(lived_in), str(lived_in / "world/state/heads.jsonl"))[0] == []
    )


@pytest.mark.parametrize("deed", BUNDLE_DEEDS, ids=lambda deed: deed.__name__)
def test_whatever_is_done_to_a_bundle_is_found_and_named(
    lived_in: Path, tmp_path: Path, deed: BundleDeed
) -> None:
    _found(lived_in, tmp_path, deed, SHORT)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deed", BUNDLE_DEEDS, ids=lambda deed: deed.__name__)
def test_every_one_of_many_tamperings_of_a_bundle_is_found(
    lived_in: Path, tmp_path: Path, deed: BundleDeed
) -> None:
    _found(lived_in, tmp_path, deed, LONG_BUNDLE)


def test_there_are_five_hundred_in_the_long_form() -> None:
    assert len(DEEDS) * LONG_STORE + len(BUNDLE_DEEDS) * LONG_BUNDLE >= 500


def _found(template: Path, tmp_path: Path, deed: BundleDeed, times: int) -> None:
    published = str(template / "world/state/heads.jsonl")
    forger = signing.load(tmp_path / "forger.key")
    for seed in range(times):
        path = tmp_path / "forged.zip"
        named = deed(template / "bundle.zip", path, forger, random.Random(f"{deed.__name__}{seed}"))
        faults, _ = verify_bundle.verify(str(path), _key(template), published)
        assert any(named in fault["sentence"] for fault in faults), (seed, named, json.dumps(faults))


def _key(template: Path) -> str:
    return signing.load(template / "world/state/evidence.key").public
