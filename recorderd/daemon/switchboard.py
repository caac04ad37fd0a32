"""The inbox: every event goes into the engine here, and every command of its goes to whoever can do it.

Owns the order (one event at a time, its commands before the next), when the loop has its turn in between, and who
waits for an answer. Must not decide anything about calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from recorderd.core import commands, events, rows
from recorderd.core.engine import Engine

log = logging.getLogger("recorderd.calls")

_ARMED_PATIENCE = 3.0
SLICE_SECONDS = 0.005
"""So long at a time the loop is held by an event that concerns very many calls, and by those that waited behind it."""

Doer = Callable[[Any], None]


class Switchboard:
    """`put` is called in the event loop only. `doers` carry commands out, by the command's type."""

    def __init__(
        self, engine: Engine, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.engine = engine
        self.decisions: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.presses: Counter[str] = Counter()
        self.events = 0
        self._loop = loop
        self._inbox: deque[events.Event] = deque()
        self._sent: deque[events.Event] = deque()
        self._busy = False
        self._clock = clock
        self._later: asyncio.Handle | None = None
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

    @property
    def behind(self) -> bool:
        """Something was taken in that is not thought about yet: it waits for the loop's next turn."""
        return self._later is not None

    def put(self, event: events.Event) -> None:
        """Take in one event: when this returns it is done with, unless we are `behind`.

        What a command sets off at once waits its turn. Only the loss of the link does not wait: from now on nothing
        can be asked for.
        """
        if self._later is not None and type(event) is events.ConnectionLost:
            self._handle(event)
            return
        self._take_sent()
        self._inbox.append(event)
        if not self._busy and self._later is None:
            self._work()

    def _take_sent(self) -> None:
        while self._sent:
            self._inbox.append(self._sent.popleft())

    def _work(self) -> None:
        """Until nothing waits. An agenda of the engine's, and what waits behind it, leaves the loop its turns."""
        self._later, self._busy = None, True
        begun, at_length = self._clock(), len(self._inbox) > 1
        try:
            while self.engine.busy or self._inbox:
                if self.engine.busy:
                    at_length = True
                    self._go_on()
                else:
                    self._handle(self._inbox.popleft())
                if at_length and self._clock() - begun > SLICE_SECONDS:
                    self._later = self._loop.call_soon(self._work)
                    break
        finally:
            self._busy = False

    def put_soon(self, event: events.Event) -> None:
        """The same from another thread, just before the next event that comes: the next tick's at the latest.

        Waking the loop would cost more than the event. What the dialplan has asked about is followed at once by the
        events of its dialling.
        """
        self._sent.append(event)

    def _handle(self, event: events.Event) -> None:
        self.events += 1
        try:
            todo = self.engine.begin(event)
        except Exception:
            # A fault of ours in one call must not end the recording of all others.
            log.exception("the engine failed on %s", event)
            todo = self.engine.out.take()
        self._carry_out(todo)
        if self._armed and isinstance(event, events.FileSeen | events.FileFault | events.LaneRefused):
            self._tell_armed(event)

    def _go_on(self) -> None:
        try:
            todo = self.engine.step()
        except Exception:
            log.exception("the engine failed on one of many calls")
            todo = self.engine.out.take()
        self._carry_out(todo)

    def _carry_out(self, todo: Iterable[commands.Command]) -> None:
        for command in todo:
            try:
                self._doers[type(command)](command)
            except Exception:
                log.exception("%s was not carried out", command)

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
        self._take_sent()
        if not self._busy and self._later is None:
            self._work()
        lane = self.engine.lanes.on(uniqueid)
        if lane is not None and lane.state is rows.LaneState.RECORDING:
            future.set_result(True)
            return
        if lane is None and self.engine.plan.no_room:
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
            lane = self.engine.lanes.on(uniqueid)
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
