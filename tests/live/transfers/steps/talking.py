"""Talk, silence and hold."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.live.daemon import until
from tests.live.transfers.stage import Stage, Talked
from tests.live.transfers.steps.base import TALK, Step


@dataclass(frozen=True, slots=True)
class Talk(Step):
    """These (one letter each) hear each other, and nobody else, for a while.

    `recorded`: what came of a press, where policy leaves it to one.
    """

    who: str
    seconds: float = TALK
    recorded: bool | None = None

    async def play(self, stage: Stage) -> None:
        for listener in self.who:
            for speaker in self.who:
                if speaker != listener:
                    await stage.leg(listener).hearing(stage.cast.voices[speaker])
        since = time.time()
        await asyncio.sleep(self.seconds)
        stage.talks.append(Talked(frozenset(self.who), since, time.time(), self.recorded))


@dataclass(frozen=True, slots=True)
class Pause(Step):
    """Time passes; who hears whom then, only the telephones know."""

    seconds: float = 0.5

    async def play(self, _stage: Stage) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Hold(Step):
    """`who` puts the other side on hold; `silent`: and says nothing to it meanwhile."""

    who: str
    silent: bool = True

    async def play(self, stage: Stage) -> None:
        await stage.leg(self.who).hold(silent=self.silent)


@dataclass(frozen=True, slots=True)
class Unhold(Step):
    """`who` comes back to the call on hold."""

    who: str

    async def play(self, stage: Stage) -> None:
        await stage.held(self.who).unhold()


@dataclass(frozen=True, slots=True)
class Swap(Step):
    """`who` holds the call in which it talks, and comes back to the other."""

    who: str

    async def play(self, stage: Stage) -> None:
        talking, held = stage.leg(self.who), stage.held(self.who)
        await talking.hold()
        await held.unhold()


@dataclass(frozen=True, slots=True)
class Music(Step):
    """`who` hears hold music."""

    who: str

    async def play(self, stage: Stage) -> None:
        since = time.time()
        await until(
            lambda: stage.leg(self.who).hears_hold_music(since=since) > 300, f"{self.who} hears music"
        )
