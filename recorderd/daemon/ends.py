"""When channels ended that nobody told us of: the files of their recorders know.

Owns the look at those files between the arrival of a `Resync` and its being handed on; what comes meanwhile
waits behind it. Must not know what is made of it. Asterisk closes a recorder's file at the hang-up, which is
when it was last written to; a file that was never closed (Asterisk was killed) ended within one buffer of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from recorderd.archive import growth, wav
from recorderd.core import events
from recorderd.errors import AudioError

# A disk that does not answer must not keep us from hearing Asterisk.
_PATIENCE = 1.0


class Ends:
    """`put` every event of Asterisk's here; they go on, in order, to `onwards`.

    `unfinished` gives the path of the recorder's file for each channel that we believe to be alive.
    """

    def __init__(
        self, unfinished: Callable[[], Mapping[str, str]], onwards: Callable[[events.Event], None]
    ) -> None:
        self._unfinished = unfinished
        self._onwards = onwards
        self._waiting: list[events.Event] = []
        self._looking: asyncio.Task[None] | None = None

    def put(self, event: events.Event) -> None:
        """Hand it on, now or when the files before it have been looked at."""
        if self._looking is not None:
            self._waiting.append(event)
            return
        gone = self._gone(event)
        if gone:
            assert isinstance(event, events.Resync)
            self._looking = asyncio.create_task(self._look(event, gone))
        else:
            self._onwards(event)

    def _gone(self, event: events.Event) -> dict[str, str]:
        if not isinstance(event, events.Resync):
            return {}
        listed = {channel.uniqueid for channel in event.channels}
        return {u: path for u, path in self._unfinished().items() if u not in listed}

    async def _look(self, event: events.Resync, gone: Mapping[str, str]) -> None:
        ended: dict[str, float] = {}
        try:
            async with asyncio.timeout(_PATIENCE):
                ended = await asyncio.to_thread(_ends, gone, event.at)
        except TimeoutError:
            pass
        waiting, self._waiting, self._looking = self._waiting, [], None
        self._onwards(replace(event, ended={**ended, **event.ended}))
        for later in waiting:
            self.put(later)


def _ends(paths: Mapping[str, str], latest: float) -> dict[str, float]:
    found = {uniqueid: ended_at(Path(path)) for uniqueid, path in paths.items()}
    return {uniqueid: min(at, latest) for uniqueid, at in found.items() if at is not None}


def ended_at(path: Path) -> float | None:
    """When the recorder of this file ended, given that it has; None where the file does not tell."""
    try:
        written = os.stat(path).st_mtime
        with wav.reading(path) as sound:
            step = growth.STEP_BYTES / growth.BYTES_PER_SECOND[path.suffix]
            return written if sound.closed else written + step
    except (OSError, AudioError, KeyError):
        return None
