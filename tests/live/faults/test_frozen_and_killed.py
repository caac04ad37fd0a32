"""recorderd is killed while a disk is frozen: what it had given up there is found again, and stopped after the thaw."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import ears
from tests.live.daemon import until
from tests.live.faults import disk
from tests.live.scene import Scene, hang_up, scene

pytestmark = [
    pytest.mark.live,
    pytest.mark.alone,
    pytest.mark.skipif(bool(disk.missing()), reason=disk.missing()),
]

# What did not fit into Asterisk's buffers meanwhile.
_FREEZE_COSTS_MS = 2000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scene]:
    with scene(22, tmp_path, {"101": "always", "102": "always"}) as played:
        yield played


@pytest.mark.timeout(120)
async def test_no_recorder_runs_on_beside_another_after_a_kill_on_a_frozen_disk(
    house: Scene, tmp_path: Path
) -> None:
    await house.daemon.stop()
    lanes = disk.Disk(house.daemon.lanes, tmp_path / "image")
    try:
        await house.daemon.start()
        async with house.phones() as phones:
            call, other = await phones.connect(await phones("101"), await phones("102"))
            await until(lambda: len(list(house.daemon.lanes.rglob("*.wav"))) == 2, "both are recorded")
            await asyncio.sleep(0.5)
            lanes.freeze()
            await until(lambda: len(list(house.daemon.fallback.rglob("*.wav"))) == 2, "others began")
            await asyncio.sleep(1.0)
            os.kill(house.daemon.pid, signal.SIGKILL)  # it may hang in a write, and is gone with the thaw
            lanes.thaw()
            house.daemon.kill()
            await house.daemon.start()
            assert len(recorders(house)) == 4, "the old ones run on"
            await until(lambda: len(recorders(house)) == 2, "the old ones are stopped")
            await hang_up(call, other)
        await house.daemon.quiet()
        (file,) = house.files()
        for speaker, listener in ((call, other), (other, call)):
            missing = set(ears.passed(speaker, listener)) - ears.frames_in(file, speaker)
            assert len(missing) * 20 <= _FREEZE_COSTS_MS
    finally:
        lanes.close()


def recorders(house: Scene) -> list[str]:
    """The files that Asterisk's MixMonitors write, of all channels."""
    channels = [name for name in house.asterisk.channels() if name.startswith("PJSIP/")]
    listed = [house.asterisk.cli(f"mixmonitor list {name}") for name in channels]
    return [line for text in listed for line in text.splitlines() if "/spool/" in line]
