"""When did a lane end of whose end nobody told? Its file knows.

Owns that question. Asterisk writes a file's header when it closes it, so a closed file's modification time is
when its channel hung up; one that was never closed belongs to an Asterisk that died, and was last written to at
most one buffer's time before. Looks at the disk: not to be asked in the daemon's loop.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from recorderd.archive import wav
from recorderd.archive.growth import STALL_MARGIN_SECONDS, stall_seconds
from recorderd.errors import AudioError


def ends(paths: Mapping[str, str], died: float) -> dict[str, float]:
    """For each key the moment (seconds since the epoch) in which the lane of that path ended, where it tells.

    `died` is when Asterisk was last heard, for lanes that it never closed; 0 where that is not known.
    """
    found = {key: _end(path, died) for key, path in paths.items()}
    return {key: at for key, at in found.items() if at is not None}


def _end(path: str, died: float) -> float | None:
    try:
        written = os.stat(path).st_mtime
        with wav.reading(Path(path)) as sound:
            closed = sound.closed and sound.frames > 0
        if closed:
            return written
        return max(written, died or written + stall_seconds(path) - STALL_MARGIN_SECONDS)
    except (OSError, AudioError, ValueError):
        return None
