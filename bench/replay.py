"""A recorded stream played to recorderd's whole front, as often as wanted, and to plain panoramisk.

Owns the copies of the stream (each with times and ids of its own, so that no channel comes twice) and the two
readers. Ours is what the daemon runs: `Connection` cuts the bytes, `AsteriskLink` translates, `Switchboard` and
`Engine` think; commands are obeyed at once by `Obedient`. Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any, cast

from recorderd.ami import translate
from recorderd.ami.client import Connection
from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings
from recorderd.core import commands, events
from recorderd.core.engine import Engine, Settings
from recorderd.core.policy import ExtensionPolicy, Mode, Policy
from recorderd.daemon.switchboard import Switchboard

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
_STAMP = re.compile(rb"\b(1[6-9]\d{8})(?=\.\d)")
_BRIDGE = re.compile(rb"(?<=BridgeUniqueid: )[0-9a-f]{8}")
_APART = 1000  # seconds between two copies


def stream(name: str) -> bytes:
    """One of the recorded ones: `plain` or `heavy`."""
    return gzip.decompress((Path(__file__).parent / "streams" / f"{name}.gz").read_bytes())


def copies(data: bytes, count: int) -> list[bytes]:
    """The stream `count` times, each later than the one before and with channels and bridges of its own."""

    def one(n: int) -> bytes:
        later = _STAMP.sub(lambda m: b"%d" % (int(m[1]) + n * _APART), data)
        return _BRIDGE.sub(lambda m: b"%08x" % ((int(m[0], 16) + n) & 0xFFFFFFFF), later)

    return [one(n) for n in range(count)]


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


class Nowhere:
    """A transport for what only reads."""

    def write(self, data: bytes) -> None:
        """Not sent."""

    def abort(self) -> None:
        """Nothing to end."""

    close = abort


# --- ours ------------------------------------------------------------------------------------------


class Obedient:
    """Everybody who carries commands out, in no time and without fail."""

    def __init__(self, board: Switchboard) -> None:
        self._put, self._ids = board.put, itertools.count(1)
        self.now = 0.0
        self.done: Counter[str] = Counter()
        self._seen: set[str] = set()
        doers: dict[type[commands.Command], Any] = dict.fromkeys(_COMMANDS, self._nothing)
        doers[commands.MixMonitor] = self._start
        doers[commands.StopMixMonitor] = self._stop
        doers[commands.Watch] = self._watch
        doers[commands.Unwatch] = self._unwatch
        doers[commands.Mix] = self._mix
        board.connect(doers)

    def _nothing(self, command: commands.Command) -> None:
        self.done[type(command).__name__] += 1

    def _start(self, command: commands.MixMonitor) -> None:
        self.done["MixMonitor"] += 1
        ident = f"0x{next(self._ids):x}"
        self._put(events.MixMonitorStart(at=self.now, channel="", uniqueid=command.uniqueid))
        self._put(events.LaneStarted(at=self.now, lane_id=command.lane_id, mixmonitor_id=ident))

    def _stop(self, command: commands.StopMixMonitor) -> None:
        self._put(events.LaneStopped(at=self.now, lane_id=command.lane_id))

    def _watch(self, command: commands.Watch) -> None:
        if command.lane_id not in self._seen:
            self._seen.add(command.lane_id)
            self._put(events.FileSeen(at=self.now, lane_id=command.lane_id))

    def _unwatch(self, command: commands.Unwatch) -> None:
        self._seen.discard(command.lane_id)
        if not self._seen:
            self._seen = set()  # the emptied table of thousands of lanes is the bench's own, not recorderd's

    def _mix(self, command: commands.Mix) -> None:
        self.done["Mix"] += 1
        length = round(1000 * sum(s.end - s.start for s in command.timeline))
        audio = {lane.lane_id: length for lane in command.lanes}
        self._put(
            events.Mixed(
                at=self.now, recording_id=command.recording_id, duration_ms=length, size=44, audio=audio
            )
        )


_COMMANDS = [
    kind for kind in vars(commands).values() if isinstance(kind, type) and issubclass(kind, commands.Command)
]


class Front:
    """The daemon from its socket to the rows that it wants saved, without a socket. Make it in a loop."""

    def __init__(self, *, keep: bool = False, think: bool = True) -> None:
        names = itertools.count(1)
        extensions = {
            str(n): ExtensionPolicy(extension=str(n), inbound=mode, outbound=mode)
            for n, mode in zip(range(101, 107), [*Mode, *Mode], strict=True)
        }
        always = ExtensionPolicy(extension="", inbound=Mode.ALWAYS, outbound=Mode.ALWAYS)
        policy = Policy(extensions=extensions, default=always)
        settings = Settings(monitor="/spool/monitor", lanes=("/spool/lanes",))
        self.board = Switchboard(
            Engine(settings, policy, lambda: f"{next(names):032x}"), asyncio.get_running_loop()
        )
        self.hands = Obedient(self.board)
        self.heard: list[events.Event] = []
        take = self._kept if keep else self._take if think else self._drop
        self.link = AsteriskLink(AmiSettings(username="u", secret="s"), take)
        self.link._held = None
        self.connection = Connection(translate.PARSERS.keys(), self.link._heard)
        self.connection.transport = cast(Any, Nowhere())
        self.connection.closed = False
        self.connection.data_received(BANNER)
        self._take(events.Resync(at=1.0, channels=()))

    def _take(self, event: events.Event) -> None:
        self.hands.now = event.at
        self.board.put(event)

    def _drop(self, event: events.Event) -> None:
        """For what the front costs up to the engine's door."""

    def _kept(self, event: events.Event) -> None:
        self.heard.append(event)
        self._take(event)

    def tick(self) -> None:
        """Time passes: what waits for a hang-up to settle is done."""
        for _ in range(3):
            self._take(events.Tick(at=self.hands.now + 60.0))

    def left(self) -> int:
        """What is still held of calls that are over."""
        engine = self.board.engine
        return (
            len(engine.calls.channels)
            + len(engine.talks.talks)
            + len(engine.lanes.by_id)
            + len(engine.ledger.recordings)
        )


# --- the peer ----------------------------------------------------------------------------------------


class Panoramisk:
    """Plain panoramisk with one callback for every event."""

    def __init__(self, *, keep: bool = False) -> None:
        from panoramisk import Manager
        from panoramisk.ami_protocol import AMIProtocol

        self.count = 0
        self.heard: list[str] = []
        manager = Manager(loop=asyncio.get_running_loop())
        manager.register_event("*", self._kept if keep else self._event)
        self.protocol = AMIProtocol()
        self.protocol.connection_made(Nowhere())
        self.protocol.encoding = "utf-8"
        self.protocol.factory = manager
        self.protocol.data_received(BANNER)

    def _event(self, _manager: object, _event: object) -> None:
        self.count += 1

    def _kept(self, _manager: object, event: Any) -> None:
        self.count += 1
        self.heard.append(event.event)


def expected(data: bytes) -> list[str]:
    """The names of all events that we want, found in the plainest way: one line after another."""
    names = [line[7:].decode() for line in data.split(b"\r\n") if line.startswith(b"Event: ")]
    return [name for name in names if name in translate.PARSERS]
