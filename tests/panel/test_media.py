"""Listening: the right bytes, to whom they belong, and each of it in the trail."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from recorderd.archive import keyring, sealed, wav
from recorderd.archive import peaks as stored
from recorderd.config import sections
from recorderd.core.keeping import Hold
from recorderd.core.rows import RecordingState
from recorderd.panel.app import make_app
from tests.panel.calls import Call
from tests.panel.conftest import Room, panel_over

CALL = Call(number=1, caller="101", callee="102", talk=4)
OTHERS = Call(number=2, caller="103", callee="104", talk=2)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with panel_over("memory:", tmp_path) as made:
        for call in (CALL, OTHERS):
            await made.keep(*call.rows())
            made.sound(call.recording)
        for login, role in (("101", "user"), ("103", "user"), ("eye", "auditor"), ("boss", "administrator")):
            await made.user(login, role)
        yield made


@pytest.fixture
async def client(room: Room) -> httpx.AsyncClient:
    return await room.signed_in("101")


def content(room: Room) -> bytes:
    return (room.config.spool.monitor / CALL.recording.folder / CALL.recording.name).read_bytes()


async def test_a_recording_is_played_whole_and_in_parts(room: Room, client: httpx.AsyncClient) -> None:
    whole = content(room)
    answer = await client.get("/media/r1")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, whole, "audio/wav")
    assert answer.headers["accept-ranges"] == "bytes"
    part = await client.get("/media/r1", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert part.headers["content-length"] == "100"
    last = await client.get("/media/r1", headers={"Range": "bytes=-100"})
    assert (last.status_code, last.content) == (206, whole[-100:])
    behind = await client.get("/media/r1", headers={"Range": "bytes=999999-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(whole)}")


async def test_head_tells_the_same_and_sends_nothing(room: Room, client: httpx.AsyncClient) -> None:
    answer = await client.head("/media/r1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(content(room))
    again = await client.get("/media/r1", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers
    fresh = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await client.get("/media/r1", headers=fresh)).status_code == 200


async def test_a_download_has_a_good_name_in_every_alphabet(room: Room, client: httpx.AsyncClient) -> None:
    answer = await client.get("/media/r1/download")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="2026-11-24 10-46-42 101 - 102.wav"'
    ) or answer.headers["content-disposition"].endswith('101 - 102.wav"')
    russian = Call(number=7, caller="Иван;\r\n", callee="101", talk=1)
    await room.keep(*russian.rows())
    room.sound(russian.recording)
    told = (await client.get("/media/r7/download")).headers["content-disposition"]
    assert "filename*=UTF-8''" in told
    assert "\n" not in told
    assert told.isascii()


async def test_every_play_is_in_the_trail_before_the_sound_goes_out(
    room: Room, client: httpx.AsyncClient
) -> None:
    half = 44 + 2 * 16_000
    await client.get("/media/r1", headers={"Range": f"bytes={half}-"})
    await client.get("/media/r1/download")
    heard = {"ranges": [[0, 1500], [3000, 4000]]}
    assert (await client.post("/media/r1/heard", json=heard)).status_code == 204
    rows = [row for row in await room.trail() if row.action != "login"]
    told = [(row.action, row.who, row.object, row.detail["ms"]) for row in rows]
    assert told == [
        ("play", "101", "r1", [2000, 4000]),
        ("download", "101", "r1", [0, 4000]),
        ("heard", "101", "r1", [[0, 1500], [3000, 4000]]),
    ]


async def test_what_was_not_sent_to_the_end_is_told_too(room: Room, client: httpx.AsyncClient) -> None:
    long = Call(number=3, talk=60)
    await room.keep(*long.rows())
    room.sound(long.recording)
    sent: list[bytes] = []
    cookies = "; ".join(f"{n}={v}" for n, v in client.cookies.items())
    scope = {
        "type": "http", "method": "GET", "path": "/media/r3", "raw_path": b"/media/r3", "query_string": b"",
        "headers": [(b"cookie", cookies.encode())], "scheme": "http", "client": ("192.0.2.1", 1),
        "server": ("panel.test", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])  # type: ignore[arg-type]

    await room.app(scope, receive, send)  # type: ignore[arg-type]
    assert 0 < len(b"".join(sent)) < long.recording.size
    [row] = await room.trail("sent")
    assert 0 < row.detail["ms"][1] < 60_000


IMPOSSIBLE = (
    b"",
    b"{}",
    b'{"ranges": [[5, 1]]}',
    b'{"ranges": [[0, 99999]]}',
    b"[" * 9000,
    b'{"ranges": [["a", "b"]]}',
    b'{"ranges": [[-1, 5]]}',
    b'{"ranges": [[1e400, 1]]}',
)


@pytest.mark.parametrize("body", IMPOSSIBLE)
async def test_what_nobody_can_have_heard_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await client.post("/media/r1/heard", content=body)).status_code == 422


async def test_others_recordings_are_not_there(room: Room, client: httpx.AsyncClient) -> None:
    for path in ("", "/download", "/peaks"):
        for id in ("r2", "r999", "..%2f..%2fetc%2fpasswd", "internal-2.wav", "r2%00"):
            assert (await client.get(f"/media/{id}{path}")).status_code in (400, 404)
    assert {row.object for row in await room.trail("refused")} == {"r2"}


async def test_an_auditor_says_why_first(room: Room) -> None:
    client = await room.signed_in("eye")
    refused = await client.get("/media/r1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (428, "needs-reason")
    assert (await client.get("/media/r1/peaks")).status_code == 428
    assert (await client.post("/api/v1/recordings/r1/reason", json={"reason": " "})).status_code == 422
    assert (await client.post("/api/v1/recordings/r1/reason", json={"reason": "жалоба 7"})).status_code == 204
    assert (await client.get("/media/r1")).status_code == 200
    assert (await client.get("/media/r2")).status_code == 428
    [play] = await room.trail("play")
    assert play.detail["reason"] == "жалоба 7"
    assert (await client.get("/media/r1/download")).status_code == 403
    assert not (await client.get("/api/v1/recordings/r1")).json()["needs_reason"]


async def test_a_waveform_is_as_long_as_the_sound_and_as_loud(client: httpx.AsyncClient) -> None:
    peaks = (await client.get("/media/r1/peaks")).json()
    [lane] = peaks["lanes"]
    assert (peaks["duration_ms"], peaks["bucket_ms"], len(lane["peaks"])) == (4000, 20, 200)
    # The saw goes up all the way.
    assert lane["peaks"][:150] == sorted(lane["peaks"][:150])
    assert 240 <= max(lane["peaks"]) <= 255


def stereo(path: Path, seconds: int) -> Path:
    """Left is loud in the first half only, right in the second only."""
    half = 8000 * seconds // 2
    path.parent.mkdir(parents=True, exist_ok=True)
    with wav.writing(path, 8000, channels=2) as writer:
        for left, right in ((32767, 0), (0, 16384)):
            writer.write(np.tile(np.array([[left, right]], np.int16), (half, 1)))
    return path


async def test_a_waveform_has_a_lane_for_each_party_where_both_were_kept_apart(
    room: Room, client: httpx.AsyncClient
) -> None:
    beside = stereo(room.config.spool.lanes / "r1.stereo.wav", 4)
    await room.store.save([replace(CALL.recording, stereo=str(beside))])
    peaks = (await client.get("/media/r1/peaks")).json()
    assert (peaks["duration_ms"], peaks["bucket_ms"]) == (4000, 20)
    assert [lane["label"] for lane in peaks["lanes"]] == ["101", "102"]
    assert [lane["peaks"] for lane in peaks["lanes"]] == [[255] * 100 + [0] * 100, [0] * 100 + [128] * 100]


async def test_a_stored_waveform_is_taken_before_any_is_made(room: Room, client: httpx.AsyncClient) -> None:
    beside = stereo(room.config.spool.lanes / "r1.stereo.wav", 4)
    await room.store.save([replace(CALL.recording, stereo=str(beside))])
    shape = stored.Peaks(2, 8000, 320)
    shape.feed(np.tile(np.array([[1280, 2560]], np.int16), (320, 1)))
    kept = room.config.spool.monitor / CALL.recording.folder / CALL.recording.name
    stored.write(kept, shape, ("Анна", "102"), 4000)
    lanes = (await client.get("/media/r1/peaks")).json()["lanes"]
    assert lanes == [{"label": "Анна", "peaks": [10, 10]}, {"label": "102", "peaks": [20, 20]}]


async def test_a_two_channel_file_elsewhere_or_broken_is_not_read(
    room: Room, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    broken = room.config.spool.lanes / "broken.wav"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b"RIFF")
    for path in (stereo(tmp_path / "secret.wav", 4), broken, room.config.spool.lanes / ".." / "secret.wav"):
        await room.store.save([replace(CALL.recording, stereo=str(path))])
        room.sound(CALL.recording)
        [lane] = (await client.get("/media/r1/peaks")).json()["lanes"]
        assert (lane["label"], len(lane["peaks"])) == ("", 200)


async def test_a_file_is_opened_by_its_row_only_and_below_the_spool_only(
    room: Room, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"secret")
    place = room.config.spool.monitor / CALL.recording.folder / CALL.recording.name
    place.unlink()
    place.symlink_to(secret)
    assert (await client.get("/media/r1")).status_code == 404
    place.unlink()
    os.mkfifo(place)
    assert (await client.get("/media/r1")).status_code == 404
    (room.config.spool.monitor / "out").symlink_to(tmp_path)
    for folder, name in (("..", "secret.wav"), ("out", "secret.wav"), ("2026/11/23", "../../../secret.wav"),
                         ("/", "secret.wav"), ("", "secret.wav"), ("2026", "x.txt")):  # fmt: skip
        await room.store.save([replace(CALL.recording, folder=folder, name=name)])
        assert (await client.get("/media/r1")).status_code == 404


async def test_a_recording_that_is_not_ready_or_gone_says_so(room: Room, client: httpx.AsyncClient) -> None:
    async def state() -> str:
        return str((await client.get("/api/v1/recordings/r1")).json()["state"])

    assert await state() == "ready"
    for kept, shown in ((RecordingState.RECORDING, "recording"), (RecordingState.CLOSING, "making"),
                        (RecordingState.FAILED, "failed"), (RecordingState.DISCARDED, "gone")):  # fmt: skip
        await room.store.save([replace(CALL.recording, state=kept)])
        assert await state() == shown
        assert (await client.get("/media/r1")).status_code == 404
    await room.store.save([CALL.recording])
    (room.config.spool.monitor / CALL.recording.folder / CALL.recording.name).unlink()
    assert await state() == "gone"


async def test_only_who_may_delete_deletes_and_says_why(room: Room, client: httpx.AsyncClient) -> None:
    path = room.config.spool.monitor / CALL.recording.folder / CALL.recording.name
    ask = {"method": "DELETE", "url": "/api/v1/recordings/r1", "json": {"reason": "asked for"}}
    assert (await client.request(**ask)).status_code == 403  # type: ignore[arg-type]
    assert path.exists()
    boss = await room.signed_in("boss")
    assert (await boss.request("DELETE", "/api/v1/recordings/r1", json={"reason": " "})).status_code == 422
    assert (await boss.request(**ask)).status_code == 204  # type: ignore[arg-type]
    assert not path.exists()
    note = (await client.get("/api/v1/recordings/r1")).json()
    assert note["state"] == "gone"
    assert note["note"].startswith("Deleted by boss on ")
    assert note["note"].endswith(": asked for")
    assert (await boss.request(**ask)).status_code == 409  # type: ignore[arg-type]
    page = (await client.get("/api/v1/calls")).json()
    assert [row["recorded"] for row in page["rows"]] == [False]
    assert "asked for" in [row.detail.get("reason") for row in await room.trail("delete")]


async def test_what_is_held_is_deleted_by_nobody(room: Room) -> None:
    await room.store.save([Hold(id="h", at=1.0, who="law", reason="case 7", person="101")])
    boss = await room.signed_in("boss")
    answer = await boss.request("DELETE", "/api/v1/recordings/r1", json={"reason": "x"})
    assert answer.status_code == 409
    assert "case 7" in answer.json()["error"]["sentence"]
    assert (await boss.get("/media/r1")).status_code == 200


# --- encrypted files --------------------------------------------------------------------------------------


async def sealed_room(room: Room, key: Path) -> tuple[Path, bytes]:
    """The same recording, encrypted; the panel knows the key by its place. And what is inside."""
    whole = content(room) * 3
    path = room.config.spool.monitor / CALL.recording.folder / CALL.recording.name
    path.write_bytes(whole)
    keyring.make(key)
    encryption = sections.Encryption(key_id="k", keys={"k": str(key)})
    room.config = replace(room.config, archive=replace(room.config.archive, encryption=encryption))
    room.app = make_app(room.config, room.store, room.clock)
    with path.open("r+b") as file:
        sealed.seal(file.fileno(), keyring.Keyring(encryption.keys)("k"))
    return path, whole


async def test_an_encrypted_recording_is_played_whole_and_in_parts(room: Room, tmp_path: Path) -> None:
    path, whole = await sealed_room(room, tmp_path / "key")
    assert whole[:200] not in path.read_bytes()
    client = await room.signed_in("101")
    answer = await client.get("/media/r1")
    assert (answer.status_code, answer.content) == (200, whole)
    assert len(whole) > 2 * sealed.CHUNK
    for first, last in (
        (100, 199),
        (sealed.CHUNK - 100, sealed.CHUNK + 99),
        (sealed.CHUNK + 1, len(whole) - 1),
        (0, len(whole) - 1),
    ):
        part = await client.get("/media/r1", headers={"Range": f"bytes={first}-{last}"})
        assert (part.status_code, part.content) == (206, whole[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    saved = await client.get("/media/r1/download")
    assert saved.content == whole


async def test_an_encrypted_recording_whose_key_is_missing_says_so(room: Room, tmp_path: Path) -> None:
    path, whole = await sealed_room(room, tmp_path / "key")
    client = await room.signed_in("101")
    (tmp_path / "key").rename(tmp_path / "away")
    answer = await client.get("/media/r1")
    assert answer.status_code == 404
    assert "encrypted, and its key is not there" in answer.text
    (tmp_path / "away").rename(tmp_path / "key")
    assert (await client.get("/media/r1")).content == whole
    path.write_bytes(path.read_bytes()[:70])
    answer = await client.get("/media/r1")
    assert (answer.status_code, "was changed or is broken" in answer.text) == (404, True)


async def test_no_byte_of_a_chunk_that_was_changed_is_played(
    room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, whole = await sealed_room(room, tmp_path / "key")
    client = await room.signed_in("101")
    changed = bytearray(path.read_bytes())
    changed[sealed.HEADER + 500] ^= 1
    path.write_bytes(changed)
    answer = await client.get("/media/r1", headers={"Range": "bytes=60-99"})
    assert answer.content == b""
    assert "chunk 1 of 3 is not what was encrypted with key “k”" in caplog.text
    assert (await client.get("/media/r1", headers={"Range": "bytes=70000-70009"})).content == whole[
        70000:70010
    ]
