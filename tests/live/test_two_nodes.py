"""Two PBXs, one PostgreSQL, one bucket, one panel: a call on each, both listed, both played by range.

Each Asterisk has its own daemon and archive, the panel is a third machine with no recording on its disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorderd.core.keeping import KeepState
from recorderd.core.rows import Outcome, RecordingState
from recorderd.panel.passwords import Passwords
from recorderd.store.panel import UserRow
from tests import buckets, postgres
from tests.keeping.world import decoded, write_sound
from tests.live import ears
from tests.live.asterisk import Asterisk, free_port
from tests.live.daemon import REPOSITORY, Recorderd, until
from tests.live.panel import PanelProcess
from tests.live.phone import Call, Phones
from tests.live.scene import hang_up

pytestmark = pytest.mark.live

PASSWORD = "two quiet machines"
POLICY = dict.fromkeys(("101", "102", "103"), "always")
BUCKET = "calls"


@dataclass
class House:
    """`nodes` by their names; `panel` is a third machine's."""

    folder: Path
    server: buckets.Server
    nodes: dict[str, Recorderd]
    panel: PanelProcess

    def asterisk(self, name: str) -> Asterisk:
        return self.nodes[name].asterisk

    def inside(self) -> set[str]:
        return set(self.server.objects(BUCKET))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("nodes")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(postgres.running())
        cluster.create("recorderd")
        server = stack.enter_context(buckets.running())
        server.new_bucket(BUCKET)
        shared: dict[str, Any] = {
            "store_url": cluster.url("recorderd"),
            # One chain, one key.
            "evidence": {"key": str(folder / "evidence.key")},
            "archive": {
                "enabled": True,
                "delay": "0s",
                "format": "flac",
                "named": "remove",
                "objects": {
                    "url": f"s3://{BUCKET}",
                    "endpoint": server.endpoint,
                    "region": buckets.REGION,
                    "credentials": str(buckets.credentials(folder)),
                },
            },
        }
        nodes = {}
        for name, version in (("pbx1", 22), ("pbx2", 16)):
            asterisk = Asterisk.start(version, folder / name / "asterisk", systemname=name)
            stack.callback(asterisk.stop)
            nodes[name] = Recorderd(asterisk, folder / name / "recorderd", node=name, **shared)
            nodes[name].configure()
        third = Recorderd(
            nodes["pbx1"].asterisk, folder / "panel", node="panel", panel={"port": free_port()},
            spool={"monitor": str(folder / "panel" / "monitor"), "lanes": str(folder / "panel" / "lanes")},
            **shared,
        )  # fmt: skip
        third.configure()
        yield House(folder, server, nodes, PanelProcess(third))


@contextlib.asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    first, second = house.nodes.values()
    await first.allow(POLICY)
    async with first, second:
        yield


@contextlib.asynccontextmanager
async def talking(house: House, name: str, callee: str) -> AsyncIterator[tuple[Call, Call]]:
    """101 talks with this extension on that node, until the block ends."""
    async with Phones(house.asterisk(name)) as phones:
        calls = await phones.connect(await phones("101"), await phones(callee))
        yield calls
        await hang_up(*calls)


async def command(daemon: Recorderd, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "recorderd", "--config", str(daemon.config), *words]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return await asyncio.to_thread(
        subprocess.run, line, capture_output=True, text=True, env=environ, cwd=daemon.folder
    )


async def archived(daemon: Recorderd) -> None:
    done = await command(daemon, "archive", "--once")
    assert done.returncode == 0, done.stderr


def heard(sound: bytes, folder: Path) -> list[set[int]]:
    """Whose voices are on the left and on the right."""
    file = folder / "played.flac"
    file.write_bytes(sound)
    found = decoded(file).astype("<i2")
    sides = []
    for channel in (0, 1):
        write_sound(folder / f"{channel}.wav", found[:, channel].copy())
        sides.append(ears.audible(folder / f"{channel}.wav"))
    return sides


@contextlib.asynccontextmanager
async def signed_in(house: House) -> AsyncIterator[httpx.AsyncClient]:
    boss = UserRow(
        login="boss", role="administrator", name="Boss", password=await Passwords().hash(PASSWORD), created_at=1.0
    )  # fmt: skip
    await house.panel.recorderd.ledger(lambda store: store.save([boss]))
    async with house.panel, httpx.AsyncClient(base_url=house.panel.address, timeout=20) as client:
        csrf = (await client.get("/api/v1/session")).json()["csrf"]
        answer = await client.post(
            "/api/v1/session", json={"login": "boss", "secret": PASSWORD}, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status_code == 200, answer.text
        yield client


async def in_parts(client: httpx.AsyncClient, id: str, size: int, step: int) -> bytes:
    """The whole of it, fetched by ranges of this many bytes."""
    parts = []
    for first in range(0, size, step):
        last = min(first + step, size) - 1
        part = await client.get(f"/media/{id}", headers={"Range": f"bytes={first}-{last}"})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{size}")
        parts.append(part.content)
    return b"".join(parts)


@pytest.mark.timeout(240)
async def test_a_call_on_each_of_two_pbxs_is_listed_and_played_by_range_from_one_panel(
    house: House, tmp_path: Path
) -> None:
    first, second = house.nodes.values()
    async with running(house):
        # At the same moment, with the same numbers: the nodes' names keep them apart.
        async with talking(house, "pbx1", "102") as one, talking(house, "pbx2", "102") as two:
            await asyncio.sleep(2.5)
        for daemon in (first, second):
            await daemon.quiet()
        recordings = {r.node: r for r in await first.recordings()}
        assert set(recordings) == {"pbx1", "pbx2"}
        assert {r.state for r in recordings.values()} == {RecordingState.CLOSED}
        assert {i.outcome for i in await first.intervals()} == {Outcome.RECORDED}
        for name, recording in recordings.items():
            assert f"-{name}-" in recording.name
            assert house.nodes[name].path(recording).is_file()

        async with signed_in(house) as client:
            # Not brought yet: said so, and no fault.
            for name, recording in recordings.items():
                told = (await client.get(f"/api/v1/recordings/{recording.id}")).json()
                assert (told["state"], told["note"]) == (
                    "elsewhere", f"It is on {name} and not in the bucket yet.",
                )  # fmt: skip
                assert (await client.get(f"/media/{recording.id}")).status_code == 404
            # Each archive takes its own and leaves the other's alone.
            await archived(first)
            assert {key.split("/")[0] for key in house.inside()} == {"pbx1"}
            await archived(second)
            assert {key.split("/")[0] for key in house.inside()} == {"pbx1", "pbx2"}
            assert len(house.inside()) == 4

            listed = (await client.get("/api/v1/calls")).json()["rows"]
            assert len(listed) == 2
            for name, calls in (("pbx1", one), ("pbx2", two)):
                recording = recordings[name]
                whole = await client.get(f"/media/{recording.id}")
                assert whole.status_code == 200
                assert await in_parts(client, recording.id, len(whole.content), 20_000) == whole.content
                voices = [{call.stream.voice} for call in calls]
                assert heard(whole.content, tmp_path) == voices
                shape = (await client.get(f"/media/{recording.id}/peaks")).json()
                assert len(shape["lanes"]) == 2
        kept = await first.ledger(lambda store: store.keeping.kept([r.id for r in recordings.values()]))
        assert {row.state for row in kept.values()} == {KeepState.KEPT}
        proof = await command(first, "verify", "--json")
        found = json.loads(proof.stdout)
        assert (proof.returncode, found["faults"], found["elsewhere"]) == (0, [], 0), proof.stderr
        # The one object of each, and the file of its own beside it.
        assert found["files"] == 3


@pytest.mark.timeout(240)
@pytest.mark.full
async def test_a_daemon_that_starts_again_takes_up_its_own_calls_and_not_the_other_nodes(
    house: House,
) -> None:
    first, second = house.nodes.values()
    async with running(house):
        before = {r.id for r in await first.recordings()}
        async with talking(house, "pbx2", "103") as calls:
            await asyncio.sleep(1.5)
            first.kill()
            await first.start()
            await asyncio.sleep(1.0)
            status = await first.status()
            assert status["calls"]["lanes"] == 0
            assert status["calls"]["conversations"] == 0
            await asyncio.sleep(1.0)
        await second.quiet()
        [recording] = [r for r in await second.recordings() if r.id not in before]
        assert (recording.node, recording.state) == ("pbx2", RecordingState.CLOSED)
        voices = {call.stream.voice for call in calls}
        assert ears.audible(second.path(recording)) == voices
        mine = [i for i in await second.intervals() if i.recording_id == recording.id]
        assert {i.outcome for i in mine} == {Outcome.RECORDED}


@pytest.mark.timeout(240)
@pytest.mark.full
async def test_a_deletion_asked_for_in_the_panel_is_carried_out_where_the_file_is(house: House) -> None:
    first, second = house.nodes.values()
    async with running(house):
        async with talking(house, "pbx2", "102"):
            await asyncio.sleep(1.0)
        await second.quiet()
        await archived(second)
        newest = max(await second.recordings(), key=lambda r: r.started_at)
        key = (await second.ledger(lambda s: s.keeping.kept([newest.id])))[newest.id].object
        assert key in house.inside()
        async with signed_in(house) as client:
            csrf = (await client.get("/api/v1/session")).json()["csrf"]
            answer = await client.request(
                "DELETE", f"/api/v1/recordings/{newest.id}", json={"reason": "asked"},
                headers={"X-CSRF-Token": csrf},
            )  # fmt: skip
            assert answer.status_code == 204, answer.text
            assert (await client.get(f"/media/{newest.id}")).status_code == 404
        await archived(first)
        assert key in house.inside()
        await archived(second)
        assert key not in house.inside()

        async def gone() -> bool:
            row = (await second.ledger(lambda s: s.keeping.kept([newest.id])))[newest.id]
            return row.state is KeepState.DELETED and not (second.monitor / row.folder / row.name).exists()

        await until(gone, "deleted")
