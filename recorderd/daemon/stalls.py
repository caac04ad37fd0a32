"""Has a file that does not grow failed, or has nobody spoken? Asterisk is asked before a recorder is given up.

Owns that question. Must not know what a fault leads to. While no packet flows on a channel in either direction
(a hold without music, two telephones that suppress silence) Asterisk writes nothing, and nothing is lost. So a
stall that the watcher sees is a fault only once more sound than one buffer holds has come in as packets and is
not in the file. Counted from when the channel came into its bridge, so that a steady call is told of at once, and
afresh now and then where the file has just grown: what Asterisk counts and does not write (a lossy line on 16, the
packets of a key) must not add up over a long call.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from recorderd.archive.growth import STEP_BYTES, bytes_per_second
from recorderd.core import commands, events
from recorderd.errors import ActionRefused, AmiError

# What telephones pack into one packet, in packets a second: 10, 20, 30, 40 and 60 ms.
_RATES = (100.0, 50.0, 1000 / 30, 25.0, 1000 / 60)
_WINDOW = 0.25
_SILENT = 0.5
# Comfort noise comes in a few packets a second and makes no sound in the file.
_FEWEST = 12.0
# The last look at the file may be a quarter of a second old; the rest is what was counted and not written.
_MARGIN = 0.6
_RECOUNT = 5.0
_USUAL = 50.0
_STEADY = 8


@dataclass(frozen=True, slots=True)
class Packets:
    """How many RTP packets a channel has got from its telephone, and sent to it."""

    received: int
    sent: int

    def since(self, other: Packets) -> int:
        """In the direction in which more flowed: either makes the file grow."""
        return max(self.received - other.received, self.sent - other.sent)


@dataclass(slots=True)
class _Lane:
    uniqueid: str
    path: str
    bridged: bool = False
    base: Packets | None = None
    base_size: int = 0
    counted: float = 0.0
    silence: float = 0.0
    asking: asyncio.Task[None] | None = None


class Stalls:
    """Stands between the watcher and the engine.

    `count` asks Asterisk (AmiError: it cannot; None: such a channel has no packets); `size` is what the file had
    when it was last looked at.
    """

    def __init__(
        self,
        put: Callable[[events.Event], None],
        channel_of: Callable[[str], str | None],
        count: Callable[[str], Awaitable[Packets | None]],
        size: Callable[[str], int],
        now: Callable[[], float],
    ) -> None:
        self._put, self._channel_of, self._count, self._size = put, channel_of, count, size
        self._now = now
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- orders to the watcher pass here -------------------------------------------------------

    def watch(self, command: commands.Watch) -> None:
        """A channel that comes into a bridge is counted from there."""
        uniqueid = self._channel_of(command.lane_id)
        if uniqueid is None:
            return
        lane = self._lanes.setdefault(command.lane_id, _Lane(uniqueid, command.path))
        if command.growing and not lane.bridged:
            lane.base = None
            self._task(self._begin(command.lane_id, lane))
        lane.bridged = command.growing

    def unwatch(self, command: commands.Unwatch) -> None:
        """Nothing more is asked about this lane."""
        lane = self._lanes.pop(command.lane_id, None)
        if lane is not None and lane.asking is not None:
            lane.asking.cancel()

    # --- facts from the watcher pass here ------------------------------------------------------

    def grew(self, lane_id: str) -> None:
        """Its buffer is all but empty: the moment to count afresh."""
        lane = self._lanes.get(lane_id)
        if lane is not None and lane.bridged and self._now() - lane.counted > _RECOUNT:
            self._task(self._begin(lane_id, lane))

    def heard(self, event: events.Event) -> None:
        """Hand it on; a stall only once it is one."""
        lane = self._lanes.get(event.lane_id) if isinstance(event, events.FileFault) else None
        if lane is None or not isinstance(event, events.FileFault) or event.kind != "stalled":
            self._put(event)
        elif lane.asking is None or lane.asking.done():
            lane.asking = self._task(self._ask(event.lane_id, lane))

    async def _begin(self, lane_id: str, lane: _Lane) -> None:
        size, lane.counted = self._size(lane_id), self._now()
        with contextlib.suppress(AmiError):
            lane.base, lane.base_size = await self._count(lane.uniqueid), size

    async def _ask(self, lane_id: str, lane: _Lane) -> None:
        lane.silence = 0.0
        try:
            if await self._is_lost(lane_id, lane):
                self._put(events.FileFault(at=self._now(), lane_id=lane_id, kind="stalled"))
        finally:
            if lane.silence:
                ms = round(lane.silence * 1000)
                self._put(events.LaneSilent(at=self._now(), lane_id=lane_id, ms=ms))

    async def _is_lost(self, lane_id: str, lane: _Lane) -> bool:
        """Waits until it is certain: the file has grown or its lane ended (False), or sound is lost (True)."""
        size, second = self._size(lane_id), bytes_per_second(lane.path)
        step = STEP_BYTES / second + _MARGIN
        origin: Packets | None = None
        last, began = None, 0.0
        rates: deque[float] = deque(maxlen=_STEADY)
        while True:
            try:
                packets = await self._count(lane.uniqueid)
            except ActionRefused:
                return False  # The channel is gone: the engine will hear of it.
            except AmiError:
                await asyncio.sleep(_SILENT)
                continue
            if self._lanes.get(lane_id) is not lane or self._size(lane_id) != size:
                return False
            if packets is None:
                return True
            origin, now = origin or packets, self._now()
            if last is not None:
                rates.append(_rate(packets.since(last), now - began))
                lane.silence += 0.0 if rates[-1] else now - began
            if rates and rates[-1]:
                rate = _steady(rates)
                owed = packets.since(origin) / rate
                if lane.base is not None:
                    owed = max(owed, packets.since(lane.base) / rate - (size - lane.base_size) / second)
                if owed >= step:
                    return True
            last, began = packets, now
            await asyncio.sleep(_WINDOW)

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _steady(rates: Sequence[float]) -> float:
    """What is believed: 20 ms a packet, until it has been another for a while.

    Where speech begins or pauses, a look sees fewer packets: taken at its word it would make them too long.
    """
    same = len(rates) == _STEADY and len(set(rates)) == 1
    return rates[-1] if same else max(_USUAL, *rates)


def _rate(packets: int, seconds: float) -> float:
    """Packets a second, as telephones send them; 0.0 for silence."""
    measured = packets / max(seconds, _WINDOW / 2)
    return min(_RATES, key=lambda rate: abs(rate - measured)) if measured >= _FEWEST else 0.0
