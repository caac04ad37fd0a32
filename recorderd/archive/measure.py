"""Carries out a Measure: how long the file of somebody else's recorder is, its forbidden end cut off.

Owns the only change that is ever made to another's file. Must not know why its end is forbidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import wav
from recorderd.archive.mixdown import SETTLE_SECONDS, SETTLE_STEP_SECONDS
from recorderd.errors import PlaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorderd.core import commands


def run(
    command: commands.Measure, *, now: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[int, int]:
    """(milliseconds, bytes) of the file, once its recorder has closed it or a second has passed.

    What is cut off is gone when this returns: the shorter file takes the place of the other in one step. A job whose
    answer was lost is done again and cuts once more: rather some hundredths of a second too much than too little.
    Raises PlaceError while its folder is not there, AudioError for a file that cannot be read, or not be cut.
    """
    path = Path(command.path)
    if not path.parent.is_dir():
        raise PlaceError(f"the folder of {path} is not there")
    started = now()
    while now() - started < SETTLE_SECONDS and not _is_closed(path):
        sleep(SETTLE_STEP_SECONDS)
    with wav.reading(path) as sound:
        frames, rate = sound.frames, sound.rate
        left = max(0, frames - command.cut_ms * rate // 1000)
        if left < frames and command.cut_ms:
            with wav.writing(path, rate, group=sound.group) as shorter:
                for first in range(0, left, wav.BLOCK_FRAMES):
                    shorter.write(sound.read(first, min(wav.BLOCK_FRAMES, left - first)))
    return round(left * 1000 / rate), path.stat().st_size


def _is_closed(path: Path) -> bool:
    with wav.reading(path) as sound:
        return sound.closed
