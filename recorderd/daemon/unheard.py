"""What ended while Asterisk was not heard: the disk is asked before the engine is told.

Owns the events between the link and the engine, in their order, and when an Asterisk that said it goes down is gone.
Must not know how a file tells its end (`archive.endings`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from recorderd.archive import endings
from recorderd.core import events
from recorderd.core.engine import Engine

_DISK_SECONDS = 0.5


class Unheard:
    """`put` what Asterisk says; `take_in` gets it, in its order. `spawn` runs what must not hold the link up."""

    def __init__(
        self,
        engine: Engine,
        take_in: Callable[[events.Event], None],
        now: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._engine = engine
        self._take_in = take_in
        self._now = now
        self._spawn = spawn
        self._held: list[events.Event] | None = None
        self._lost_at = 0.0
        self._going_down = False

    def put(self, event: events.Event) -> None:
        """From Asterisk. After a time without it, first the disk is asked when what is gone had ended."""
        if self._held is not None:
            self._held.append(event)
        elif isinstance(event, events.Shutdown):
            self._going_down = True  # People may talk on for a second: it is over when the link is.
        elif isinstance(event, events.ConnectionLost) and self._going_down:
            self._going_down = False
            self._pass(event)
            self._has_ended(events.Shutdown(at=self._now()))
        elif isinstance(event, events.Resync):
            self._has_ended(event)
        else:
            self._pass(event)

    def _pass(self, event: events.Event) -> None:
        if isinstance(event, events.ConnectionLost):
            self._lost_at = self._now()
        self._take_in(event)

    def _has_ended(self, event: events.Resync | events.Shutdown) -> None:
        """What is gone, and when: as the disk knows, else now, for the picture may have been long in coming."""
        listed = {live.uniqueid for live in event.channels} if isinstance(event, events.Resync) else set()
        now = max(event.at, self._now())
        event = replace(event, ended={u: now for u in self._engine.calls.channels if u not in listed})
        if files := self._files_of(event.ended):
            self._held = []
            self._spawn(self._ask_disk(event, files, now))
        else:
            self._pass(event)

    def _files_of(self, gone: Iterable[str]) -> dict[str, endings.Growing]:
        """The files of those of these channels that had a lane."""
        engine = self._engine
        files = {u: engine.file_on(u) for u in gone}
        return {
            u: endings.Growing(path=path, bridged_at=engine.grows_since(u))
            for u, path in files.items()
            if path
        }

    async def _ask_disk(
        self, event: events.Resync | events.Shutdown, files: dict[str, endings.Growing], now: float
    ) -> None:
        """A disk that does not answer holds nobody up for long."""
        ended: dict[str, float] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISK_SECONDS):
                ended = await asyncio.to_thread(endings.ends, files, self._lost_at)
        known = {**event.ended, **{u: min(at, now) for u, at in ended.items()}}
        held, self._held = self._held or [], None
        for one in (replace(event, ended=known), *held):
            self._pass(one)
