"""The inbox: every event goes into the engine here, and every command of its goes to whoever can do it.

Owns the order (one event at a time, its commands before the next) and who waits for an answer. Must not
decide anything about calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from recorderd.core import commands, events, rows
from recorderd.core.engine import Engine

log = logging.getLogger("recorderd.calls")

_ARMED_PATIENCE = 3.0

Doer = Callable[[Any], None]


class Switchboard:
    """`put` is called in the event loop only. `doers` carry commands out, by the command's type."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = engine
        self.decisions: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.presses: Counter[str] = Counter()
        self.events = 0
        self._loop = loop
        self._inbox: deque[events.Event] = deque()
        self._sent: deque[events.Event] = deque()
        self._woken = False
        self._busy = False
        self._doers: Mapping[type[commands.Command], Doer] = {}
        self._answers: dict[str, Future[commands.Answer]] = {}
        self._armed: dict[str, list[Future[bool]]] = {}

    def connect(self, doers: Mapping[type[commands.Command], Doer]) -> None:
        """Say who does what. Once, before the first event."""
        self._doers = {
            **doers,
            commands.Answer: self._answered,
            commands.Save: self._save(doers[commands.Save]),
        }

    def put(self, event: events.Event) -> None:
        """Take in one event. What a command sets off at once waits its turn."""
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inbox:
                self._handle(self._inbox.popleft())
        finally:
            self._busy = False

    def put_soon(self, event: events.Event) -> None:
        """The same from another thread. Waking the loop costs more than an event: once for all that wait."""
        self._sent.append(event)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._take_sent)

    def _take_sent(self) -> None:
        self._woken = False  # before the first is taken: what comes from now on wakes us again
        while self._sent:
            self.put(self._sent.popleft())

    def _handle(self, event: events.Event) -> None:
        self.events += 1
        try:
            todo = self.engine.handle(event)
        except Exception:
            # A fault of ours in one call must not end the recording of all others.
            log.exception("the engine failed on %s", event)
            todo = self.engine.out.take()
        for command in todo:
            try:
                self._doers[type(command)](command)
            except Exception:
                log.exception("%s was not carried out", command)
        if self._armed and isinstance(event, events.FileSeen | events.FileFault | events.LaneRefused):
            self._tell_armed(event)

    # --- answers -------------------------------------------------------------------------------

    def press(self, press: events.Press) -> Future[commands.Answer]:
        """Put a press, from any thread; the future gets its answer."""
        future: Future[commands.Answer] = Future()
        self._loop.call_soon_threadsafe(self._press, press, future)
        return future

    def _press(self, press: events.Press, future: Future[commands.Answer]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._answers[press.id] = future
        self.put(press)

    def _answered(self, answer: commands.Answer) -> None:
        self.presses[answer.outcome] += 1
        log.info("press: %s, %s", answer.outcome, answer.reason, extra={"keys": {"press": answer.press_id}})
        if future := self._answers.pop(answer.press_id, None):
            future.set_result(answer)

    def armed(self, uniqueid: str) -> Future[bool]:
        """True once a file of a recorder on this channel is seen, from any thread."""
        future: Future[bool] = Future()
        self._loop.call_soon_threadsafe(self._wait_armed, uniqueid, future)
        return future

    def _wait_armed(self, uniqueid: str, future: Future[bool]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        lane = self.engine.recorder.on(uniqueid)
        if lane is not None and lane.state is rows.LaneState.RECORDING:
            future.set_result(True)
            return
        if lane is None and self.engine.no_room:
            future.set_result(False)
            return
        self._armed.setdefault(uniqueid, []).append(future)
        self._loop.call_later(_ARMED_PATIENCE, self._give_up, uniqueid, future)

    def _give_up(self, uniqueid: str, future: Future[bool]) -> None:
        waiting = self._armed.get(uniqueid, [])
        if future in waiting:
            waiting.remove(future)
            future.set_result(False)

    def _tell_armed(self, event: events.FileSeen | events.FileFault | events.LaneRefused) -> None:
        for uniqueid in list(self._armed):
            lane = self.engine.recorder.on(uniqueid)
            if lane is not None and lane.state is rows.LaneState.RECORDING:
                self._settle_armed(uniqueid, True)
            elif lane is None and not isinstance(event, events.FileSeen):
                self._settle_armed(uniqueid, False)

    def _settle_armed(self, uniqueid: str, seen: bool) -> None:
        for future in self._armed.pop(uniqueid, ()):
            future.set_result(seen)

    # --- rows ----------------------------------------------------------------------------------

    def _save(self, write: Callable[[rows.Row], None]) -> Callable[[commands.Save], None]:
        def save(command: commands.Save) -> None:
            write(command.row)
            if isinstance(command.row, rows.Interval):
                self._log_interval(command.row)

        return save

    def _log_interval(self, interval: rows.Interval) -> None:
        """One line for each decision, one for each outcome."""
        keys = {"interval": interval.id, "conversation": interval.conversation_id, "mode": interval.mode}
        who = " and ".join(p.number or p.channel for p in interval.parties)
        if interval.ended_at is None:
            self.decisions[interval.mode] += 1
            what = "recording" if interval.wanted else "not recording"
            log.info("%s: %s, %s", who, what, interval.reason, extra={"keys": keys})
        elif interval.outcome is not None:
            self.outcomes[interval.outcome] += 1
            seconds = interval.ended_at - interval.started_at
            log.info("%s: %.1f s %s", who, seconds, interval.outcome, extra={"keys": keys})
