"""What is in the bucket, and what of it is here as well.

Owns the way of a kept file there and back out, and who makes room here. Must not know how a bucket is asked
(`archive.objects`), nor who may delete (`keeper`). Success is not evidence: an object counts when its sound was
read back and has the hash that the archive wrote down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import disposal, files, fingerprints, peaks
from recorderd.archive.fingerprints import NotThere
from recorderd.core.keeping import KeepState, Kept, object_key
from recorderd.core.rows import Recording
from recorderd.errors import AudioError, BucketFault
from recorderd.store.keeping import KeepingStore

if TYPE_CHECKING:
    from recorderd.archive.keyring import Keyring
    from recorderd.archive.objects import Bucket

log = logging.getLogger("recorderd.archive")

_BATCH = 200
_AT_ONCE = 20
_PART = 1 << 20
# Room is made for a while, since to see who was played last takes a walk over all plays.
_LEAVES = 0.95


@dataclass(slots=True)
class Brought:
    """What a turn came to: the recordings that were brought or made room, and why others did not."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Stock:
    """`node` is this machine's name; `cache` how many bytes of what is in the bucket stay here as well.

    Every method raises StoreError and BucketFault, and blocks nobody.
    """

    def __init__(
        self, keeping: KeepingStore, bucket: Bucket, monitor: Path, keyring: Keyring, node: str, cache: int
    ) -> None:
        self._keeping = keeping
        self.bucket = bucket
        self._monitor = monitor
        self._keyring = keyring
        self._node = node
        self._cache = cache
        # Recordings that could not be brought, until the next sweep.
        self._stuck: dict[str, None] = {}

    # --- there -------------------------------------------------------------------------------------

    async def bring(self, row: Kept) -> Kept:
        """The row as it is when its object is in the bucket, read back. Raises AudioError when another sound lies
        there: nothing is overwritten.
        """
        return await asyncio.to_thread(self._bring, row)

    def _bring(self, row: Kept) -> Kept:
        key, path = object_key(row), self._path(row)
        new = self.bucket.put(key, path)
        shape = peaks.path_of(path)
        if disposal.there([shape]):
            self.bucket.put(key + peaks.SUFFIX, shape)
        sound = self.bucket.opened(key, self._keyring)
        if fingerprints.of_sound(sound) != {"sha256": row.sha256, "size": row.size}:
            if not new:
                raise AudioError(f"{self.bucket}/{key} is another sound, and is not overwritten")
            self.bucket.delete(key)
            raise AudioError(
                f"{self.bucket}/{key} came back as another sound than was stored: it is gone again"
            )
        return replace(row, object=key, local=True)

    async def bring_older(self) -> Brought:
        """What was kept before there was a bucket, or is gone from it: so many of them, oldest first."""
        done = Brought()
        for row in await self._keeping.without_object(self._node, _AT_ONCE + len(self._stuck)):
            if row.recording_id in self._stuck or len(done.done) + len(done.failed) >= _AT_ONCE:
                continue
            try:
                brought = await self.bring(row)
            except BucketFault:
                raise
            except AudioError as error:
                self._stuck[row.recording_id] = None
                done.failed[row.recording_id] = str(error)
                continue
            done.done.append(row.recording_id)
            if not await self._keeping.advance(brought, KeepState.KEPT):
                await self.overtaken(row)
        return done

    def fetch(self, path: Path) -> bool:
        """Bring a file of this node and its waveform back here, from an object that no row may know of; whether
        there is one. Blocks.
        """
        key = f"{self._node}/{path.relative_to(self._monitor)}"
        try:
            for object, file in ((key, path), (key + peaks.SUFFIX, peaks.path_of(path))):
                raw, at = self.bucket.raw(object), 0
                files.make_folder(file.parent)
                with files.replacing(file) as fd:
                    while part := raw.pread(_PART, at):
                        files.write_all(fd, part)
                        at += len(part)
        except NotThere:
            return False
        return True

    async def overtaken(self, row: Kept) -> None:
        """Somebody deleted it meanwhile: its object must not outlive that."""
        now = (await self._keeping.kept([row.recording_id])).get(row.recording_id)
        if now is not None and now.state in (KeepState.DELETING, KeepState.DELETED):
            await self.remove(row)

    # --- here --------------------------------------------------------------------------------------

    async def make_room(self, enough: Callable[[], bool] | None = None) -> Brought:
        """Files here go whose objects are there, the least recently played first: until the cache is as small as it
        must be, and there is `enough` room on the disk where that is asked.
        """
        done = Brought()
        total = await self._keeping.cached(self._node)
        if total <= self._cache and (enough is None or enough()):
            return done
        while page := await self._keeping.least_played(self._node, _BATCH):
            before = len(done.done)
            for row in page:
                if total <= self._cache * _LEAVES and (enough is None or enough()):
                    return done
                if row.recording_id not in done.failed and await self._leave(row, done):
                    total -= row.size
            if len(done.done) == before:
                break
        return done

    async def _leave(self, row: Kept, done: Brought) -> bool:
        """Whether its file here is gone; not before its object was seen once more."""
        try:
            there = await asyncio.to_thread(self._is_there, row)
            if there:
                path = self._path(row)
                await asyncio.to_thread(disposal.remove, [path, peaks.path_of(path)])
        except BucketFault:
            raise
        except AudioError as error:
            done.failed[row.recording_id] = str(error)
            return False
        if there:
            done.done.append(row.recording_id)
            return await self._keeping.advance(replace(row, local=False), KeepState.KEPT)
        done.failed[row.recording_id] = (
            f"{self.bucket}/{row.object} is gone or cut short: the file here stays"
        )
        # Brought again, by and by.
        await self._keeping.advance(replace(row, object=""), KeepState.KEPT)
        return False

    def _is_there(self, row: Kept) -> bool:
        try:
            sound = self.bucket.opened(row.object, self._keyring)
        except NotThere:
            return False
        return sound.size == row.size

    # --- out ---------------------------------------------------------------------------------------

    async def remove(self, row: Kept, recording: Recording | None = None) -> int:
        """Its objects are gone, whether the row knew of them or not; how many there were."""
        keys = [key + suffix for key in _keys(row, recording) for suffix in ("", peaks.SUFFIX)]
        return await asyncio.to_thread(lambda: sum(map(self.bucket.delete, keys)))

    async def sweep(self) -> tuple[list[str], list[str]]:
        """Hold the bucket against the rows of this node: the recordings that were deleted and are back there (and
        now are gone again), and those whose object is missing.
        """
        self._stuck.clear()
        found = await asyncio.to_thread(lambda: set(self.bucket.keys(self._node)))
        back, missing = [], []
        async for row, recording in self._all():
            if row.state is KeepState.DELETED and not found.isdisjoint(_keys(row, recording)):
                await self.remove(row, recording)
                back.append(row.recording_id)
            elif row.state is KeepState.KEPT and row.object and row.object not in found:
                missing.append(row.recording_id)
                if row.local:
                    # Brought again, by and by.
                    await self._keeping.advance(replace(row, object=""), KeepState.KEPT)
        return back, missing

    async def _all(self) -> AsyncIterator[tuple[Kept, Recording | None]]:
        after = None
        states = (KeepState.KEPT, KeepState.DELETED)
        while page := await self._keeping.walk(states, after=after, limit=_BATCH, node=self._node):
            after = (page[-1].started_at, page[-1].recording_id)
            recordings = await self._keeping.recordings_of([row.recording_id for row in page])
            for row in page:
                yield row, recordings.get(row.recording_id)

    def _path(self, row: Kept) -> Path:
        return self._monitor / row.folder / row.name


def _keys(row: Kept, recording: Recording | None) -> list[str]:
    """Where its object is, or may be: a row of before the archive took it (a restored one, say) has no name."""
    if row.object or row.name:
        return [object_key(row)]
    names = disposal.kept_names(recording) if recording is not None else []
    return [object_key(replace(row, name=name)) for name in names]
