"""Watches the files that Asterisk is writing, and says at once when one is not what it should be.

Owns Watch and Unwatch, FileSeen and FileFault. Must not know recordings or what is done about a fault.
The looks are taken by `looker` threads, one for each folder, so that the daemon's loop touches no disk;
the judgement is `growth`'s, made in the loop, so that a looker which hangs is noticed like a file which does
not grow.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from recorderd.archive import looker
from recorderd.archive.growth import Growth, Sight, stall_seconds
from recorderd.core import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from recorderd.core import commands

JUDGE_SECONDS = 0.050
# A judgement this late means that it was us who stood still (a stopped process, a suspended machine), and the
# lookers with us: they get one turn first.
_LATE_SECONDS = 0.5
_HEADED = frozenset((".wav", ".wav16", ".wav49"))

log = logging.getLogger("recorderd.archive.watch")


@dataclass(frozen=True, slots=True)
class _Watched:
    target: looker.Target
    growth: Growth


class Watcher:
    """`put` gets FileSeen once and FileFault once per fault of each watched lane, in the loop of `start`.

    `grew` is called with the lane whenever a look shows more in its file than the one before.
    `clock` counts seconds and never goes back; `now` is seconds since the epoch, for the events' `at`.
    All methods are called in the loop.
    """

    def __init__(
        self,
        put: Callable[[events.Event], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        now: Callable[[], float] = time.time,
        look: Callable[[str], Sight | None] = looker.see,
        grew: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._put = put
        self._grew = grew
        self._clock = clock
        self._now = now
        self._look = look
        self._watched: dict[str, _Watched] = {}
        self._lookers: dict[PurePath, looker.Looker] = {}
        self._some = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watched)

    async def start(self) -> None:
        """Judging begins. To be called once, before the first `watch`."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._judge(), name="watcher")

    def watch(self, command: commands.Watch) -> None:
        """Watch a lane's file, or tell the watcher that its channel entered or left a bridge.

        A known lane with another path is watched afresh. Raises AudioError for a format of unknown rate.
        """
        known = self._watched.get(command.lane_id)
        now = self._clock()
        if known is not None and known.target.path == command.path:
            known.growth.grow(command.growing, now)
            return
        stall = stall_seconds(command.path)
        self._drop(command.lane_id)
        target = looker.Target(lane_id=command.lane_id, path=command.path, since=now, notes=command.notes)
        headed = PurePath(command.path).suffix.lower() in _HEADED
        growth = Growth(stall=stall, growing=command.growing, now=now, headed=headed)
        self._watched[command.lane_id] = _Watched(target, growth)
        self._some.set()
        self._looker_of(target).add(target)

    def unwatch(self, command: commands.Unwatch) -> None:
        """Nothing more is told of this lane; an unknown one is ignored."""
        self._drop(command.lane_id)

    def size(self, lane_id: str) -> int:
        """What a lane's file had at the last look, in bytes; 0 if nobody looked."""
        watched = self._watched.get(lane_id)
        return watched.growth.size if watched else 0

    async def close(self) -> None:
        """Nothing more is told of any lane."""
        self._watched.clear()
        for each in self._lookers.values():
            each.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _drop(self, lane_id: str) -> None:
        watched = self._watched.pop(lane_id, None)
        if watched is not None:
            self._looker_of(watched.target).drop(watched.target)

    def _looker_of(self, target: looker.Target) -> looker.Looker:
        """The folder's one looker, kept while its thread lives: a frozen disk holds one thread, not many."""
        folder = PurePath(target.path).parent
        if folder not in self._lookers:
            for other in [each for each, idler in self._lookers.items() if idler.idle]:
                del self._lookers[other]
            self._lookers[folder] = looker.Looker(self._report, self._clock, self._look)
        return self._lookers[folder]

    def _report(self, target: looker.Target, sight: Sight, when: float) -> None:
        """Called in a looker's thread."""
        assert self._loop is not None, "start() comes before watch()"
        # RuntimeError: the loop is closed already, and nobody is left to hear it.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._saw, target, sight, when)

    def _saw(self, target: looker.Target, sight: Sight, when: float) -> None:
        watched = self._watched.get(target.lane_id)
        if watched is None or watched.target is not target:
            return
        seen_before, size_before = watched.growth.seen, watched.growth.size
        kinds = watched.growth.look(sight, when)
        if watched.growth.seen and not seen_before:
            self._post(events.FileSeen(at=self._now(), lane_id=target.lane_id))
        self._post_faults(target, kinds)
        if watched.growth.size > size_before:
            self._grew(target.lane_id)

    async def _judge(self) -> None:
        while True:
            if not self._watched:
                self._some.clear()
                await self._some.wait()
            asked = self._clock()
            await asyncio.sleep(JUDGE_SECONDS)
            now = self._clock()
            if now - asked > _LATE_SECONDS:
                continue
            for watched in list(self._watched.values()):
                self._post_faults(watched.target, watched.growth.judge(now))

    def _post_faults(self, target: looker.Target, kinds: Iterable[str]) -> None:
        for kind in kinds:
            self._post(events.FileFault(at=self._now(), lane_id=target.lane_id, kind=kind))

    def _post(self, event: events.Event) -> None:
        try:
            self._put(event)
        except Exception:
            # One event that somebody choked on must not end the watch over all the other lanes.
            log.exception("%r was lost", event)
