"""One call at one telephone: what a person does in it, what it hears, and the SIP dialog underneath.

A `Call` owns a dialog and its media stream; the telephone carries its messages. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.live import sip
from tests.live.rtp import EVENT, Stream
from tests.live.signals import Run, hear, hold_music, ulaw_decode
from tests.live.sip import Message

if TYPE_CHECKING:
    from tests.live.phone import Phone

WAIT = 10.0  # seconds for anything that should happen at once


class PhoneError(AssertionError):
    """A telephone waited in vain, or was told something it did not expect."""


class Call:
    """`state`: calling, ringing (either side), up, ended. `status`: the SIP status that ended it.

    `on_...` are for the telephone that carries the messages.
    """

    def __init__(self, phone: Phone, *, outgoing: bool, number: str) -> None:
        self.phone = phone
        self.outgoing = outgoing
        self.tried = False  # Asterisk has the INVITE
        self.number = number  # dialled, or the caller's
        self.state = "calling"
        self.status = 0
        self.started = time.time()
        self.up_at = 0.0  # wall clock; 0 while not (yet)
        self.ended_at = 0.0
        self.notified: list[int] = []  # statuses told by NOTIFY sipfrag after a REFER
        self.stream = Stream(phone.ticker, phone.voice)
        self.direction = "sendrecv"  # as we last asked
        self.their_direction = "sendrecv"
        phone.ticker.add(self.stream)
        self.call_id = sip.token()
        self.local_tag = sip.token()
        self.remote_tag = ""
        self.remote_uri = ""  # To of what we send
        self.remote_target = ""
        self.invite: Message | None = None
        self.last_answer: Message | None = None  # to the INVITE, for when it comes again
        self._ack: Message | None = None
        self._acknowledged = False
        self._cancelled = False
        self._media: tuple[str, int] | None = None
        self._cseq = 1
        self._sdp_version = 1
        self._changed = asyncio.Event()

    def __str__(self) -> str:
        arrow = "->" if self.outgoing else "<-"
        return f"{self.phone.number} {arrow} {self.number} {self.state} {self.status or ''}".rstrip()

    # --- waiting -------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], what: str, seconds: float = WAIT) -> None:
        """Return when `condition` holds; PhoneError naming `what` after the deadline."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise PhoneError(f"not within {seconds} s: {what}; {self}") from None

    async def is_ringing(self, seconds: float = WAIT) -> None:
        """The other side rings (or has answered)."""
        await self.until(lambda: self.state in {"ringing", "up"}, "ringing", seconds)

    async def up(self, seconds: float = WAIT) -> None:
        """Answered; PhoneError when it ends instead."""
        await self.until(lambda: self.state in {"up", "ended"}, "answered", seconds)
        if self.state != "up":
            raise PhoneError(f"ended instead of being answered: {self}")

    async def ended(self, seconds: float = WAIT) -> int:
        """The SIP status with which it ended: 200 after a BYE, 486 busy, 487 cancelled ..."""
        await self.until(lambda: self.state == "ended", "the end of the call", seconds)
        return self.status

    async def hearing(self, voice: int, seconds: float = WAIT) -> None:
        """Voice number `voice` arrives here, now."""
        deadline = time.monotonic() + seconds
        began = time.time()
        while True:
            recent = self.hears(voice, since=max(began, time.time() - 0.5))
            if any(run.last - run.first >= 4 for run in recent):
                return
            if time.monotonic() > deadline:
                raise PhoneError(f"voice {voice} not heard within {seconds} s: {self}")
            await asyncio.sleep(0.05)

    # --- what a person does --------------------------------------------------------------------

    async def answer(self) -> None:
        """Lift the handset of a ringing phone."""
        if self.state != "ringing" or self.outgoing or self.invite is None:
            raise PhoneError(f"nothing to answer: {self}")
        self.last_answer = sip.response(
            self.invite, 200, "OK", self.local_tag, self.phone.contact, self.offer(self.direction)
        )
        self.phone.send(self.last_answer)
        self._is_up()
        await self.until(lambda: self._acknowledged or self.state == "ended", "ACK of our 200")

    async def reject(self, status: int = 486) -> None:
        """Refuse a ringing call."""
        if self.invite is None:
            raise PhoneError(f"nothing to reject: {self}")
        self.last_answer = sip.response(self.invite, status, "No", self.local_tag)
        self.phone.send(self.last_answer)
        self._end(status)

    async def cancel(self) -> None:
        """Give up before the other side answers."""
        if self.invite is None or not self.outgoing:
            raise PhoneError(f"nothing to cancel: {self}")
        self._cancelled = True
        cancel = Message(method="CANCEL", uri=self.invite.uri)
        kept = {"via", "from", "to", "call-id", "max-forwards"}
        cancel.headers = [(name, value) for name, value in self.invite.headers if name in kept]
        cancel.headers.append(("cseq", f"{self.invite.cseq[0]} CANCEL"))
        await self.phone.request(cancel)
        await self.until(lambda: self.state == "ended", "487 after CANCEL")

    async def hangup(self) -> None:
        """End it, whatever its state. Harmless when it has ended."""
        if self.state == "ended":
            return
        if self.state != "up":
            await (self.cancel() if self.outgoing else self.reject(603))
            return
        self._end(200)
        await self.phone.request(self.within("BYE"))

    async def hold(self, direction: str = "sendonly", *, silent: bool = True) -> None:
        """Put the other side on hold (`sendonly` or `inactive`); `silent`: send no voice meanwhile."""
        await self._reinvite(direction)
        self.stream.sending = not silent

    async def unhold(self) -> None:
        await self._reinvite("sendrecv")
        self.stream.sending = True

    def mute(self, muted: bool = True) -> None:
        """Send nothing at all, or the voice again."""
        self.stream.sending = not muted

    async def dtmf(self, digits: str, *, info: bool = False) -> None:
        """Press keys: RFC 4733 events in the media (about 200 ms each), or SIP INFO."""
        if not info:
            self.stream.press(digits)
            await asyncio.sleep(0.2 * len(digits))
            return
        for digit in digits:
            request = self.within("INFO", body=f"Signal={digit}\r\nDuration=100\r\n")
            request.headers.append(("content-type", "application/dtmf-relay"))
            await self.phone.request(request)
            await asyncio.sleep(0.15)

    async def info_record(self, on: bool) -> int:
        """SIP INFO `Record: on|off`, as a telephone's record key sends it; the status of the answer."""
        request = self.within("INFO")
        request.headers.append(("record", "on" if on else "off"))
        return (await self.phone.request(request)).status

    async def refer(self, target: str, *, wait: bool = True) -> int:
        """Blind transfer of the other party to `target`; the final status told by NOTIFY (0: none came)."""
        return await self._refer(f"<sip:{target}@{self.phone.server}>", wait)

    async def refer_replaces(self, other: Call, *, wait: bool = True) -> int:
        """Attended transfer: join the party of this call with the party of `other`, our consultation call."""
        replaces = quote(f"{other.call_id};to-tag={other.remote_tag};from-tag={other.local_tag}", safe="")
        return await self._refer(f"<sip:{other.number}@{self.phone.server}?Replaces={replaces}>", wait)

    async def _refer(self, target: str, wait: bool) -> int:
        self.notified.clear()
        request = self.within("REFER")
        request.headers += [("refer-to", target), ("referred-by", f"<{self.phone.uri}>")]
        answer = await self.phone.request(request)
        if answer.status >= 300:
            raise PhoneError(f"REFER refused with {answer.status}: {self}")
        if not wait:
            return 0

        def over() -> bool:
            return self.state == "ended" or any(status >= 200 for status in self.notified)

        await self.until(over, "end of the transfer")
        status = next((status for status in self.notified if status >= 200), 0)
        if status < 300:
            with contextlib.suppress(PhoneError):  # Asterisk usually says BYE itself
                await self.until(lambda: self.state == "ended", "BYE after the transfer", 0.3)
            await self.hangup()
        return status

    # --- what it heard and said ----------------------------------------------------------------

    def hears(self, voice: int, *, since: float = 0.0, until: float = float("inf")) -> list[Run]:
        """The runs of that voice in what arrived between two times; ms count from the first packet."""
        near = self.phone.ticker.number_at(max(since, self.started))
        return hear(ulaw_decode(self.stream.heard.sound(since, until)), [voice], near=near)[voice]

    def hears_hold_music(self, *, since: float = 0.0) -> float:
        """Milliseconds of hold music."""
        return sum(b - a for a, b in hold_music(ulaw_decode(self.stream.heard.sound(since))))

    def said(self, since: float = 0.0, until: float = float("inf")) -> list[int]:
        """The frame numbers we said between two wall-clock times."""
        return self.stream.said_frames(since, until)

    # --- SIP within the dialog -----------------------------------------------------------------

    def within(self, method: str, body: str = "") -> Message:
        """A request inside this dialog."""
        self._cseq += 1
        request = Message(method=method, uri=self.remote_target, body=body)
        request.headers = [
            ("via", self.phone.via()),
            ("max-forwards", "70"),
            ("from", f"<{self.phone.uri}>;tag={self.local_tag}"),
            ("to", f"{self.remote_uri};tag={self.remote_tag}"),
            ("call-id", self.call_id),
            ("cseq", f"{self._cseq} {method}"),
            ("contact", f"<{self.phone.contact}>"),
            *self.phone.marks,
        ]
        return request

    def offer(self, direction: str) -> str:
        self._sdp_version += 1
        return sip.offer(self.stream.port, direction, self._sdp_version, EVENT)

    async def _reinvite(self, direction: str) -> None:
        request = self.within("INVITE", self.offer(direction))
        request.headers.append(("content-type", "application/sdp"))
        answer = await self.phone.request(request)
        ack = self.within("ACK")
        self._cseq -= 1
        ack.headers = [(k, v if k != "cseq" else f"{request.cseq[0]} ACK") for k, v in ack.headers]
        self._ack = ack
        self.phone.send(ack)
        if answer.status != 200:
            raise PhoneError(f"re-INVITE {direction} refused with {answer.status}: {self}")
        self.direction = direction
        self._take_media(answer.body)

    def on_invite_response(self, answer: Message) -> None:
        self.tried = True
        if answer.status >= 300:
            self._end(answer.status)
            return
        if answer.status < 200:
            if answer.status > 100:
                # A transfer may name a ringing call.
                self.remote_tag = sip.parameter(answer.get("to"), "tag")
                self._advance("ringing")
                self._media = sip.media_of(answer.body) or self._media
            return
        if self._ack is None:
            self.remote_tag = sip.parameter(answer.get("to"), "tag")
            self.remote_uri = re.sub(r";tag=[^;]+", "", answer.get("to"))
            self.remote_target = sip.address(answer.get("contact"))
            assert self.invite is not None
            self._cseq = self.invite.cseq[0] - 1
            self._ack = self.within("ACK")
            self._take_media(answer.body)
            if not self._cancelled:
                self._is_up()
        self.phone.send(self._ack)
        if self._cancelled and self.state != "ended":  # the 200 crossed our CANCEL
            self._end(200)
            self.phone.background(self.phone.request(self.within("BYE")))

    def on_again(self, answer: Message) -> None:
        """A retransmitted 200 to a re-INVITE."""
        if self._ack is not None and answer.cseq[1] == "INVITE" and answer.status == 200:
            self.phone.send(self._ack)

    def on_request(self, request: Message) -> Message | None:
        """Answer to a request inside this dialog; None for ACK."""
        self._changed.set()
        match request.method:
            case "ACK":
                self._acknowledged = True
                if request.body:
                    self._take_media(request.body)
                return None
            case "BYE":
                self._end(200)
            case "INVITE":
                if request.body:
                    self._take_media(request.body)
                ours = _reverse(self.their_direction) if request.body else self.direction
                return sip.response(request, 200, "OK", self.local_tag, self.phone.contact, self.offer(ours))
            case "UPDATE" if request.body:
                self._take_media(request.body)
                ours = self.offer(_reverse(self.their_direction))
                return sip.response(request, 200, "OK", self.local_tag, self.phone.contact, ours)
            case "NOTIFY":
                found = re.match(r"SIP/2.0 (\d+)", request.body)
                if found:
                    self.notified.append(int(found[1]))
        return sip.response(request, 200, "OK", self.local_tag)

    def on_cancel(self) -> None:
        assert self.invite is not None
        if self.state == "ringing":
            self.last_answer = sip.response(self.invite, 487, "Request Terminated", self.local_tag)
            self.phone.send(self.last_answer)
            self._end(487)

    def rings(self, invite: Message) -> None:
        """A new call came in."""
        self.invite = invite
        self.call_id = invite.get("call-id")
        self.remote_tag = sip.parameter(invite.get("from"), "tag")
        self.remote_uri = re.sub(r";tag=[^;]+", "", invite.get("from"))
        self.remote_target = sip.address(invite.get("contact"))
        self._media = sip.media_of(invite.body)
        self.state = "ringing"
        self.last_answer = sip.response(invite, 180, "Ringing", self.local_tag, self.phone.contact)
        self.phone.send(self.last_answer)

    # --- state ---------------------------------------------------------------------------------

    def _advance(self, state: str) -> None:
        order = ["calling", "ringing", "up", "ended"]
        if order.index(state) > order.index(self.state):
            self.state = state
            self._changed.set()

    def _is_up(self) -> None:
        self.up_at = time.time()
        self.stream.remote = self._media
        self._advance("up")

    def _take_media(self, body: str) -> None:
        self._media = sip.media_of(body) or self._media
        self.their_direction = sip.direction_of(body)
        if self.state == "up":
            self.stream.remote = self._media

    def _end(self, status: int) -> None:
        if self.state == "ended":
            return
        self.status = status
        self.ended_at = time.time()
        self.stream.remote = None
        self._advance("ended")


def _reverse(direction: str) -> str:
    return {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)
