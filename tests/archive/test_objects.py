"""The bucket: put where there is none, read by range, and short patience with one that refuses or hangs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recorderd.archive import fingerprints, sealed
from recorderd.archive.fingerprints import NotThere
from recorderd.archive.keyring import Keyring
from recorderd.archive.objects import Address, Bucket
from recorderd.errors import AudioError, BucketFault
from tests import buckets

KEY = "pbx1/2026/11/26/in-101-1.opus"


@pytest.fixture(scope="module")
def server() -> Iterator[buckets.Server]:
    with buckets.running() as running:
        yield running


def address(server: buckets.Server, folder: Path, name: str) -> Address:
    return Address(
        server.new_bucket(name) + "/calls",
        endpoint=server.endpoint,
        region=buckets.REGION,
        credentials=str(buckets.credentials(folder)),
    )


@pytest.fixture(params=["s3", "folder"])
def bucket(request: pytest.FixtureRequest, server: buckets.Server, tmp_path: Path) -> Bucket:
    if request.param == "folder":
        return Bucket(Address(f"file://{tmp_path}/objects"))
    return Bucket(address(server, tmp_path, f"b{time.time_ns()}"))


def written(folder: Path, data: bytes, name: str = "sound") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_what_is_put_is_read_by_range_and_listed(bucket: Bucket, tmp_path: Path) -> None:
    data = os.urandom(700_000)
    assert bucket.put(KEY, written(tmp_path, data))
    assert bucket.read(KEY, 600_000, 1000)[:2] == (data[600_000:601_000], len(data))
    sound = bucket.opened(KEY, Keyring())
    assert (sound.size, sound.read()) == (len(data), data)
    assert sound.pread(10, 699_995) == data[699_995:]
    assert sound.pread(10, 700_000) == b""
    # Over the end of what was read ahead.
    first = bucket.opened(KEY, Keyring())
    assert first.pread(300_000, 200_000) == data[200_000:500_000]
    assert list(bucket.keys("pbx1")) == [KEY]
    assert list(bucket.keys("pbx2")) == []


def test_nothing_is_overwritten(bucket: Bucket, tmp_path: Path) -> None:
    assert bucket.put(KEY, written(tmp_path, b"first"))
    assert not bucket.put(KEY, written(tmp_path, b"second"))
    assert bucket.read(KEY, 0, 100)[0] == b"first"
    assert bucket.put(KEY, written(tmp_path, b"with another key"), replace=True)
    assert bucket.read(KEY, 0, 100)[0] == b"with another key"


def test_a_deletion_is_for_good_and_can_be_done_twice(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(KEY, written(tmp_path, b"sound"))
    assert (bucket.delete(KEY), bucket.delete(KEY)) == (True, False)
    with pytest.raises(NotThere, match="is not there"):
        bucket.opened(KEY, Keyring())
    assert not bucket.resting


def test_an_encrypted_object_is_read_by_chunk_and_verified(bucket: Bucket, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    path = written(tmp_path, data)
    key = sealed.Key("k", bytes(32))
    with path.open("r+b") as file:
        sealed.seal(file.fileno(), key)
    bucket.put(KEY, path)
    sound = bucket.opened(KEY, lambda _id: key)
    assert sound.pread(1000, 250_000) == data[250_000:251_000]
    assert fingerprints.of_sound(sound)["size"] == len(data)
    torn = bytearray(path.read_bytes())
    torn[200_000] ^= 1
    bucket.put(KEY, written(tmp_path, bytes(torn)), replace=True)
    with pytest.raises(sealed.Tampered):
        bucket.opened(KEY, lambda _id: key).read()


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed_with_the_other(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put(KEY, written(tmp_path, b"a" * 600_000))
    sound = bucket.opened(KEY, Keyring())
    assert sound.pread(1, 0) == b"a"
    time.sleep(0.01)
    bucket.put(KEY, written(tmp_path, b"b" * 600_000), replace=True)
    with pytest.raises(AudioError, match="was replaced while it was read"):
        sound.pread(1, 500_000)


# --- a bucket that refuses, hangs, is away -----------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_that_hangs_is_given_up_and_left_alone_for_a_while(tmp_path: Path) -> None:
    with buckets.hanging() as endpoint:
        clock = Clock()
        hung = Bucket(
            Address("s3://b", endpoint, "r", str(buckets.credentials(tmp_path))), seconds=0.5, clock=clock
        )
        began = time.monotonic()
        with pytest.raises(BucketFault, match="does not answer in time"):
            hung.put(KEY, written(tmp_path, b"sound"))
        assert time.monotonic() - began < 5
        began = time.monotonic()
        with pytest.raises(BucketFault, match="does not answer in time"):
            hung.read(KEY, 0, 10)
        # Not asked at all.
        assert time.monotonic() - began < 0.05
        rests = []
        for _ in range(6):
            clock.now += hung.resting
            with pytest.raises(BucketFault):
                hung.delete(KEY)
            rests.append(hung.resting)
        assert rests == [10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "s3://no-such-bucket"}, "refuses: NoSuchBucket|is not there"),
        ({"endpoint": f"http://127.0.0.1:{buckets.free_port()}"}, "cannot be reached"),
        ({"credentials": "/nowhere/at-all"}, "/nowhere/at-all cannot be read: No such file"),
        ({"credentials": "credential:bucket", "environ": {}}, "systemd handed over none"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_without_secrets(
    server: buckets.Server, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    from dataclasses import replace

    there = address(server, tmp_path, f"b{time.time_ns()}")
    broken = Bucket(replace(there, **changes), seconds=1)
    with pytest.raises(BucketFault, match=sentence) as told:
        broken.put(KEY, written(tmp_path, b"sound"))
    assert "no-secret-of-anybody" not in str(told.value) + repr(broken.address)
    assert broken.resting


def test_credentials_are_read_again_after_a_fault(server: buckets.Server, tmp_path: Path) -> None:
    clock = Clock()
    found = Bucket(address(server, tmp_path, f"b{time.time_ns()}"), seconds=2, clock=clock)
    (tmp_path / "bucket.credentials").write_text("not what it should be\n")
    with pytest.raises(BucketFault, match="must hold lines such as"):
        found.put(KEY, written(tmp_path, b"sound"))
    buckets.credentials(tmp_path)
    clock.now += found.resting
    assert found.put(KEY, written(tmp_path, b"sound"))
    assert not found.resting


DEEDS: dict[str, Callable[[Bucket, Path], object]] = {
    "put": lambda bucket, path: bucket.put(KEY, path),
    "read": lambda bucket, _path: bucket.read(KEY, 0, 10),
    "delete": lambda bucket, _path: bucket.delete(KEY),
    "list": lambda bucket, _path: list(bucket.keys("pbx1")),
}


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (503, "SlowDown")]
)
@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_it_refuses_is_a_fault_of_the_bucket_and_no_missing_object(
    tmp_path: Path, status: int, code: str, deed: str
) -> None:
    path = written(tmp_path, b"sound")
    with buckets.refusing(status, code) as endpoint:
        bucket = Bucket(Address("s3://b", endpoint, "r", str(buckets.credentials(tmp_path))), seconds=1)
        with pytest.raises(BucketFault, match=f"refuses: ({code}|{status})"):
            DEEDS[deed](bucket, path)
        assert bucket.resting


class Counting(Bucket):
    """How much was fetched."""

    fetched = 0

    def read(
        self, key: str, start: int, count: int, etag: str | None = None
    ) -> tuple[bytes, int, str | None]:
        found = super().read(key, start, count, etag)
        self.fetched += len(found[0])
        return found


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_part_of_a_long_recording_costs_a_part(
    server: buckets.Server, tmp_path: Path, encrypted: bool
) -> None:
    data = os.urandom(10_000_000)
    path, key = written(tmp_path, data), sealed.Key("k", bytes(32))
    if encrypted:
        with path.open("r+b") as file:
            sealed.seal(file.fileno(), key)
    counting = Counting(address(server, tmp_path, f"b{time.time_ns()}"))
    counting.put(KEY, path)
    sound = counting.opened(KEY, lambda _id: key)
    part = sound.pread(10_000, 7_000_000)
    assert part
    assert part == data[7_000_000 : 7_000_000 + len(part)]
    assert counting.fetched < 1_000_000
