"""Dialling, ringing, answering, refusing, hanging up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.live import call as phone
from tests.live import sip
from tests.live.daemon import until
from tests.live.transfers.scenario import X
from tests.live.transfers.stage import Stage
from tests.live.transfers.steps.base import REACH, Step


@dataclass(frozen=True, slots=True)
class Dial(Step):
    """`by` dials; with `features` the way that carries all feature codes."""

    by: str
    to: str
    features: bool = False

    async def play(self, stage: Stage) -> None:
        number = stage.dialled(self.by, self.to)
        if self.features:
            number = number.replace("555", "5554", 1) if number.startswith("555") else f"4{number}"
        outside = stage.cast.scenario.parties[self.by] == X
        await stage.actors[self.by].call(number, caller=stage.number(self.by) if outside else "")


@dataclass(frozen=True, slots=True)
class Rings(Step):
    """The telephone of `who` rings."""

    who: str
    seconds: float = 12.0

    async def play(self, stage: Stage) -> None:
        async def ringing() -> bool:
            return any(call.state == "ringing" and not call.outgoing for call in stage.legs(self.who))

        await until(ringing, f"{self.who} rings", self.seconds)


@dataclass(frozen=True, slots=True)
class Answer(Step):
    """`who` answers the telephone that rings, or is about to; the newest call if there are several."""

    who: str
    seconds: float = 12.0

    async def play(self, stage: Stage) -> None:
        ringing: list[phone.Call] = []
        while not ringing:
            await Rings(self.who, self.seconds).play(stage)
            await asyncio.sleep(REACH)
            ringing = [call for call in stage.legs(self.who) if call.state == "ringing" and not call.outgoing]
        await ringing[-1].answer()


@dataclass(frozen=True, slots=True)
class Refuse(Step):
    """`who` is busy, or refuses."""

    who: str
    status: int = 486

    async def play(self, stage: Stage) -> None:
        await Rings(self.who).play(stage)
        ringing = [call for call in stage.legs(self.who) if call.state == "ringing" and not call.outgoing]
        await ringing[-1].reject(self.status)


@dataclass(frozen=True, slots=True)
class Moved(Step):
    """The telephone of `who` forwards the call itself: 302 Moved Temporarily."""

    who: str
    to: str

    async def play(self, stage: Stage) -> None:
        await Rings(self.who).play(stage)
        call = next(call for call in stage.legs(self.who) if call.state == "ringing")
        assert call.invite is not None
        contact = f"sip:{stage.number(self.to)}@{call.phone.server}"
        call.phone.send(sip.response(call.invite, 302, "Moved Temporarily", call.local_tag, contact))
        await call.reject(302)


@dataclass(frozen=True, slots=True)
class Up(Step):
    """The newest call of `who` is answered, by whomever."""

    who: str

    async def play(self, stage: Stage) -> None:
        await stage.legs(self.who)[-1].up()


@dataclass(frozen=True, slots=True)
class Call(Step):
    """`by` calls `to`, who answers."""

    by: str
    to: str
    features: bool = False

    async def play(self, stage: Stage) -> None:
        await Dial(self.by, self.to, self.features).play(stage)
        await Answer(self.to).play(stage)
        await Up(self.by).play(stage)


@dataclass(frozen=True, slots=True)
class Cancel(Step):
    """`who` gives up before the other side answers."""

    who: str

    async def play(self, stage: Stage) -> None:
        call = stage.legs(self.who)[-1]
        await call.is_ringing()
        await call.cancel()


@dataclass(frozen=True, slots=True)
class HangUp(Step):
    """`who` hangs up: the call in which it talks, or the one before (`held`)."""

    who: str
    held: bool = False

    async def play(self, stage: Stage) -> None:
        call = stage.held(self.who) if self.held else stage.leg(self.who)
        await call.hangup()


@dataclass(frozen=True, slots=True)
class Ended(Step):
    """All calls of these have ended, without their doing."""

    who: str

    async def play(self, stage: Stage) -> None:
        for letter in self.who:
            for call in stage.legs(letter):
                await call.ended(15)
