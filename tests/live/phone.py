"""Real SIP telephones over loopback: they register, call, answer, hold, transfer, press and listen.

A `Phone` owns one SIP socket. It says its own recognisable voice in every call that is up, and keeps what it
hears. It must not know what is being tested.

    async with Phones(asterisk) as phones:
        a, b = await phones("101"), await phones("102")
        call, other = await phones.connect(a, b)          # or step by step:
        call = await a.call("102")
        other = await b.ringing()
        await other.answer()
        await call.up()
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol

from tests.live import sip
from tests.live.call import WAIT, Call, PhoneError
from tests.live.rtp import Ticker
from tests.live.signals import VOICES
from tests.live.sip import Message

__all__ = ["Call", "Phone", "PhoneError", "Phones"]

_T1 = 0.5  # RFC 3261: first retransmission


class Phone(asyncio.DatagramProtocol):
    """A telephone. Make it with `Phones`. `voice`: which of the eight voices it speaks with, None is silent.

    `auto_answer`: seconds after which it answers by itself, None: never. `calls`: all it ever had.
    """

    def __init__(self, number: str, server: str, ticker: Ticker, voice: int | None, name: str = "") -> None:
        self.number = number
        self.name = name
        self.server = server
        self.ticker = ticker
        self.voice = voice
        self.auto_answer: float | None = None
        self.calls: list[Call] = []
        self.marks: list[tuple[str, str]] = []  # headers on every request
        self._transport: asyncio.DatagramTransport | None = None
        self._port = 0
        self._arrived = asyncio.Event()
        self._taken = 0
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._inviting: dict[str, Call] = {}
        self._answered: dict[tuple[str, str], Message] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    async def register(self) -> None:
        """Open the socket and tell Asterisk where we are."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._port = self._transport.get_extra_info("sockname")[1]
        request = Message(method="REGISTER", uri=f"sip:{self.server}")
        request.headers = [
            ("via", self.via()),
            ("max-forwards", "70"),
            ("from", f"<{self.uri}>;tag={sip.token()}"),
            ("to", f"<{self.uri}>"),
            ("call-id", sip.token()),
            ("cseq", "1 REGISTER"),
            ("contact", f"<{self.contact}>"),
            ("expires", "7200"),
            *self.marks,
        ]
        answer = await self.request(request)
        if answer.status != 200:
            raise PhoneError(f"{self.number} could not register: {answer.status} {answer.reason}")

    async def close(self) -> None:
        """Hang up everything and be gone."""
        for call in self.calls:
            with contextlib.suppress(PhoneError):
                await call.hangup()
        for task in list(self._tasks):
            task.cancel()
        for call in self.calls:
            self.ticker.remove(call.stream)
        if self._transport:
            self._transport.close()

    @property
    def uri(self) -> str:
        return f"sip:{self.number}@{self.server}"

    @property
    def contact(self) -> str:
        return f"sip:{self.number}@127.0.0.1:{self._port}"

    def via(self) -> str:
        return f"SIP/2.0/UDP 127.0.0.1:{self._port};branch=z9hG4bK{sip.token()};rport"

    # --- what a person does --------------------------------------------------------------------

    async def call(self, number: str, *, caller: str = "", name: str = "") -> Call:
        """Dial; returns at Asterisk's first answer. `caller`, `name`: what a trunk shows as the caller."""
        call = Call(self, outgoing=True, number=number)
        call.remote_uri = f"<sip:{number}@{self.server}>"
        shown = f"sip:{caller or self.number}@{self.server}"
        quoted = (name or self.name).replace("\\", "\\\\").replace('"', '\\"')
        display = f'"{quoted}" ' if quoted else ""
        invite = Message(method="INVITE", uri=f"sip:{number}@{self.server}", body=call.offer("sendrecv"))
        invite.headers = [
            ("via", self.via()),
            ("max-forwards", "70"),
            ("from", f"{display}<{shown}>;tag={call.local_tag}"),
            ("to", call.remote_uri),
            ("call-id", call.call_id),
            ("cseq", "1 INVITE"),
            ("contact", f"<{self.contact}>"),
            ("allow", "INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, INFO, OPTIONS"),
            ("supported", "replaces"),
            ("content-type", "application/sdp"),
            *self.marks,
        ]
        call.invite = invite
        self.calls.append(call)
        self._inviting[invite.branch] = call
        await self._send_until(invite, lambda: call.tried)
        return call

    async def ringing(self, seconds: float = WAIT) -> Call:
        """The next incoming call that nobody has taken yet."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    incoming = [call for call in self.calls if not call.outgoing]
                    if len(incoming) > self._taken:
                        self._taken += 1
                        return incoming[self._taken - 1]
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise PhoneError(f"{self.number} did not ring within {seconds} s") from None

    # --- transport -----------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        host, _, port = self.server.partition(":")
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(message.encode(), (host, int(port)))

    async def request(self, request: Message) -> Message:
        """Send, again and again until a final answer comes, and return that."""
        key = f"{request.branch} {request.method}"
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            await self._send_until(request, future.done)
        finally:
            self._waiting.pop(key, None)
        return future.result()

    async def _send_until(self, message: Message, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT
        pause, due = _T1, time.monotonic()
        while not done():
            if time.monotonic() > deadline:
                raise PhoneError(f"{self.number}: no answer to {message.method} {message.uri}")
            if time.monotonic() >= due:
                self.send(message)
                due, pause = time.monotonic() + pause, pause * 2
            await asyncio.sleep(0.001)

    def background(self, work: Coroutine[Any, Any, object]) -> None:
        """Let it run; what is unfinished when the phone closes is cancelled."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def datagram_received(self, data: bytes, _: tuple[str | int, ...]) -> None:
        message = sip.parse(data)
        if message is None:
            return
        if message.status:
            self._on_response(message)
        else:
            self._on_request(message)

    def _on_response(self, answer: Message) -> None:
        _, method = answer.cseq
        call = self._inviting.get(answer.branch) if method == "INVITE" else None
        if call is not None:
            if answer.status >= 300:
                self._acknowledge_refusal(call, answer)
            call.on_invite_response(answer)
            return
        future = self._waiting.get(f"{answer.branch} {method}")
        if future is not None and not future.done():
            if answer.status >= 200:
                future.set_result(answer)
            return
        for call in self.calls:
            if call.call_id == answer.get("call-id"):
                call.on_again(answer)

    def _acknowledge_refusal(self, call: Call, answer: Message) -> None:
        assert call.invite is not None
        ack = Message(method="ACK", uri=call.invite.uri)
        kept = {"via", "from", "call-id", "max-forwards"}
        ack.headers = [(name, value) for name, value in call.invite.headers if name in kept]
        ack.headers += [("to", answer.get("to")), ("cseq", f"{call.invite.cseq[0]} ACK")]
        self.send(ack)

    def _on_request(self, request: Message) -> None:
        key = (request.branch, request.method)
        if key in self._answered and request.method != "ACK":
            self.send(self._answered[key])
            return
        call = next((call for call in self.calls if call.call_id == request.get("call-id")), None)
        if request.method == "CANCEL" and call is not None:
            self._answer(key, sip.response(request, 200, "OK", call.local_tag))
            call.on_cancel()
        elif call is not None and request.method == "INVITE" and "tag=" not in request.get("to"):
            if call.last_answer is not None:  # the same INVITE again
                self.send(call.last_answer)
        elif call is not None:
            answer = call.on_request(request)
            if answer is not None:
                self._answer(key, answer)
        elif request.method == "INVITE":
            self._new_call(request)
        elif request.method != "ACK":
            known = request.method in {"OPTIONS", "NOTIFY"}
            status, reason = (200, "OK") if known else (481, "Call/Transaction Does Not Exist")
            self._answer(key, sip.response(request, status, reason, sip.token()))

    def _answer(self, key: tuple[str, str], answer: Message) -> None:
        self._answered[key] = answer
        self.send(answer)

    def _new_call(self, invite: Message) -> None:
        call = Call(self, outgoing=False, number=sip.number_in(invite.get("from")))
        self.calls.append(call)
        call.rings(invite)
        self._arrived.set()
        if self.auto_answer is not None:
            self.background(self._answer_by_itself(call, self.auto_answer))

    async def _answer_by_itself(self, call: Call, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if call.state == "ringing":
            await call.answer()


class _HasSip(Protocol):
    """Anything that telephones may register at: an `Asterisk`."""

    sip_port: int


class Phones:
    """The telephones of one test, with their common clock: `await phones("101")` registers one."""

    def __init__(self, asterisk: _HasSip) -> None:
        self.server = f"127.0.0.1:{asterisk.sip_port}"
        self.ticker = Ticker()
        self._phones: dict[str, Phone] = {}

    async def __call__(self, number: str, *, voice: int | None = -1, name: str = "") -> Phone:
        """The phone of that number, registered. Voices go by number from 101 on; the trunk's is the last.

        `voice=None` makes a silent one (packets without a sound).
        """
        if number not in self._phones:
            if voice == -1:
                voice = (int(number) - 101) % VOICES if number.isdigit() else VOICES - 1
            phone = Phone(number, self.server, self.ticker, voice, name)
            if not number.isdigit():
                phone.marks.append(("x-rig-endpoint", number))
            self._phones[number] = phone
            await phone.register()
        return self._phones[number]

    async def connect(self, caller: Phone, callee: Phone, number: str = "") -> tuple[Call, Call]:
        """A call from one to the other, ringing and answered; `number` is dialled, if not the callee's."""
        call = await caller.call(number or callee.number)
        other = await callee.ringing()
        await other.answer()
        await call.up()
        return call, other

    async def __aenter__(self) -> Phones:
        self.ticker.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(phone.close() for phone in self._phones.values()), return_exceptions=True)
        await asyncio.to_thread(self.ticker.stop)
