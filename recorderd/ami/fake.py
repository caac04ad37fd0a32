"""A small Asterisk on a real TCP port that misbehaves on request: for tests, and for a look without a PBX.

Owns the faults that a real Asterisk will not produce when asked. Its answers are those of 22.10 (16.28
differs in the banner). Must not be imported by the daemon.

    async with FakeAsterisk() as asterisk:
        asterisk.faults.silent = True           # the network is gone, and nobody says so
        asterisk.say(NEWCHANNEL)                # to every session that is logged in
        asterisk.answers["MixMonitor"] = lambda action: fail(action, "No such channel")
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from recorderd.ami import wire
from recorderd.ami.fake_pbx import Action, FakePbx, event, fail, ok


@dataclass(slots=True)
class Faults:
    """What goes wrong from now on; each field may be changed at any time."""

    refuse_login: str = ""
    """The reason given, instead of letting anyone in."""
    forbidden: frozenset[str] = frozenset()
    """Actions that this user may not use."""
    no_banner: bool = False
    not_booted: bool = False
    silent: bool = False
    """Accepts, and reads, and says nothing at all: a half-open link as seen from the other side."""
    mute_actions: frozenset[str] = frozenset()
    """Actions that get no answer."""
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds by which the answer to an action comes late."""
    wrong_ids: bool = False
    """Answers carry an ActionID that nobody sent."""
    chunk: int = 0
    """Bytes per write, 0 for whole messages."""
    blank_lines: int = 0
    """Further CRLFs after each message, as Debian's TestEvent has one."""


class Session:
    """One client of ours, from its connecting to its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.logged_in = False
        self.mask = ""
        self.lock = asyncio.Lock()

    def reset(self) -> None:
        """Breaks the connection with an RST."""
        sock = self.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(1, 13, linger)  # SOL_SOCKET, SO_LINGER
        self.writer.transport.abort()


class FakeAsterisk(FakePbx):
    """Listens on a free port of 127.0.0.1 between `start` and `stop`."""

    def __init__(
        self,
        *,
        banner: str = "Asterisk Call Manager/11.0.0",
        secret: str = "s3cret",
    ) -> None:
        super().__init__()
        self.banner, self.secret = banner, secret
        self.faults = Faults()
        self.sessions: list[Session] = []
        self.connections = 0
        self.received: list[dict[str, str]] = []
        """Every action, logins too, in the order of their coming."""
        self.raw = bytearray()
        """Every byte that came."""
        self.answers["ListCommands"] = self._list_commands
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _list_commands(self, action: Action) -> bytes:
        permitted = (self.answers.keys() | {"Events"}) - self.faults.forbidden
        return ok(action, **dict.fromkeys(permitted, "(Priv: all)"))

    async def start(self) -> None:
        """On the port of before, if there was one: a restart."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens, every session is broken."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in self._tasks:
            task.cancel()
        ending = [task for task in {*self._tasks, *self._serving} if task is not None]
        if ending:
            await asyncio.wait(ending)

    def say(self, *messages: bytes) -> None:
        """To every session that is logged in and has asked for events."""
        for session in self.sessions:
            if session.logged_in and session.mask != "off":
                self._task(self._write(session, b"".join(messages)))

    def drop(self) -> None:
        for session in list(self.sessions):
            session.reset()

    def actions(self, name: str) -> list[dict[str, str]]:
        return [action for action in self.received if action.get("Action") == name]

    # --- one session

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session, task = Session(reader, writer), asyncio.current_task()
        self._serving.add(task)
        self.connections += 1
        self.sessions.append(session)
        splitter = wire.Splitter()
        try:
            if not self.faults.no_banner:
                await self._write(session, f"{self.banner}\r\n".encode())
            while data := await reader.read(65536):
                self.raw += data
                for one in splitter.feed(data):
                    action = wire.parse(one)
                    self.received.append(action)
                    await self._act(session, action)
        except ConnectionError:
            pass
        finally:
            self.sessions.remove(session)
            self._serving.discard(task)
            writer.close()

    async def _act(self, session: Session, action: Action) -> None:
        name = action.get("Action", "")
        if name in self.faults.mute_actions:
            return
        answer = self._answer(session, name, action)
        if name in self.faults.delays:
            self._task(self._later(session, self.faults.delays[name], answer))
            return
        await self._write(session, answer)
        if name == "Login" and not session.logged_in:
            session.writer.close()
        elif name == "Login" and not self.faults.not_booted:
            await self._write(session, event("FullyBooted", Status="Fully Booted"))

    def _answer(self, session: Session, name: str, action: Action) -> bytes:
        if self.faults.wrong_ids and name != "Login":
            action = {**action, "ActionID": "nobody-asked"}
        if name == "Login":
            return self._login(session, action)
        if not session.logged_in or name in self.faults.forbidden:
            return fail(action, "Permission denied")
        if name == "Events":
            session.mask = action.get("EventMask", "")
            return ok(action, Events="On")
        answer = self.answers.get(name)
        return answer(action) if answer else fail(action, "Invalid/unknown command")

    def _login(self, session: Session, action: Action) -> bytes:
        right = (action.get("Username"), action.get("Secret")) == ("recorderd", self.secret)
        if self.faults.refuse_login or not right:
            return fail(action, self.faults.refuse_login or "Authentication failed")
        session.logged_in, session.mask = True, action.get("Events", "on")
        return ok(action, Message="Authentication accepted")

    async def _later(self, session: Session, seconds: float, data: bytes) -> None:
        await asyncio.sleep(seconds)
        await self._write(session, data)

    async def _write(self, session: Session, data: bytes) -> None:
        """As the faults want it; whole writes never mix."""
        async with session.lock:
            if self.faults.silent:
                return
            if self.faults.blank_lines:
                data = data.replace(wire.END, wire.END + wire.EOL * self.faults.blank_lines)
            size = self.faults.chunk or len(data) or 1
            try:
                for start in range(0, len(data), size):
                    session.writer.write(data[start : start + size])
                    await session.writer.drain()
                    if self.faults.chunk:
                        await asyncio.sleep(0)
            except ConnectionError:
                pass

    def _task(self, steps: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(steps)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
