"""kill -9 at any step of the archive: nothing lost, nothing doubled, every link right."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from recorderd.core.keeping import KeepState
from recorderd.core.rows import RecordingState
from tests import buckets
from tests.keeping.killer import Killer
from tests.keeping.world import World, decoded, hears, voices

NUMBERS = (1, 2)
SHORT, LONG = 3, 200


async def made(folder: Path, node: str = "") -> World:
    world = World(folder, more={"node": node} if node else {})
    store = world.open()
    await store.migrate()
    await world.add(store, *NUMBERS, node=node)
    # One whose mix failed: its lane is kept.
    failed = world.recording(9, state=RecordingState.FAILED, size=0, duration_ms=0, stereo="", node=node)
    await store.save([failed])
    await store.close()
    return world


async def states(world: World) -> set[str]:
    """How far each recording is."""
    store = world.open()
    kept = await store.keeping.kept([f"r{number}" for number in NUMBERS])
    await store.close()
    found = {str(row.state) for row in kept.values()}
    return found if len(kept) == len(NUMBERS) else found | {"new"}


async def all_right(world: World, server: buckets.Server | None = None) -> None:
    """Every recording is kept once, whole, and everything that names it names it rightly; in the bucket too."""
    store = world.open()
    kept = await store.keeping.kept([f"r{number}" for number in NUMBERS])
    audit = await store.panel.audit_page({})
    await store.close()
    names = world.cdr_names()
    expected = set()
    for number in NUMBERS:
        row, file = kept[f"r{number}"], world.kept(number)
        assert (row.state, row.name, row.format, row.error) == (KeepState.KEPT, file.name, "opus", "")
        data = file.read_bytes()
        assert (row.sha256, row.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert names[f"{number}.1"] == file.name
        sound = decoded(file)
        assert abs(len(sound) - 3 * 8000) <= 800
        for side, hertz in enumerate(voices(number)):
            assert hears(sound[:, side], hertz) - hears(sound[:, 1 - side], hertz) > 25
        expected |= {f"monitor/2026/11/18/{file.name}", f"monitor/2026/11/18/{file.name}.peaks"}
    assert world.files() == expected
    assert audit == []
    if server is not None:
        lying = {name.removeprefix("pbx1/"): data for name, data in server.objects(bucket_of(world)).items()}
        assert lying == {
            name.removeprefix("monitor/"): (world.folder / name).read_bytes() for name in expected
        }
        assert {row.object for row in kept.values()} == {
            f"pbx1/{row.folder}/{row.name}" for row in kept.values()
        }


async def torture(
    folder: Path, instants: int, seed: int, server: buckets.Server | None = None
) -> Counter[str]:
    """Kill it at this many instants, evenly drawn over its work; count the states it was left in."""
    left: Counter[str] = Counter()
    template = await made(folder / "template", "pbx1" if server else "")
    chance = random.Random(seed)
    with Killer() as killer:
        measured = moved(template, folder / "measured", server)
        total = killer.run(measured.folder / "recorderd.yaml")
        await all_right(measured, server)
        for number in range(instants):
            world = moved(template, folder / "now", server)
            at = round(total * (number + chance.random()) / instants) + 1
            while killer.run(world.folder / "recorderd.yaml", at) == -1:
                left.update(await states(world))
                # Killed again on the way back, sometimes, and later on, so that it ends.
                at = chance.randrange(1, total) if chance.random() < 0.3 else 0
            await all_right(world, server)
            shutil.rmtree(world.folder)
    return left


def bucket_of(world: World) -> str:
    return str(world.archive["objects"]["url"]).removeprefix("s3://")


def moved(template: World, to: Path, server: buckets.Server | None = None) -> World:
    """A copy of a world in another place, with an empty bucket of its own: what names its folder is told."""
    shutil.copytree(template.folder, to)
    world = World(to, more=template.more)
    if server is not None:
        url = server.new_bucket(f"b{time.time_ns()}")
        secrets = str(buckets.credentials(to))
        world.configure(
            objects={
                "url": url, "endpoint": server.endpoint, "region": buckets.REGION, "credentials": secrets
            }
        )  # fmt: skip
    with sqlite3.connect(to / "recorderd.db") as database:
        database.execute(
            "UPDATE recordings SET stereo = replace(stereo, ?, ?)", (str(template.folder), str(to))
        )
    return world


@pytest.mark.timeout(600)
async def test_killed_at_any_step_the_archive_loses_and_doubles_nothing(tmp_path: Path) -> None:
    left = await torture(tmp_path, SHORT, seed=5)
    assert sum(left.values()) >= SHORT - 2


@pytest.mark.timeout(600)
async def test_killed_at_any_step_with_a_bucket_it_loses_and_doubles_nothing_there_either(
    tmp_path: Path,
) -> None:
    with buckets.running() as server:
        left = await torture(tmp_path, SHORT, seed=11, server=server)
    assert sum(left.values()) >= SHORT - 2


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_killed_at_two_hundred_instants_with_a_bucket_it_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    with buckets.running() as server:
        left = await torture(tmp_path, LONG, seed=2611, server=server)
    print(f"\nkilled in the states {dict(left)}")
    assert {"new", KeepState.TAKEN, KeepState.LINKED, KeepState.STORED, KeepState.KEPT} <= set(left)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_killed_at_two_hundred_instants_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    left = await torture(tmp_path, LONG, seed=2026)
    print(f"\nkilled in the states {dict(left)}")
    assert {"new", KeepState.TAKEN, KeepState.ENCODED, KeepState.LINKED, KeepState.KEPT} <= set(left)
