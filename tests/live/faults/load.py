"""Telephones that call each other without end, and remember what they said and heard.

Owns the calls and their truth: who talked with whom from when to when, by the packets that arrived. Must not
know recorderd. A call that breaks because Asterisk broke is the truth too.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.live.phone import Call, Phone, PhoneError, Phones

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Talk:
    """Two people heard each other in `[start, end)`, wall-clock seconds. `said`: frame numbers, by extension."""

    pair: Pair
    start: float
    end: float
    said: Mapping[str, Sequence[int]] = field(repr=False)
    voices: Mapping[str, int] = field(repr=False)

    @property
    def ms(self) -> int:
        return round((self.end - self.start) * 1000)

    def __str__(self) -> str:
        return f"{self.pair[0]}->{self.pair[1]} {self.start % 1000:.2f}..{self.end % 1000:.2f}"


class Load:
    """Each pair calls again and again until `stop`. `talks` grows with each call that people heard each other in."""

    def __init__(
        self, phones: Phones, pairs: Sequence[Pair], seed: int, seconds: tuple[float, float]
    ) -> None:
        self.talks: list[Talk] = []
        self.tried = 0
        self.pbx = asyncio.Event()
        self.pbx.set()
        self._phones = phones
        self._pairs = pairs
        self._seconds = seconds
        self._random = random.Random(seed)
        self._going = True
        self._most = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, calls: int = 0) -> None:
        """Everybody begins within some seconds; `calls` in all, if given."""
        self._most = calls
        for caller, callee in self._pairs:
            (await self._phones(callee)).auto_answer = 0.1
            await self._phones(caller)
        self._tasks = [
            asyncio.create_task(self._pair(pair, random.Random(self._random.random())))
            for pair in self._pairs
        ]

    async def stop(self) -> None:
        """Calls under way are talked to their end, then it is quiet."""
        self._going = False
        await asyncio.gather(*self._tasks)

    async def finished(self) -> None:
        """All calls that were asked for have been made."""
        await asyncio.gather(*self._tasks)

    async def _pair(self, pair: Pair, chance: random.Random) -> None:
        caller, callee = [await self._phones(number) for number in pair]
        await asyncio.sleep(chance.uniform(0.0, 3.0))
        while self._going and not (self._most and self.tried >= self._most):
            await self.pbx.wait()
            self.tried += 1
            with contextlib.suppress(PhoneError):
                await self._call(caller, callee, chance.uniform(*self._seconds))
            await self._forget(pair, caller, callee)
            await asyncio.sleep(chance.uniform(0.1, 0.6))

    async def _call(self, caller: Phone, callee: Phone, seconds: float) -> None:
        call = await caller.call(callee.number)
        await call.up()
        until = time.monotonic() + seconds
        while time.monotonic() < until and call.state == "up" and self.pbx.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await self.pbx.wait()
        await call.hangup()

    async def _forget(self, pair: Pair, *phones: Phone) -> None:
        """Put the handsets down, note what was said, keep nothing else: sound is large."""
        calls = [call for phone in phones for call in phone.calls]
        for call in calls:
            call.mute()
            with contextlib.suppress(PhoneError):
                await call.hangup()
        mine = [call for call in phones[0].calls if call.stream.heard.at]
        theirs = [call for call in phones[1].calls if call.stream.heard.at]
        if mine and theirs and (talk := _talk(pair, mine[-1], theirs[-1])):
            self.talks.append(talk)
        for phone in phones:
            for call in phone.calls:
                phone.ticker.remove(call.stream)
            phone.calls.clear()
            phone._taken = 0


def _talk(pair: Pair, call: Call, other: Call) -> Talk | None:
    """From when both heard something until one heard nothing any more."""
    heard = call.stream.heard.at, other.stream.heard.at
    start, end = max(heard[0][0], heard[1][0]), min(heard[0][-1], heard[1][-1])
    if end - start < 0.2:
        return None
    sides = dict(zip(pair, (call, other), strict=True))
    return Talk(
        pair,
        start,
        end,
        {number: tuple(side.said(start, end - 0.02)) for number, side in sides.items()},
        {number: side.stream.voice or 0 for number, side in sides.items()},
    )
