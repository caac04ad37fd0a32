"""FastAGI servers that answer the same question in processes of their own: ours and its peers.

Owns the servers. All three ask the same `Brain` (the daemon's, with a policy of 500 extensions and three rules),
hand the question to the switchboard as the daemon does, and answer with the same one SET VARIABLE. Must not know
who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, cast

from recorderd.agi import advice as advices
from recorderd.agi import routes, wire
from recorderd.agi.server import FastAgiServer, Settings
from recorderd.core import commands, events
from recorderd.core.channels import Names
from recorderd.core.policy import ExtensionPolicy, Mode, Policy
from recorderd.core.rules import Reader
from recorderd.daemon import interpreter
from recorderd.daemon.brain import Brain
from recorderd.daemon.service import TICK
from recorderd.daemon.switchboard import Switchboard

EXTENSIONS = range(100, 600)
MODES = tuple(Mode)
RULES = [
    {"name": "works council", "when": {"party": "77000*"}, "mode": "never"},
    {"name": "order line", "when": {"did": "5550101", "time": "Mon-Fri 08:00-18:00"}, "mode": "always"},
    {"name": "night", "when": {"trunk": "night"}, "mode": "always"},
]


def policy() -> Policy:
    """Like an office's: everybody has chosen something, and a few rules come first."""
    reader = Reader()
    rules = reader.rules(RULES)
    assert not reader.faults, reader.faults
    extensions = {
        str(n): ExtensionPolicy(extension=str(n), inbound=MODES[n % 3], outbound=MODES[n % 2])
        for n in EXTENSIONS
    }
    return Policy(rules=rules, extensions=extensions, emergency=frozenset(("112", "110")))


class Engine:
    """In the engine's place: a call can be recorded now, and of each question nothing comes."""

    able = True
    busy = False

    def begin(self, _event: events.Event) -> list[commands.Command]:
        return []


async def _ticks(board: Switchboard) -> None:
    """As the daemon's, which takes up with them what the dialplan asked."""
    while True:
        board.put(events.Tick(at=time.time()))
        await asyncio.sleep(TICK)


_ticking: list[asyncio.Task[None]] = []


def house() -> routes.House:
    """Call it in the loop that stands for the daemon's."""
    rules = policy()
    names = Names()
    board = Switchboard(cast(Any, Engine()), asyncio.get_running_loop())
    _ticking.append(asyncio.create_task(_ticks(board)))
    return routes.House(
        brain=Brain(lambda: rules, lambda: names, board),
        clock=time.time,
        new_id=str,
        extension_of=wire.extension_of,
        sounds="recorderd",
    )


# --- the servers -------------------------------------------------------------------------------------


async def ours(tell: Callable[[int], None]) -> None:
    """In its own thread beside the loop that stands for the daemon's."""
    server = FastAgiServer(house().brain, Settings(port=0), report=lambda _: None)
    server.start()
    interpreter.settle()
    tell(server.port)
    await asyncio.Event().wait()


def _asked(headers: dict[str, str]) -> events.Consult:
    return events.Consult(
        at=time.time(),
        channel=headers["agi_channel"],
        uniqueid=headers["agi_uniqueid"],
        linkedid=headers.get("agi_arg_2", ""),
        caller_id_num=headers.get("agi_callerid", ""),
        exten=headers.get("agi_arg_3", ""),
        context=headers.get("agi_arg_4", ""),
        callees=tuple(headers.get("agi_arg_1", "").split("&")),
    )


def _answer(home: routes.House, headers: dict[str, str]) -> str:
    said = home.brain.consult(_asked(headers))
    return f'SET VARIABLE {advices.VARIABLE} "{advices.spell(said, allow=True)}"'


async def panoramisk(tell: Callable[[int], None]) -> None:
    """panoramisk.fast_agi as its documentation has it."""
    from panoramisk import fast_agi

    home = house()

    async def consult(request: Any) -> None:
        await request.send_command(_answer(home, request.headers))

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("consult", consult)
    await _serve(application.handler, tell)


async def plain(tell: Callable[[int], None]) -> None:
    """asyncio streams by hand, as short as it can be, without a bound or a deadline."""
    home = house()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        block = await reader.readuntil(b"\n\n")
        headers = dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line)
        writer.write(_answer(home, headers).encode() + b"\n")
        await reader.readline()
        writer.close()

    await _serve(handle, tell)


async def _serve(handle: Any, tell: Callable[[int], None]) -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    tell(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


SERVERS = {"ours": ours, "panoramisk": panoramisk, "plain": plain}


# --- their processes ---------------------------------------------------------------------------------


class Server:
    """One of them, running. Ask it what it used."""

    def __init__(self, pipe: Connection, pid: int, port: int) -> None:
        self._pipe, self.pid, self.port = pipe, pid, port

    def cpu(self) -> float:
        """Seconds of CPU time so far, the kernel's for it included."""
        self._pipe.send("cpu")
        return float(self._pipe.recv())

    def freeze(self, seconds: float) -> None:
        """Its main loop does nothing for so long; returns at once."""
        self._pipe.send(seconds)


@contextmanager
def server(kind: str) -> Iterator[Server]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_live, args=(kind, there), daemon=True)
    process.start()
    there.close()  # so that its end is heard here
    try:
        port = int(here.recv())
        assert process.pid is not None
        yield Server(here, process.pid, port)
    finally:
        process.kill()
        process.join()


def _live(kind: str, pipe: Connection) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    async def main() -> None:
        threading.Thread(target=_reply, args=(pipe, asyncio.get_running_loop()), daemon=True).start()
        await SERVERS[kind](pipe.send)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())


def _reply(pipe: Connection, loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            asked = pipe.recv()
        except (EOFError, OSError):
            return
        if asked == "cpu":
            pipe.send(time.process_time())
        else:
            loop.call_soon_threadsafe(time.sleep, asked)
