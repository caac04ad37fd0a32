"""Plays Asterisk to a FastAGI server: so many calls at a time, each asking what to do.

Owns the asking side. Writes the block line by line, as res_agi does, on a socket with Nagle's algorithm on, as
res_agi's is. Must not know which server answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass, field

import uvloop

HEADERS = """\
agi_network: yes
agi_network_script: consult
agi_request: agi://127.0.0.1:4573/consult
agi_channel: PJSIP/{caller}-{n:08x}
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1795000000.{n}
agi_version: 22.10.1
agi_callerid: {caller}
agi_calleridname: Phone {caller}
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: {callee}
agi_rdnis: unknown
agi_context: recorderd
agi_extension: s
agi_priority: 4
agi_enhanced: 0.0
agi_accountcode: acc{caller}
agi_threadid: 140000000000
agi_arg_1: {callee}
agi_arg_2: 1795000000.{n}
agi_arg_3: {callee}
agi_arg_4: from-phones
"""
ANSWERED = b"200 result=1\n"


def lines(number: int) -> list[bytes]:
    """The block of one call, as Asterisk writes it."""
    block = HEADERS.format(caller=100 + number % 500, callee=100 + (number * 7 + 1) % 500, n=number)
    return [line.encode() + b"\n" for line in block.split("\n")]


@dataclass
class Asked:
    """What came of it: seconds from the connect to the end of each, and how many got no answer."""

    times: list[float] = field(default_factory=list)
    errors: int = 0


def ask(port: int, requests: int, at_a_time: int, *, line_by_line: bool = True) -> Asked:
    """So many requests, so many of them at a time."""
    return uvloop.run(_ask(port, requests, at_a_time, line_by_line))


async def _ask(port: int, requests: int, at_a_time: int, line_by_line: bool) -> Asked:
    asked = Asked()
    numbers = iter(range(requests))

    async def caller() -> None:
        for number in numbers:
            started = time.perf_counter()
            if await one(port, number, line_by_line):
                asked.times.append(time.perf_counter() - started)
            else:
                asked.errors += 1

    await asyncio.gather(*(caller() for _ in range(at_a_time)))
    return asked


async def one(port: int, number: int, line_by_line: bool = True) -> bool:
    """One call's question; whether it was answered and the server closed after it."""
    try:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: _Call(number, done, line_by_line), "127.0.0.1", port)
        return await done
    except OSError:
        return False


class _Call(asyncio.Protocol):
    def __init__(self, number: int, done: asyncio.Future[bool], line_by_line: bool) -> None:
        self._number, self._done, self._line_by_line = number, done, line_by_line
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)  # uvloop turned it on
        block = lines(self._number)
        for piece in block if self._line_by_line else [b"".join(block)]:
            os.write(own.fileno(), piece)  # the transport would gather them

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard.endswith(b"\n"):
            self._transport.write(ANSWERED)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        right = self._heard.startswith(b"SET VARIABLE RECORDERD_ADVICE ") and self._heard.count(b"\n") == 1
        if not self._done.done():
            self._done.set_result(right and exc is None)
