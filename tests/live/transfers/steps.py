"""What people at their telephones do, and what others make Asterisk do: the words of a scenario.

Each step is a small frozen dataclass that plays itself on a `Stage`. Parties are letters; where a number may be
dialled, a letter stands for that party's, and `{s}` for a service number of the scenario's own. A step waits for
what it causes, with a deadline, and never sleeps but to let people talk.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from tests.live import call as phone
from tests.live import ears, sip
from tests.live.daemon import until
from tests.live.transfers.scenario import X
from tests.live.transfers.stage import Stage, Talked

TALK = 2.5  # seconds of talk where a scenario says nothing else

REACH = 0.4  # seconds in which nobody can have lifted the handset


class Step(Protocol):
    """Something that happens in a scenario."""

    @abstractmethod
    async def play(self, stage: Stage) -> None:
        """Do it, and return once it has happened."""


# --- calling -------------------------------------------------------------------------------------


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


# --- talking -------------------------------------------------------------------------------------


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


# --- transfers by telephone ------------------------------------------------------------------------


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


# --- others tell Asterisk ----------------------------------------------------------------------------


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
