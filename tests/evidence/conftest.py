"""A world whose recordings are entered into the chain, and what looks whether they are as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorderd.archive import signing
from recorderd.clerk import heads
from recorderd.clerk.notary import SETTLE, Notary
from recorderd.daemon.archivist import Archivist
from recorderd.daemon.proof import Proof, Report
from recorderd.store.abc import Store
from tests.keeping.conftest import Clock, cluster, migrated_database, migrated_file, migrated_url  # noqa: F401
from tests.keeping.world import START, World
from tests.store import sample


class Told(list[tuple[str, str]]):
    """Alarms, as (kind, sentence)."""

    def __call__(self, kind: str, sentence: str) -> None:
        self.append((kind, sentence))


def notary_of(world: World, store: Store, clock: Clock, told: Told | None = None) -> Notary:
    tell = Told() if told is None else told
    return Notary(store, world.monitor, world.state, world.config.signing_key, clock, tell)


async def talked(world: World, store: Store, *numbers: int, seconds: float = 1.0, at: float = START) -> None:
    """Calls that are over: files, recordings, intervals, conversations, CDRs and their links."""
    await world.add(store, *numbers, seconds=seconds, at=at)
    for n in numbers:
        talk = sample.conversation(f"c{n}", started_at=at, ended_at=at + seconds, linkedids=(f"{n}.1",))
        call = sample.cdr(
            f"{n}.1", linkedid=f"{n}.1", start=float(int(at)), answer=float(int(at)), end=float(int(at + seconds)),
            recordingfile=world.name(n),
        )  # fmt: skip
        await store.save([talk, call, sample.link(f"{n}.1", 1, f"r{n}")])


async def proven(world: World, store: Store, since: float | None = None, **more: Any) -> Report:
    """What `recorderd verify` finds."""
    key = signing.load(world.config.signing_key)
    given = {"public_key": key.public, "filed": heads.read(world.state), "patience": 0.0, **more}
    return await Proof(store, world.monitor, **given).run(since)


async def kinds(world: World, store: Store, **more: Any) -> list[str]:
    """The kinds of its faults."""
    return sorted({fault.kind for fault in (await proven(world, store, **more)).faults})


def shortly_after(seconds: float = 1.0) -> Clock:
    return Clock(START + seconds + 2.0)


def settled(clock: Clock) -> Clock:
    clock.now += SETTLE + 1
    return clock


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    opened = world.open()
    await opened.migrate()
    yield opened
    await opened.close()


async def archived_at(world: World, clock: Clock) -> bool:
    """Let the archive do what is due by this clock; whether nothing failed."""
    archivist = Archivist(world.config, clock=clock)
    try:
        return await archivist.once()
    finally:
        await archivist.close()
