"""The service: builds every room, joins them, and takes them down again.

Owns life and death. Must not know anything about calls. What is needed to decide and to record starts first
and ends last; what can wait (the store, links, alarms going out) never holds it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from importlib import resources
from subprocess import Popen
from typing import Any

from recorderd import __version__, notify
from recorderd.agi.server import FastAgiServer
from recorderd.agi.server import Settings as AgiSettings
from recorderd.ami import AmiSettings, AsteriskLink
from recorderd.archive.archive import Archive
from recorderd.archive.places import Places
from recorderd.archive.watch import Watcher
from recorderd.clerk.process import ClerkProcess
from recorderd.config import Config, load
from recorderd.control.server import ControlServer
from recorderd.core import commands, events
from recorderd.core.engine import Engine, Settings
from recorderd.core.places import FROZEN
from recorderd.core.policy import Policy
from recorderd.core.rows import Conversation, Lane, Recording, Row
from recorderd.daemon import interpreter, water
from recorderd.daemon.alarms import Alarms
from recorderd.daemon.brain import Brain
from recorderd.daemon.desk import Desk
from recorderd.daemon.disks import Disks
from recorderd.daemon.figures import figures
from recorderd.daemon.ids import new_id
from recorderd.daemon.metrics import Metrics, Times
from recorderd.daemon.policies import Policies, state_folder
from recorderd.daemon.spool import Spool
from recorderd.daemon.stalls import Packets, Stalls
from recorderd.daemon.switchboard import Switchboard
from recorderd.daemon.troubles import Troubles
from recorderd.daemon.unheard import Unheard
from recorderd.daemon.water import Water
from recorderd.errors import AmiError, ConfigError, StoreError
from recorderd.store.journal import Journal

log = logging.getLogger("recorderd")

TICK = 0.1
_AGI_SILENT = 2.0
_HELD_SECONDS = 0.3
_OPEN_ROWS_SECONDS = 5.0
_LAST_ROWS_SECONDS = 3.0


class Service:
    """One daemon beside one Asterisk. Make it in a running loop, then `run`. `clerk` is the first one's process."""

    def __init__(self, config: Config, clerk: Popen[bytes]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.config = config
        self.started_at = time.time()
        self.journal_away = False
        self.recorder_times, self.agi_times = Times(), Times()
        state = state_folder(config)
        self.clerk = ClerkProcess(
            config,
            lambda: self.policies.policy,
            lambda: self.journal.catch_up(),
            self._clerk_says,
            born=clerk,
        )
        self.journal = Journal(state / "journal", self.clerk, tell=self._journal_says)
        self.alarms = Alarms(config.alarms, self.journal.write, node=config.node)
        self.policies = Policies(config, self.clerk, self._policy_changed, self.alarms.say)
        lanes = (config.spool.lanes, *config.spool.fallback)
        settings = Settings(
            monitor=str(config.spool.monitor),
            lanes=tuple(str(folder) for folder in lanes),
            names=config.names(),
            offer_feature=config.feature.offer,
            longest_pause=config.feature.longest_pause,
            stereo=str(config.spool.lanes) if config.archive.enabled else "",
            foreign=config.foreign,
        )
        self.board = Switchboard(Engine(settings, self.policies.policy, new_id), loop)
        self.link = AsteriskLink(
            AmiSettings(
                host=config.asterisk.host,
                port=config.asterisk.port,
                username=config.asterisk.username,
                secret=config.asterisk.secret,
                feature=config.feature.name,
                more_features=(config.feature.pause,) if config.feature.pause else (),
            ),
            Unheard(self.board.engine, self._take_in, lambda: self.link.now(), self._task).put,
            tz=config.zone,
            on_trouble=self._asterisk_trouble,
            recorder_took=self.recorder_times.observe,
        )
        self.watcher = Watcher(
            lambda event: self.stalls.heard(event),
            now=self.link.now,
            grew=lambda lane_id: self.stalls.grew(lane_id),
        )
        self.stalls = Stalls(
            self.board.put, self._channel_of, self._packets, self.watcher.size, self.link.now
        )
        self.places = Places(self._place_says, (*lanes, config.spool.monitor), self.link.now)
        self.water = Water(
            config.spool.monitor,
            config.archive.disk,
            Troubles(self.alarms, (water.KIND,), self.journal.write, time.time),
            self.board.put,
            self.link.now,
        )
        self.disks = Disks((*lanes, config.spool.monitor))
        self.archive = Archive(self.board.put, self.link.now)
        self.spool = Spool((config.spool.monitor, *lanes), config.zone, self.alarms.say)
        self.brain = Brain(lambda: self.policies.policy, config.names, self.board)
        self.agi = FastAgiServer(
            self.brain,
            AgiSettings(host=config.agi.host, port=config.agi.port, sounds=_sounds(config)),
            report=self._agi_says,
            extension_of=config.names().extension,
            took=self.agi_times.observe,
        )
        self.metrics = Metrics(lambda: figures(self))
        self.control = ControlServer(Desk(self, self.reload), config.control.socket, config.control.group)
        self.board.connect(
            {
                commands.MixMonitor: self.link.execute,
                commands.StopMixMonitor: self.link.execute,
                commands.LookAtForeign: self.link.execute,
                commands.StopForeign: self.link.execute,
                commands.MixMonitorMute: self.link.execute,
                commands.Setvar: self.link.execute,
                commands.OfferFeature: self.link.execute,
                commands.EndTalk: self.link.execute,
                commands.Watch: self._watch,
                commands.Unwatch: self._unwatch,
                commands.RemoveFile: lambda c: self.spool.remove(c.path),
                commands.Mix: self.archive.mix,
                commands.Measure: self.archive.measure,
                commands.Save: self._save,
                commands.Alarm: self.alarms.raise_,
            }
        )
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat = time.monotonic()

    # --- life ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """From start to SIGTERM. Raises RecorderdError when it cannot begin."""
        for warning in self.config.warnings:
            log.warning("%s", warning)
        for fault in await asyncio.to_thread(self.spool.make_days):
            self.alarms.say("spool", fault)
        self._task(self.clerk.run())
        await self.policies.begin()
        self._task(self.journal.run())
        await self._restore()
        await self._restore_water()
        await self.watcher.start()
        await self.archive.start()
        if self.config.agi.enabled:
            self.agi.start()
        self.control.claim()
        interpreter.settle()
        for work in (
            self.link.run(),
            self._ticks(),
            self.policies.follow(),
            self.alarms.run(),
            self.spool.run(),
            self.places.run(),
            self.water.run(),
            self.disks.run(),
            notify.watchdog(self._alive),
        ):
            self._task(work)
        self._signals()
        await self.control.start()
        log.info("recorderd %s is running", __version__)
        notify.notify("READY=1")
        await self._stopping.wait()
        notify.notify("STOPPING=1")
        await self._end()

    def stop(self) -> None:
        """Begin to end. Recorders in Asterisk run on: the next daemon adopts them."""
        self._stopping.set()

    async def _restore(self) -> None:
        """Take up what was open. Rows of before may still be in the journal: they go first."""
        await self.journal.drain(_OPEN_ROWS_SECONDS)
        try:
            async with asyncio.timeout(_OPEN_ROWS_SECONDS):
                rows = await self.clerk.open_rows(self.config.node or None)
        except (StoreError, TimeoutError) as error:
            self.alarms.say("store", f"What was open before the start is not known: {error}")
            return
        self.board.engine.catching_up.restore(rows.conversations, rows.intervals, rows.recordings, rows.lanes)
        if rows.recordings:
            log.info("%d recordings were open before the start", len(rows.recordings))

    async def _restore_water(self) -> None:
        """Whether no recording was to be begun; where that is not known, the disk will say."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_OPEN_ROWS_SECONDS):
                self.water.adopt(await self.clerk.active_alarms())

    async def _end(self) -> None:
        await self.link.close()
        await self.control.close()
        if self.config.agi.enabled:
            await asyncio.to_thread(self.agi.stop)
        await self.watcher.close()
        await self.archive.close()
        await self.journal.drain(_LAST_ROWS_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.spool.close()
        self.journal.close()
        log.info("recorderd has ended")

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical(
                "a part of recorderd failed: the service manager shall start it again", exc_info=error
            )
            self.stop()

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._task(self._reload_said()))

    async def _ticks(self) -> None:
        while True:
            self._beat = time.monotonic()
            self.board.put(events.Tick(at=self.link.now()))
            await asyncio.sleep(TICK)

    def _alive(self) -> bool:
        """Time passes in the engine, the dialplan would be answered, and Asterisk is heard or sought."""
        moving = time.monotonic() - self._beat < 10 * TICK and self.link.overdue <= 0
        return moving and self._answering()

    def _answering(self) -> bool:
        return not self.config.agi.enabled or self.agi.silent_seconds < _AGI_SILENT

    # --- between the rooms ---------------------------------------------------------------------

    def _watch(self, command: commands.Watch) -> None:
        self.watcher.watch(command)
        self.stalls.watch(command)

    def _unwatch(self, command: commands.Unwatch) -> None:
        self.stalls.unwatch(command)
        self.watcher.unwatch(command)

    def _place_says(self, event: events.Event) -> None:
        self.board.put(event)
        mine = str(self.config.spool.monitor)
        if isinstance(event, events.PlaceFault) and event.kind == FROZEN and self.link.connected:
            self._task(self.link.renew_unless_answering(_HELD_SECONDS))
        if isinstance(event, events.PlaceWell):
            log.info("%s takes what is written to it again", event.place)
        elif isinstance(event, events.PlaceFault) and event.place == mine:
            self.alarms.say("place-failed", f"The disk of {event.place} is {event.kind}: recordings wait")

    def _channel_of(self, lane_id: str) -> str | None:
        lane = self.board.engine.lanes.by_id.get(lane_id) or self.board.engine.foreign.watched(lane_id)
        return lane.uniqueid if lane else None

    async def _packets(self, uniqueid: str) -> Packets | None:
        counted = await self.link.packets(uniqueid)
        return Packets(*counted) if counted else None

    # --- what the rooms say --------------------------------------------------------------------

    def _save(self, row: Row) -> None:
        """Into the journal, as this node's: the core does not know that there are others."""
        if self.config.node and isinstance(row, Conversation | Recording | Lane):
            row = replace(row, node=self.config.node)
        self.journal.write(row)

    def _take_in(self, event: events.Event) -> None:
        """Into the engine, and to those who must know when the link comes and goes."""
        self.board.put(event)
        if isinstance(event, events.Resync):
            self.clerk.hearing(event.at)
            self._task(self.policies.mirror(self.link))
            log.info("Asterisk %s: %d channels", self.link.version, len(event.channels))
            notify.status(f"beside Asterisk {self.link.version}")
        elif isinstance(event, events.ConnectionLost):
            self.clerk.deaf(event.at)
            notify.status(f"without Asterisk: {event.reason}")

    def _agi_says(self, sentence: str) -> None:
        """Called in the AGI thread, which must not log: a log handler may be a stuck disk."""
        self._loop.call_soon_threadsafe(log.warning, "%s", sentence)

    def _asterisk_trouble(self, error: AmiError) -> None:
        self.alarms.say("asterisk", str(error))
        if not self.link.connected:
            notify.status(f"without Asterisk: {error}")

    def _policy_changed(self, policy: Policy) -> None:
        if not hasattr(self, "board"):
            return
        self.board.put(events.PolicyChanged(at=self.link.now(), policy=policy))
        self.clerk.policy_changed()
        if self.link.connected:
            self._task(self.policies.mirror(self.link))

    def _clerk_says(self, kind: str, sentence: str) -> None:
        """Of rows on their way to the store, unless we are going ourselves."""
        if not self._stopping.is_set():
            self.alarms.say(kind, sentence)

    def _journal_says(self, kind: str, sentence: str) -> None:
        if kind in ("database-away", "database-back"):
            self.journal_away = kind == "database-away"
        if kind.endswith(("-back", "-on-disk")):
            log.info("%s", sentence)
        else:
            self.alarms.say(kind, sentence)

    # --- reload --------------------------------------------------------------------------------

    async def reload(self) -> Mapping[str, Any]:
        """Take what the configuration file says now of policy and alarms; ConfigError keeps the old.

        What is bound at the start (Asterisk, ports, folders, the store) needs a restart, and says so.
        """
        notify.reloading()
        try:
            config = await asyncio.to_thread(load, self.config.path)
        finally:
            notify.notify("READY=1")
        fixed = [n for n in _FIXED if getattr(config, n) != getattr(self.config, n)]
        restart = [f"{name} changed: that takes effect at the next restart" for name in fixed]
        self.policies.reconfigure(config)
        self.alarms.settings = config.alarms
        return {
            "policy_version": self.policies.policy.version,
            "warnings": [*config.warnings, *restart],
        }

    async def _reload_said(self) -> None:
        try:
            answer = await self.reload()
        except ConfigError as error:
            self.alarms.say("config", f"The configuration was not reloaded, the old one stays: {error}")
            return
        for warning in answer["warnings"]:
            log.warning("%s", warning)
        log.info("the configuration was reloaded")


def _sounds(config: Config) -> str:
    """Where Asterisk finds what a presser hears: our own folder, which its user must be able to read."""
    folder = resources.files("recorderd.agi") / "sounds"
    return str(folder if config.feature.prompts == "tones" else folder / config.feature.prompts / "pressed")


_FIXED = (
    "node", "asterisk", "agi", "control", "store", "state", "spool", "channels", "feature", "cdr", "evidence",
    "foreign",
)  # fmt: skip


async def run(config: Config, clerk: Popen[bytes]) -> None:
    """Run the daemon until it is told to stop. Raises RecorderdError when it cannot begin."""
    service = Service(config, clerk)
    with contextlib.suppress(asyncio.CancelledError):
        await service.run()
