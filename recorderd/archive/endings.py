"""When did a lane end of whose end nobody told? Its file knows.

Owns that question. Asterisk writes a file's header when it closes it, so a closed file's modification time is
when its channel hung up; one that was never closed belongs to an Asterisk that died. That was at most one buffer's
worth of talk after the last write: of talk, for while its channel is in no bridge a recorder takes nothing, and a
file may be much older than the talk that is lost from it. Looks at the disk: not to be asked in the daemon's loop.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recorderd.archive import wav
from recorderd.archive.growth import STALL_MARGIN_SECONDS, stall_seconds
from recorderd.errors import AudioError


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """A recorder's file, and since when its channel was in a bridge, for all that is known; 0 for in none."""

    path: str
    bridged_at: float = 0.0


def ends(files: Mapping[str, Growing], died: float) -> dict[str, float]:
    """For each key the moment (seconds since the epoch) in which the recorder of that file ended, where it tells.

    `died` is when the link to Asterisk broke, for files that it never closed; 0 where that is not known. An Asterisk
    that wrote after that lived on: then, as where it is not known, the latest moment is told in which it can have
    died, so that no talk lies after it. (That it died within one buffer of a link that broke for another reason
    is not found out.)
    """
    found = {key: _end(file, died) for key, file in files.items()}
    return {key: at for key, at in found.items() if at is not None}


def _end(file: Growing, died: float) -> float | None:
    try:
        written = os.stat(file.path).st_mtime
        with wav.reading(Path(file.path)) as sound:
            closed = sound.closed and sound.frames > 0
        if closed:
            return written
        if died >= written:
            return died
        return max(written, file.bridged_at) + stall_seconds(file.path) - STALL_MARGIN_SECONDS
    except (OSError, AudioError, ValueError):
        return None
