"""What a file is known by: its size and its SHA-256. Owns how a file is read for that; never in the event loop."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from recorderd.errors import AudioError, PlaceError

_BLOCK = 1 << 20


def of(path: Path) -> dict[str, int | str]:
    """`{"sha256": ..., "size": ...}`. Raises AudioError when there is no such file, PlaceError when its disk
    does not give it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise AudioError(f"{path} is no file")
            digest, size = hashlib.sha256(), 0
            while block := os.read(fd, _BLOCK):
                digest.update(block)
                size += len(block)
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError(f"{path} is not there") from None
    except (OSError, ValueError) as error:
        raise PlaceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return {"sha256": digest.hexdigest(), "size": size}
