"""Other keys for what is kept already: every file encrypted with the key of now, or decrypted where there is none.

Owns the walk and the crash safety: a file or an object is replaced whole, after the new one was read back and found
to be the sound that the archive hashed. Must not know the format (`archive.sealed`) or where keys are.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import disposal, files, peaks, sealed
from recorderd.archive.fingerprints import NotThere
from recorderd.archive.keyring import Keyring
from recorderd.core.keeping import IN_PLACE, KeepState, Kept
from recorderd.daemon.keeper import Keeper
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket

_BATCH = 200


@dataclass(slots=True)
class Rotated:
    """`changed` and `same` are counts of recordings; `failed` are sentences."""

    changed: int = 0
    same: int = 0
    failed: list[str] = field(default_factory=list)


class Rotation:
    """The keeper's node's files below `monitor`, and their objects in the `bucket`. Both methods raise StoreError."""

    def __init__(self, keeper: Keeper, monitor: Path, keyring: Keyring, bucket: Bucket | None = None) -> None:
        self._keeper = keeper
        self._monitor = monitor
        self._keyring = keyring
        self._bucket = bucket

    async def count(self) -> Counter[str]:
        """How many kept files are encrypted with each key, `` for those that are not, `?` for unreadable ones."""
        found: Counter[str] = Counter()
        async for page in self._pages():
            found.update(await asyncio.to_thread(self._keys_of, page))
        return found

    async def run(self) -> Rotated:
        """Bring every kept file to the key of now. Done again after a crash, it goes on. Raises KeyMissing when
        that key is not there.
        """
        self._keyring.current()
        done = Rotated()
        async for page in self._pages():
            for kept in page:
                await self._one(kept, done)
        return done

    async def _one(self, kept: Kept, done: Rotated) -> None:
        try:
            changed = await asyncio.to_thread(self._renew, kept)
        except AudioError as error:
            # Deleted meanwhile, then that is why.
            if await self._is_kept(kept):
                done.failed.append(str(error))
            return
        if changed and not await self._is_kept(kept):
            return
        done.changed += changed
        done.same += not changed

    async def _is_kept(self, kept: Kept) -> bool:
        """Whether it still is; where somebody deleted it while its file was being renewed, that is finished."""
        row = (await self._keeper.keeping.kept([kept.recording_id])).get(kept.recording_id)
        if row is not None and row.state is KeepState.DELETED:
            await self._keeper.remove_again(row)
        elif row is not None and row.state is KeepState.DELETING:
            await self._keeper.finish(row)
        return row is not None and row.state in IN_PLACE

    def _renew(self, kept: Kept) -> bool:
        """Whether there was anything to be done for the sound or its peaks, here or there. Raises AudioError."""
        path, key = self._path(kept), self._keyring.current()
        shape = peaks.path_of(path)
        changed = False
        if disposal.there([path]) or not kept.object:
            changed = self._renew_file(sealed.opened(path, self._keyring), path, key, kept.sha256)
        if disposal.there([shape]):
            changed = self._renew_file(sealed.opened(shape, self._keyring), shape, key, "") or changed
        if kept.object:
            changed = self._renew_object(kept.object, path, key, kept.sha256) or changed
            with contextlib.suppress(NotThere):
                changed = self._renew_object(kept.object + peaks.SUFFIX, shape, key, "") or changed
        return changed

    def _renew_object(self, object: str, path: Path, key: sealed.Key | None, sha256: str) -> bool:
        """By way of the file here; where there is none, of one that is made and removed again."""
        bucket = self._known_bucket(object)
        old = bucket.opened(object, self._keyring)
        if old.key_id == (key.id if key else ""):
            return False
        here = bool(disposal.there([path]))
        try:
            if not here:
                files.make_folder(path.parent)
                self._renew_file(old, path, key, sha256)
            bucket.put(object, path, replace=True)
            back = bucket.opened(object, self._keyring)
            if sha256 and _hash(back) != sha256:
                raise AudioError(f"{bucket}/{object} could not be read back")
        finally:
            if not here:
                path.unlink(missing_ok=True)
        return True

    def _renew_file(self, old: sealed.Sound, path: Path, key: sealed.Key | None, sha256: str) -> bool:
        """`path` holds what `old` does, with this key; false where that is so already."""
        try:
            if old.key_id == (key.id if key else ""):
                return False
            with files.replacing(path) as fd:
                found = _copy(old, fd)
                if sha256 and found != sha256:
                    raise AudioError(f"{old.path} is not the sound that was kept: it stays as it is")
                if key is not None:
                    sealed.seal(fd, key)
                    if _hash(sealed.Sound(sealed.File(fd, path), path, self._keyring)) != found:
                        raise AudioError(f"{path} could not be read back: it stays as it is")
        finally:
            old.close()
        return True

    def _known_bucket(self, object: str) -> Bucket:
        if self._bucket is None:
            raise AudioError(f"{object} is in a bucket, and archive.objects.url does not say in which")
        return self._bucket

    def _keys_of(self, page: list[Kept]) -> list[str]:
        return [self._key_of(kept) for kept in page]

    def _key_of(self, kept: Kept) -> str:
        """Of the object where there is one: the file here is renewed first."""
        try:
            if kept.object:
                header, _, _ = self._known_bucket(kept.object).read(kept.object, 0, sealed.HEADER)
            else:
                with self._path(kept).open("rb") as file:
                    header = file.read(sealed.HEADER)
            return sealed.key_id(header)
        except (OSError, AudioError):
            return "?"

    def _path(self, kept: Kept) -> Path:
        return self._monitor / kept.folder / kept.name

    async def _pages(self) -> AsyncIterator[list[Kept]]:
        after = None
        node = self._keeper.node
        while page := await self._keeper.keeping.walk(IN_PLACE, after=after, limit=_BATCH, node=node):
            after = (page[-1].started_at, page[-1].recording_id)
            yield [kept for kept in page if kept.name]


def _copy(old: sealed.Sound, fd: int) -> str:
    digest, at = hashlib.sha256(), 0
    while part := old.pread(sealed.CHUNK, at):
        files.write_all(fd, part)
        digest.update(part)
        at += len(part)
    return digest.hexdigest()


def _hash(sound: sealed.Sound) -> str:
    digest, at = hashlib.sha256(), 0
    while part := sound.pread(sealed.CHUNK, at):
        digest.update(part)
        at += len(part)
    return digest.hexdigest()
