"""What others tell Asterisk: a panel, a queue's state, somebody who presses for the recording."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.live import ears
from tests.live.daemon import until
from tests.live.transfers.stage import Stage
from tests.live.transfers.steps.base import Step


@dataclass(frozen=True, slots=True)
class AmiBlind(Step):
    """A panel sends the other party of `by`'s call to `to`: AMI BlindTransfer on `by`'s channel."""

    by: str
    to: str

    async def play(self, stage: Stage) -> None:
        channel = await stage.channel(self.by)
        await stage.ami.action(
            "BlindTransfer", Channel=channel, Exten=stage.number(self.to), Context="from-phones"
        )


@dataclass(frozen=True, slots=True)
class AmiAtxfer(Step):
    """A panel starts an attended transfer for `by`: AMI Atxfer."""

    by: str
    to: str

    async def play(self, stage: Stage) -> None:
        channel = await stage.channel(self.by)
        await stage.ami.action("Atxfer", Channel=channel, Exten=stage.number(self.to), Context="from-phones")


@dataclass(frozen=True, slots=True)
class Redirect(Step):
    """AMI Redirect of `who` to `to`, and of `other` to `other_to` in the same breath."""

    who: str
    to: str
    other: str = ""
    other_to: str = ""

    async def play(self, stage: Stage) -> None:
        headers = {"Channel": await stage.channel(self.who), "Exten": stage.number(self.to)}
        headers |= {"Context": "from-phones", "Priority": "1"}
        if self.other:
            headers |= {"ExtraChannel": await stage.channel(self.other)}
            headers |= {"ExtraExten": stage.number(self.other_to or self.to)}
            headers |= {"ExtraContext": "from-phones", "ExtraPriority": "1"}
        await stage.ami.action("Redirect", **headers)


@dataclass(frozen=True, slots=True)
class Bridge(Step):
    """AMI Bridge: `one` and `other` are taken out of their calls and put together."""

    one: str
    other: str

    async def play(self, stage: Stage) -> None:
        one, other = await stage.channel(self.one), await stage.channel(self.other)
        await stage.ami.action("Bridge", Channel1=one, Channel2=other)


@dataclass(frozen=True, slots=True)
class Originate(Step):
    """Click-to-call: the telephone of `who` rings first, and once it is answered `to` is called.

    `local`: through a Local channel, as some panels do.
    """

    who: str
    to: str
    local: bool = False

    async def play(self, stage: Stage) -> None:
        number = stage.number(self.who)
        channel = f"Local/{number}@from-phones" if self.local else f"PJSIP/{stage.cast.endpoints[self.who]}"
        await stage.ami.action(
            "Originate",
            Channel=channel,
            Context="from-phones",
            Exten=stage.number(self.to),
            Priority="1",
            CallerID="777",
            Async="true",
        )


@dataclass(frozen=True, slots=True)
class Press(Step):
    """`who` asks for (or ends) the recording; `answer` is what it is told. By the feature code, or not."""

    who: str
    answer: str
    by_code: bool = False

    async def play(self, stage: Stage) -> None:
        if self.by_code:
            leg, since = stage.leg(self.who), time.time()
            await leg.dtmf("*1")

            def told() -> list[str]:
                return [tone for tone in ears.tones_heard(leg, since) if not tone.endswith("Hz")]

            outcome = (await until(told, f"{self.who} hears the tone of a press"))[0]
        else:
            number, control = stage.number(self.who), stage.house.daemon.control
            said = await asyncio.to_thread(
                control.press, "toggle", number, by=number, source="cli", reason=""
            )
            outcome = said["outcome"]
        assert outcome == self.answer, f"the press of {self.who} was answered with {outcome}"


@dataclass(frozen=True, slots=True)
class Staffed(Step):
    """The queue of the scenario has heard that its members' telephones are there: else it calls nobody."""

    async def play(self, stage: Stage) -> None:
        async def free() -> bool:
            listed = await stage.ami.listing("QueueStatus", Queue=stage.number("q{s}"))
            members = [row for row in listed if row["Event"] == "QueueMember"]
            return bool(members) and all(row["Status"] == "1" for row in members)

        await until(free, "the members of the queue are free")


@dataclass(frozen=True, slots=True)
class Parked(Step):
    """The call of `who` is parked; whoever dials `{slot}` from now on retrieves it."""

    who: str

    async def play(self, stage: Stage) -> None:
        device = f"PJSIP/{stage.cast.endpoints[self.who]}-"
        event = await stage.ami.event(
            "ParkedCall", where=lambda e: e.get("ParkeeChannel", "").startswith(device)
        )
        stage.notes["slot"] = event["ParkingSpace"]
