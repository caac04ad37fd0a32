"""hold, release, erase, expire, tag and archive, as an administrator types them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from recorderd.cli import main
from recorderd.core.keeping import KeepState
from recorderd.store.abc import Store
from tests.keeping.conftest import archived
from tests.keeping.world import World


class Typed:
    """`typed("hold", "--list")`: the exit code and what was said, JSON read where there is some."""

    def __init__(self, world: World, capture: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self._capture = capture

    def __call__(self, *words: str) -> tuple[int, str]:
        self._capture.readouterr()
        code = main(["--config", str(self.world.folder / "recorderd.yaml"), *words])
        out, err = self._capture.readouterr()
        return code, out + err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json")[1])

    def ask(self, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        async def asking() -> Any:
            store = self.world.open()
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(asking())

    def states(self, *numbers: int) -> list[str]:
        kept = self.ask(lambda store: store.keeping.kept([f"r{n}" for n in numbers]))
        return [str(kept[f"r{n}"].state) for n in numbers]


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """With two recordings archived."""
    world = World(tmp_path)

    async def filling() -> None:
        store = world.open()
        await store.migrate()
        await world.add(store, 1, 2, seconds=1.0)
        await store.save([world.interval(2, outside="0799999999", inside="102")])
        assert await archived(world)
        await store.close()

    asyncio.run(filling())
    return Typed(world, capsys)


def test_a_hold_is_put_listed_and_released(typed: Typed) -> None:
    held = typed.json("hold", "--person", "101", "--reason", "case 7")["hold"]
    assert [hold["person"] for hold in typed.json("hold", "--list")] == ["101"]
    assert "case 7" in typed("hold", "--list")[1]
    assert typed("expire", "r1", "--reason", "test")[0] == 1
    assert typed.states(1) == ["kept"]
    assert typed("release", held, "--reason", "settled") == (0, f"hold {held} is over\n")
    assert typed("release", held, "--reason", "settled")[0] == 1
    assert typed("hold", "--list")[1] == "no hold is in force\n"
    assert [hold["release_reason"] for hold in typed.json("hold", "--list", "--all")] == ["settled"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hold", "--person", "101"], "say why with --reason"),
        (["hold", "--reason", "x"], "say what to hold"),
        (["expire", "r1"], "say why with --reason"),
        (["erase", "101", "--reason", "x"], "say --yes if that is meant"),
        (["hold", "--reason", "x", "--since", "whenever"], "is not a time"),
    ],
)
def test_what_cannot_be_undone_must_be_said_in_full(typed: Typed, words: list[str], said: str) -> None:
    code, text = typed(*words)
    assert code == 64
    assert said in text
    assert typed.states(1, 2) == ["kept", "kept"]


def test_a_person_is_erased_and_nobody_else(typed: Typed) -> None:
    found = typed.json("erase", "0612345678", "--reason", "asked by letter", "--yes")
    assert found == {"deleted": ["r1"], "elsewhere": [], "held": [], "failed": []}
    assert typed.states(1, 2) == ["deleted", "kept"]
    assert typed("erase", "0612345678", "--reason", "again", "--yes")[1] == "0 recordings were erased\n"


def test_what_is_held_is_told_when_somebody_is_erased(typed: Typed) -> None:
    typed("hold", "--recording", "r1", "--reason", "case 7")
    code, text = typed("erase", "0612345678", "--reason", "asked", "--yes")
    assert code == 1
    assert "1 are under a legal hold" in text


def test_a_recording_is_deleted_by_hand_and_says_who_and_why(typed: Typed) -> None:
    assert typed("expire", "r2", "--reason", "private call")[0] == 0
    row = typed.ask(lambda store: store.keeping.kept(["r2"]))["r2"]
    assert row.state is KeepState.DELETED
    assert row.deleted_why == "private call"
    assert row.deleted_by.startswith("cli:")
    code, text = typed("expire", "r2", "unknown", "--reason", "again")
    assert code == 1
    assert "deleted already: private call" in text
    assert "there is no recording unknown" in text


def test_what_is_too_old_is_shown_before_it_goes(typed: Typed) -> None:
    typed.world.configure(
        maximum="1d", rules=[{"name": "complaints", "when": {"tag": "complaint"}, "maximum": "forever"}]
    )
    assert typed("tag", "r1", "complaint")[0] == 0
    assert typed("tag", "unknown", "complaint")[0] == 1
    assert [gone["recording"] for gone in typed.json("expire", "--dry-run")] == ["r2"]
    assert typed.states(1, 2) == ["kept", "kept"]
    assert typed("expire")[0] == 0
    assert typed.states(1, 2) == ["kept", "deleted"]
    assert typed("tag", "r1", "complaint", "--remove")[0] == 0
    assert [gone["recording"] for gone in typed.json("expire")] == ["r1"]
    assert typed("expire")[1] == "nothing is too old\n"


def test_the_archive_does_nothing_where_it_is_not_enabled(typed: Typed) -> None:
    typed.world.configure(enabled="false")
    code, text = typed("archive", "--once")
    assert code == 78
    assert "archive.enabled is false" in text
