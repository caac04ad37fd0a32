"""What goes and what stays: retention, holds, deletion, erasure and restored backups, on each database."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorderd.core import keeping, rows
from recorderd.core.keeping import Copy, Hold, KeepState, Kept
from recorderd.daemon import erasures
from recorderd.daemon.archivist import Archivist
from recorderd.daemon.expiry import Expiry
from recorderd.store.abc import Store
from tests.keeping.conftest import Clock, archived, keeper_of
from tests.keeping.world import DAY, FOLDER, START, World
from tests.store.conftest import Maker

S = KeepState
NOW = START + 10 * DAY


@asynccontextmanager
async def kept_calls(world: World, *numbers: int, **changed: Any) -> AsyncIterator[Store]:
    """Its store, with these recordings archived."""
    store = world.open()
    await store.migrate()
    await world.add(store, *numbers, seconds=1.0, **changed)
    assert await archived(world)
    yield store
    await store.close()


async def row(store: Store, number: int) -> Kept:
    return (await store.keeping.kept([f"r{number}"]))[f"r{number}"]


async def states(store: Store, *numbers: int) -> list[str]:
    return [str((await row(store, number)).state) for number in numbers]


def doomed(found: Kept) -> Kept:
    """As it is while it is being deleted."""
    return replace(found, state=S.DELETING, was=found.state, deleted_at=NOW, deleted_by="x", deleted_why="y")


def hold(**scope: Any) -> Hold:
    return Hold(id="h1", at=NOW, who="cli:counsel", reason="case 7", **scope)


def expiry_of(world: World, store: Store) -> Expiry:
    settings = world.config.archive
    return Expiry(keeper_of(world, store, Clock(NOW)), store.keeping, settings.rules, settings.default)


# --- deletion -------------------------------------------------------------------------------------------


async def test_a_deletion_takes_every_file_and_the_row_says_why_who_and_when(either: World) -> None:
    async with kept_calls(either, 1, 2) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        verdict = await keeper.delete("r1", "cli:anna", "the customer asked")
        assert (verdict.goes, verdict.why) == (True, "the customer asked")
        gone = await row(store, 1)
        assert (gone.state, gone.deleted_by, gone.deleted_why, gone.deleted_at) == (
            S.DELETED, "cli:anna", "the customer asked", NOW,
        )  # fmt: skip
        assert gone.sha256
        assert {path for path in either.files() if "0.1." in path} == set()
        assert either.kept(2).exists()
        recordings = {r.id: r for r in await store.recordings()}
        assert keeping.files_of(recordings["r1"], gone) == ()
        [entry] = await store.panel.audit_page({})
        assert (entry.who, entry.action, entry.object) == ("cli:anna", "delete", "r1")
        again = await keeper.delete("r1", "cli:boris", "again")
        assert (again.goes, again.why) == (False, "deleted already: the customer asked")


async def test_what_is_still_being_made_and_what_is_unknown_is_not_deleted(either: World) -> None:
    async with kept_calls(either) as store:
        await store.save([either.recording(1, state=rows.RecordingState.CLOSING)])
        keeper = keeper_of(either, store, Clock(NOW))
        assert (await keeper.delete("r1", "x", "y")).why == "it is still being made"
        assert (await keeper.delete("r2", "x", "y")).why == "there is no recording r2"


async def test_a_recording_that_the_archive_never_took_is_deleted_with_its_sources(either: World) -> None:
    store = either.open()
    await store.migrate()
    await either.add(store, 1)
    assert (await keeper_of(either, store, Clock(NOW)).delete("r1", "x", "y")).goes
    assert either.files() == set()
    assert await archived(either)
    assert await states(store, 1) == ["deleted"]
    await store.close()


async def test_a_deletion_that_a_crash_cut_short_is_finished(either: World) -> None:
    async with kept_calls(either, 1) as store:
        found = await row(store, 1)
        await store.save([doomed(found)])
        either.kept(1).unlink()
        assert await archived(either)
        assert await states(store, 1) == ["deleted"]
        assert either.files() == set()


# --- holds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope", [{"recording_id": "r1"}, {"person": "0612345678"}, {"until": START + 1}, {}]
)
async def test_a_hold_stops_everybody(either: World, scope: dict[str, Any]) -> None:
    either.configure(maximum="1d")
    async with kept_calls(either) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        await keeper.hold(hold(**scope))
        await either.add(store, 1)
        assert await archived(either)
        assert (await keeper.delete("r1", "cli:anna", "y")).why == "held by cli:counsel: case 7"
        assert (await keeper.erase("101", "cli:dpo", "asked")).held == ("r1",)
        expiry = expiry_of(either, store)
        assert await expiry.expire(NOW) == []
        assert await expiry.make_room(NOW, lambda: False) == []
        assert await states(store, 1) == ["kept"]
        assert either.kept(1).exists()


async def test_when_a_hold_is_over_what_it_kept_goes_its_way(either: World) -> None:
    async with kept_calls(either, 1) as store:
        keeper = keeper_of(either, store, Clock(time.time()))
        await keeper.hold(hold(person="101"))
        assert (await keeper.erase("101", "cli:dpo", "asked")).held == ("r1",)
        assert await archived(either)
        assert await states(store, 1) == ["kept"]
        released = await keeper.release("h1", "cli:counsel", "settled")
        assert released is not None
        assert released.released_by == "cli:counsel"
        assert await keeper.release("h1", "cli:counsel", "again") is None
        assert await archived(either)
        assert await states(store, 1) == ["deleted"]
        assert either.files() == set()


async def test_a_hold_that_comes_while_something_is_being_deleted_saves_it(either: World) -> None:
    async with kept_calls(either, 1) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        found = await row(store, 1)
        await store.save([doomed(found)])
        await keeper.hold(hold(recording_id="r1"))
        assert await archived(either)
        assert await row(store, 1) == found
        assert either.kept(1).exists()


async def test_a_hold_that_comes_too_late_says_for_how_many(either: World) -> None:
    async with kept_calls(either, 1, 2) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        await keeper.delete("r1", "x", "y")
        assert await keeper.hold(hold(person="101")) == 1


# --- retention ------------------------------------------------------------------------------------------


async def test_retention_goes_by_rule_extension_direction_tag_and_age(either: World) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "complaints", "when": {"tag": "complaint"}, "maximum": "forever"},
        {"name": "orders", "when": {"rule": "order line"}, "maximum": "30d"},
        {"name": "boss", "when": {"extension": "109"}, "maximum": "12h"},
        {"name": "out", "when": {"direction": "outbound"}, "maximum": "9d"},
    ]
    async with kept_calls(either, 1, 2, 3, 4, 5, at=NOW - 10 * DAY) as store:
        either.configure(rules=rules, maximum="20d")
        keeper = keeper_of(either, store, Clock(NOW))
        reason = "rule “order line” says always, contracts"
        called_out = either.interval(4, at=NOW - 10 * DAY).parties
        swapped = tuple(
            replace(p, direction=d)
            for p, d in zip(called_out, (rows.Direction.INBOUND, rows.Direction.OUTBOUND), strict=True)
        )
        await store.save(
            [
                either.interval(2, at=NOW - 10 * DAY, reason=reason),
                either.interval(3, at=NOW - 10 * DAY, inside="109"),
                either.interval(4, at=NOW - 10 * DAY, parties=swapped),
            ]
        )
        await keeper.tag("r1", "complaint", "cli:anna")
        expiry = expiry_of(either, store)
        would = {gone.recording_id: gone.why for gone in await expiry.expire(NOW, dry_run=True)}
        assert would == {"r3": "boss keeps it for 12 hours", "r4": "out keeps it for 9 days"}
        assert await states(store, 3, 4) == ["kept", "kept"]
        gone = await expiry.expire(NOW)
        assert {each.recording_id for each in gone} == {"r3", "r4"}
        assert await states(store, 1, 2, 3, 4, 5) == ["kept", "kept", "deleted", "deleted", "kept"]
        assert (await row(store, 3)).deleted_by == "retention"
        assert {each.recording_id for each in await expiry.expire(NOW + 11 * DAY)} == {"r5"}
        assert {each.recording_id for each in await expiry.expire(NOW + 21 * DAY)} == {"r2"}
        await keeper.tag("r1", "complaint", "cli:anna", remove=True)
        assert {each.recording_id for each in await expiry.expire(NOW + 21 * DAY)} == {"r1"}
        assert either.files() == set()


async def test_room_is_made_by_the_oldest_beyond_their_minimum_and_no_more_than_needed(either: World) -> None:
    either.configure(minimum="5d")
    store = either.open()
    await store.migrate()
    for number, age in enumerate((20, 15, 10, 2), start=1):
        await either.add(store, number, seconds=1.0, at=NOW - age * DAY)
    assert await archived(either)
    keeper = keeper_of(either, store, Clock(NOW))
    await keeper.hold(hold(recording_id="r1"))
    expiry = expiry_of(either, store)
    gone = await expiry.make_room(NOW, lambda: not either.kept(2).exists())
    assert [each.recording_id for each in gone] == ["r2"]
    assert await states(store, 1, 2, 3, 4) == ["kept", "deleted", "kept", "kept"]
    await expiry.make_room(NOW, lambda: False)
    assert await states(store, 1, 2, 3, 4) == ["kept", "deleted", "deleted", "kept"]
    await store.close()


# --- erasure and restored backups ---------------------------------------------------------------------------


async def test_an_erasure_takes_audio_peaks_lanes_and_copies_of_the_person_and_of_nobody_else(
    either: World, tmp_path: Path
) -> None:
    async with kept_calls(either, 1, 2) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        await store.save([either.interval(2, outside="0799999999")])
        # A third, whose mix failed, and an export of the first.
        lane = either.lanes / FOLDER / "lane.wav"
        notes = either.lanes / FOLDER / "lane.wav.growth"
        export = tmp_path / "export.zip"
        for file in (lane, notes, export):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"audio")
        await store.save(
            [
                either.recording(3, state=rows.RecordingState.FAILED, stereo="", lanes=("l3",)),
                either.interval(3),
                rows.Lane(
                    id="l3", recording_id="r3", uniqueid="3.1", channel="x", label="101", path=str(lane),
                    state=rows.LaneState.CLOSED, stretches=(),
                ),
                Copy(recording_id="r1", path=str(export), at=NOW, kind="export"),
            ]
        )  # fmt: skip
        erased = await keeper.erase("0612345678", "cli:dpo", "asked by letter")
        assert set(erased.deleted) == {"r1", "r3"}
        assert either.files() == {f"monitor/{FOLDER}/{either.kept(2).name}{s}" for s in ("", ".peaks")}
        assert not export.exists()
        assert await store.keeping.copies("r1") == []
        gone = await row(store, 1)
        assert gone.deleted_why.endswith(": asked by letter")
        assert "0612345678" not in gone.deleted_why


async def test_what_is_said_after_an_erasure_is_not_erased(either: World) -> None:
    async with kept_calls(either, 1) as store:
        keeper = keeper_of(either, store, Clock(NOW))
        await keeper.erase("101", "cli:dpo", "asked")
        await either.add(store, 2, at=NOW + DAY)
        assert await archived(either)
        assert await states(store, 1, 2) == ["deleted", "kept"]


async def test_files_that_a_backup_brings_back_are_deleted_again(either: World, tmp_path: Path) -> None:
    async with kept_calls(either, 1, 2) as store:
        shutil.copytree(either.monitor, tmp_path / "backup")
        keeper = keeper_of(either, store, Clock(NOW))
        await keeper.erase("101", "cli:dpo", "asked")
        shutil.copytree(tmp_path / "backup", either.monitor, dirs_exist_ok=True)
        assert either.kept(1).exists()
        assert await archived(either)
        assert either.files() == set()
        assert "delete again" in {entry.action for entry in await store.panel.audit_page({})}


async def test_an_erasure_outlives_a_database_and_files_restored_from_before_it(
    either: World, tmp_path: Path, migrated_url: Maker
) -> None:
    kind = either.url.partition(":")[0]
    async with kept_calls(either, 1, 2) as store:
        await store.save([either.interval(2, outside="0799999999")])
        await store.backup(str(tmp_path / "backup.gz"))
        shutil.copytree(either.monitor, tmp_path / "backup")
        await keeper_of(either, store, Clock(NOW)).erase("0612345678", "cli:dpo", "asked")
    shutil.copytree(tmp_path / "backup", either.monitor, dirs_exist_ok=True)
    if kind == "sqlite":
        for file in either.folder.glob("recorderd.db*"):
            file.unlink()
    either.url = f"sqlite:///{tmp_path}/new.db" if kind == "sqlite" else migrated_url(kind)
    either.configure()
    restored = either.open()
    await restored.migrate()
    await restored.restore(str(tmp_path / "backup.gz"))
    assert await states(restored, 1, 2) == ["kept", "kept"]
    assert await archived(either)
    assert await states(restored, 1, 2) == ["deleted", "kept"]
    assert either.files() == {f"monitor/{FOLDER}/{either.kept(2).name}{s}" for s in ("", ".peaks")}
    assert [e.person for e in await restored.keeping.erasures()] == ["0612345678"]
    await restored.close()


async def test_a_torn_line_in_the_memory_of_erasures_loses_only_itself(world: World, store: Store) -> None:
    keeper = keeper_of(world, store, Clock(NOW))
    await keeper.erase("101", "cli:dpo", "one")
    with (world.state / "erasures.jsonl").open("ab") as file:
        file.write(b'{"id": "torn')
    await keeper.erase("102", "cli:dpo", "two")
    assert [e.person for e in erasures.remembered(world.state)] == ["101", "102"]
    assert (world.state / "erasures.jsonl").stat().st_mode & 0o007 == 0


# --- the worker and somebody who deletes, at once ------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_deletion_in_the_middle_of_an_encoding_leaves_nothing(either: World, when: str) -> None:
    store = either.open()
    await store.migrate()
    await either.add(store, 1)
    keeper = keeper_of(either, store, Clock(NOW))
    archivist = Archivist(either.config)
    real, loop = archivist._pipeline._encode, asyncio.get_running_loop()

    def encode_and_delete(subject: Any) -> Any:
        made = real(subject) if when == "after" else None
        asyncio.run_coroutine_threadsafe(keeper.delete("r1", "cli:anna", "now"), loop).result(30)
        return made or real(subject)

    archivist._pipeline._encode = encode_and_delete  # type: ignore[method-assign]
    assert await archivist.once()
    await archivist.close()
    assert await store.alarms() == []
    assert await states(store, 1) == ["deleted"]
    assert either.files() == set()
    await store.close()
