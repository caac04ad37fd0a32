"""Rows wait here, on disk, until the database has them; nobody who writes a row waits for a database.

Owns the journal's folder and the order of rows. Must not know what a row means. The folder holds segments,
numbered files of JSON lines: `write` appends to the newest, `run` stores the oldest ones and removes them. So a
process that is killed leaves at most a few segments that are stored already; storing them again changes nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Protocol

from recorderd.core import rows
from recorderd.errors import StoreError
from recorderd.store import codec
from recorderd.store.abc import RowRefused
from recorderd.store.segment import SUFFIX, Segment

Tell = Callable[[str, str], None]

SEGMENT_ROWS = 256
# Where many wait, so many segments go to the database together. Of the rows of one key it is given the last alone: a
# call writes twenty-six and leaves six.
TOGETHER = 8
# Segments that are kept in memory beside the disk, and those that may be in memory only (100,000 rows).
KEPT_SEGMENTS = 4
MEMORY_SEGMENTS = 400
RETRY_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
# A transaction costs as much CPU as a dozen rows: those that come close together go together.
GATHER_SECONDS = 0.5


class Keeper(Protocol):
    """Who has the rows at last: a `Store`, or somebody who has one. See there."""

    async def migrate(self) -> None: ...
    async def save(self, batch: Sequence[rows.Row]) -> None: ...


class Journal:
    """Call everything from the event loop's thread. StoreError when the folder cannot be used at all, or
    another process uses it.

    `tell(kind, sentence)` hears, once each time it happens:

        database-away, database-back          rows wait; rows flow again
        journal-off-disk, journal-on-disk     the disk failed and rows are in memory only; it is well again
        journal-torn                          a line was not whole when it was read again; it was set aside
        row-refused                           the database will never take this row; it was set aside
        rows-lost                             memory was full, with neither database nor disk to write to

    What was set aside stands in the file `refused` in the folder.
    """

    def __init__(
        self, folder: str | Path, store: Keeper, *, tell: Tell = lambda _kind, _sentence: None
    ) -> None:
        self._folder = Path(folder)
        self._store = store
        self._tell = tell
        self._segments: deque[Segment] = deque()
        self._number = 0
        self._under_way = 0
        self._lag = 0
        self.written = 0
        self._away = self._off_disk = False
        self._lock: int | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._wake, self._empty, self._fewer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._open_folder()
        if not self._segments:
            self._empty.set()

    @property
    def stored(self) -> int:
        """How many of the `written` rows, in their order, wait no more."""
        return self.written - self._lag

    @property
    def lag(self) -> int:
        """How many rows wait."""
        return self._lag

    def write(self, row: rows.Row) -> None:
        """Take a row. Never raises and never waits for the database; on return the row is in the file."""
        try:
            line = codec.to_line(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._tell("row-refused", f"A {type(row).__name__} cannot be written down: {error}")
            return
        fault = self._newest().append(row, line)
        self._lag += 1
        self.written += 1
        self._empty.clear()
        self._wake.set()
        if self._segments[-1].on_disk:
            self._report_disk(None)
        elif fault is not None:
            self._report_disk(fault)

    async def run(self) -> None:
        """Store rows in their order, for ever. Brings the schema up to date first.

        While the database is away every try is at most a second after the last.
        """
        await self._insist(self._store.migrate)
        while True:
            while not self._segments:
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(GATHER_SECONDS)
            await self._insist(self._store_oldest)

    async def catch_up(self) -> None:
        """Wait until no row waits that was written before, while `run` is running."""
        rows = self.written
        while self.stored < rows:
            self._fewer.clear()
            await self._fewer.wait()

    async def drain(self, seconds: float) -> bool:
        """Wait until no row waits, while `run` is running; whether that came to pass in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        return self._lag == 0

    def close(self) -> None:
        """Let go of the folder. What waits is there for the next process."""
        if self._segments:
            self._segments[-1].seal()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- towards the database ---

    async def _insist(self, deed: Callable[[], Awaitable[None]]) -> None:
        """Do it, however often it takes."""
        failures = 0
        while True:
            try:
                await deed()
            except Exception as error:
                sentence = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
            else:
                self._report_database(None)
                return
            self._report_database(sentence)
            self._secure()
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _store_oldest(self) -> None:
        segments = list(islice(self._segments, TOGETHER))
        self._under_way = len(segments)
        try:
            batches, torn = [], []
            for segment in segments:
                segment.seal()
                good, bad = self._load(segment)
                batches.append(good)
                torn.append(bad)
                # To read one from disk takes milliseconds: calls have their turn in between.
                await asyncio.sleep(0)
            refused = await self._store_all([row for batch in batches for row in batch])
        finally:
            self._under_way = 0
        for segment, lines in zip(segments, torn, strict=True):
            self._segments.popleft()
            self._lag -= len(segment)
            segment.remove()
            self._set_aside(segment, lines)
        self._refuse(refused)
        self._fewer.set()
        if not self._segments:
            self._empty.set()

    async def _store_all(self, batch: list[rows.Row]) -> list[tuple[rows.Row, RowRefused]]:
        """Those that the database refuses: one bad row must not keep the others out, and is looked for by halves."""
        try:
            await self._store.save(batch)
        except RowRefused as error:
            if len(batch) == 1:
                return [(batch[0], error)]
            half = len(batch) // 2
            return [*await self._store_all(batch[:half]), *await self._store_all(batch[half:])]
        return []

    def _load(self, segment: Segment) -> tuple[list[rows.Row], list[bytes]]:
        try:
            return segment.load()
        except OSError as error:
            self._tell(
                "rows-lost", f"{len(segment)} rows cannot be read from {segment.path}: {error.strerror}"
            )
            return [], []

    def _set_aside(self, segment: Segment, torn: list[bytes]) -> None:
        if torn:
            self._keep_aside(torn)
            self._tell(
                "journal-torn", f"{len(torn)} lines of {segment.path} are not whole and were set aside"
            )

    def _refuse(self, refused: list[tuple[rows.Row, RowRefused]]) -> None:
        if refused:
            self._keep_aside([codec.to_line(row).rstrip() for row, _ in refused])
        for row, error in refused:
            self._tell("row-refused", f"{type(row).__name__} {codec.key(row)} was set aside: {error}")

    def _keep_aside(self, lines: list[bytes]) -> None:
        with suppress(OSError), open(self._folder / "refused", "ab") as file:
            file.write(b"\n".join(lines) + b"\n")

    # --- towards the disk ---

    def _open_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left = sorted(path for path in self._folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())
        except OSError as error:
            self.close()
            taken = isinstance(error, BlockingIOError)
            why = "another process uses it" if taken else error.strerror
            raise StoreError(f"The journal in {self._folder} cannot be used: {why}") from error
        for path in left:
            self._find(path)

    def _find(self, path: Path) -> None:
        self._number = max(self._number, int(path.stem))
        try:
            self._segments.append(Segment.found(path))
        except OSError as error:
            self._tell("rows-lost", f"{path} cannot be read: {error.strerror}")
            return
        self._lag += len(self._segments[-1])
        self.written += len(self._segments[-1])

    def _newest(self) -> Segment:
        """The segment that takes the next row."""
        if self._segments and not self._segments[-1].sealed:
            if len(self._segments[-1]) < SEGMENT_ROWS:
                return self._segments[-1]
            self._segments[-1].seal()
        if len(self._segments) > KEPT_SEGMENTS:
            self._segments[-1].spill()
        self._forget_oldest()
        self._number += 1
        self._segments.append(Segment(self._folder / f"{self._number:012d}{SUFFIX}"))
        return self._segments[-1]

    def _forget_oldest(self) -> None:
        """Memory has an end. The first segments may be on their way into the database just now."""
        if not self._off_disk:
            return
        others = islice(self._segments, max(1, self._under_way), None)
        in_memory = [segment for segment in others if not segment.on_disk]
        if len(in_memory) >= MEMORY_SEGMENTS:
            self._segments.remove(in_memory[0])
            self._lag -= len(in_memory[0])
            self._fewer.set()
            self._tell(
                "rows-lost", f"{len(in_memory[0])} rows are lost: neither database nor disk takes them"
            )

    def _secure(self) -> None:
        """The rows must wait: bring to disk what is in memory only, and see that it outlives a power cut."""
        waiting = list(self._segments)
        for segment in waiting:
            if not segment.on_disk and len(segment):
                segment.seal()
                try:
                    segment.rewrite()
                except OSError as error:
                    self._report_disk(error)
                    return
                segment.spill()
                self._report_disk(None)
        unsynced = [segment for segment in waiting if segment.on_disk and not segment.synced]
        # Not waited for, and one at a time: a disk that is frozen must not hold up the database.
        if unsynced and (self._syncing is None or self._syncing.done()):
            for segment in unsynced:
                segment.synced = True
            self._syncing = asyncio.create_task(asyncio.to_thread(_sync, unsynced))

    # --- what people hear, once each time ---

    def _report_database(self, fault: str | None) -> None:
        if fault is not None and not self._away:
            self._away = True
            self._tell("database-away", f"Rows wait in the journal: {fault}")
        elif fault is None and self._away:
            self._away = False
            self._tell("database-back", f"The database answers again; {self._lag} rows are on their way")

    def _report_disk(self, fault: OSError | None) -> None:
        if fault is not None and not self._off_disk:
            self._off_disk = True
            self._tell(
                "journal-off-disk", f"Rows are in memory only: {self._folder}: {fault.strerror or fault}"
            )
        elif fault is None and self._off_disk and all(segment.on_disk for segment in self._segments):
            self._off_disk = False
            self._tell("journal-on-disk", f"The journal in {self._folder} is on disk again")


def _sync(segments: list[Segment]) -> None:
    for segment in segments:
        # It may be stored and gone by now.
        with suppress(OSError):
            segment.sync()
