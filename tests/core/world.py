"""Everything around an engine: an Asterisk that obeys, a disk, a watcher, a mixer, and what really happened.

`World` carries out the engine's commands as `ami.executor`, `archive.watch` and `archive.archive` do, on a
clock of its own, and lets replies come late, refused or not at all. `Truth` knows nothing of the engine: from
the events that Asterisk emitted it keeps who heard whom when, and which recorder really wrote what.

Laws that must hold at every moment are asserted here, where they would be broken.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from recorderd.core import commands, events
from recorderd.core.agenda import AT_ONCE
from recorderd.core.engine import Engine, Settings
from recorderd.core.policy import Policy
from recorderd.core.rows import (
    Cdr,
    CdrLink,
    Conversation,
    Interval,
    Lane,
    LaneState,
    Recording,
    RecordingState,
    Row,
)
from recorderd.core.stops import REPLACED
from tests.core.tape import T

SETTINGS = Settings(monitor="/spool/monitor", lanes=("/spool/lanes", "/spare/lanes"))
TICK = 0.25
RECORDINGS_END = (RecordingState.CLOSED, RecordingState.FAILED, RecordingState.DISCARDED)


# --- what really happens -----------------------------------------------------------------------


@dataclass
class Monitor:
    """A MixMonitor that Asterisk holds. `written` are the seconds that are in its file.

    `told`: the engine that lives now heard of its start. `named`: its channel's variables tell of it, as FreePBX's
    do; they say so too to one who asks later.
    """

    mixmonitor_id: str
    path: str
    lane_id: str = ""
    healthy: bool = True
    told: bool = False
    named: bool = False
    written: list[list[float | None]] = field(default_factory=list)


@dataclass
class Chan:
    """A channel that lives in Asterisk."""

    name: str
    uniqueid: str
    linkedid: str
    exten: str = ""
    called: bool = False
    ringing: bool = False
    dials: set[str] = field(default_factory=set)
    bridge: str | None = None
    monitors: list[Monitor] = field(default_factory=list)
    lane_id: str = ""
    mixmonitor_id: str = ""
    recordingfile: str = ""
    foreign_file: str = ""
    foreign_id: str = ""
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        return self.name.split("/")[0] not in ("Local", "CBAnn")


class Truth:
    """Asterisk from outside. `talks` are (from, to, who) for all who ever heard each other, in order."""

    def __init__(self) -> None:
        self.channels: dict[str, Chan] = {}
        self.names: dict[str, str] = {}
        self.bridges: dict[str, str] = {}
        self.talks: list[tuple[float, float, frozenset[str]]] = []
        self.now_talking: dict[frozenset[str], float] = {}
        self.gone: dict[str, float] = {}
        self.monitors: list[tuple[str, Monitor]] = []

    def follow(self, event: events.Event) -> None:
        """Asterisk did this."""
        match event:
            case events.Newchannel():
                self.names[event.uniqueid] = event.channel
                self.channels[event.uniqueid] = Chan(
                    event.channel, event.uniqueid, event.linkedid, exten=event.exten
                )
            case events.DialBegin():
                dest = self.channels[event.dest_uniqueid]
                dest.ringing = dest.called = True
                if event.uniqueid:
                    self.channels[event.uniqueid].dials.add(event.dest_uniqueid)
            case events.DialEnd():
                if dest := self.channels.get(event.dest_uniqueid):
                    dest.ringing = False
                for chan in self.channels.values():
                    chan.dials.discard(event.dest_uniqueid)
            case events.BridgeEnter():
                chan = self.channels[event.uniqueid]
                self._out(chan, event.at)
                self.bridges[event.bridge_uniqueid] = event.bridge_technology
                if swapped := self.channels.get(event.swap_uniqueid or ""):
                    self._out(swapped, event.at)
                chan.bridge, chan.linkedid, chan.ringing = event.bridge_uniqueid, event.linkedid, False
                for monitor in chan.monitors:
                    monitor.written.append([event.at, None])
            case events.BridgeLeave() if event.uniqueid in self.channels:
                self._out(self.channels[event.uniqueid], event.at)
            case events.BridgeDestroy():
                for chan in self.channels.values():
                    if chan.bridge == event.bridge_uniqueid:
                        self._out(chan, event.at)
            case events.Hangup():
                chan = self.channels.pop(event.uniqueid)
                self._out(chan, event.at)
                for other in self.channels.values():
                    other.dials.discard(event.uniqueid)
                self.gone[event.uniqueid] = event.at
        self._note_talks(event.at)

    def _out(self, chan: Chan, at: float) -> None:
        chan.bridge = None
        for monitor in chan.monitors:
            _close(monitor, at)

    def attach(self, chan: Chan, monitor: Monitor, at: float) -> None:
        """A recorder begins on a channel: with `b` it writes while that is in a bridge."""
        chan.monitors.append(monitor)
        self.monitors.append((chan.uniqueid, monitor))
        if chan.bridge:
            monitor.written.append([at, None])

    def detach(self, chan: Chan, monitor: Monitor, at: float) -> None:
        """It ends, its file is closed."""
        chan.monitors.remove(monitor)
        _close(monitor, at)

    def groups(self) -> set[frozenset[str]]:
        """The real channels that hear each other now: bridges, joined where both halves of a Local are."""
        home = {b: b for b in self.bridges}

        def root(bridge: str) -> str:
            while home[bridge] != bridge:
                bridge = home[bridge]
            return bridge

        def open_to_all(chan: Chan | None) -> bool:
            return bool(chan and chan.bridge and self.bridges[chan.bridge] != "holding_bridge")

        by_name = {chan.name: chan for chan in self.channels.values()}
        for first in self.channels.values():
            if first.name.endswith(";1") and open_to_all(first):
                second = by_name.get(first.name[:-1] + "2")
                if open_to_all(second):
                    home[root(second.bridge)] = root(first.bridge)
        found: dict[str, set[str]] = {}
        for chan in self.channels.values():
            if chan.real and open_to_all(chan):
                found.setdefault(root(chan.bridge), set()).add(chan.uniqueid)
        return {frozenset(group) for group in found.values() if len(group) > 1}

    def _note_talks(self, at: float) -> None:
        groups = self.groups()
        for group in [g for g in self.now_talking if g not in groups]:
            self.talks.append((self.now_talking.pop(group), at, group))
        for group in groups - self.now_talking.keys():
            self.now_talking[group] = at

    def listed(self) -> tuple[events.LiveChannel, ...]:
        """What Status would say."""
        return tuple(
            events.LiveChannel(
                channel=c.name,
                uniqueid=c.uniqueid,
                linkedid=c.linkedid,
                exten=c.exten,
                application="AppDial" if c.called else ("Dial" if c.dials or c.bridge else "Wait"),
                bridge_uniqueid=c.bridge or "",
                bridge_technology=self.bridges[c.bridge] if c.bridge else "",
                lane_id=c.lane_id,
                mixmonitor_id=c.mixmonitor_id,
                recording_file=c.recordingfile,
                foreign_file=c.foreign_file,
                foreign_ids=(c.foreign_id,) if c.foreign_id else (),
                replaced=dict(c.replaced),
            )
            for c in self.channels.values()
        )


def _close(monitor: Monitor, at: float) -> None:
    if monitor.written and monitor.written[-1][1] is None:
        monitor.written[-1][1] = at


# --- the world around the engine ---------------------------------------------------------------


@dataclass(order=True)
class _Due:
    at: float
    order: int
    what: Callable[[], None] = field(compare=False)
    lost: Callable[[], None] | None = field(compare=False, default=None)


class World:
    """An engine in its surroundings. Times are seconds; `latency` is how long a reply of Asterisk's takes.

    `lag`: so many events may wait unread. `fates` say what becomes of the next command of a kind: `refuse`,
    `lost` (not done, no answer), `done-unanswered`, `ghost` (no file comes), `stall` (it does not grow).
    `at_once` is the agenda's.
    """

    def __init__(
        self, policy: Policy, settings: Settings = SETTINGS, start: float = T, *, at_once: int = AT_ONCE
    ) -> None:
        self.now = start
        self.at_once = at_once
        self.policy = policy
        self.settings = settings
        self.truth = Truth()
        self.latency = 0.001
        self.lag = 0
        self.event_before_reply = False
        self.fates: dict[type[commands.Command], deque[str]] = {}
        self.link_up = True
        self.rows: dict[tuple[type[Row], str], Row] = {}
        self.history: list[Row] = []
        self.sent: list[commands.Command] = []
        self.alarms: list[commands.Alarm] = []
        self.answers: dict[str, commands.Answer] = {}
        self.files: set[str] = set()
        self.foreign_files: set[str] = set()
        self.mixes: list[commands.Mix] = []
        self.measures: list[commands.Measure] = []
        self.no_room = False
        self.frozen = "(none)"
        self.sees_closed = False
        """The mixer says which files Asterisk closed."""
        self.deaf_times: list[list[float]] = []
        self._watched: dict[str, commands.Watch] = {}
        self._stuck: dict[str, float] = {}
        self._stopping: set[str] = set()
        self._told: set[str] = set()
        self._stream: deque[events.Event] = deque()
        self._due: list[_Due] = []
        self._order = itertools.count()
        self._ids = itertools.count(1)
        self._next_tick = start + TICK
        self.dead = False
        self.dies_after: int | None = None
        """Die when so many more commands are carried out."""
        self.engine = self._engine()
        self.hear(events.Resync(at=self.now, channels=()))

    def _engine(self) -> Engine:
        engine = Engine(self.settings, self.policy, lambda: f"id{next(self._ids)}")
        engine.agenda.at_once = self.at_once
        return engine

    # --- time ----------------------------------------------------------------------------------

    def play(self, tape: Iterable[events.Event]) -> None:
        """Asterisk (or a person) does all this, each at its time."""
        for event in tape:
            if event.at > self.now:
                self.wait(event.at - self.now)
            self.emit(event)
        self.flush()

    def wait(self, seconds: float) -> None:
        """Time passes: replies come, ticks are sent."""
        end = self.now + seconds
        while True:
            due = self._due[0].at if self._due else end + 1
            at = min(due, self._next_tick)
            if at > end:
                break
            self.now = max(self.now, at)
            if due <= self._next_tick:
                heapq.heappop(self._due).what()
            else:
                self._next_tick += TICK
                self.flush()
                self._look_at_files()
                self.hear(events.Tick(at=self.now))
        self.now = end

    def after(self, seconds: float, what: Callable[[], None], lost: Callable[[], None] | None = None) -> None:
        """Do this then; `lost` instead if the link breaks before."""
        heapq.heappush(self._due, _Due(self.now + seconds, next(self._order), what, lost))

    # --- Asterisk says -------------------------------------------------------------------------

    def emit(self, event: events.Event) -> None:
        """It happened; the engine hears of it, `lag` events later."""
        self.truth.follow(event)
        self._tell(event)

    def _tell(self, event: events.Event) -> None:
        if not self.link_up:
            return
        self._stream.append(event)
        while len(self._stream) > self.lag:
            self.hear(self._stream.popleft())

    def flush(self) -> None:
        """The engine reads all that waits."""
        while self._stream:
            self.hear(self._stream.popleft())

    def hear(self, event: events.Event) -> None:
        """The engine takes one event in and its commands are carried out, step by step."""
        if self.dead:
            return
        self._carry_out(self.engine.begin(event))
        while self.engine.busy and not self.dead:
            self._carry_out(self.engine.step())

    def _carry_out(self, todo: Iterable[commands.Command]) -> None:
        for command in todo:
            if self.dies_after is not None:
                self.dies_after -= 1
                if self.dies_after < 0:
                    self.die()
                    return
            self.sent.append(command)
            _DO[type(command)](self, command)

    # --- the link breaks, the daemon dies ------------------------------------------------------

    def lose_link(self) -> None:
        """Every answer that is still to come is lost, and all that happens now is."""
        self.link_up = False
        for event in self._stream:
            if isinstance(event, events.MixMonitorStart):
                self._unheard(event.uniqueid)
        self._grow_deaf()
        waiting, self._due = self._due, []
        for due in sorted(waiting):
            if due.lost is None:
                heapq.heappush(self._due, due)
            else:
                due.lost()
        self.hear(events.ConnectionLost(at=self.now, reason="gone"))

    def _grow_deaf(self) -> None:
        since = min((event.at for event in self._stream), default=self.now)
        self._stream.clear()
        self.deaf_times.append([min(since, self.now), float("inf")])

    def _unheard(self, uniqueid: str) -> None:
        for monitor in self.truth.channels[uniqueid].monitors if uniqueid in self.truth.channels else ():
            monitor.told = False

    def regain_link(self) -> None:
        """The picture is sent, then events go on."""
        self.wait(0.0)
        self.link_up = True
        self.deaf_times[-1][1] = self.now
        self.hear(events.Resync(at=self.now, channels=self.truth.listed()))

    def freeze(self, place: str) -> None:
        """Whoever writes there waits; Asterisk's recorders take on what they hear."""
        self.frozen = place
        self.hear(events.PlaceFault(at=self.now, place=place, kind="frozen"))

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        place, self.frozen = self.frozen, "(none)"
        self.hear(events.PlaceWell(at=self.now, place=place))

    def die(self) -> None:
        """kill -9: what was sent is done, what was saved is there, all else is forgotten."""
        self.link_up = False
        self.dead = True
        self.dies_after = None
        self._grow_deaf()
        self._due.clear()
        self._watched.clear()
        self._stuck.clear()
        self._told.clear()
        for uniqueid in self.truth.channels:
            self._unheard(uniqueid)

    def rise(self) -> None:
        """A new daemon takes up what is open in the store, and then hears Asterisk."""
        self.take_up()
        self.regain_link()
        if self.frozen != "(none)":  # as the look at the disks tells within a second
            self.after(0.7, lambda: self._tell_frozen(self.frozen))

    def _tell_frozen(self, place: str) -> None:
        if self.frozen == place:
            self.hear(events.PlaceFault(at=self.now, place=place, kind="frozen"))

    def take_up(self) -> None:
        """A new daemon takes up what is open in the store."""
        self.dead = False
        self.engine = self._engine()
        self.engine.catching_up.restore(*open_rows(self.rows.values()))

    # --- commands for Asterisk -----------------------------------------------------------------

    def _fate(self, command: commands.Command) -> str:
        waiting = self.fates.get(type(command))
        return waiting.popleft() if waiting else ""

    def _mixmonitor(self, command: commands.MixMonitor) -> None:
        lane = self.rows.get((Lane, command.lane_id))
        assert lane is not None, f"no row before the file of {command.lane_id}"
        refused = events.LaneRefused(at=0.0, lane_id=command.lane_id, reason="refused")
        if not self.link_up:
            self._reply(0.0, refused)
            return
        chan = self.truth.channels.get(command.uniqueid)
        fate = self._fate(command)
        if chan is None or fate == "refuse":
            self._reply(self.latency, refused)
        elif fate == "lost":
            self._reply(2.0, refused)
        else:
            self._start(chan, command, fate, refused)

    def _start(
        self, chan: Chan, command: commands.MixMonitor, fate: str, refused: events.LaneRefused
    ) -> None:
        assert chan.real, f"a recorder on {chan.name}"
        assert not chan.ringing, f"a recorder on the ringing callee {chan.name}"
        free = [m for m in chan.monitors if not m.path.startswith(self.frozen)]
        # One that was given up on a frozen disk may run on for the seconds in which nobody knows that it thawed.
        going = {*self._stopping, *chan.replaced}
        others = [m.lane_id for m in free if m.lane_id and m.lane_id not in going]
        assert not others, f"{chan.name} has {others} already"
        monitor = Monitor(self._address(), command.path, command.lane_id, healthy=fate != "stall")
        self.truth.attach(chan, monitor, self.now)
        chan.lane_id, chan.mixmonitor_id = command.lane_id, monitor.mixmonitor_id
        chan.foreign_file = ""  # MIXMONITOR_FILENAME: ours have no main file
        if fate != "ghost":
            self.files.add(command.path)
        started = events.LaneStarted(at=0.0, lane_id=command.lane_id, mixmonitor_id=monitor.mixmonitor_id)
        noted = events.MixMonitorStart(at=self.now, channel=chan.name, uniqueid=chan.uniqueid)
        if fate == "done-unanswered":
            self._reply(2.0, refused)
            self._tell_soon(noted)
            self.after(2.5, lambda: self._stop_late(command), lambda: None)
            self._stopping.add(command.lane_id)
        elif self.event_before_reply:
            self._tell_soon(noted)
            self._reply(self.latency, started, refused)
        else:
            self._reply(self.latency, started, refused)
            self.after(self.latency, lambda: self._tell(noted), lambda: None)

    def _tell_soon(self, event: events.Event) -> None:
        self.after(0.0, lambda: self._tell(event), lambda: None)

    def _address(self) -> str:
        used = {m.mixmonitor_id for c in self.truth.channels.values() for m in c.monitors}
        return next(f"0x{n:x}" for n in itertools.count(16) if f"0x{n:x}" not in used)

    def _stop_late(self, command: commands.MixMonitor) -> None:
        """The executor's: a recorder whose start was given up must not run on."""
        chan = self.truth.channels.get(command.uniqueid)
        for monitor in chan.monitors if chan else ():
            if monitor.lane_id == command.lane_id:
                self._detach(chan, monitor)
                return

    def _stop(self, command: commands.StopMixMonitor) -> None:
        self._stopping.add(command.lane_id)
        failed = events.LaneStopFailed(at=0.0, lane_id=command.lane_id, reason="not there")
        if not self.link_up:
            self._reply(0.0, failed)
        elif self._fate(command) in ("lost", "refuse"):
            self._reply(2.0, failed)
        else:
            self.after(self.latency, lambda: self._really_stop(command, failed), lambda: self._put(failed))

    def _really_stop(self, command: commands.StopMixMonitor, failed: events.LaneStopFailed) -> None:
        chan = self.truth.channels.get(command.uniqueid)
        asked = (command.lane_id, command.mixmonitor_id)
        marked = chan is not None and (chan.lane_id, chan.mixmonitor_id) == asked
        if chan and marked:
            chan.lane_id = chan.mixmonitor_id = ""  # the marks go with the question, whatever its answer
        for monitor in chan.monitors if chan and (marked or command.replaced) else ():
            if (monitor.lane_id, monitor.mixmonitor_id) == asked:
                self._detach(chan, monitor)
                stopped = events.LaneStopped(at=0.0, lane_id=command.lane_id)
                self._reply(self.latency, stopped, failed)
                return
        self._reply(self.latency, failed)

    def _detach(self, chan: Chan, monitor: Monitor) -> None:
        self.truth.detach(chan, monitor, self.now)
        if chan.lane_id == monitor.lane_id:
            chan.lane_id = chan.mixmonitor_id = ""
        stopped = events.MixMonitorStop(at=self.now, channel=chan.name, uniqueid=chan.uniqueid)
        if self.event_before_reply:
            self._tell_soon(stopped)
        else:
            self.after(2 * self.latency, lambda: self._tell(stopped), lambda: None)

    def _look_at_foreign(self, command: commands.LookAtForeign) -> None:
        chan = self.truth.channels.get(command.uniqueid)
        seen = events.ForeignSeen(at=0.0, uniqueid=command.uniqueid)
        if self.link_up and chan:
            ids = (chan.foreign_id,) if chan.foreign_id else ()
            seen = replace(seen, mixmonitor_ids=ids, path=chan.foreign_file)
        self._reply(self.latency, seen, replace(seen, mixmonitor_ids=(), path=""))

    def _stop_foreign(self, command: commands.StopForeign) -> None:
        if self.link_up:
            self.after(self.latency, lambda: self._really_stop_foreign(command), lambda: None)

    def _really_stop_foreign(self, command: commands.StopForeign) -> None:
        chan = self.truth.channels.get(command.uniqueid)
        gone = events.ForeignGone(at=0.0, uniqueid=command.uniqueid, nameless=not command.newest)
        for monitor in chan.monitors if chan else ():
            if (
                monitor.mixmonitor_id in command.mixmonitor_ids
                and monitor.mixmonitor_id != chan.mixmonitor_id
            ):
                assert monitor.lane_id in ("", *self._stopping), f"{monitor.lane_id} is ours"
                self._detach(chan, monitor)
                return
        if chan and chan.lane_id and command.newest:
            return  # perhaps ours: trouble is told, and it is asked again
        if chan and command.newest and chan.monitors:
            assert not chan.monitors[-1].lane_id or chan.monitors[-1].lane_id in self._stopping
            self._detach(chan, chan.monitors[-1])
            return
        self._reply(self.latency, gone)

    def _setvar(self, command: commands.Setvar) -> None:
        chan = self.truth.channels.get(command.uniqueid)
        if chan and command.variable == "CDR(recordingfile)":
            chan.recordingfile = command.value
        if chan and command.variable == REPLACED:
            chan.replaced = dict(one.split("=") for one in command.value.split(",") if one)

    def _nothing(self, _command: commands.Command) -> None:
        """Has no answer."""

    # --- somebody else's hands on Asterisk -----------------------------------------------------

    def foreign_monitor(
        self, uniqueid: str, *, named: bool = False, grows: bool = True, path: str = ""
    ) -> Monitor:
        """Somebody records this channel; `named`: FreePBX, which says so in the channel's variables."""
        chan = self.truth.channels[uniqueid]
        path = path or f"{self.settings.monitor}/2026/11/26/exten-102-101-{next(self._ids)}.wav"
        monitor = Monitor(self._address(), path, told=self.link_up, named=named, healthy=grows)
        self.truth.attach(chan, monitor, self.now)
        self.files.add(path)
        self.foreign_files.add(path)
        if named:
            chan.foreign_file, chan.foreign_id = path, monitor.mixmonitor_id
        self._tell(events.MixMonitorStart(at=self.now, channel=chan.name, uniqueid=uniqueid))
        return monitor

    def stop_newest(self, uniqueid: str) -> None:
        """Somebody stops the newest recorder, perhaps ours."""
        chan = self.truth.channels[uniqueid]
        if chan.monitors:
            monitor = chan.monitors[-1]
            self.truth.detach(chan, monitor, self.now)
            self._unheard(uniqueid)  # the event names no recorder: of two, nobody can tell which is left
            self._tell(events.MixMonitorStop(at=self.now, channel=chan.name, uniqueid=uniqueid))

    # --- replies -------------------------------------------------------------------------------

    def _reply(self, seconds: float, event: events.Event, lost: events.Event | None = None) -> None:
        def instead() -> None:
            if isinstance(lost, events.LaneRefused):
                self._stopping.add(lost.lane_id)  # it runs, and nobody knows: the next picture shows it
            self._put(lost or event)

        self.after(seconds, lambda: self._put(event), instead)

    def _put(self, event: events.Event) -> None:
        self.hear(replace(event, at=self.now))

    # --- the watcher ---------------------------------------------------------------------------

    def _watch(self, command: commands.Watch) -> None:
        self._watched[command.lane_id] = command
        if command.path in self.files and command.lane_id not in self._told:
            self.after(0.01, lambda: self._see(command))
        elif command.path not in self.files:
            self.after(1.0, lambda: self._miss(command))

    def _see(self, command: commands.Watch) -> None:
        if command.lane_id in self._watched and command.lane_id not in self._told:
            self._told.add(command.lane_id)
            self._put(events.FileSeen(at=0.0, lane_id=command.lane_id))

    def _miss(self, command: commands.Watch) -> None:
        if command.lane_id in self._watched and command.path not in self.files:
            self._put(events.FileFault(at=0.0, lane_id=command.lane_id, kind="missing"))

    def _unwatch(self, command: commands.Unwatch) -> None:
        del self._watched[command.lane_id]
        self._stuck.pop(command.lane_id, None)

    def _look_at_files(self) -> None:
        """A file that should grow and does not is told of after two and a half seconds."""
        growing = {m.path for c in self.truth.channels.values() for m in c.monitors if c.bridge and m.healthy}
        for lane_id, watch in list(self._watched.items()):
            if not watch.growing or watch.path in growing:
                self._stuck.pop(lane_id, None)
            elif self.now - self._stuck.setdefault(lane_id, self.now) > 2.5:
                self._stuck.pop(lane_id)
                self._put(events.FileFault(at=0.0, lane_id=lane_id, kind="stalled"))

    def _remove(self, command: commands.RemoveFile) -> None:
        writing = [
            m.lane_id
            for c in self.truth.channels.values()
            for m in c.monitors
            if m.path == command.path and m.lane_id not in self._stopping
        ]
        assert not writing, f"{command.path} is removed while {writing} writes it"
        self.files.discard(command.path)

    # --- the archive ---------------------------------------------------------------------------

    def _mix(self, command: commands.Mix) -> None:
        self.mixes.append(command)
        error = self._fate(command)
        audio = {lane.lane_id: self._audio_ms(lane.path) for lane in command.lanes}
        length = round(sum(s.end - s.start for s in command.timeline) * 1000)
        mixed = events.Mixed(
            at=0.0,
            recording_id=command.recording_id,
            duration_ms=0 if error else length,
            size=length * 16,
            audio={} if error else audio,
            error=error,
            whole=tuple(
                lane.lane_id for lane in command.lanes if self.sees_closed and self._is_closed(lane.path)
            ),
        )
        if self.no_room:
            mixed = replace(mixed, duration_ms=0, audio={}, error="no room", again=True)

        def make() -> None:
            if not mixed.error:
                self.files.add(command.path)
            self._put(mixed)

        self.after(0.1, make)

    def _is_closed(self, path: str) -> bool:
        running = {m.path for c in self.truth.channels.values() for m in c.monitors}
        return path in self.files and path not in running

    def _measure(self, command: commands.Measure) -> None:
        self.measures.append(command)
        running = [m for c in self.truth.channels.values() for m in c.monitors if m.path == command.path]
        assert not (command.cut_ms and running), f"{command.path} is cut while it is written"
        length = max(0, self._audio_ms(command.path) - command.cut_ms)
        mixed = events.Mixed(at=0.0, recording_id=command.recording_id, duration_ms=length, size=1, audio={})
        self.after(0.1, lambda: self._put(mixed))

    def _audio_ms(self, path: str) -> int:
        if path not in self.files:
            return 0
        spans = [s for _, m in self.truth.monitors if m.path == path and m.healthy for s in m.written]
        return round(sum((b if b is not None else self.now) - a for a, b in spans) * 1000)

    # --- the store, and people -----------------------------------------------------------------

    def _save(self, command: commands.Save) -> None:
        self.history.append(command.row)
        self.rows[type(command.row), key(command.row)] = command.row

    def _answer(self, command: commands.Answer) -> None:
        assert command.press_id not in self.answers, "a press is answered once"
        self.answers[command.press_id] = command

    def _alarm(self, command: commands.Alarm) -> None:
        self.alarms.append(command)

    def saved(self, kind: type[Row]) -> list[Row]:
        """The newest of every row of this kind, in the order of their first writing."""
        return [row for (of, _), row in self.rows.items() if of is kind]


_DO: dict[type[commands.Command], Callable[[World, commands.Command], None]] = {
    commands.MixMonitor: World._mixmonitor,
    commands.StopMixMonitor: World._stop,
    commands.LookAtForeign: World._look_at_foreign,
    commands.StopForeign: World._stop_foreign,
    commands.MixMonitorMute: World._nothing,
    commands.Setvar: World._setvar,
    commands.OfferFeature: World._nothing,
    commands.EndTalk: World._nothing,
    commands.Watch: World._watch,
    commands.Unwatch: World._unwatch,
    commands.RemoveFile: World._remove,
    commands.Mix: World._mix,
    commands.Measure: World._measure,
    commands.Save: World._save,
    commands.Answer: World._answer,
    commands.Alarm: World._alarm,
}


def key(row: Row) -> str:
    """What a row is replaced by."""
    if isinstance(row, Cdr):
        return f"{row.uniqueid}/{row.sequence}"
    if isinstance(row, CdrLink):
        return f"{row.uniqueid}/{row.sequence}/{row.recording_id}"
    return str(row.id)  # type: ignore[attr-defined]


def lane_is_finished(lane: Lane) -> bool:
    """Its file is in a mix, or gone. One that was never used and is only closed still has its file."""
    closed = lane.state is LaneState.CLOSED and lane.recording_id != ""
    return closed or lane.state is LaneState.DISCARDED


def open_rows(
    saved: Iterable[Row],
) -> tuple[list[Conversation], list[Interval], list[Recording], list[Lane]]:
    """What a daemon that starts must take up again, as `store.abc.Store.open_rows` chooses it."""
    saved = list(saved)
    recordings = [r for r in saved if isinstance(r, Recording) and r.state not in RECORDINGS_END]
    ids = {r.id for r in recordings}
    named = {lane for r in recordings for lane in r.lanes}
    lanes = [
        r
        for r in saved
        if isinstance(r, Lane) and (not lane_is_finished(r) or r.recording_id in ids or r.id in named)
    ]
    intervals = [
        r
        for r in saved
        if isinstance(r, Interval) and (r.ended_at is None or r.outcome is None or r.recording_id in ids)
    ]
    talks = {r.conversation_id for r in recordings} | {i.conversation_id for i in intervals}
    conversations = [
        r for r in saved if isinstance(r, Conversation) and (r.ended_at is None or r.id in talks)
    ]
    return conversations, intervals, recordings, lanes
