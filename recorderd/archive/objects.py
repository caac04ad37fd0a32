"""The bucket: kept files beyond this machine, in S3, Google Cloud Storage, Azure or a folder, as obstore has them.

Owns every request, its deadline, and the rest after one that failed. Must not know what an object is of, nor when
one goes. Every method blocks, for a bounded time: call it in a thread, and not in one that others wait for.

Nothing is overwritten: an object is put where there is none. `put(..., replace=True)` is for new keys alone.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore import exceptions
from obstore.store import from_url

from recorderd.archive import sealed
from recorderd.archive.fingerprints import NotThere
from recorderd.archive.keyring import CREDENTIAL
from recorderd.errors import AudioError, BucketFault

if TYPE_CHECKING:
    from obstore import PutMode

# One request and its one repetition; an upload has more, by its size.
REQUEST_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_SLOWEST_BYTES_PER_SECOND = 128 * 1024
# After a fault nobody asks again for so long; twice as long after the next.
_REST_SECONDS, _LONGEST_REST = 5.0, 60.0
# S3's own limit for what is put in one piece.
_MOST_BYTES = 5 * 10**9
_AHEAD = 256 * 1024
_MOST_CREDENTIALS = 64 * 1024
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is s3://bucket/prefix, gs://…, az://account/container/… or file:///folder. `credentials` is a file of
    NAME=VALUE lines or `credential:NAME`; empty: as the cloud's own tools find them (environment, machine role).
    """

    url: str
    endpoint: str = ""
    region: str = ""
    credentials: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def options(self) -> dict[str, str]:
        """What obstore is told beside the address, secrets among it. Raises BucketFault."""
        given = {"endpoint": self.endpoint, "region": self.region}
        return {name: value for name, value in given.items() if value} | self._secrets()

    def _secrets(self) -> dict[str, str]:
        if not self.credentials:
            return {}
        path = self._place()
        try:
            with path.open("rb") as file:
                text = file.read(_MOST_CREDENTIALS).decode()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not a text file"
            raise BucketFault(f"The bucket's credentials {path} cannot be read: {why}") from None
        found = {}
        for line in filter(None, map(str.strip, text.splitlines())):
            name, equals, value = line.partition("=")
            if line.startswith("#"):
                continue
            if not equals or not _NAME.fullmatch(name.strip()):
                raise BucketFault(f"{path} must hold lines such as AWS_ACCESS_KEY_ID=… and nothing else")
            found[name.strip().lower()] = value.strip().strip("\"'")
        return found

    def _place(self) -> Path:
        if not self.credentials.startswith(CREDENTIAL):
            return Path(self.credentials)
        name, folder = self.credentials.removeprefix(CREDENTIAL), self.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise BucketFault(
                f"The bucket's credential {name} is missing: systemd handed over none (LoadCredential= in the unit)"
            )
        return Path(folder) / name


class Bucket:
    """All methods raise BucketFault, at once while the bucket has its rest after a fault."""

    def __init__(
        self,
        address: Address,
        *,
        seconds: float = REQUEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._seconds = seconds
        self._clock = clock
        self._stores: dict[float, Any] = {}
        self._lock = threading.Lock()
        self._rest = 0.0
        self._until = float("-inf")
        self._why = ""

    def __str__(self) -> str:
        return self.address.url

    @property
    def resting(self) -> float:
        """So many seconds from now nobody asks it anything, since the last answer was a fault; else 0."""
        return max(0.0, self._until - self._clock())

    def put(self, key: str, path: Path, *, replace: bool = False) -> bool:
        """The file's bytes are at `key`, whole; False, and nothing done, where an object is there already."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise AudioError(f"{path} cannot be read: {error.strerror}") from error
        if size > _MOST_BYTES:
            raise AudioError(f"{path} has {size} bytes: no bucket takes more than {_MOST_BYTES} at once")
        mode: PutMode = "overwrite" if replace else "create"
        with self._asking(size) as store:
            try:
                obstore.put(store, key, path, mode=mode, use_multipart=False)
            except exceptions.AlreadyExistsError:
                return False
        return True

    def read(
        self, key: str, start: int, count: int, etag: str | None = None
    ) -> tuple[bytes, int, str | None]:
        """At most `count` bytes from `start` on, the object's whole size, and its tag; with `etag` only of that
        very object. Raises NotThere too.
        """
        options: Any = {"range": (start, start + count)} | ({"if_match": etag} if etag else {})
        with self._asking(count) as store:
            try:
                found = obstore.get(store, key, options=options)
                return bytes(found.bytes()), found.meta["size"], found.meta["e_tag"]
            except FileNotFoundError:
                raise NotThere(f"{self}/{key} is not there") from None
            except exceptions.PreconditionError:
                raise AudioError(f"{self}/{key} was replaced while it was read") from None

    def opened(self, key: str, keys: sealed.Keys) -> sealed.Sound:
        """The sound in an object, decrypted where it is encrypted, read range by range. Raises NotThere too, and
        what `sealed.Sound` raises.
        """
        return sealed.Sound(self.raw(key), f"{self}/{key}", keys)

    def raw(self, key: str) -> sealed.Raw:
        """The object's bytes as they lie there. Raises NotThere too."""
        return _Object(self, key)

    def delete(self, key: str) -> bool:
        """It is gone; whether it was there."""
        with self._asking() as store:
            try:
                obstore.head(store, key)
                obstore.delete(store, key)
            except FileNotFoundError:
                return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """The key of every object below `prefix/`, page by page."""
        with self._asking() as store:
            for page in obstore.list(store, prefix, chunk_size=1000):
                yield from (found["path"] for found in page)

    # --- asking ------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, size: int = 0) -> Iterator[Any]:
        """The store, for one request that carries `size` bytes; how it went decides when the next may go."""
        if self.resting:
            raise BucketFault(self._why)
        try:
            yield self._store(size)
        except BucketFault as error:
            self._failed(str(error))
            raise
        except (exceptions.BaseError, OSError, ValueError) as error:
            sentence = f"The bucket {self} {_why(error)}"
            self._failed(sentence)
            raise BucketFault(sentence) from None
        else:
            self._rest = 0.0

    def _failed(self, sentence: str) -> None:
        with self._lock:
            self._rest = min(_LONGEST_REST, self._rest * 2 or _REST_SECONDS)
            self._until = self._clock() + self._rest
            self._why = sentence
            # Credentials may be others by the next time.
            self._stores.clear()

    def _store(self, size: int) -> Any:
        seconds = self._seconds
        while seconds < self._seconds + size / _SLOWEST_BYTES_PER_SECOND:
            seconds *= 2
        with self._lock:
            if seconds not in self._stores:
                self._stores[seconds] = self._made(seconds)
            return self._stores[seconds]

    def _made(self, seconds: float) -> Any:
        options: Any = self.address.options()
        if self.address.url.startswith("file:"):
            return from_url(self.address.url, mkdir=True)
        return from_url(
            self.address.url,
            config=options,
            client_options={
                "allow_http": options.get("endpoint", "").startswith("http://"),
                "timeout": timedelta(seconds=seconds),
                "connect_timeout": timedelta(seconds=min(seconds, _CONNECT_SECONDS)),
            },
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=seconds)},
        )


class _Object:
    """The bytes of an object as `sealed.Sound` reads them: one range ahead, all of the same object."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._start = 0
        self._held, self.size, self._etag = bucket.read(key, 0, _AHEAD)

    def pread(self, count: int, at: int) -> bytes:
        """At most `count` bytes from `at` on, empty only behind the end."""
        if not self._start <= at < self._start + len(self._held):
            if at >= self.size:
                return b""
            self._held, _, _ = self._bucket.read(self._key, at, max(count, _AHEAD), self._etag)
            self._start = at
        place = at - self._start
        found = self._held[place : place + count]
        missing = min(count, self.size - at) - len(found)
        return found + self.pread(missing, at + len(found)) if missing > 0 else found

    def close(self) -> None:
        """Nothing is held but what was read."""
        self._held = b""


# What the service says, without addresses, keys or the request that was signed.
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_STATUS = re.compile(r"\b(?:status|Status)[^0-9a-z]{0,12}(?:code: )?\"?([1-5][0-9]{2})\b")


def _why(error: Exception) -> str:
    text = f"{error} {error.__cause__ or ''}"
    if found := _CODE.search(text) or _STATUS.search(text):
        return f"refuses: {found[1]}"
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return "refuses our credentials"
    if isinstance(error, exceptions.UnknownConfigurationKeyError | ValueError):
        return "cannot be asked: its address or its credentials are not as they must be"
    if "kind: Timeout" in text:
        return "does not answer in time"
    if "kind: Connect" in text:
        return "cannot be reached"
    return f"failed: {type(error).__name__}"
