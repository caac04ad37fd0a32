"""Encrypted files: any part can be read, and whatever is done to one is found out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorderd.archive import keyring, sealed
from recorderd.archive.keyring import Keyring
from recorderd.archive.sealed import CHUNK, HEADER, TAG, Key, KeyMissing, Tampered
from recorderd.errors import AudioError

KEY = Key("2026", bytes(range(32)))
STEP = CHUNK + TAG


def keys(id: str) -> Key:
    if id != KEY.id:
        raise KeyMissing(id)
    return KEY


def written(path: Path, plain: bytes, key: Key = KEY) -> bytes:
    """What the file of these bytes is when it is encrypted."""
    path.write_bytes(plain)
    fd = os.open(path, os.O_RDWR)
    sealed.seal(fd, key)
    os.close(fd)
    return path.read_bytes()


def content(path: Path) -> bytes:
    sound = sealed.opened(path, keys)
    try:
        return sound.read()
    finally:
        sound.close()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17])
def test_what_is_encrypted_is_read_again_and_has_its_size(tmp_path: Path, size: int) -> None:
    plain = os.urandom(size)
    made = written(tmp_path / "a", plain)
    assert len(made) == HEADER + size + TAG * max(1, -(-size // CHUNK))
    assert size < 16 or plain[:16] not in made
    sound = sealed.opened(tmp_path / "a", keys)
    assert (sound.size, sound.key_id, sound.read()) == (size, "2026", plain)
    sound.close()


def test_a_file_that_is_not_encrypted_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"RIFF and so on")
    sound = sealed.opened(tmp_path / "a", keys)
    assert (sound.size, sound.key_id, sound.pread(3, 5)) == (14, "", b"and")
    sound.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 3 * CHUNK), count=st.integers(1, 2 * CHUNK))
def test_any_part_is_read_from_the_middle(tmp_path: Path, at: int, count: int) -> None:
    path = tmp_path / "a"
    plain = bytes(n * 7 % 251 for n in range(1000)) * 150
    if not path.exists():
        written(path, plain)
    sound = sealed.opened(path, keys)
    found = b""
    while len(found) < count and (part := sound.pread(count - len(found), at + len(found))):
        found += part
    sound.close()
    assert found == plain[at : at + count]


def test_the_same_bytes_are_never_encrypted_the_same_way(tmp_path: Path) -> None:
    assert written(tmp_path / "a", bytes(100))[HEADER:] != written(tmp_path / "b", bytes(100))[HEADER:]


def _swap(made: bytes, first: int, second: int) -> bytes:
    a, b = (made[HEADER + n * STEP :][:STEP] for n in (first, second))
    parts = bytearray(made)
    parts[HEADER + first * STEP : HEADER + (first + 1) * STEP] = b
    parts[HEADER + second * STEP : HEADER + (second + 1) * STEP] = a
    return bytes(parts)


TAMPERINGS = {
    "a bit of a chunk": lambda made: made[:HEADER] + bytes((made[HEADER] ^ 1,)) + made[HEADER + 1 :],
    "a bit of a tag": lambda made: made[:-1] + bytes((made[-1] ^ 0x80,)),
    "cut off at a chunk's edge": lambda made: made[: HEADER + 2 * STEP],
    "cut off within a chunk": lambda made: made[: HEADER + STEP + 1000],
    "cut off within a tag": lambda made: made[: HEADER + STEP + 3],
    "only the header left": lambda made: made[:HEADER],
    "less than the header left": lambda made: made[: HEADER - 5],
    "chunks exchanged": lambda made: _swap(made, 0, 1),
    "a chunk left out": lambda made: made[: HEADER + STEP] + made[HEADER + 2 * STEP :],
    "a chunk twice": lambda made: made[: HEADER + STEP] + made[HEADER:],
    "something behind it": lambda made: made + bytes(100),
    "a chunk more": lambda made: made + made[HEADER : HEADER + STEP],
    "another salt": lambda made: made[:40] + bytes(16) + made[56:],
    "another nonce": lambda made: made[:56] + bytes(7) + made[63:],
    "a header byte nobody uses": lambda made: made[:63] + b"\1" + made[64:],
    "another version": lambda made: made[:7] + b"\2" + made[8:],
    "another key's name": lambda made: made[:8] + b"\xff\0" + made[10:],
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found_out(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a"
    made = written(path, os.urandom(3 * CHUNK - 100))
    path.write_bytes(TAMPERINGS[what](made))
    with pytest.raises(Tampered):
        content(path)


def test_a_part_that_was_not_touched_can_still_be_heard(tmp_path: Path) -> None:
    path = tmp_path / "a"
    plain = os.urandom(3 * CHUNK)
    path.write_bytes(written(path, plain)[:-1] + b"?")
    sound = sealed.opened(path, keys)
    assert sound.pread(10, CHUNK) == plain[CHUNK : CHUNK + 10]
    with pytest.raises(Tampered, match="chunk 3 of 3 is not what was encrypted with key “2026”"):
        sound.pread(10, 2 * CHUNK)
    sound.close()


def test_a_chunk_of_another_file_of_the_same_key_does_not_fit(tmp_path: Path) -> None:
    mine, other = (written(tmp_path / name, os.urandom(2 * CHUNK)) for name in ("a", "b"))
    (tmp_path / "a").write_bytes(mine[: HEADER + STEP] + other[HEADER + STEP :])
    with pytest.raises(Tampered):
        content(tmp_path / "a")


def test_another_key_of_the_same_name_is_found_out(tmp_path: Path) -> None:
    written(tmp_path / "a", b"sound", Key("2026", bytes(32)))
    with pytest.raises(Tampered, match="or the key is another"):
        content(tmp_path / "a")


def test_a_descriptor_in_memory_holds_what_is_inside(tmp_path: Path) -> None:
    plain = os.urandom(CHUNK + 5)
    written(tmp_path / "a", plain)
    sound = sealed.opened(tmp_path / "a", keys)
    fd = sealed.in_memory(sound)
    assert os.read(fd, 2 * CHUNK) == plain
    os.close(fd)
    sound.close()


# --- keys -------------------------------------------------------------------------------------------------


def test_a_key_comes_from_its_file_or_from_a_credential(tmp_path: Path) -> None:
    keyring.make(tmp_path / "one")
    keyring.make(tmp_path / "two")
    ring = Keyring(
        {"1": str(tmp_path / "one"), "2": "credential:two"}, "2", {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert (ring("1").id, len(ring("1").secret)) == ("1", 32)
    current = ring.current()
    assert current is not None
    assert current.secret != ring("1").secret
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert repr(current) == "Key(2)"
    with pytest.raises(AudioError, match="File exists"):
        keyring.make(tmp_path / "one")


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("file", None, "cannot be read: No such file"),
        ("file", "x" * 64, "64 hexadecimal digits"),
        ("file", "00" * 16, "64 hexadecimal digits"),
        ("credential:file", "00" * 32, "systemd handed over none"),
        ("", "", "archive.encryption.keys does not have it"),
    ],
)
def test_a_key_that_is_missing_is_told_in_a_sentence(
    tmp_path: Path, place: str, text: str | None, said: str
) -> None:
    if text:
        (tmp_path / "file").write_text(text)
    full = place if place.startswith("credential:") else str(tmp_path / place)
    ring = Keyring({"k": full} if place else {}, "k", {})
    with pytest.raises(KeyMissing, match="Key “k” is missing") as error:
        ring.current()
    assert said in str(error.value)
