"""Plays a house full of telephones to an Asterisk: so many SIP calls a second, with sound both ways.

    python -m bench.sip_load '{"server": "127.0.0.1:5060", "rate": 20, "seconds": 10, ...}'

Owns the calling side, in a process of its own; prints one JSON object when the last call is over. Every telephone
is the same socket. What Asterisk sends of sound is not read: the kernel drops it. Must not know who listens.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
import time
from dataclasses import dataclass, field

from tests.live import sip

PTIME = 0.060
"""Seconds of sound in a packet: a third of the packets, so that Asterisk's CPU goes into calls."""

_SOUND = bytes((0x80, 0x00, 0x80, 0x00, 0x90, 0x70)) * 80  # a loud buzz in ulaw
_T1 = 0.5


@dataclass(kw_only=True)
class Plan:
    """`phones` are extensions of the rig that may call each other, `before` seconds pass until the callee answers."""

    server: str
    rate: float
    seconds: float
    phones: list[str]
    talk: float = 1.0
    before: float = 0.1


@dataclass
class Leg:
    """One side of one call. `sdp` is what Asterisk said of its own sound."""

    call_id: str
    invite: sip.Message
    outgoing: bool
    turn: int
    media: tuple[str, int] | None = None
    to: str = ""
    sequence: int = 0


@dataclass
class Told:
    """What came of it; times are seconds from the INVITE to the answer."""

    started: int = 0
    answered: int = 0
    ended: int = 0
    refused: int = 0
    times: list[float] = field(default_factory=list)
    behind: float = 0.0
    """How late a call was begun, at worst: then this process was the bottleneck."""


class Load(asyncio.DatagramProtocol):
    """All telephones."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.told = Told()
        self._legs: dict[str, Leg] = {}
        self._turns = itertools.cycle(range(3))
        self._begun: dict[str, float] = {}
        self._waiting: dict[str, asyncio.Future[sip.Message]] = {}
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.setblocking(False)
        self._host, port = plan.server.split(":")
        self._server = (self._host, int(port))

    # --- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._here = f"127.0.0.1:{own.getsockname()[1]}"

    def _send(self, message: sip.Message) -> None:
        self._transport.sendto(message.encode(), self._server)

    def datagram_received(self, data: bytes, _where: object) -> None:
        message = sip.parse(data)
        if message is None:
            return
        if message.status:
            self._answered(message)
        elif message.method == "INVITE":
            self._invited(message)
        elif message.method == "BYE":
            self._send(sip.response(message, 200, "OK"))
            self._over(message.get("call-id"))
        elif message.method != "ACK":
            self._send(sip.response(message, 200, "OK"))

    # --- requests of ours

    def _request(self, method: str, uri: str, who: str, to: str, call_id: str, number: int) -> sip.Message:
        request = sip.Message(method=method, uri=uri)
        request.headers = [
            ("via", f"SIP/2.0/UDP {self._here};branch=z9hG4bK{sip.token()}"),
            ("max-forwards", "70"),
            ("from", f"<sip:{who}@{self._host}>;tag={call_id[:8]}"),
            ("to", to),
            ("call-id", call_id),
            ("cseq", f"{number} {method}"),
            ("contact", f"<sip:{who}@{self._here}>"),
        ]
        return request

    async def register(self) -> None:
        for phone in self.plan.phones:
            uri, ident = f"sip:{self.plan.server}", sip.token()
            request = self._request("REGISTER", uri, phone, f"<sip:{phone}@{self._host}>", ident, 1)
            request.headers.append(("expires", "3600"))
            self._waiting[ident] = asyncio.get_running_loop().create_future()
            self._send(request)
            answer = await asyncio.wait_for(self._waiting[ident], 5)
            del self._waiting[ident]
            if answer.status != 200:
                raise SystemExit(f"{phone} could not register: {answer.status} {answer.reason}")

    def call(self, caller: str, callee: str) -> None:
        ident = sip.token()
        uri = f"sip:{callee}@{self.plan.server}"
        invite = self._request("INVITE", uri, caller, f"<{uri}>", ident, 1)
        invite.headers.append(("content-type", "application/sdp"))
        invite.body = self._offer()
        self._legs[ident] = Leg(ident, invite, outgoing=True, turn=next(self._turns))
        self._begun[ident] = time.perf_counter()
        self.told.started += 1
        self._send(invite)

    def _offer(self) -> str:
        body = sip.offer(self._rtp.getsockname()[1], "sendrecv", 1, 101)
        return body.replace("a=ptime:20", f"a=ptime:{PTIME * 1000:.0f}")

    # --- answers to us, requests to us

    def _answered(self, message: sip.Message) -> None:
        ident = message.get("call-id")
        number, method = message.cseq
        if (future := self._waiting.get(ident)) is not None and not future.done():
            future.set_result(message)
        leg = self._legs.get(ident)
        if leg is None or method != "INVITE" or message.status < 200:
            return
        leg.to = message.get("to")
        who = sip.number_in(leg.invite.get("from"))
        self._send(self._request("ACK", leg.invite.uri, who, leg.to, ident, number))
        if message.status != 200:
            self.told.refused += 1
            self._over(ident)
            return
        if leg.media is None:
            leg.media = sip.media_of(message.body)
            self.told.answered += 1
            self.told.times.append(time.perf_counter() - self._begun[ident])
            asyncio.get_running_loop().call_later(self.plan.talk, self._hang_up, leg)

    def _hang_up(self, leg: Leg) -> None:
        if leg.call_id in self._legs:
            who = sip.number_in(leg.invite.get("from"))
            self._send(self._request("BYE", leg.invite.uri, who, leg.to, leg.call_id, 2))
            self._over(leg.call_id)

    def _over(self, ident: str) -> None:
        leg = self._legs.pop(ident, None)
        self._begun.pop(ident, None)
        if leg is not None and leg.outgoing:
            self.told.ended += 1

    def _invited(self, invite: sip.Message) -> None:
        ident = invite.get("call-id")
        if ident in self._legs:
            return
        leg = self._legs[ident] = Leg(ident, invite, outgoing=False, turn=next(self._turns))
        who = sip.number_in(invite.uri)
        self._send(sip.response(invite, 180, "Ringing", tag=ident[:8], contact=f"sip:{who}@{self._here}"))

        def answer() -> None:
            if ident in self._legs:
                leg.media = sip.media_of(invite.body)
                contact = f"sip:{who}@{self._here}"
                self._send(sip.response(invite, 200, "OK", ident[:8], contact, self._offer()))

        asyncio.get_running_loop().call_later(self.plan.before, answer)

    # --- time

    async def play(self) -> None:
        """Begin calls at an even pace, and wait until all are over."""
        phones = self.plan.phones
        pairs = itertools.cycle(
            [(a, phones[(i + step) % len(phones)]) for step in (1, 3, 7) for i, a in enumerate(phones)]
        )
        speaking = asyncio.create_task(self._speak())
        begun = time.perf_counter()
        for number in range(round(self.plan.rate * self.plan.seconds)):
            late = time.perf_counter() - begun - number / self.plan.rate
            self.told.behind = max(self.told.behind, late)
            if late < 0:
                await asyncio.sleep(-late)
            self.call(*next(pairs))
        for _ in range(round((self.plan.talk + 10) / 0.05)):
            if self._legs:
                await asyncio.sleep(0.05)
        speaking.cancel()

    async def _speak(self) -> None:
        """A packet for each live leg in every 60 ms, a third of the legs at a time."""
        begun, turn = time.perf_counter(), 0
        while True:
            for leg in [leg for leg in self._legs.values() if leg.turn == turn % 3 and leg.media]:
                leg.sequence += 1
                stamp = leg.sequence * round(PTIME * 8000)
                head = b"\x80\x00" + leg.sequence.to_bytes(2, "big") + stamp.to_bytes(4, "big")
                try:
                    self._rtp.sendto(head + leg.call_id[:4].encode() + _SOUND, leg.media or ("", 0))
                except BlockingIOError:
                    break
            turn += 1
            await asyncio.sleep(max(0.0, begun + turn * PTIME / 3 - time.perf_counter()))


async def play(plan: Plan) -> Told:
    loop = asyncio.get_running_loop()
    _, load = await loop.create_datagram_endpoint(lambda: Load(plan), local_addr=("127.0.0.1", 0))
    await load.register()
    await load.play()
    return load.told


def main() -> None:
    import uvloop

    told = uvloop.run(play(Plan(**json.loads(sys.argv[1]))))
    print(json.dumps(vars(told)))


if __name__ == "__main__":
    main()
