"""verify, export and evidence, as an administrator types them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.evidence.conftest import archived_at, notary_of, shortly_after, talked
from tests.keeping.test_commands import Typed
from tests.keeping.world import World


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """With one recording archived and entered, and one that is entered only."""
    world = World(tmp_path)

    async def filling() -> None:
        clock = shortly_after()
        store = world.open()
        await store.migrate()
        await talked(world, store, 1)
        await notary_of(world, store, clock).turn()
        assert await archived_at(world, clock)
        await talked(world, store, 2)
        await notary_of(world, store, clock).turn()
        await store.close()

    asyncio.run(filling())
    return Typed(world, capsys)


def test_what_is_as_it_was_is_proven_and_what_is_not_is_named(typed: Typed) -> None:
    code, text = typed("verify")
    assert code == 0, text
    assert "everything is as it was entered" in text
    typed.world.kept(1).unlink()
    code, text = typed("verify")
    assert code == 1
    assert "NOT AS IT WAS" in text
    [fault] = typed.json("verify")["faults"]
    assert fault["kind"] == "file-gone"
    assert typed.world.kept(1).name in fault["what"]


def test_the_public_key_and_heads_can_be_printed_and_held_against(typed: Typed) -> None:
    key = typed.json("evidence", "key")["public_key"]
    assert typed("evidence", "key") == (0, f"{key}\n")
    code, published = typed("evidence", "sign")
    assert (code, len(published.splitlines())) == (0, 1)
    assert len(typed("evidence", "heads")[1].splitlines()) == 2
    heads = typed.world.folder / "published"
    heads.write_text(published)
    assert typed("verify", "--key", key, "--heads", str(heads))[0] == 0
    assert typed("verify", "--key", "ab" * 32)[0] == 1
    heads.write_text(json.dumps({**json.loads(published), "hash": "00" * 32}))
    assert typed("verify", "--heads", str(heads))[0] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["verify", "--key", "xyz"], 64, "64 hexadecimal digits"),
        (["verify", "--heads", "/nowhere"], 66, "cannot be read"),
        (["verify", "--heads", "/dev/null"], 65, "has no heads"),
        (["verify", "--since", "whenever"], 64, "is not a time"),
        (["export", "-o", "x.zip"], 64, "say what to export"),
        (["export", "--call", "unknown", "-o", "x.zip"], 1, "there is no such recording"),
        (["export", "--call", "r1", "-o", "/nowhere/x.zip"], 74, "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(typed: Typed, words: list[str], code: int, said: str) -> None:
    assert (typed(*words)[0], said in typed(*words)[1]) == (code, True)


def test_a_key_that_others_can_read_is_refused(typed: Typed) -> None:
    typed.world.config.signing_key.chmod(0o644)
    code, text = typed("verify")
    assert code == 74
    assert "can be read by others" in text


def test_an_export_is_made_and_an_erasure_takes_it(typed: Typed) -> None:
    bundle = typed.world.folder / "bundle.zip"
    made = typed.json("export", "--person", "101", "--until", "2030-01-01", "-o", str(bundle))
    assert (made["recordings"], made["files"], made["missing"]) == (2, 2, [])
    assert bundle.exists()
    assert typed("export", "--call", "r1", "-o", str(bundle))[0] == 74
    assert typed("verify")[0] == 0
    assert typed("erase", "0612345678", "--reason", "asked", "--yes")[0] == 0
    assert not bundle.exists()
    assert typed("verify")[0] == 0


def test_a_file_that_is_missing_is_told_by_the_export(typed: Typed) -> None:
    typed.world.mix(2).unlink()
    code, text = typed("export", "--call", "r2", "-o", str(typed.world.folder / "b.zip"))
    assert code == 1
    assert "missing: audio/" in text
