"""Every finished recording is entered once, soon, and whatever was missed on start; a head is signed each day."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import fingerprints, keyring, signing
from recorderd.clerk import heads
from recorderd.core import chain, recordings, rows
from recorderd.core.chain import Kind
from recorderd.errors import EvidenceError
from recorderd.store.abc import Store
from recorderd.store.chain import ChainStore
from tests.evidence.conftest import Told, kinds, notary_of, proven, settled, shortly_after, talked
from tests.keeping.conftest import Clock, archived, eventually, keeper_of
from tests.keeping.world import DAY, START, World
from tests.store import sample
from tests.store.sample_keeping import hold


async def kinds_of(store: Store, recording_id: str) -> list[str]:
    return [e.kind for e in (await store.chain.entries_of([recording_id])).get(recording_id, [])]


async def test_a_finished_recording_is_entered_with_its_file_and_its_rows(world: World, store: Store) -> None:
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after()).turn()
    [entry] = (await store.chain.entries_of(["r1"]))["r1"]
    name = f"2026/11/18/{world.name(1)}"
    assert entry.detail["files"] == {name: fingerprints.of(world.mix(1))}
    assert set(entry.detail["rows"]) == {"Recording:r1", "Interval:i1"}
    assert "late" not in entry.detail
    assert await kinds(world, store) == []


class Ticking(Clock):
    """Each look at it takes a second."""

    def __call__(self) -> float:
        self.now += 1
        return self.now


async def test_recordings_that_end_together_are_entered_together_each_with_its_own(
    world: World, store: Store
) -> None:
    """In one transaction: all its entries have one time, though the clock moves with every look."""
    await talked(world, store, 1, 2, 3)
    await notary_of(world, store, Ticking(shortly_after().now)).turn()
    found = await store.chain.entries_of(["r1", "r2", "r3"])
    entered = {key: [entry.kind for entry in entries] for key, entries in found.items()}
    assert entered == {"r1": ["closed"], "r2": ["closed"], "r3": ["closed"]}
    assert len({entry.at for entries in found.values() for entry in entries}) == 1
    for n in (1, 2, 3):
        assert set(found[f"r{n}"][0].detail["files"]) == {f"2026/11/18/{world.name(n)}"}
    assert await kinds(world, store) == []


async def test_when_the_call_is_over_and_settled_all_its_rows_are_entered(world: World, store: Store) -> None:
    clock = shortly_after()
    await talked(world, store, 1)
    notary = notary_of(world, store, clock)
    await notary.turn()
    assert await kinds_of(store, "r1") == ["closed"]
    settled(clock)
    await notary.turn()
    assert await kinds_of(store, "r1") == ["closed", "settled"]
    entry = (await store.chain.entries_of(["r1"]))["r1"][-1]
    assert set(entry.detail["rows"]) == {
        "Recording:r1", "Interval:i1", "Conversation:c1", "CdrLink:1.1:1:r1", "Cdr:1.1:1",
    }  # fmt: skip
    report = await proven(world, store)
    assert (report.faults, report.recordings, report.files, report.rows) == ([], 1, 1, 5)


async def test_what_is_entered_whole_is_not_looked_at_again_until_the_next_day(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much there is of it, a look costs what is new."""
    hour, looked = 3600.0, []
    unsettled = type(store.chain).unsettled

    async def noted(chain: ChainStore, since: float, *more: Any, **named: Any) -> list[rows.Recording]:
        looked.append(since)
        found: list[rows.Recording] = await unsettled(chain, since, *more, **named)
        return found

    monkeypatch.setattr(type(store.chain), "unsettled", noted)
    clock = shortly_after()
    notary = notary_of(world, store, clock)
    await talked(world, store, 1)
    await notary.turn()
    settled(clock)
    await notary.turn()
    await talked(world, store, 2, at=START + hour)
    clock.now = START + hour + 3
    await notary.turn()
    settled(clock)
    await notary.turn()
    assert looked[-1] > START
    assert await kinds_of(store, "r2") == ["closed", "settled"]
    # One that began before and came only now.
    await talked(world, store, 3)
    settled(clock)
    await notary.turn()
    assert await kinds_of(store, "r3") == []
    clock.now += 24 * hour
    await notary.turn()
    settled(clock)
    await notary.turn()
    assert await kinds_of(store, "r3") == ["closed", "settled"]


async def test_one_that_lasts_for_hours_is_entered_when_it_ends(world: World, store: Store) -> None:
    clock, hour = shortly_after(), 3600.0
    notary = notary_of(world, store, clock)
    await world.add(store, 1, seconds=1.0, at=START)
    whole = (await store.recordings(id="r1"))[0]
    await store.save([replace(whole, state=rows.RecordingState.RECORDING, ended_at=None)])
    await notary.turn()
    for later in range(1, 4):
        await talked(world, store, 1 + later, at=START + later * hour)
        clock.now = START + later * hour + 3
        await notary.turn()
        settled(clock)
        await notary.turn()
    await store.save([whole, sample.conversation("c1", started_at=START, ended_at=clock.now)])
    await notary.turn()
    settled(clock)
    await notary.turn()
    assert await kinds_of(store, "r1") == ["closed", "settled"]


async def test_a_link_that_comes_later_is_entered_as_one(world: World, store: Store) -> None:
    clock = shortly_after()
    await talked(world, store, 1)
    notary = notary_of(world, store, clock)
    await notary.turn()
    settled(clock)
    await notary.turn()
    call = sample.cdr("1.9")
    await store.save([call, sample.link("1.9", 1, "r1")])
    assert await kinds(world, store) == ["row-added"]
    notary.matched(call)
    settled(clock)
    await notary.turn()
    assert await kinds_of(store, "r1") == ["closed", "settled", "linked"]
    assert await kinds(world, store) == []


async def test_what_a_crash_left_without_an_entry_is_entered_on_start_and_says_so(
    world: World, store: Store
) -> None:
    await talked(world, store, 1, 2)
    await store.save([hold(recording_id="r1")])
    await notary_of(world, store, shortly_after()).catch_up()
    entries = await store.chain.entries()
    assert [(e.kind, e.detail["late"]) for e in entries] == [
        ("closed", "made on start"), ("closed", "made on start"), ("held", "made on start"),
    ]  # fmt: skip
    report = await proven(world, store)
    assert report.faults == []
    assert sum("made on start" in note for note in report.notes) == 3


async def test_an_entry_that_comes_late_says_how_late(world: World, store: Store) -> None:
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after(600)).turn()
    assert (await store.chain.entries())[0].detail["late"] == "601 s after its end"
    assert await kinds(world, store) == []


async def test_a_file_that_is_gone_already_is_entered_as_missing_and_told(world: World, store: Store) -> None:
    await talked(world, store, 1)
    world.mix(1).unlink()
    told = Told()
    await notary_of(world, store, shortly_after(), told).turn()
    assert list((await store.chain.entries())[0].detail["missing"].values()) == ["missing"]
    assert [kind for kind, _ in told] == ["evidence"]


async def test_what_cannot_be_read_is_tried_again_and_holds_up_nobody(world: World, store: Store) -> None:
    await talked(world, store, 1, 2)
    clock = shortly_after()
    notary = notary_of(world, store, clock)
    moved = world.mix(1).rename(world.folder / "aside.wav")
    world.mix(1).symlink_to(moved)  # ELOOP: neither there nor not there
    await notary.turn()
    assert [e.recording_id for e in await store.chain.entries()] == ["r2"]
    world.mix(1).unlink()
    moved.rename(world.mix(1))
    clock.now += 61
    await notary.turn()
    assert [e.recording_id for e in await store.chain.entries()] == ["r2", "r1"]


async def test_a_failed_recording_is_entered_with_its_lanes(world: World, store: Store) -> None:
    lane = world.lanes / "l1.wav"
    lane.write_bytes(b"voice")
    failed = world.recording(1, state=rows.RecordingState.FAILED, lanes=("l1",))
    await store.save([failed, sample.lane("l1", path=str(lane)), world.interval(1)])
    await notary_of(world, store, shortly_after()).turn()
    [entry] = await store.chain.entries()
    assert entry.detail["files"] == {str(lane): fingerprints.of(lane)}
    assert await kinds(world, store) == []
    lane.write_bytes(b"vOice")
    assert await kinds(world, store) == ["file-changed"]


async def test_what_was_cut_off_or_destroyed_is_entered(world: World, store: Store) -> None:
    await talked(world, store, 1)
    cut = world.interval(1, note=recordings.CUT_BACK)
    gone = world.recording(2, state=rows.RecordingState.DISCARDED, reason="nobody asked")
    await store.save([cut, gone])
    await notary_of(world, store, shortly_after()).turn()
    found = [(e.kind, e.recording_id, e.object) for e in await store.chain.entries()]
    assert found == [("closed", "r1", ""), ("cut", "r1", "i1"), ("cut", "r2", "")]
    assert await kinds(world, store) == []


async def test_a_head_is_signed_once_a_day_and_kept_outside_too(world: World, store: Store) -> None:
    clock = shortly_after()
    await talked(world, store, 1)
    notary = notary_of(world, store, clock)
    for _ in range(3):
        await notary.turn()
    clock.now += DAY
    await notary.turn()
    found = await store.chain.heads()
    assert [(h.number, h.sequence) for h in found] == [(1, 1), (2, 2)]
    assert heads.read(world.state) == found
    key = signing.load(world.config.signing_key)
    assert all(signing.verifies(key.public, chain.signed_bytes(h), h.signature) for h in found)
    # Another daemon on the same day signs nothing more.
    await notary_of(world, store, clock).turn()
    assert await store.chain.heads() == found


async def test_heads_come_back_into_a_database_that_lost_them(world: World, store: Store) -> None:
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after()).turn()
    [head] = await store.chain.heads()
    other = replace(head, number=2, previous=chain.head_hash(head))
    with (world.state / heads.NAME).open("a") as file:
        file.write(f"torn{{\n{chain.published(other)}\n")
    await heads.keep_apart(store, world.state)
    assert await store.chain.heads() == [head, other]


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = signing.load(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert signing.load(tmp_path / "key").public == first.public
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert signing.verifies(first.public, b"x", first.sign(b"x"))
    assert not signing.verifies(first.public, b"y", first.sign(b"x"))
    assert not signing.verifies("no key", b"x", first.sign(b"x"))


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"no key", 0o600, "no private key in PEM"),
        (None, 0o640, "can be read by others"),
        (b"", 0o600, "no private"),
    ],
)
def test_a_key_that_cannot_be_trusted_is_refused(
    tmp_path: Path, content: bytes | None, mode: int, said: str
) -> None:
    path = tmp_path / "key"
    signing.load(path)
    if content is not None:
        path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(EvidenceError, match=said):
        signing.load(path)


async def test_a_key_that_cannot_be_used_is_told_once_and_entries_go_on(world: World, store: Store) -> None:
    world.config.signing_key.write_text("no key")
    world.config.signing_key.chmod(0o600)
    await talked(world, store, 1)
    told = Told()
    notary = notary_of(world, store, shortly_after(), told)
    running = asyncio.create_task(notary.run())

    async def entered() -> bool:
        notary.hear(world.recording(1))
        return len(told) > 0 and await store.chain.last() is not None

    await eventually(entered, "the entry")
    running.cancel()
    assert [kind for kind, _ in told] == ["evidence"]


async def test_one_that_ends_while_others_are_looked_for_is_entered_soon_too(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unopened, looks = type(store.chain).unopened, iter(("on start", "in the first turn"))
    notary = notary_of(world, store, shortly_after())

    async def meanwhile(chain: ChainStore, *asked: Any, **named: Any) -> list[rows.Recording]:
        found: list[rows.Recording] = await unopened(chain, *asked, **named)
        if next(looks, "") == "in the first turn":
            await talked(world, store, 1)
            notary.hear(world.recording(1))
        return found

    monkeypatch.setattr(type(store.chain), "unopened", meanwhile)
    running = asyncio.create_task(notary.run())

    async def entered() -> bool:
        return await kinds_of(store, "r1") == ["closed"]

    await eventually(entered, "the entry", deadline=10.0)
    running.cancel()


@pytest.mark.parametrize("turns", range(4))
async def test_it_ends_when_it_is_told_to_though_it_was_woken_at_that_moment(
    world: World, store: Store, turns: int
) -> None:
    notary = notary_of(world, store, shortly_after())
    running = asyncio.create_task(notary.run())
    await talked(world, store, 1)
    await asyncio.sleep(0.5)
    notary.hear(world.recording(1))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()


async def test_the_archives_file_takes_the_place_of_the_mix_in_the_chain(world: World, store: Store) -> None:
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after()).turn()
    assert await archived(world)
    assert await kinds_of(store, "r1") == ["closed", "kept"]
    entry = (await store.chain.entries_of(["r1"]))["r1"][-1]
    assert list(entry.detail["files"].values()) == [fingerprints.of(world.kept(1))]
    assert not world.mix(1).exists()
    assert await kinds(world, store) == []


@pytest.mark.parametrize("settings", [{"named": "keep"}, {"format": "wav-mono"}])
async def test_a_mix_beside_and_a_mix_in_place_are_known_too(
    world: World, store: Store, settings: dict[str, str]
) -> None:
    world.configure(**settings)
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after()).turn()
    assert await archived(world)
    assert await kinds(world, store) == []
    os.truncate(world.mix(1), 100)
    assert await kinds(world, store) == ["file-truncated"]


async def test_an_encrypted_file_is_known_by_its_sound(world: World, store: Store) -> None:
    key = world.folder / "storage.key"
    keyring.make(key)
    world.configure(encryption={"key_id": "k1", "keys": {"k1": str(key)}})
    keys = keyring.Keyring({"k1": str(key)}, "k1")
    await talked(world, store, 1)
    await notary_of(world, store, shortly_after()).turn()
    assert await archived(world)
    assert await kinds(world, store, keys=keys) == []
    assert await kinds(world, store) == ["file-unread"]
    data = bytearray(world.kept(1).read_bytes())
    data[-1] ^= 1
    world.kept(1).write_bytes(data)
    assert await kinds(world, store, keys=keys) == ["file-changed"]


async def test_an_archive_without_a_daemon_enters_the_mix_before_it_goes(world: World, store: Store) -> None:
    await talked(world, store, 1)
    assert await archived(world)
    first = (await store.chain.entries())[0]
    assert (first.kind, first.detail["late"]) == ("closed", "made by the archive")
    assert len(first.detail["files"]) == 1
    assert await kinds(world, store) == []


async def test_holds_deletions_and_erasures_are_entered(world: World, store: Store) -> None:
    clock = shortly_after()
    await talked(world, store, 1, 2)
    await notary_of(world, store, clock).turn()
    keeper = keeper_of(world, store, clock)
    await keeper.hold(hold("h1", recording_id="r1"))
    await keeper.release("h1", "cli:counsel", "settled")
    await keeper.delete("r1", "cli:me", "private")
    await keeper.erase("0612345678", "cli:dpo", "asked")
    found = [(e.kind, e.recording_id) for e in (await store.chain.entries())[2:]]
    assert found == [("held", ""), ("released", ""), ("deleted", "r1"), ("erased", ""), ("deleted", "r2")]
    report = await proven(world, store)
    assert (report.faults, report.files) == ([], 0)


async def test_entering_twice_changes_nothing(world: World, store: Store) -> None:
    clock = shortly_after()
    await talked(world, store, 1, 2)
    notary = notary_of(world, store, clock)
    await notary.turn()
    settled(clock)
    await notary.turn()
    before = await store.chain.entries()
    await notary.catch_up()
    await notary.turn()
    assert await store.chain.entries() == before
    assert {e.kind for e in before} == {Kind.CLOSED, Kind.SETTLED}


async def test_only_what_was_entered_lately_is_looked_at_where_that_is_asked(
    world: World, store: Store
) -> None:
    clock = shortly_after()
    await talked(world, store, 1)
    await notary_of(world, store, clock).turn()
    clock.now = START + DAY + 2
    await talked(world, store, 2, at=START + DAY)
    await notary_of(world, store, clock).turn()
    assert (await proven(world, store)).recordings == 2
    report = await proven(world, store, since=START + DAY)
    assert (report.recordings, report.entries) == (1, 3)
