"""A call on stage: telephones, an AMI session like the daemon's, and the own-voice lanes it starts.

Owns how lanes are started and stopped and what AMI said about them; `measure` compares them with the truth.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.asterisk import Asterisk
from tests.live.call import Call
from tests.live.phone import Phone, Phones
from tests.live.rig_ami import Message, RigAmi


@dataclass(slots=True)
class Lane:
    """One recorder and its truth."""

    name: str
    path: Path
    uniqueid: str
    call: Call
    started: float = 0.0  # wall clock of MixMonitorStart's Timestamp
    stopped: float = float("inf")  # wall clock of MixMonitorStop's, if stopped
    mixmonitor_id: str = ""


@dataclass(slots=True)
class Stage:
    """The running call: phones, the daemon-like AMI session, and the lanes it started."""

    asterisk: Asterisk
    ami: RigAmi
    phones: Phones
    folder: Path
    in_step: bool = True
    lanes: list[Lane] = field(default_factory=list)

    async def arm(self, name: str, uniqueid: str, call: Call) -> Lane:
        """A lane started now."""
        lane = Lane(name, self.folder / f"{len(self.lanes)}-{name}.wav", uniqueid, call)
        mark = len(self.ami.events)
        # Asterisk 16 keeps r() in step with the peer's audio only when asked to; later ones always do.
        step = "S" if self.asterisk.version == 16 and self.in_step else ""
        options = f"br({lane.path}){step}i(RECORDERD_ID)"
        reply = await self.ami.action("MixMonitor", Channel=uniqueid, File="", Options=options)
        lane.mixmonitor_id = reply["MixMonitorID"]
        self.lanes.append(lane)
        event = await self.ami.event("MixMonitorStart", since=mark, Uniqueid=uniqueid)
        lane.started = float(event["Timestamp"])
        return lane

    async def stop(self, lane: Lane) -> None:
        mark = len(self.ami.events)
        await self.ami.action("StopMixMonitor", Channel=lane.uniqueid, MixMonitorID=lane.mixmonitor_id)
        event = await self.ami.event("MixMonitorStop", since=mark, Uniqueid=lane.uniqueid)
        lane.stopped = float(event["Timestamp"])

    async def talk(self, a: Phone, b: Phone, number: str = "") -> tuple[Call, Call, Lane, Lane]:
        """A call with the caller's lane armed at DialBegin and the callee's started at its BridgeEnter."""
        mark = len(self.ami.events)
        call = await a.call(number or b.number)
        dial = await self.ami.event("DialBegin", since=mark)
        first = await self.arm(f"{a.number}", dial["Uniqueid"], call)
        other = await b.ringing()
        mark = len(self.ami.events)
        callee = asyncio.create_task(self.arm_at_bridge(mark, b.number, dial["DestUniqueid"], other))
        await asyncio.sleep(random.uniform(0.2, 0.3))
        await other.answer()
        await call.up()
        return call, other, first, await callee

    async def arm_at_bridge(self, mark: int, name: str, uniqueid: str, call: Call) -> Lane:
        """A lane started as soon as its channel enters a bridge; `mark`: events to skip."""
        await self.ami.event("BridgeEnter", since=mark, Uniqueid=uniqueid)
        return await self.arm(name, uniqueid, call)

    async def newcomer(self, mark: int, phone: Phone) -> tuple[Call, Lane]:
        """The call that rings at `phone` answered, and its lane started at its BridgeEnter."""
        other = await phone.ringing()

        def its_own(event: Message) -> bool:
            return f"/{phone.number}-" in event["Channel"]

        born = await self.ami.event("Newchannel", since=mark, where=its_own)
        lane = asyncio.create_task(self.arm_at_bridge(mark, phone.number, born["Uniqueid"], other))
        await asyncio.sleep(0.3)
        await other.answer()
        return other, await lane

    def stretches(self, lane: Lane) -> list[tuple[float, float]]:
        """When the lane's channel was in a bridge and its recorder running, in wall-clock seconds."""
        found: list[tuple[float, float]] = []
        entered = 0.0
        for event in self.ami.events:
            if event.get("Uniqueid") != lane.uniqueid:
                continue
            at = float(event["Timestamp"])
            if event["Event"] == "BridgeEnter" and not entered:
                entered = at
            elif event["Event"] in {"BridgeLeave", "Hangup"} and entered:
                found.append((entered, at))
                entered = 0.0
        clipped = [(max(a, lane.started), min(b, lane.stopped)) for a, b in found]
        return [(a, b) for a, b in clipped if b > a]

    def holds(self) -> list[tuple[float, float]]:
        """When somebody held, in wall-clock seconds."""
        found: list[tuple[float, float]] = []
        since: dict[str, float] = {}
        for event in self.ami.named("Hold", "Unhold"):
            if event["Event"] == "Hold":
                since[event["Uniqueid"]] = float(event["Timestamp"])
            elif event["Uniqueid"] in since:
                found.append((since.pop(event["Uniqueid"]), float(event["Timestamp"])))
        return found

    async def finish(self, *calls: Call) -> None:
        """Hang up, and wait until every lane's file is closed."""
        for call in calls:
            await call.hangup()
        for lane in self.lanes:
            if lane.stopped == float("inf"):
                await self.ami.event("Hangup", Uniqueid=lane.uniqueid)
        for call in calls:
            await call.ended()
        await asyncio.to_thread(_settled, [lane.path for lane in self.lanes])


def _settled(paths: list[Path]) -> None:
    """The files' headers say their length: Asterisk has closed them."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if all(int.from_bytes(p.read_bytes()[40:44], "little") == p.stat().st_size - 44 for p in paths):
            return
        time.sleep(0.02)
    raise AssertionError(f"not closed within 5 s: {paths}")
