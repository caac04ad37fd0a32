"""Bytes of AMI: what the daemon takes of all that Asterisk would send, and whether it is right without filters.

The daemon's one connection runs through a relay that counts, and that can have Asterisk refuse the filter. A second
session, the bench's own, hears everything. Calls are FreePBX-like.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.house import calls, house
from bench.row import Row
from recorderd.core.rows import RecordingState
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd

NAME = "bytes"
_FILTER = b"Action: Filter\r\n"


@dataclass
class Relay:
    """Between the daemon and Asterisk's manager. `refuse`: the filter is asked for under a name nobody knows."""

    port: int = 0
    refuse: bool = False
    received: int = 0
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self, here: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        self.connections += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._to_asterisk(here, writer), self._from_asterisk(reader, there))

    async def _to_asterisk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.refuse:
                data = data.replace(_FILTER, _FILTER.replace(b"Filter", b"Filler"))
            writer.write(data)
        writer.close()

    async def _from_asterisk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.received += len(data)
                writer.write(data)
        writer.close()


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(60 if quick else 300))


async def _run(number: int) -> list[Row]:
    relay = Relay()
    server = await asyncio.start_server(relay.open, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def booted(asterisk: Asterisk) -> None:
        relay.port = asterisk.ami_port

    rows = []
    async with house("heavy", booted=booted, asterisk={"port": port}) as (asterisk, daemon):
        for refuse in (False, True):
            relay.refuse, relay.connections = refuse, 0
            await daemon.stop()
            await daemon.start()
            taken, everything, made = await _play(asterisk, daemon, relay, number)
            rows += [
                Row(
                    what="where filters are refused: bytes taken from Asterisk ÷ all events"
                    if refuse
                    else "bytes taken from Asterisk ÷ all events, FreePBX-like",
                    value=taken / everything,
                    unit="×",
                    goal=None if refuse else ("<=", 0.12),
                    detail=f"{taken / number / 1000:.1f} of {everything / number / 1000:.1f} kB a call, "
                    "answers to our own actions included",
                ),
                Row(what="… calls that were not recorded", value=number - made, goal=("=", 0)),
                Row(what="… connections to the manager", value=relay.connections, goal=("=", 1)),
            ]
    server.close()
    return rows


async def _play(asterisk: Asterisk, daemon: Recorderd, relay: Relay, number: int) -> tuple[int, int, int]:
    """(bytes to the daemon, bytes of everything, recordings made) of so many calls."""
    before = len(await daemon.recordings())
    async with _everything(asterisk) as heard:
        taken = relay.received
        await calls(asterisk, 10, number / 10)
        await daemon.idle(60)
        taken = relay.received - taken
        made = [r for r in await daemon.recordings() if r.state is RecordingState.CLOSED]
        return taken, heard[0], len(made) - before


@contextlib.asynccontextmanager
async def _everything(asterisk: Asterisk) -> AsyncIterator[list[int]]:
    """A session without a filter; how many bytes it has got."""
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
    writer.write(f"Action: Login\r\nUsername: rig\r\nSecret: {asterisk.secret}\r\n\r\n".encode())
    await reader.readuntil(b"FullyBooted")
    heard = [0]

    async def hear() -> None:
        while data := await reader.read(65536):
            heard[0] += len(data)

    task = asyncio.create_task(hear())
    try:
        yield heard
    finally:
        task.cancel()
        writer.close()
