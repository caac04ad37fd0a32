"""A bundle has everything, is accepted by the stand-alone verifier, and is found by an erasure."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import fingerprints, signing, verify_bundle
from recorderd.daemon.bundle import Exporter, Made, Wish
from recorderd.daemon.wanted import wanted
from recorderd.errors import EvidenceError
from recorderd.store.abc import Store
from tests.evidence.conftest import archived_at, kinds, notary_of, settled, shortly_after, talked
from tests.keeping.conftest import Clock, keeper_of
from tests.keeping.world import DAY, START, World
from tests.store import sample


async def exported(world: World, store: Store, clock: Clock, path: Path, *numbers: int) -> Made:
    recordings = [(await store.recordings(id=f"r{n}"))[0] for n in numbers]
    key = signing.load(world.config.signing_key)
    exporter = Exporter(store, keeper_of(world, store, clock), world.monitor, world.state, key)
    return await exporter.make(Wish(recordings=recordings, scope="a test", who="cli:me"), path, clock())


async def lived(world: World, store: Store) -> Clock:
    """Four calls on two days, some archived, and somebody who listened."""
    clock = shortly_after()
    notary = notary_of(world, store, clock)
    await talked(world, store, 1, 2)
    await notary.turn()
    assert await archived_at(world, clock)
    settled(clock)
    await notary.turn()
    clock.now = START + DAY + 2
    await talked(world, store, 3, 4, at=START + DAY)
    await notary.turn()
    await store.audit_append(sample.audit("u1", action="play", object="r1"))
    return clock


def content(path: Path, name: str) -> list[Any]:
    with zipfile.ZipFile(path) as bundle:
        return [json.loads(line) for line in bundle.read(name).splitlines()]


async def test_an_untouched_bundle_is_accepted_and_has_everything(world: World, store: Store) -> None:
    clock = await lived(world, store)
    path = world.folder / "bundle.zip"
    made = await exported(world, store, clock, path, 1, 3)
    assert (made.recordings, made.files, made.missing) == (2, 2, ())
    assert verify_bundle.verify(str(path), made.public_key) == ([], made.public_key)
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        sound = bundle.read(f"audio/2026/11/18/{world.kept(1).name}")
    assert sound == world.kept(1).read_bytes()
    ledger = {kind for kind, _ in content(path, "ledger.jsonl")}
    assert ledger == {"Recording", "Conversation", "Interval", "CdrLink", "Cdr"}
    assert [row["action"] for _, row in content(path, "listeners.jsonl")] == ["play"]
    assert await kinds(world, store) == []


async def test_of_other_peoples_calls_a_bundle_says_nothing(world: World, store: Store) -> None:
    clock = await lived(world, store)
    path = world.folder / "bundle.zip"
    await exported(world, store, clock, path, 3)
    told = [link["body"]["recording_id"] for link in content(path, "chain.jsonl") if "body" in link]
    assert set(told) == {"r3"}
    assert any("sealed" in link for link in content(path, "chain.jsonl"))
    assert b"r4" not in path.read_bytes()


async def test_the_verifier_in_the_bundle_runs_alone(world: World, store: Store) -> None:
    clock = await lived(world, store)
    path = world.folder / "bundle.zip"
    made = await exported(world, store, clock, path, 1, 2, 3, 4)
    with zipfile.ZipFile(path) as bundle:
        script = bundle.extract("verify.py", world.folder)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", script, str(path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = run("--key", made.public_key, "--heads", str(world.state / "heads.jsonl"))
    assert (good.returncode, good.stderr) == (0, "")
    assert run("--key", "00" * 32).returncode == 1
    assert json.loads(run("--json").stdout)["proven"] is True
    path.write_bytes(path.read_bytes()[:-1])
    bad = run()
    assert bad.returncode == 1
    assert "NOT AS IT WAS" in bad.stdout
    path.unlink()
    assert run().returncode == 66


def test_the_verifier_is_short_and_needs_the_standard_library_alone() -> None:
    text = Path(verify_bundle.__file__).read_text()
    assert len(text.splitlines()) <= 300
    assert "recorderd" not in [
        line.split()[1].split(".")[0] for line in text.splitlines() if line[:6] in ("import", "from r")
    ]


def test_its_ed25519_agrees_with_the_library(tmp_path: Path) -> None:
    key = signing.load(tmp_path / "key")
    for number in range(8):
        message = bytes([number]) * number
        signature = key.sign(message)
        flipped = f"{int(signature[number], 16) ^ 1:x}".join((signature[:number], signature[number + 1 :]))
        assert verify_bundle.verifies(key.public, message, signature)
        assert not verify_bundle.verifies(key.public, message + b"x", signature)
        assert not verify_bundle.verifies(key.public, message, flipped)
    order = verify_bundle.L
    s = int.from_bytes(bytes.fromhex(signature)[32:], "little") + order
    assert not verify_bundle.verifies(key.public, message, signature[:64] + s.to_bytes(32, "little").hex())
    assert not verify_bundle.verifies("ff" * 32, message, signature)
    assert not verify_bundle.verifies(key.public, message, "")


def test_its_ed25519_knows_the_standards_own_example() -> None:
    # RFC 8032, 7.1, test 3.
    public = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    signature = (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert verify_bundle.verifies(public, bytes.fromhex("af82"), signature)
    assert signing.verifies(public, bytes.fromhex("af82"), signature)


async def test_an_erasure_finds_the_export(world: World, store: Store) -> None:
    clock = await lived(world, store)
    path = world.folder / "bundle.zip"
    await exported(world, store, clock, path, 1)
    assert [copy.path for copy in await store.keeping.copies("r1")] == [str(path)]
    await keeper_of(world, store, clock).erase("0612345678", "cli:dpo", "asked")
    assert not path.exists()


async def test_an_export_never_overwrites_and_leaves_nothing_where_it_fails(
    world: World, store: Store
) -> None:
    clock = await lived(world, store)
    path = world.folder / "bundle.zip"
    path.write_text("mine")
    with pytest.raises(EvidenceError, match="never overwrites"):
        await exported(world, store, clock, path, 1)
    assert path.read_text() == "mine"
    with pytest.raises(EvidenceError, match="cannot be written"):
        await exported(world, store, clock, world.folder / "no" / "b.zip", 1)
    assert await store.keeping.copies("r1") == []


async def test_what_is_not_entered_yet_is_entered_by_the_export(world: World, store: Store) -> None:
    await talked(world, store, 1)
    path = world.folder / "bundle.zip"
    made = await exported(world, store, shortly_after(), path, 1)
    assert verify_bundle.verify(str(path), made.public_key)[0] == []
    assert (await store.chain.entries())[0].detail["late"] == "made by an export"


async def test_what_was_changed_before_is_carried_and_found_in_the_bundle(world: World, store: Store) -> None:
    clock = await lived(world, store)
    sound = world.mix(3)
    data = bytearray(sound.read_bytes())
    data[500] ^= 1
    sound.write_bytes(data)
    assert fingerprints.of(sound)["size"] == len(data)
    made = await exported(world, store, clock, world.folder / "bundle.zip", 3)
    found, _ = verify_bundle.verify(made.path, made.public_key)
    assert [(fault["kind"], fault["what"]) for fault in found] == [
        ("file-changed", f"audio/2026/11/18/{sound.name}")
    ]


async def test_recordings_are_chosen_by_call_person_and_period(world: World, store: Store) -> None:
    await lived(world, store)
    await store.save([world.interval(4, outside="0799", inside="102", at=START + DAY)])

    async def ids(
        call: str = "", person: str = "", since: float | None = None, until: float | None = None
    ) -> str:
        return " ".join(r.id for r in await wanted(store, call, person, since, until))

    assert [await ids(call=c) for c in ("r1", "c1", "1.1", "1.2", "nothing")] == ["r1"] * 4 + [""]
    assert await ids(person="0799") == await ids(person="102") == "r4"
    assert await ids(person="101", since=START + 10) == "r3"
    assert await ids(until=START + 10) == "r1 r2"
