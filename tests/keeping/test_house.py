"""Water marks, the look ahead, and the table of what a disk holds."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from recorderd.archive import disk, plot
from recorderd.archive.disk import Disk, Level
from recorderd.cli import main
from recorderd.core.keeping import Hold, KeepState, Kept
from recorderd.core.retention import FOREVER
from recorderd.daemon import outlook
from recorderd.store.abc import Store
from tests.keeping.conftest import Clock, archived, keeper_of
from tests.keeping.world import DAY, World

NOW = 1_795_400_000.0
HOUR = 3600.0


async def alarms(store: Store) -> set[str]:
    return {alarm.kind for alarm in await store.alarms(active=True)}


def past(days: int, seconds: float = 10 * HOUR, form: str = "opus", rate: float = 9e6 / HOUR) -> list[Kept]:
    """A recording a day, of so many seconds and bytes per second, until yesterday."""
    return [
        Kept(
            recording_id=f"{form}{day}", state=KeepState.KEPT, started_at=NOW - day * DAY, folder="f",
            name=f"{day}.{form}", format=form, channels=2, size=round(seconds * rate),
            duration_ms=round(seconds * 1000),
        )
        for day in range(1, days + 1)
    ]  # fmt: skip


# --- the disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("used", "level"), [(84, Level.FINE), (85, Level.LOW), (95, Level.HIGH)])
def test_water_marks(used: int, level: Level) -> None:
    place = Disk(total=110, used=used, free=100 - used)
    assert place.level(85, 95) is level


def test_a_disk_is_as_full_as_df_says(tmp_path: Path) -> None:
    found, df = disk.usage(tmp_path), shutil.disk_usage(tmp_path)
    assert (found.total, found.free) == (df.total, pytest.approx(df.free, rel=0.01))


def fill(folder: Path, percent: float) -> Path:
    """A file that fills a disk so far."""
    place = disk.usage(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(round((place.used + place.free) * percent / 100) - place.used))
    return filler


async def test_people_are_told_at_the_marks_and_stop_deletes_nothing(
    small_disk: Path, world: World, store: Store
) -> None:
    world.more = {"spool": {"monitor": str(small_disk), "lanes": str(world.lanes)}}
    world.monitor = small_disk
    world.configure(disk={"low_water": "60%", "high_water": "80%"})
    await world.add(store, 1, seconds=1.0)
    assert await archived(world)
    assert await alarms(store) == set()
    filler = fill(small_disk, 70)
    assert await archived(world)
    assert await alarms(store) == {"disk-low-water"}
    filler.unlink()
    filler = fill(small_disk, 90)
    assert await archived(world)
    assert await alarms(store) == {"disk-low-water", "disk-high-water"}
    assert world.kept(1).exists()
    filler.unlink()
    assert await archived(world)
    assert await alarms(store) == set()


async def test_where_expire_was_chosen_the_oldest_goes_and_a_held_one_never(
    small_disk: Path, world: World, store: Store
) -> None:
    world.more = {"spool": {"monitor": str(small_disk), "lanes": str(world.lanes)}}
    world.monitor = small_disk
    world.configure()
    await world.add(store, 1, 2, seconds=1.0)
    assert await archived(world)
    held = Hold(id="h", at=NOW, who="x", reason="y", recording_id="r1")
    await keeper_of(world, store, Clock(NOW)).hold(held)
    world.configure(disk={"low_water": "60%", "high_water": "80%", "when_full": "expire"})
    fill(small_disk, 95)
    assert await archived(world)
    assert world.kept(1).exists()
    assert not world.kept(2).exists()
    assert (await store.keeping.kept(["r2"]))["r2"].deleted_why.startswith("the disk was full")
    assert "disk-high-water" in await alarms(store)


# --- the look ahead ---------------------------------------------------------------------------------------


async def look(world: World, store: Store, size: float) -> outlook.Outlook:
    keeper = keeper_of(world, store, Clock(NOW))
    return await outlook.look(store, keeper, world.config, NOW, size=round(size))


async def test_the_day_it_is_full_is_said_in_a_sentence(either: World) -> None:
    store = either.open()
    await store.migrate()
    either.configure(named="remove")
    await store.save(past(70))
    daily = 10 * 9e6
    found = await look(either, store, 70 * daily + 100 * daily)
    assert found.forecast.full_in == pytest.approx(100, abs=1)
    assert found.hours_left == pytest.approx(1000, rel=0.01)
    assert found.full_on is not None
    assert found.full_on.isoformat() in found.sentence
    assert "At 70 hours of calls a week the disk will be full on " in found.sentence
    assert " (nine times in ten between " in found.sentence
    measured = {each.name for each in found.formats if each.measured}
    assert measured == {"opus"}
    opus = next(each for each in found.formats if each.name == "opus")
    assert opus.bytes_per_hour == pytest.approx(9e6)
    assert opus.hours(outlook.DISKS["250 GB"]) == pytest.approx(250e9 / 9e6)
    await store.close()


async def test_a_change_of_format_is_reckoned_with(world: World, store: Store) -> None:
    world.configure(named="remove")
    await store.save(
        [*past(30), *(k for k in past(70, form="wav", rate=32_000.0) if k.started_at < NOW - 30.5 * DAY)]
    )
    held = 30 * 90e6 + 40 * 10 * HOUR * 32_000
    found = await look(world, store, held + 50 * 90e6)
    assert found.forecast.full_in == pytest.approx(50, abs=1)


async def test_mixes_that_stay_beside_are_reckoned_with(world: World, store: Store) -> None:
    world.configure(named="keep")
    await store.save(past(30))
    found = await look(world, store, 1e12)
    assert found.bytes_per_hour == pytest.approx(9e6 + 57.6e6)


async def test_a_bucket_keeps_a_disk_from_filling_whose_cache_fits(world: World, store: Store) -> None:
    world.more["node"] = "pbx1"
    objects = {"url": "s3://calls", "cache": "9GB"}
    world.configure(named="remove", objects=objects)
    await store.save([replace(kept, node="pbx1", object=kept.name) for kept in past(60)])
    await store.save([replace(kept, recording_id=f"2{kept.recording_id}", node="pbx2") for kept in past(60)])
    daily = 10 * 9e6
    # The cache is a hundred days' worth.
    found = await look(world, store, 150 * daily)
    assert found.full_on is None
    assert "what expires makes room" in found.sentence
    assert found.seconds == 60 * 10 * HOUR
    small = await look(world, store, 80 * daily)
    assert small.full_on is not None
    world.configure(named="remove", objects={})
    assert (await look(world, store, 150 * daily)).full_on is not None


async def test_what_expires_makes_room(world: World, store: Store) -> None:
    world.configure(named="remove", maximum="90d")
    await store.save(past(89))
    found = await look(world, store, 200 * 90e6)
    assert found.full_on is None
    assert "never" not in found.sentence
    assert "it settles" in found.sentence


async def test_rules_expire_their_share(world: World, store: Store) -> None:
    world.configure(rules=[{"name": "boss", "when": {"extension": "109"}, "maximum": "30d"}])
    await store.save(
        [world.recording(1), world.recording(2), world.interval(1), world.interval(2, inside="109")]
    )
    one = past(1)[0]
    await store.save(
        [
            Kept(**{**{n: getattr(one, n) for n in Kept.__dataclass_fields__}, "recording_id": r})
            for r in ("r1", "r2")
        ]
    )
    keeper = keeper_of(world, store, Clock(NOW))
    assert world.config.archive.maximum == FOREVER
    assert await outlook.ages(store, keeper, world.config, NOW) == {30.0: 0.5}


async def test_people_are_warned_ahead_of_time(small_disk: Path, world: World, store: Store) -> None:
    world.more = {"spool": {"monitor": str(small_disk), "lanes": str(world.lanes)}}
    world.configure(warn="1000w", named="remove", disk={"low_water": "99%", "high_water": "100%"})
    await store.save(past(20, seconds=2.0))
    assert await archived(world)
    [alarm] = await store.alarms(active=True)
    assert alarm.kind == "disk-soon-full"
    assert "the disk will be full on " in alarm.sentence


def test_the_picture_is_an_svg_that_every_reader_takes() -> None:
    drawn = plot.svg(
        [(20_000, 0.0), (20_010, 5e9)], [(20_010, 5e9), (20_100, 9e9)], 9e9, "full <soon> & so on"
    )
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert "<soon> & so on" in "".join(root.itertext())
    assert len([e for e in root.iter() if e.tag.endswith("polyline")]) == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (250e9, "250 GB"), (4e15, "4e+03 TB")],
)
def test_sizes_are_said_as_disks_are_sold(value: float, said: str) -> None:
    assert plot.size(value) == said


# --- the command ----------------------------------------------------------------------------------------


async def test_the_command_shows_the_table_and_the_sentence(
    world: World, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await store.save(past(10))
    config = str(world.folder / "recorderd.yaml")

    def run(*argv: str) -> Callable[[], int]:
        return lambda: main(["--config", config, "capacity", *argv])

    assert await asyncio.to_thread(run("--plot", str(tmp_path / "plot.svg"))) == 0
    text = capsys.readouterr().out
    for words in (
        "hours in 250 GB",
        "hours in 1 TB",
        "opus-mono",
        "measured here",
        "by the book",
        "hours left",
    ):
        assert words in text
    ElementTree.parse(tmp_path / "plot.svg")
    assert await asyncio.to_thread(run("--disk", "250GB", "--json")) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["disk"]["total"] == 250 * 10**9
    assert data["formats"][0]["name"] == "opus"
    assert data["formats"][0]["hours"]["250 GB"] == round(250e9 / 9e6)
    assert await asyncio.to_thread(run("--disk", "much")) == 64
