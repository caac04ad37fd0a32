"""The process `recorderd archive`: takes finished recordings one by one, and keeps house.

Owns its life, its turns and its alarms. Must not know a step's insides (`pipeline`), who may delete (`keeper`)
or what expires (`expiry`). It is niced and does one thing at a time, so at most about one core works for it; it
speaks with the daemon through the store alone, so neither can hold up the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from recorderd import notify
from recorderd.archive.encode import MachineFault
from recorderd.clerk.entries import keyring_of
from recorderd.config import Config
from recorderd.core.keeping import KeepState, Kept
from recorderd.core.rows import Recording, Row
from recorderd.daemon.alarms import Alarms
from recorderd.daemon.buckets import NOBODY_WAITS, stock_of
from recorderd.daemon.chores import Chores, bucket_waits
from recorderd.daemon.ids import new_id
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.pipeline import Overtaken, Pipeline, Tools
from recorderd.daemon.policies import state_folder
from recorderd.daemon.troubles import Troubles
from recorderd.errors import AudioError, BucketFault, StoreError
from recorderd.store import open_store
from recorderd.store.asterisk_cdr import AsteriskCdrTable

log = logging.getLogger("recorderd.archive")

KINDS = (
    "archive-encoder", "archive-disk", "archive-key", "archive-failed", "archive-store", "archive-cdr",
    "archive-delete", "archive-bucket", "archive-object", "disk-low-water", "disk-high-water", "disk-soon-full",
)  # fmt: skip
_NICENESS = 15
_POLL_SECONDS = 2.0
_PAUSE_SECONDS = 10.0
# New recordings are looked for among the young ones; now and then among all.
_YOUNG_SECONDS = 2 * 86_400.0
_ALL_SECONDS = 3600.0


class Archivist:
    """Make it in a running loop, then `run`, or `once` to do what is due and end; `close` it in either case.

    `clock` gives seconds since the epoch; after `pause` seconds what stood still is tried again. A request to the
    bucket may take `bucket_seconds`.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        pause: float = _PAUSE_SECONDS,
        bucket_seconds: float = NOBODY_WAITS,
    ) -> None:
        self._config = config
        self._clock = clock
        self._state = state_folder(config)
        self._lock = _alone(self._state / "archive.lock")
        self.store = open_store(config.store.url)
        self._node = config.node or None
        self._stock = stock_of(config, self.store, bucket_seconds)
        self.keeper = Keeper(
            self.store, config.spool.monitor, self._state, clock, new_id, node=config.node, stock=self._stock
        )
        self._rows: list[Row] = []
        self._alarms = Alarms(config.alarms, self._rows.append, node=config.node)
        self.troubles = Troubles(self._alarms, KINDS, self._rows.append, clock)
        self._stopped = threading.Event()
        self._stopping = asyncio.Event()
        self._table = _table(config)
        self._pipeline = Pipeline(
            Tools(
                store=self.store,
                keeper=self.keeper,
                monitor=config.spool.monitor,
                settings=config.archive,
                clock=clock,
                table=self._table,
                stopping=self._stopped,
                keyring=keyring_of(config),
                stock=self._stock,
            )
        )
        self._chores = Chores(config, self.store, self.keeper, self.troubles, clock, self._stock)
        self._looked_at_all = 0.0
        self._pause_seconds = pause

    # --- life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`."""
        out = asyncio.create_task(self._alarms.run())
        living = asyncio.create_task(notify.watchdog())
        log.info("the archive is running")
        notify.notify("READY=1")
        try:
            while not await self._begin() and not self._stopping.is_set():
                await self._pause(self._pause_seconds)
            # What a killed worker left is nobody's: it need not wait for its turn.
            due: Callable[[], float | None] = lambda: None  # noqa: E731
            while not self._stopping.is_set():
                worked = await self._turn(due())
                due = self._clock
                if not worked:
                    await self._pause(min(_POLL_SECONDS, self._pause_seconds))
        finally:
            notify.notify("STOPPING=1")
            out.cancel()
            living.cancel()
        log.info("the archive has ended")

    async def once(self) -> bool:
        """Do everything that can be done now, retries included; whether nothing is left that failed."""
        await self.store.migrate()
        self.troubles.adopt(await self.store.alarms(active=True))
        tried: set[str] = set()
        while not self._stopping.is_set() and (found := await self._due(None, tried)) is not None:
            tried.add(found[0].id)
            if not await self._do(*found):
                break
        await self._chores.all(self._clock())
        await self._flush()
        return not await self.store.keeping.unfinished(None, limit=1, node=self._node)

    def stop(self) -> None:
        """End soon: what is being encoded is given up and taken again by the next start."""
        self._stopped.set()
        self._stopping.set()

    async def close(self) -> None:
        """Let go of everything."""
        with contextlib.suppress(StoreError):
            await self._flush()
        if self._table is not None:
            await self._table.close()
        await self.store.close()
        os.close(self._lock)

    async def _begin(self) -> bool:
        """Whether the store is there and up to date."""
        try:
            await self.store.migrate()
            self.troubles.adopt(await self.store.alarms(active=True))
        except StoreError as error:
            log.warning("%s", error)
            return False
        return True

    # --- work --------------------------------------------------------------------------------------

    async def _turn(self, due: float | None) -> bool:
        """One recording and the chores that are due; whether there may be more at once."""
        try:
            await self._chores.due(self._clock())
            found = await self._due(due, set())
            done = found is not None and await self._do(*found)
            await self._flush()
            self.troubles.over("archive-store")
        except StoreError as error:
            self.troubles.tell("archive-store", f"The archive waits for the database: {error}")
            await self._pause(self._pause_seconds)
            return False
        if found is not None and not done:
            # Nothing else would fare better.
            await self._pause(self._pause_seconds)
        return done

    async def _due(self, due: float | None, but: set[str]) -> tuple[Recording, Kept | None] | None:
        """The next recording to work on. Those whose row is gone cannot be worked on and are passed over."""
        keeping = self.store.keeping
        # What is encoded waits for a bucket that is away, and nothing else does.
        resting = KeepState.LINKED if self._stock is not None and self._stock.bucket.resting else None
        for kept in await keeping.unfinished(due, limit=1000, node=self._node, but=resting):
            if kept.recording_id in but:
                continue
            if kept.state is KeepState.DELETING:
                await self._finish_deletion(kept)
                continue
            recording = (await keeping.recordings_of([kept.recording_id])).get(kept.recording_id)
            if recording is not None:
                return recording, kept
        now = self._clock()
        every = now - self._looked_at_all >= _ALL_SECONDS
        since = 0.0 if every else now - _YOUNG_SECONDS
        before = now - self._config.archive.delay
        found = await keeping.new_recordings(since, before, limit=len(but) + 1, node=self._node)
        new = next((recording for recording in found if recording.id not in but), None)
        if new is None and every:
            self._looked_at_all = now
        return None if new is None else (new, None)

    async def _finish_deletion(self, kept: Kept) -> None:
        try:
            await self.keeper.finish(kept)
        except BucketFault as error:
            self.troubles.tell("archive-bucket", f"What was deleted waits for the bucket: {error}")
        except AudioError as error:
            self.troubles.tell("archive-delete", str(error), kept.recording_id)
        else:
            self.troubles.over("archive-delete", kept.recording_id)
            if kept.object:
                self.troubles.over("archive-bucket")

    async def _do(self, recording: Recording, kept: Kept | None) -> bool:
        """Bring one recording on; False when it is no use to try another now."""
        try:
            row = await self._pipeline.run(recording, kept)
        except Overtaken:
            log.info("%s is being deleted: left alone", recording.id)
        except MachineFault as error:
            await self._pipeline.failed(recording, str(error), counts=False)
            if error.kind != "stop":
                self.troubles.tell(f"archive-{error.kind}", f"The archive stands still: {error}")
            return False
        except BucketFault as error:
            assert self._stock is not None
            seconds = self._stock.bucket.resting
            await self._pipeline.failed(recording, str(error), counts=False, seconds=seconds)
            self.troubles.tell("archive-bucket", bucket_waits(error))
        except AudioError as error:
            if await self._pipeline.failed(recording, str(error), counts=True):
                sentence = f"{recording.name} stays as it is, its source is kept: {error}"
                self.troubles.tell("archive-failed", sentence, recording.id)
        except StoreError as error:
            if self._table is None:
                raise
            # Ours or Asterisk's: if it is ours, this raises too, and the turn says so.
            await self._pipeline.failed(recording, str(error), counts=True)
            self.troubles.tell("archive-cdr", f"Asterisk's CDR rows cannot be written: {error}")
        else:
            self._done(recording, row)
        return True

    def _done(self, recording: Recording, row: Kept) -> None:
        for kind in ("archive-encoder", "archive-disk", "archive-key", "archive-cdr"):
            self.troubles.over(kind)
        if row.object:
            self.troubles.over("archive-bucket")
        self.troubles.over("archive-failed", recording.id)
        keys = {"recording": row.recording_id, "format": row.format, "findings": list(row.findings)}
        seen = f"; {', '.join(row.findings)}" if row.findings else ""
        log.info("%s kept: %d bytes%s", row.name or recording.name, row.size, seen, extra={"keys": keys})

    async def _flush(self) -> None:
        """Alarms into the store; those that cannot go stay for the next time."""
        if self._rows:
            batch = list(self._rows)
            await self.store.save(batch)
            del self._rows[: len(batch)]

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


async def run(config: Config, *, once: bool) -> bool:
    """The process itself: niced, and ended by SIGTERM. With `once`, whether everything was done.

    Raises RecorderdError when it cannot begin.
    """
    os.nice(_NICENESS)
    archivist = Archivist(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, archivist.stop)
    try:
        if once:
            return await archivist.once()
        await archivist.run()
        return True
    finally:
        await archivist.close()


def _alone(path: Path) -> int:
    """The lock of the one archive process of this machine. Raises StoreError when there is another."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise StoreError(f"another `recorderd archive` runs on this machine (it holds {path})") from None
    return fd


def _table(config: Config) -> AsteriskCdrTable | None:
    """Asterisk's own CDR table, where we may write it."""
    cdr = config.cdr
    if cdr.source == "ami" or not cdr.writable:
        return None
    return AsteriskCdrTable(
        cdr.source, zone=config.zone, table=cdr.table, on_bad=lambda sentence: log.warning("%s", sentence)
    )
