"""One scenario on a running house: its telephones, who is in which call, and which channel that is.

Owns what the steps share while a scenario is played. Must not judge anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

from tests.live.call import Call
from tests.live.phone import Phone, Phones
from tests.live.rig_ami import RigAmi
from tests.live.scene import Scene
from tests.live.transfers.scenario import Cast, X


@dataclass(frozen=True, slots=True)
class Talked:
    """These, and nobody else, were to hear each other from `since` to `until` (wall clock).

    `recorded` says whether that was to be recorded where policy leaves it to a press; None: policy says.
    """

    who: frozenset[str]
    since: float
    until: float
    recorded: bool | None = None


@dataclass
class Stage:
    """What the steps of one scenario work on."""

    cast: Cast
    house: Scene
    phones: Phones
    ami: RigAmi
    actors: dict[str, Phone] = field(default_factory=dict)
    talks: list[Talked] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    began: float = 0.0
    _later: dict[str, asyncio.Task[object]] = field(default_factory=dict)

    async def open(self) -> None:
        """Everybody's telephone is registered."""
        self.began = time.time()
        for letter, endpoint in self.cast.endpoints.items():
            self.actors[letter] = await self.phones(endpoint, voice=self.cast.voices[letter])

    async def close(self) -> None:
        """Whatever still goes on ends."""
        for task in self._later.values():
            if not task.done():
                task.cancel()
        for phone in self.actors.values():
            for call in phone.calls:
                with contextlib.suppress(AssertionError):
                    await call.hangup()
        for phone in self.actors.values():
            for call in phone.calls:
                with contextlib.suppress(AssertionError):
                    await call.ended(5)

    # --- numbers -------------------------------------------------------------------------------

    def number(self, who: str) -> str:
        """A party's number, or a template filled in."""
        return self.cast.numbers[who] if who in self.cast.numbers else self.cast.fill(who, **self.notes)

    def dialled(self, by: str, to: str) -> str:
        """What `by` dials to reach `to`: from outside a DID."""
        outside = self.cast.scenario.parties.get(by) == X
        return f"555{self.number(to)}" if outside else self.number(to)

    # --- calls ---------------------------------------------------------------------------------

    def legs(self, who: str) -> list[Call]:
        """A party's calls that have not ended, oldest first."""
        return [call for call in self.actors[who].calls if call.state != "ended"]

    def leg(self, who: str) -> Call:
        """The call in which a party talks now: the newest that it has not put on hold."""
        legs = self.legs(who)
        assert legs, f"{who} is in no call"
        free = [call for call in legs if call.direction == "sendrecv" and call.state == "up"]
        return (free or legs)[-1]

    def held(self, who: str) -> Call:
        """The call that a party has put on hold."""
        return next(call for call in reversed(self.legs(who)) if call.direction != "sendrecv")

    async def channel(self, who: str, which: int = -1) -> str:
        """The name of a party's channel in Asterisk: the newest, or the n-th oldest."""
        listed = await self.ami.listing("CoreShowChannels")
        mine = [row for row in listed if row["Channel"].startswith(f"PJSIP/{self.cast.endpoints[who]}-")]
        mine.sort(key=lambda row: [int(part) for part in row["Uniqueid"].split(".")])
        assert mine, f"{who} has no channel"
        return mine[which]["Channel"]

    # --- what goes on beside the steps -----------------------------------------------------------

    def meanwhile(self, name: str, work: Coroutine[object, object, object]) -> None:
        """Go on while this is being done."""
        self._later[name] = asyncio.ensure_future(work)

    async def outcome(self, name: str, seconds: float = 15) -> object:
        """What came of it."""
        return await asyncio.wait_for(self._later.pop(name), seconds)
