"""What a file is known by: the size and SHA-256 of the sound in it, whether it is encrypted or not.

Owns how a file is read for that; never in the event loop.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from recorderd.archive import sealed
from recorderd.archive.keyring import Keyring
from recorderd.errors import AudioError, PlaceError

_BLOCK = 1 << 20


class NotThere(AudioError):
    """There is no such file."""


def of(path: Path, keys: sealed.Keys = Keyring()) -> dict[str, int | str]:  # noqa: B008 - frozen
    """`{"sha256": ..., "size": ...}`. Raises NotThere; sealed.Tampered; AudioError when it cannot be read."""
    return _known(blocks(path, keys))


def of_sound(sound: sealed.Sound) -> dict[str, int | str]:
    """The same of a sound that is open, wherever it lies."""
    return _known(parts(sound))


def parts(sound: sealed.Sound) -> Iterator[bytes]:
    """All of an open sound, bit by bit. Raises AudioError, sealed.Tampered."""
    at = 0
    while block := sound.pread(_BLOCK, at):
        yield block
        at += len(block)


def _known(found: Iterable[bytes]) -> dict[str, int | str]:
    digest, size = hashlib.sha256(), 0
    for block in found:
        digest.update(block)
        size += len(block)
    return {"sha256": digest.hexdigest(), "size": size}


def blocks(path: Path, keys: sealed.Keys) -> Iterator[bytes]:
    """The sound, bit by bit. Raises as above."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise NotThere(f"{path} is not there") from None
    except (OSError, ValueError) as error:
        raise PlaceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotThere(f"{path} is no file")
        yield from parts(sealed.Sound(sealed.File(fd, path), path, keys))
    finally:
        os.close(fd)
