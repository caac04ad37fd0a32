"""Encryption at rest: what the archive keeps, another key for it, and a key that is missing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import files, keyring, peaks, sealed
from recorderd.archive.keyring import Keyring
from recorderd.archive.sealed import KeyMissing
from recorderd.core.keeping import KeepState, Kept
from recorderd.daemon.rotation import Rotation
from recorderd.errors import ConfigError
from recorderd.store.abc import Store
from tests.keeping.conftest import Clock, archived, keeper_of
from tests.keeping.test_commands import Typed, typed  # noqa: F401
from tests.keeping.world import START, World, decoded, hears, voices

IDS = ("2025", "2026")


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    places = {id: str(tmp_path / f"{id}.key") for id in IDS}
    for place in places.values():
        keyring.make(Path(place))
    return places


def encrypting(world: World, keys: dict[str, str], id: str = "2025", **more: Any) -> Keyring:
    world.configure(encryption={"key_id": id, "keys": keys}, **more)
    return Keyring(keys, id)


def plain(path: Path, ring: Keyring) -> bytes:
    sound = sealed.opened(path, ring)
    try:
        return sound.read()
    finally:
        sound.close()


def key_of(path: Path) -> str:
    return sealed.key_id(path.read_bytes()[: sealed.HEADER])


async def row(store: Store, number: int = 1) -> Kept:
    return (await store.keeping.kept([f"r{number}"]))[f"r{number}"]


async def test_kept_files_and_their_waveforms_are_encrypted_and_are_the_sound(
    world: World, store: Store, keys: dict[str, str], tmp_path: Path
) -> None:
    ring = encrypting(world, keys)
    await world.add(store, 1)
    assert await archived(world)
    path, kept = world.kept(1), await row(store)
    assert (key_of(path), key_of(peaks.path_of(path))) == ("2025", "2025")
    assert b"Opus" not in path.read_bytes()
    inside = plain(path, ring)
    assert (hashlib.sha256(inside).hexdigest(), len(inside)) == (kept.sha256, kept.size)
    heard = tmp_path / "heard.opus"
    heard.write_bytes(inside)
    assert hears(decoded(heard)[:, 0], voices(1)[0]) > 40
    assert peaks.read(path, ring)["lanes"][0]["peaks"]
    with pytest.raises(KeyMissing):
        peaks.read(path, Keyring())


async def test_nothing_is_kept_beside_it_in_the_clear(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    world.writable = False
    encrypting(world, keys)
    await world.add(store, 1)
    assert await archived(world)
    assert world.files() == {
        str(p.relative_to(world.folder)) for p in (world.kept(1), peaks.path_of(world.kept(1)))
    }


async def test_a_mix_that_is_kept_as_it_is_is_encrypted_too_and_found_after_a_crash(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    ring = encrypting(world, keys, format="wav-mono")
    await world.add(store, 1)
    before = world.mix(1).read_bytes()
    assert await archived(world)
    assert plain(world.mix(1), ring) == before
    done = await row(store)
    # The row was not yet written when the worker was killed.
    await store.save([Kept(recording_id="r1", state=KeepState.TAKEN, started_at=START, folder=done.folder)])
    assert await archived(world)
    again = await row(store)
    assert (again.state, again.sha256, again.size) == (KeepState.KEPT, done.sha256, done.size)
    assert "adopted: its source is gone" in again.findings


async def test_without_its_key_nothing_is_kept_and_it_goes_on_when_the_key_is_there(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    encrypting(world, keys)
    place, away = world.folder / "2025.key", world.folder / "away"
    place.rename(away)
    await world.add(store, 1)
    assert not await archived(world)
    [alarm] = await store.alarms(active=True)
    assert alarm.kind == "archive-key"
    assert "Key “2025” is missing" in alarm.sentence
    assert not world.kept(1).exists()
    assert world.stereo(1).exists()
    away.rename(place)
    assert await archived(world)
    assert await store.alarms(active=True) == []
    assert key_of(world.kept(1)) == "2025"


# --- another key ------------------------------------------------------------------------------------------


def rotation_of(world: World, store: Store, ring: Keyring) -> Rotation:
    return Rotation(keeper_of(world, store, Clock(START)), world.monitor, ring)


async def test_every_file_gets_the_key_of_now_and_its_sound_stays(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    await world.add(store, 1)
    assert await archived(world)
    ring = encrypting(world, keys, "2025")
    await world.add(store, 2)
    assert await archived(world)
    assert await rotation_of(world, store, ring).count() == {"": 1, "2025": 1}
    new = Keyring(keys, "2026")
    done = await rotation_of(world, store, new).run()
    assert (done.changed, done.same, done.failed) == (2, 0, [])
    for number in (1, 2):
        path, kept = world.kept(number), await row(store, number)
        assert (key_of(path), key_of(peaks.path_of(path))) == ("2026", "2026")
        assert hashlib.sha256(plain(path, Keyring({"2026": keys["2026"]}))).hexdigest() == kept.sha256
    assert (await rotation_of(world, store, new).run()).same == 2
    await rotation_of(world, store, Keyring(keys)).run()
    assert await rotation_of(world, store, new).count() == {"": 2}


@pytest.mark.parametrize("moment", range(1, 9))
async def test_a_rotation_that_is_killed_leaves_every_file_whole_and_goes_on(
    world: World, store: Store, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    encrypting(world, keys, "2025")
    await world.add(store, 1)
    assert await archived(world)
    left = moment

    class Killed(BaseException):
        pass

    def dying(real: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for module, name in ((os, "fsync"), (os, "rename"), (sealed, "seal"), (files, "sync_folder")):
            patch.setattr(module, name, dying(getattr(module, name)))
        with pytest.raises(Killed):
            await rotation_of(world, store, Keyring(keys, "2026")).run()
    both = Keyring(keys)
    sha256 = (await row(store)).sha256
    assert hashlib.sha256(plain(world.kept(1), both)).hexdigest() == sha256
    assert peaks.read(world.kept(1), both)
    await rotation_of(world, store, Keyring(keys, "2026")).run()
    assert {key_of(world.kept(1)), key_of(peaks.path_of(world.kept(1)))} == {"2026"}


async def test_what_was_tampered_with_is_told_and_stays_as_it_is(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    encrypting(world, keys, "2025")
    await world.add(store, 1, 2)
    assert await archived(world)
    changed = bytearray(world.kept(1).read_bytes())
    changed[-20] ^= 1
    world.kept(1).write_bytes(changed)
    done = await rotation_of(world, store, Keyring(keys, "2026")).run()
    assert done.changed == 1
    [sentence] = done.failed
    assert "is not what was encrypted with key “2025”" in sentence
    assert world.kept(1).read_bytes() == bytes(changed)


async def test_what_is_deleted_during_a_rotation_does_not_come_back(
    world: World, store: Store, keys: dict[str, str]
) -> None:
    encrypting(world, keys, "2025")
    await world.add(store, 1)
    assert await archived(world)
    rotation = rotation_of(world, store, Keyring(keys, "2026"))
    held = world.kept(1).read_bytes()
    assert (await keeper_of(world, store, Clock(START)).delete("r1", "x", "y")).goes
    world.kept(1).write_bytes(held)  # as the rotation's rename would have it
    assert not await rotation._is_kept(await row(store))
    assert world.files() == set()


# --- the command and the configuration --------------------------------------------------------------------


def test_keys_are_listed_made_and_rotated_from_the_command_line(
    typed: Typed,  # noqa: F811
    tmp_path: Path,
) -> None:
    code, said = typed("keys", "make", str(tmp_path / "new.key"))
    assert (code, "keep a copy of it" in said) == (0, True)
    assert typed("keys", "make", str(tmp_path / "new.key"))[0] == 74
    assert typed("keys", "make")[0] == 64
    assert "with --decrypt every file is decrypted" in typed("keys", "rotate")[1]
    typed.world.configure(encryption={"key_id": "a", "keys": {"a": str(tmp_path / "new.key")}})
    assert typed.json("keys", "rotate") == {"changed": 2, "same": 0, "failed": []}
    listed = typed.json("keys", "list")
    assert (listed["keys"][0]["files"], listed["unencrypted"], listed["keys"][0]["fault"]) == (2, 0, "")
    (tmp_path / "new.key").unlink()
    code, said = typed("keys", "list")
    assert (code, "Key “a” is missing" in said) == (1, True)
    assert typed("keys", "rotate")[0] == 74


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        ({"encryption": {"key_id": "a"}}, "a is not in archive.encryption.keys"),
        ({"encryption": {"key_id": "a", "keys": {"a": "/k"}}, "named": "keep"}, "not kept in the clear"),
        ({"encryption": {"keys": {"a b": "/k"}}}, "is not an id"),
        ({"encryption": {"keys": {"a": "k"}}}, "is not an absolute path"),
    ],
)
def test_what_cannot_be_is_a_fault(world: World, archive: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        world.configure(**json.loads(json.dumps(archive)))
