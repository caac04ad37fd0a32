"""Backup and restore: a whole store as one gzipped file of JSON lines, the same for every back end.

Owns the file. Must not know a database: it speaks to the contract. The rows are in the codec's spelling, so
a dump outlives the schema it was taken from.

    {"recorderd": 1}                   what this file is
    ["PolicyRows", {...}]              policy, at one version
    ["Interval", {...}]                a row; any number of these
    ["end", 12345]                     how many rows there were: a file without this line is torn
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import zlib
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any

from recorderd.core import rows
from recorderd.errors import StoreError
from recorderd.store import codec
from recorderd.store.abc import PolicyRows, Store

_HEADER = {"recorderd": 1}
_BATCH = 500


async def write(store: Store, path: str) -> int:
    """Everything in the store, into a file that is whole or not there; the number of rows.

    StoreError when there is such a file already. Nobody but its owner may read it.
    """
    try:
        writer = _Writer(path)
        try:
            async for item in store.export():
                # Compressing is the slow part, and the daemon may be the one who asked.
                await asyncio.to_thread(writer.put, item)
            await asyncio.to_thread(writer.finish)
        finally:
            writer.close()
    except OSError as error:
        raise StoreError(f"The backup {path} cannot be written: {error.strerror or error}") from error
    return writer.count


async def read(store: Store, path: str) -> int:
    """Everything in the file, into a store that is empty; the number of rows. All or nothing."""
    reader = _Reader(path)
    with contextlib.closing(reader.lines):
        await store.fill(reader.policy(), reader.batches())
    return reader.count


class _Writer:
    """Writes one dump beside its place and puts it there when it is whole."""

    def __init__(self, path: str) -> None:
        self.count = 0
        self._path = path
        self._part = f"{path}.part"
        if os.path.exists(path):
            raise StoreError(f"{path} is there already: a backup never overwrites")
        self._raw = open(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # noqa: SIM115
        self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=6, mtime=0)
        self._file.write(_line(_HEADER))

    def put(self, item: PolicyRows | Sequence[rows.Row]) -> None:
        if isinstance(item, PolicyRows):
            self._file.write(_line(["PolicyRows", codec.to_plain(item)]))
        else:
            self._file.write(b"".join(map(codec.to_line, item)))
            self.count += len(item)

    def finish(self) -> None:
        self._file.write(_line(["end", self.count]))
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        os.rename(self._part, self._path)

    def close(self) -> None:
        """Idempotent; what is not finished is gone."""
        self._raw.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._part)


class _Reader:
    """Reads the lines of one dump and knows where it is in it."""

    def __init__(self, path: str) -> None:
        self.count = 0
        self._path = path
        self._number = 0
        self.lines = self._lines()

    def policy(self) -> PolicyRows:
        """What stands before the rows."""
        if self._parsed(next(self.lines), "this is no backup of recorderd") != _HEADER:
            raise self._broken("this is no backup of recorderd")
        match self._parsed(next(self.lines), "it has no policy"):
            case ["PolicyRows", dict(plain)]:
                try:
                    policy: PolicyRows = codec.from_plain(PolicyRows, plain)
                    return policy
                except ValueError as error:
                    raise self._broken(str(error)) from error
        raise self._broken("it has no policy")

    async def batches(self) -> AsyncIterator[list[rows.Row]]:
        batch: list[rows.Row] = []
        for line in self.lines:
            if line.startswith(b'["end"'):
                if self._parsed(line, "its end is torn") != ["end", self.count]:
                    raise self._broken("rows are missing")
                # To the end of the file: only there gzip knows whether all of it was right.
                if next(self.lines):
                    raise self._broken("there is more behind its end")
                yield batch
                return
            batch.append(self._row(line))
            if len(batch) == _BATCH:
                yield batch
                batch = []

    def _lines(self) -> Generator[bytes, None, None]:
        """Every line, then empty ones for ever, as `readline` has it."""
        try:
            with gzip.open(self._path, "rb") as file:
                while True:
                    self._number += 1
                    yield file.readline()
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken(getattr(error, "strerror", None) or str(error)) from error

    def _row(self, line: bytes) -> rows.Row:
        if not line:
            raise self._broken("its end is missing")
        self.count += 1
        try:
            return codec.from_line(line)
        except ValueError as error:
            raise self._broken(str(error)) from error

    def _parsed(self, line: bytes, otherwise: str) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._broken(otherwise) from error

    def _broken(self, why: str) -> StoreError:
        return StoreError(f"The backup {self._path} cannot be read: line {self._number}: {why}")


def _line(thing: Any) -> bytes:
    return json.dumps(thing, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
