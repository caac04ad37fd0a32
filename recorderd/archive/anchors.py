"""The notes on how a lane's file grew: what `drift` lays its sound by.

Owns the file beside a lane (its path and `.growth`), one line per growth: bytes, and the modification time in
nanoseconds. It is on the disk so that it outlives the daemon. Must not know what the notes are used for.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from recorderd.archive.lanes import Anchor

if TYPE_CHECKING:
    from recorderd.archive.wav import Sound

SUFFIX = ".growth"
# From a sound to its being written: measured, on 22 and 16.
LATENCY_SECONDS = 0.020
# A day of growth at 2 s each; what is beyond is not read.
_MOST_BYTES = 2 << 20


def note(path: str, size: int, mtime_ns: int) -> None:
    """The file at `path` was written to at `mtime_ns`, which made it `size` bytes long.

    A note that cannot be taken is not worth an alarm: where there are none, sound is laid by its length.
    """
    with contextlib.suppress(OSError):
        fd = os.open(path + SUFFIX, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            os.write(fd, b"%d %d\n" % (size, mtime_ns))
        finally:
            os.close(fd)


def of(sound: Sound) -> list[Anchor]:
    """The notes on an open lane. Lines that are none (a torn one, say) are passed over."""
    try:
        with open(f"{sound.path}{SUFFIX}", "rb") as notes:
            lines = notes.read(_MOST_BYTES).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            size, mtime_ns = map(int, line.split())
            found.append(Anchor(at=mtime_ns / 1e9 - LATENCY_SECONDS, frames=sound.frames_in(size)))
    return found


def remove_lane(path: str) -> None:
    """A lane's file and its notes are gone; it is no error if they were already. Raises OSError."""
    for each in (path, path + SUFFIX):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(each)
