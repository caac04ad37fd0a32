"""The sound of all telephones: one thread that sends every 20 ms frame on time and notes what arrives.

Owns the media sockets. A thread of its own, so that a test that thinks for a while makes no stutter. Frame
numbers are the ticks of one clock for all telephones, so a frame's number tells when it was sent, by
whomever. It must not know SIP.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from tests.live.signals import FRAME, RATE, Signal, tone_of, ulaw_encode

TICK = 0.02
NICE = -15  # telephones and Asterisk come before other programs, where that is allowed
# Packets that come in a burst after so long are more than Asterisk's recorder takes: it drops the older ones
# (audiohook.c, AST_AUDIOHOOK_SYNC_TOLERANCE).
STALL = 0.1
_SLOTS = 4  # telephones do not all send in the same millisecond
_ULAW = 0
EVENT = 101  # payload type of RFC 4733 digits
_DIGITS = "0123456789*#ABCD"


@dataclass(slots=True)
class Heard:
    """What one telephone got: packets as they came."""

    at: list[float] = field(default_factory=list)  # wall clock, seconds
    payload: list[bytes] = field(default_factory=list)  # ulaw, usually 160 bytes
    digits: list[str] = field(default_factory=list)  # RFC 4733 digits, one each

    def sound(self, since: float = 0.0, until: float = float("inf")) -> bytes:
        """The ulaw that came in that time, in order of arrival, gaps closed."""
        return b"".join(
            payload for at, payload in zip(self.at, self.payload, strict=False) if since <= at < until
        )


@dataclass(slots=True)
class _Digit:
    """A digit on its way out, or with no name the pause behind one."""

    name: str
    packets: int
    sent: int = 0
    stamp: int = 0


class Stream:
    """One telephone's media in one call. `voice` None is silence; `sending` False sends nothing at all.

    `loss`: share of our packets that get lost on their way (they count as said). `said`: the numbers of the
    frames that went out as audio, lost ones too, as `[first, last]` runs; `lost`: those that did not arrive.
    """

    def __init__(self, ticker: Ticker, voice: int | None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.port: int = self.socket.getsockname()[1]
        self.remote: tuple[str, int] | None = None
        self.voice = voice
        self.sending = True
        self.loss = 0.0
        self.said: list[list[int]] = []
        self.lost: list[int] = []
        self.heard = Heard()
        self._ticker = ticker
        self._random = random.Random(self.port)
        self._ssrc = self._random.getrandbits(32)
        self._sequence = self._random.getrandbits(15)
        self._digits: deque[_Digit] = deque()
        self._last_event: tuple[int, int] = (-1, -1)
        self._payloads = _payloads(voice)

    def said_frames(self, since: float = 0.0, until: float = float("inf")) -> list[int]:
        """Numbers of the frames said between two wall-clock times."""
        sent_at = self._ticker.sent_at
        numbers = (n for first, last in list(self.said) for n in range(first, last + 1))
        return [n for n in numbers if since <= sent_at(n) < until]

    def press(self, digits: str, each_ms: int = 100) -> None:
        """Send RFC 4733 digits, one after another, 100 ms apart; no voice meanwhile, as telephones do."""
        for digit in digits:
            self._digits.append(_Digit(digit, max(2, round(each_ms / 20))))
            self._digits.append(_Digit("", 5))

    # --- called by the ticker's thread only ----------------------------------------------------

    def send(self, number: int) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self.remote is None or not self.sending:
            return
        stamp = (number * FRAME) & 0xFFFFFFFF
        if self._digits:
            self._send_digit(stamp)
            return
        if self.said and self.said[-1][1] == number - 1:
            self.said[-1][1] = number
        else:
            self.said.append([number, number])
        if self.loss and self._random.random() < self.loss:
            self.lost.append(number)
            return
        head = struct.pack("!BBHII", 0x80, _ULAW, self._sequence, stamp, self._ssrc)
        self._put(head + self._payloads[tone_of(number)])

    def receive(self) -> None:
        while True:
            try:
                data = self.socket.recv(2048)
            except OSError:
                return
            if len(data) < 12:
                continue
            kind = data[1] & 0x7F
            if kind == _ULAW:
                self.heard.at.append(time.time())
                self.heard.payload.append(data[12 + 4 * (data[0] & 0x0F) :])
            elif kind == EVENT and len(data) >= 16:
                self._hear_digit(data)

    def _send_digit(self, stamp: int) -> None:
        digit = self._digits[0]
        digit.sent += 1
        digit.stamp = digit.stamp if digit.sent > 1 else stamp
        end = digit.sent == digit.packets
        if end:
            self._digits.popleft()
        if not digit.name:  # the pause between two digits
            return
        body = struct.pack("!BBH", _DIGITS.index(digit.name), 0x80 * end | 10, digit.sent * FRAME)
        for _ in range(3 if end else 1):  # RFC 4733: the end is said three times
            kind = EVENT | 0x80 * (digit.sent == 1)
            self._put(struct.pack("!BBHII", 0x80, kind, self._sequence, digit.stamp, self._ssrc) + body)
            self._sequence = (self._sequence + end) & 0xFFFF

    def _hear_digit(self, data: bytes) -> None:
        stamp, event, flags = int.from_bytes(data[4:8], "big"), data[12], data[13]
        if flags & 0x80 and (stamp, event) != self._last_event:
            self._last_event = (stamp, event)
            self.heard.digits.append(_DIGITS[event] if event < len(_DIGITS) else "?")

    def _put(self, packet: bytes) -> None:
        remote = self.remote
        if remote is not None:  # the call may end between two packets of this thread
            with contextlib.suppress(OSError):
                self.socket.sendto(packet, remote)


class Ticker:
    """The clock and the thread. Tick `n` of the phones in slot `s` is due at `started + 0.02 n + 0.005 s`."""

    def __init__(self) -> None:
        self.started = 0.0  # wall clock of tick 0
        self.worst_delay = 0.0  # how late a tick came, at worst, in seconds
        self.stalls: list[
            tuple[float, float]
        ] = []  # from when to when, wall clock, no tick came for STALL seconds
        self._slots: list[list[Stream]] = [[] for _ in range(_SLOTS)]
        self._poll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="rtp", daemon=True)
        self._began = threading.Event()

    def start(self) -> None:
        self._thread.start()
        self._began.wait(5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)
        for stream in list(self._streams.values()):
            self.remove(stream)
        self._poll.close()

    def sent_at(self, number: int) -> float:
        """When frame `number` was due, in wall-clock seconds (of the first slot; the last is 15 ms later)."""
        return self.started + number * TICK

    def number_at(self, wall: float) -> int:
        """The frame whose 20 ms hold that wall-clock time."""
        return int((wall - self.started) // TICK)

    def add(self, stream: Stream) -> None:
        with self._lock:
            self._streams[stream.socket.fileno()] = stream
            min(self._slots, key=len).append(stream)
            self._poll.register(stream.socket.fileno(), select.EPOLLIN)

    def remove(self, stream: Stream) -> None:
        with self._lock:
            if self._streams.pop(stream.socket.fileno(), None) is None:
                return
            self._poll.unregister(stream.socket.fileno())
            for slot in self._slots:
                if stream in slot:
                    slot.remove(stream)
            stream.receive()
            stream.socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        begun = time.monotonic() + 0.01
        self.started = time.time() + 0.01
        self._began.set()
        step = 0
        while not self._stop.is_set():
            due = begun + step * TICK / _SLOTS
            while (left := due - time.monotonic()) > 0:
                self._receive(left)
            self.worst_delay = max(self.worst_delay, -left)
            if -left > STALL:
                self._note_stall(-left)
            number, slot = divmod(step, _SLOTS)
            with self._lock:
                for stream in self._slots[slot]:
                    stream.send(number)
            step += 1
            self._receive(0)

    def _note_stall(self, seconds: float) -> None:
        now = time.time()
        since = now - seconds
        if self.stalls and self.stalls[-1][1] >= since:
            since = self.stalls.pop()[0]
        self.stalls.append((since, now))

    def _receive(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds):
            with self._lock:
                stream = self._streams.get(descriptor)
                if stream:
                    stream.receive()


def _payloads(voice: int | None) -> list[bytes]:
    """The four frames that a voice is made of, by tone, in ulaw."""
    if voice is None:
        return [b"\xff" * FRAME] * 4
    signal = Signal(voice)
    by_tone = {tone_of(number): number for number in range(16)}
    return [ulaw_encode(signal.frames(by_tone[tone], 1)) for tone in range(4)]


assert int(RATE * TICK) == FRAME
