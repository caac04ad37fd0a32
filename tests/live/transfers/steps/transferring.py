"""What telephones do to transfer: REFER, with and without Replaces, and feature codes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.live.transfers.stage import Stage
from tests.live.transfers.steps.base import Step
from tests.live.transfers.steps.calling import Call
from tests.live.transfers.steps.talking import Hold


@dataclass(frozen=True, slots=True)
class Refer(Step):
    """`by` sends the other party of its call to `to` by REFER. What comes of it: `Referred`."""

    by: str
    to: str

    async def play(self, stage: Stage) -> None:
        stage.meanwhile(f"refer by {self.by}", stage.leg(self.by).refer(stage.number(self.to)))


@dataclass(frozen=True, slots=True)
class Referred(Step):
    """The telephone of `by` has been told how its REFER ended: well (2xx) or not."""

    by: str
    well: bool = True

    async def play(self, stage: Stage) -> None:
        status = await stage.outcome(f"refer by {self.by}")
        assert isinstance(status, int)
        assert (status < 300) is self.well, f"the transfer by {self.by} ended with {status}"


@dataclass(frozen=True, slots=True)
class Consult(Step):
    """`by` holds its call and calls `to`, who answers."""

    by: str
    to: str

    async def play(self, stage: Stage) -> None:
        await Hold(self.by).play(stage)
        await Call(self.by, self.to).play(stage)


@dataclass(frozen=True, slots=True)
class Join(Step):
    """`by` joins its two calls by REFER with Replaces; the second one may still be ringing."""

    by: str

    async def play(self, stage: Stage) -> None:
        first, second = stage.legs(self.by)[:2]
        await second.is_ringing()
        status = await first.refer_replaces(second)
        assert status < 300, f"the attended transfer by {self.by} ended with {status}"


@dataclass(frozen=True, slots=True)
class Keys(Step):
    """`who` presses keys: a feature code, then a number, a template filled in."""

    who: str
    code: str
    number: str = ""

    async def play(self, stage: Stage) -> None:
        leg = stage.leg(self.who)
        await leg.dtmf(self.code)
        if self.number:
            # Asterisk asks for the number with a prompt, which a digit cuts short.
            await asyncio.sleep(0.6)
            await leg.dtmf(stage.number(self.number))
