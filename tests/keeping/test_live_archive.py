"""Real calls beside a real Asterisk, kept: who is on which side after a transfer, and every link right."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.core import coverage
from recorderd.core.keeping import KeepState, Kept
from recorderd.evidence import gather
from tests.keeping.world import decoded, write_sound
from tests.live import ears
from tests.live.daemon import REPOSITORY
from tests.live.phone import Call, Phones
from tests.live.scene import Scene, hang_up, scene, talk

pytestmark = pytest.mark.live

_POLICY = dict.fromkeys(("101", "102", "103"), "always")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("kept")
    sections = {
        "cdr": {"source": f"sqlite:///{folder}/asterisk/log/master.db", "writable": True},
        # Lossless, so that the ears can tell every frame of a telephone; Opus is listened to elsewhere.
        "archive": {"enabled": True, "delay": "0s", "format": "flac"},
    }
    with scene(22, folder, _POLICY, daemon=sections) as made:
        yield made


def sides(file: Path, folder: Path) -> tuple[Path, Path]:
    """Its two channels, each in a file of its own."""
    sound = decoded(file).astype("<i2")
    for name, channel in (("left", 0), ("right", 1)):
        write_sound(folder / f"{name}.wav", sound[:, channel].copy())
    return folder / "left.wav", folder / "right.wav"


def speaks(call: Call) -> int:
    assert call.stream.voice is not None
    return call.stream.voice


async def archive(house: Scene) -> dict[str, Kept]:
    """Let `recorderd archive --once` do its work; what it kept."""
    command = [sys.executable, "-m", "recorderd", "--config", str(house.daemon.config), "archive", "--once"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=environ, cwd=house.daemon.folder
    )
    assert done.returncode == 0, done.stderr
    recordings = await house.daemon.recordings()
    return await house.daemon.ledger(lambda store: store.keeping.kept([r.id for r in recordings]))


async def test_each_party_is_alone_on_its_side_across_a_transfer_and_every_link_is_right(
    house: Scene, tmp_path: Path
) -> None:
    async with house.phones() as phones, house.take() as take:
        trunk, agent, boss = await phones("trunk"), await phones("101"), await phones("102")
        call = await trunk.call("5550101", caller="0612345678")
        first = await agent.ringing()
        await first.answer()
        await call.up()
        await asyncio.sleep(1.5)
        await first.refer("102")
        second = await boss.ringing()
        await second.answer()
        await asyncio.sleep(1.5)
        await hang_up(call, second)
    [recording] = [r for r in take.recordings if r.duration_ms]
    assert len(house.lane_files()) == 1
    [kept] = (await archive(house)).values()
    assert (kept.state, kept.format, kept.channels) == (KeepState.KEPT, "flac", 2)
    assert abs(kept.duration_ms - recording.duration_ms) <= 100
    left, right = sides(house.daemon.monitor / kept.folder / kept.name, tmp_path)
    assert ears.audible(left) == {speaks(call)}
    assert ears.audible(right) == {speaks(first), speaks(second)}
    assert house.lane_files() == []
    named = {row["recordingfile"] for row in house.asterisk.cdrs() if row["recordingfile"]}
    assert named == {kept.name}
    assert house.opened(kept.name).is_file()
    async with house.daemon.store() as store:
        config = _config(house)
        seen = await gather(store, config, recording.started_at - 60, recording.started_at + 3600)
    found = coverage.reconcile(seen.intervals, seen.cdrs, seen.recordings, seen.files, seen.kept)
    assert (found.lost, found.orphans) == ((), ())


async def test_an_internal_call_has_the_caller_on_the_left(house: Scene, tmp_path: Path) -> None:
    async with house.phones() as phones, house.take() as take:
        one, two = await _internal(phones)
    [recording] = take.recordings
    kept = (await archive(house))[recording.id]
    left, right = sides(house.daemon.monitor / kept.folder / kept.name, tmp_path)
    assert (ears.audible(left), ears.audible(right)) == ({speaks(one)}, {speaks(two)})
    assert [interval.outcome for interval in take.intervals] == ["recorded"]


async def _internal(phones: Phones) -> tuple[Call, Call]:
    one, two = await phones("101"), await phones("103")
    return await talk(phones, one, two, 1.5)


def _config(house: Scene):  # type: ignore[no-untyped-def]
    from recorderd.config import load

    return load(house.daemon.config)
