"""Listening to what lies in the bucket: by range, encrypted too, and what a bucket that fails holds up."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from recorderd.archive import keyring, peaks, sealed
from recorderd.archive.objects import Address, Bucket
from recorderd.config import sections
from recorderd.core.keeping import KeepState, Kept
from recorderd.panel.app import make_app
from tests import buckets
from tests.panel.calls import Call
from tests.panel.conftest import Room, panel_over

THERE = Call(number=1, caller="101", callee="102", talk=30)
HERE = Call(number=2, caller="101", callee="103", talk=2)
ELSEWHERE = Call(number=3, caller="101", callee="104", talk=2)


@pytest.fixture(scope="module")
def server() -> Iterator[buckets.Server]:
    with buckets.running() as running:
        yield running


@pytest.fixture
async def room(tmp_path: Path, server: buckets.Server) -> AsyncIterator[Room]:
    """A panel on a machine of its own: one recording of pbx1 in the bucket, one not yet, one here."""
    async with panel_over("memory:", tmp_path) as made:
        for call in (THERE, HERE, ELSEWHERE):
            node = "panel" if call is HERE else "pbx1"
            rows = [
                replace(row, node=node) if hasattr(row, "node") and hasattr(row, "folder") else row
                for row in call.rows()
            ]
            await made.keep(*rows)
        made.sound(HERE.recording)
        await made.user("101")
        bucket = server.new_bucket(f"b{time.time_ns()}")
        made.config = replace(
            made.config,
            node="panel",
            archive=replace(
                made.config.archive,
                objects=sections.Objects(
                    url=bucket,
                    endpoint=server.endpoint,
                    region=buckets.REGION,
                    credentials=str(buckets.credentials(tmp_path)),
                ),
            ),
        )
        made.app = make_app(made.config, made.store, made.clock)
        yield made


async def bring(room: Room, path: Path) -> Kept:
    """The recording THERE, in the bucket, as its archive would have it."""
    objects = room.config.archive.objects
    bucket = Bucket(Address(objects.url, objects.endpoint, objects.region, objects.credentials))
    recording = THERE.recording
    name = Path(recording.name).with_suffix(".opus").name
    key = f"pbx1/{recording.folder}/{name}"
    bucket.put(key, path)
    shape = peaks.path_of(path)
    if shape.exists():
        bucket.put(key + peaks.SUFFIX, shape)
    kept = Kept(
        recording_id=recording.id, state=KeepState.KEPT, started_at=recording.started_at, node="pbx1",
        folder=recording.folder, name=name, object=key, local=False, size=os.stat(path).st_size,
        format="opus", channels=2, duration_ms=recording.duration_ms, archived_at=recording.started_at + 400,
    )  # fmt: skip
    await room.store.save([kept])
    return kept


def sound(folder: Path, size: int = 700_000) -> tuple[Path, bytes]:
    path = folder / "sound.opus"
    data = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    return path, data


RANGES = [("bytes=0-99", 0, 100), ("bytes=300000-400000", 300_000, 400_001), ("bytes=-5", 699_995, 700_000)]


async def played_by_range(client: httpx.AsyncClient, data: bytes) -> None:
    whole = await client.get("/media/r1")
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "audio/ogg"
    for asked, first, end in RANGES:
        part = await client.get("/media/r1", headers={"Range": asked})
        assert (part.status_code, part.content) == (206, data[first:end])
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{len(data)}"
    head = await client.head("/media/r1")
    assert int(head.headers["content-length"]) == len(data)
    assert (await client.get("/media/r1/download")).content == data
    known = await client.get("/media/r1", headers={"If-None-Match": whole.headers["etag"]})
    assert known.status_code == 304


async def test_what_lies_in_the_bucket_alone_is_played_by_range(room: Room, tmp_path: Path) -> None:
    path, data = sound(tmp_path)
    await bring(room, path)
    client = await room.signed_in("101")
    await played_by_range(client, data)
    actions = [row.action for row in await room.trail() if row.object == "r1"]
    assert actions == ["play"] * 4 + ["play", "download"]


async def test_an_encrypted_object_is_played_by_range(room: Room, tmp_path: Path) -> None:
    keyring.make(tmp_path / "key")
    encryption = sections.Encryption(key_id="k", keys={"k": str(tmp_path / "key")})
    room.config = replace(room.config, archive=replace(room.config.archive, encryption=encryption))
    room.app = make_app(room.config, room.store, room.clock)
    path, data = sound(tmp_path)
    with path.open("r+b") as file:
        sealed.seal(file.fileno(), keyring.Keyring(encryption.keys)("k"))
    await bring(room, path)
    await played_by_range(await room.signed_in("101"), data)


async def test_its_waveform_comes_from_the_bucket(room: Room, tmp_path: Path) -> None:
    path, _ = sound(tmp_path)
    shape = peaks.Peaks(2, 8000, 8000)
    shape.feed(np.full((8000, 2), 12_000, dtype=np.int16))
    peaks.write(path, shape, ("outside", "101"), 1000)
    await bring(room, path)
    client = await room.signed_in("101")
    for _again in range(2):
        told = (await client.get("/media/r1/peaks")).json()
        assert [lane["label"] for lane in told["lanes"]] == ["outside", "101"]
        assert max(told["lanes"][0]["peaks"]) == 93


async def test_a_file_on_another_machine_alone_is_said_to_be_there(room: Room) -> None:
    client = await room.signed_in("101")
    # What has its name here is another recording.
    room.sound(ELSEWHERE.recording)
    answer = await client.get("/media/r3")
    assert answer.status_code == 404
    assert (await client.get("/media/r3/peaks")).status_code == 404
    assert "It is on pbx1 and not in the bucket yet." in answer.text
    told = (await client.get("/api/v1/recordings/r3")).json()
    assert (told["state"], told["may_play"]) == ("elsewhere", False)
    assert told["note"] == "It is on pbx1 and not in the bucket yet."
    entry = (await client.get("/api/v1/calls")).json()
    page = next(e["story_id"] for e in entry["rows"] if e["destination"] == "104")
    shown = await client.get(f"/calls/{page}")
    assert shown.status_code == 200
    assert "It is on pbx1 and not in the bucket yet." in shown.text


async def test_an_object_that_is_gone_is_said_to_be_gone(
    room: Room, tmp_path: Path, server: buckets.Server
) -> None:
    path, _ = sound(tmp_path)
    kept = await bring(room, path)
    bucket = room.config.archive.objects.url.removeprefix("s3://")
    server.client().delete_object(Bucket=bucket, Key=kept.object)
    answer = await (await room.signed_in("101")).get("/media/r1")
    assert answer.status_code == 404


@pytest.mark.parametrize("way", ["hangs", "is away"])
async def test_a_bucket_that_fails_holds_up_no_other_page_and_nothing_that_is_here(
    room: Room, tmp_path: Path, way: str
) -> None:
    path, _ = sound(tmp_path)
    await bring(room, path)
    client = await room.signed_in("101")
    with buckets.hanging() as endpoint:
        if way == "is away":
            endpoint = f"http://127.0.0.1:{buckets.free_port()}"
        objects = replace(room.config.archive.objects, endpoint=endpoint)
        room.config = replace(room.config, archive=replace(room.config.archive, objects=objects))
        room.app = make_app(room.config, room.store, room.clock)
        client = await room.signed_in("101")
        began = time.monotonic()
        # More than there are threads, at once.
        asked = [asyncio.create_task(client.get("/media/r1")) for _ in range(20)]
        await asyncio.sleep(0.2)
        here = await client.get("/media/r2")
        listed = await client.get("/")
        opened = await client.get("/api/v1/recordings/r1")
        quick = time.monotonic() - began
        assert (here.status_code, listed.status_code, opened.status_code) == (200, 200, 200)
        assert opened.json()["state"] == "ready"
        assert quick < 2.5
        refused = await asyncio.gather(*asked)
        assert time.monotonic() - began < 15
        assert {answer.status_code for answer in refused} == {503}
        assert "The object storage does not answer now." in refused[0].text
        began = time.monotonic()
        assert (await client.get("/media/r1")).status_code == 503
        assert time.monotonic() - began < 1


async def test_a_deletion_in_the_panel_is_written_down_for_the_node_that_has_the_file(
    room: Room, tmp_path: Path
) -> None:
    path, _ = sound(tmp_path)
    await bring(room, path)
    await room.user("boss", "administrator")
    client = await room.signed_in("boss")
    answer = await client.request("DELETE", "/api/v1/recordings/r1", json={"reason": "asked"})
    assert answer.status_code == 204, answer.text
    kept = (await room.store.keeping.kept(["r1"]))["r1"]
    assert (kept.state, kept.deleted_by, kept.deleted_why) == (KeepState.DELETING, "boss", "asked")
    assert (await client.get("/media/r1")).status_code == 404
    assert (await client.get("/api/v1/recordings/r1")).json()["state"] == "gone"
