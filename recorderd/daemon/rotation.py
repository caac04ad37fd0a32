"""Other keys for what is kept already: every file encrypted with the key of now, or decrypted where there is none.

Owns the walk and the crash safety: a file is replaced whole, after the new one was read back and found to be the
sound that the archive hashed. Must not know the format (`archive.sealed`) or where keys are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from recorderd.archive import disposal, files, peaks, sealed
from recorderd.archive.keyring import Keyring
from recorderd.core.keeping import IN_PLACE, KeepState, Kept
from recorderd.daemon.keeper import Keeper
from recorderd.errors import AudioError

_BATCH = 200


@dataclass(slots=True)
class Rotated:
    """`changed` and `same` are counts of recordings; `failed` are sentences."""

    changed: int = 0
    same: int = 0
    failed: list[str] = field(default_factory=list)


class Rotation:
    """The kept files below `monitor`. Both methods raise StoreError."""

    def __init__(self, keeper: Keeper, monitor: Path, keyring: Keyring) -> None:
        self._keeper = keeper
        self._monitor = monitor
        self._keyring = keyring

    async def count(self) -> Counter[str]:
        """How many kept files are encrypted with each key, `` for those that are not, `?` for unreadable ones."""
        found: Counter[str] = Counter()
        async for page in self._pages():
            found.update(await asyncio.to_thread(_keys_of, [self._path(kept) for kept in page]))
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
        """Whether there was anything to be done for the file or its peaks. Raises AudioError."""
        path, key = self._path(kept), self._keyring.current()
        changed = self._renew_file(path, key, kept.sha256)
        shape = peaks.path_of(path)
        return (self._renew_file(shape, key, "") if disposal.there([shape]) else False) or changed

    def _renew_file(self, path: Path, key: sealed.Key | None, sha256: str) -> bool:
        wanted = key.id if key else ""
        old = sealed.opened(path, self._keyring)
        try:
            if old.key_id == wanted:
                return False
            with files.replacing(path) as fd:
                found = _copy(old, fd)
                if sha256 and found != sha256:
                    raise AudioError(f"{path} is not the sound that was kept: it stays as it is")
                if key is not None:
                    sealed.seal(fd, key)
                    if _hash(sealed.Sound(sealed.File(fd, path), path, self._keyring)) != found:
                        raise AudioError(f"{path} could not be read back: it stays as it is")
        finally:
            old.close()
        return True

    def _path(self, kept: Kept) -> Path:
        return self._monitor / kept.folder / kept.name

    async def _pages(self) -> AsyncIterator[list[Kept]]:
        after = None
        while page := await self._keeper.keeping.walk(IN_PLACE, after=after, limit=_BATCH):
            after = (page[-1].started_at, page[-1].recording_id)
            yield [kept for kept in page if kept.name]


def _keys_of(paths: list[Path]) -> list[str]:
    return [_key_of(path) for path in paths]


def _key_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return sealed.key_id(file.read(sealed.HEADER))
    except (OSError, AudioError):
        return "?"


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
