"""Carries out the core's commands for Asterisk, and says as events what came of them.

Owns the steps of each command: what is asked first, what is sent at once, what is undone. Must not decide
what is recorded, nor know how a connection is kept.

`execute` writes to the socket before it returns, without a detour through a task: what passes between a
BridgeEnter and the MixMonitor is lost audio, millisecond for millisecond (asterisk-facts 3). Only when more is asked
for than Asterisk answers (ten thousand recorders after a first start, more calls than the machine can carry) commands
wait here for their turn: Asterisk does one after the other anyway. Then recorders come first, in their order; a name
in a CDR or a feature code can wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from recorderd.ami import actions, snapshot, translate, wire
from recorderd.ami.pending import Reply
from recorderd.core import commands, events
from recorderd.core.outbox import can_wait
from recorderd.errors import ActionRefused, AmiError

log = logging.getLogger("recorderd.ami")

UNDER_WAY = 100
"""Our actions that Asterisk has not answered yet. More commands wait until it has."""

_GONE = "No such channel"


class Send(Protocol):
    """Writes an action now; see `AmiClient.send_action`."""

    def __call__(
        self, headers: wire.Headers, *, late: Callable[[wire.Headers], None] | None = None
    ) -> asyncio.Future[Reply]: ...


class Executor:
    """One per Asterisk. `put` is never called from within `execute`, only later, from the event loop."""

    def __init__(
        self,
        send: Send,
        put: Callable[[events.Event], object],
        now: Callable[[], float],
        ami_version: Callable[[], str],
        asterisk_version: Callable[[], str],
        features: Sequence[str],
        connected: Callable[[], bool],
        trouble: Callable[[AmiError], object],
        recorder_took: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self._send_action, self._put, self._now = send, put, now
        self._connected = connected
        self._ami_version = ami_version
        self._asterisk_version = asterisk_version
        self._features = tuple(features)
        self._trouble = trouble
        self._recorder_took = recorder_took
        self._marks: dict[str, str] = {}
        """The lane whose mark we last put on a channel, by the channel's uniqueid."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._first: deque[commands.Command] = deque()
        self._later: deque[commands.Command] = deque()
        self._carry_out: dict[type[commands.Command], Callable[[Any], None]] = {
            commands.MixMonitor: self._mixmonitor,
            commands.StopMixMonitor: self._stop,
            commands.LookAtForeign: self._look_at_foreign,
            commands.StopForeign: self._stop_foreign,
            commands.MixMonitorMute: self._mute,
            commands.Setvar: self._setvar,
            commands.OfferFeature: self._offer_feature,
            commands.EndTalk: self._end_talk,
        }

    def execute(self, command: commands.Command) -> None:
        """Raises KeyError for a command that is not Asterisk's; all else becomes an event or a log line."""
        carry_out = self._carry_out[type(command)]
        waiting = self._later if can_wait(command) else self._first
        if self._under_way < UNDER_WAY and not waiting:
            carry_out(command)
        else:
            waiting.append(command)

    def _send(
        self, headers: wire.Headers, *, late: Callable[[wire.Headers], None] | None = None
    ) -> asyncio.Future[Reply]:
        answer = self._send_action(headers, late=late)
        self._under_way += 1
        answer.add_done_callback(self._answered)
        return answer

    def _answered(self, _answer: asyncio.Future[Reply]) -> None:
        """Whose turn it is now. Once the link is gone nobody's: the next picture says what is to be asked again."""
        self._under_way -= 1
        if not self._connected():
            self._first.clear()
            self._later.clear()
        while self._under_way < UNDER_WAY and (waiting := self._first or self._later):
            command = waiting.popleft()
            self._carry_out[type(command)](command)

    def forget(self, uniqueid: str) -> None:
        """The channel is gone."""
        self._marks.pop(uniqueid, None)

    async def close(self) -> None:
        """Steps not yet taken are not taken any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # --- lanes

    def _mixmonitor(self, command: commands.MixMonitor) -> None:
        try:
            start = actions.mixmonitor(command, self._ami_version())
            mark = actions.lane_set(command.uniqueid, command.lane_id)
            started = self._send(start, late=partial(self._started_too_late, command))
        except AmiError as error:
            self._soon(events.LaneRefused(at=self._now(), lane_id=command.lane_id, reason=str(error)))
            return
        # At once, not after the answer: if the link breaks in between, the recorder is still known as ours.
        self._marks[command.uniqueid] = command.lane_id
        self._try(mark, "marking a channel as recorded")
        started.add_done_callback(partial(self._started, command, time.monotonic()))

    def _started(self, command: commands.MixMonitor, sent: float, answer: asyncio.Future[Reply]) -> None:
        error = answer.exception()
        if error is None:
            self._recorder_took(time.monotonic() - sent)
        if error is None and (mixmonitor_id := answer.result().headers.get("MixMonitorID")):
            self._put(
                events.LaneStarted(at=self._now(), lane_id=command.lane_id, mixmonitor_id=mixmonitor_id)
            )
            return
        if error is None or (isinstance(error, ActionRefused) and str(error) != _GONE):
            self._unmark(command.uniqueid, command.lane_id)
        reason = str(error or "Asterisk gave no MixMonitorID")
        self._put(events.LaneRefused(at=self._now(), lane_id=command.lane_id, reason=reason))

    def _started_too_late(self, command: commands.MixMonitor, headers: wire.Headers) -> None:
        """The lane was given up when no answer came: a recorder that nobody knows of must not run on."""
        mixmonitor_id = headers.get("MixMonitorID")
        if headers.get("Response") != "Success" or not mixmonitor_id:
            return
        log.warning("lane %s was started after its deadline and is stopped again", command.lane_id)
        stop = commands.StopMixMonitor(
            lane_id=command.lane_id, uniqueid=command.uniqueid, mixmonitor_id=mixmonitor_id
        )
        self._try(actions.stop_mixmonitor(stop), "stopping a lane that started too late")
        self._unmark(command.uniqueid, command.lane_id)

    def _stop(self, command: commands.StopMixMonitor) -> None:
        """An id is a heap address that another recorder may have by now: it must still be marked as ours."""
        failed = partial(events.LaneStopFailed, lane_id=command.lane_id)
        try:
            stop = actions.stop_mixmonitor(command)
            asked = self._both_marks(command.uniqueid)
        except AmiError as error:
            self._soon(failed(at=self._now(), reason=str(error)))
            return

        async def steps() -> None:
            try:
                mixmonitor_id, lane_id = await asked
                marked = (mixmonitor_id, lane_id) == (command.mixmonitor_id, command.lane_id)
                # While it runs, its address is nobody else's.
                beside = command.replaced and mixmonitor_id != command.mixmonitor_id
                if not marked and not beside:
                    there = f"{lane_id} ({mixmonitor_id})" if lane_id else "not ours"
                    raise AmiError(f"the channel's recorder is {there}")
                stopped = self._send(stop)
                # In the same breath, so that the mark of a lane started next is not wiped.
                self._unmark(command.uniqueid, command.lane_id)
                await stopped
            except AmiError as error:
                self._put(failed(at=self._now(), reason=str(error)))
            else:
                self._put(events.LaneStopped(at=self._now(), lane_id=command.lane_id))

        self._go(steps())

    def _both_marks(self, uniqueid: str) -> asyncio.Future[list[str]]:
        """What the channel's variables say: the MixMonitorID and the lane's id."""
        asked = [
            self._send(actions.variable_get(uniqueid, name))
            for name in (snapshot.MIXMONITOR_ID, snapshot.LANE)
        ]

        async def values() -> list[str]:
            return [reply.headers.get("Value", "") for reply in await asyncio.gather(*asked)]

        return asyncio.ensure_future(values())

    def _unmark(self, uniqueid: str, lane_id: str) -> None:
        """Takes the lane's marks off the channel, unless they are another lane's by now."""
        if self._marks.get(uniqueid, lane_id) != lane_id:
            return
        self._marks.pop(uniqueid, None)
        self._try(actions.lane_set(uniqueid, ""), "unmarking a channel")
        self._try(actions.id_forgotten(uniqueid), "unmarking a channel")

    def _mute(self, command: commands.MixMonitorMute) -> None:
        done = "muting" if command.muted else "unmuting"
        if actions.mute_deadlocks(self._asterisk_version(), self._ami_version()):
            # The mask holds all the same: what was said meanwhile is left out when the file is made.
            log.warning("this Asterisk can lock up on MixMonitorMute (issue 233): %s is left undone", done)
            return
        try:
            muted = self._send(actions.mixmonitor_mute(command))
        except AmiError as error:
            self._trouble(AmiError(f"{done} lane {command.lane_id} failed: {error}"))
            return

        def told(answer: asyncio.Future[Reply]) -> None:
            if error := answer.exception():
                self._trouble(AmiError(f"{done} lane {command.lane_id} failed: {error}"))

        muted.add_done_callback(told)

    # --- the rest

    def _look_at_foreign(self, command: commands.LookAtForeign) -> None:
        names = (*snapshot.FOREIGN_NAMES, snapshot.MIXMONITOR_ID)
        nothing = events.ForeignSeen(at=self._now(), uniqueid=command.uniqueid)
        try:
            asked = [self._send(actions.variable_get(command.uniqueid, name)) for name in names]
        except AmiError:
            self._soon(nothing)
            return

        async def steps() -> None:
            try:
                replies = await asyncio.gather(*asked)
            except AmiError:
                self._put(replace(nothing, at=self._now()))
                return
            values = (translate.known(reply.headers.get("Value", "")) for reply in replies)
            path, ids = snapshot.foreign(dict(zip(names, values, strict=True)))
            self._put(
                events.ForeignSeen(at=self._now(), uniqueid=command.uniqueid, mixmonitor_ids=ids, path=path)
            )

        self._go(steps())

    def _stop_foreign(self, command: commands.StopForeign) -> None:
        """By its id; the newest, whoever's it is, only where no mark of ours is on the channel."""

        async def steps(asked: asyncio.Future[list[str]]) -> None:
            try:
                ours, lane_id = await asked
                for mixmonitor_id in command.mixmonitor_ids:
                    if mixmonitor_id != ours and await stopped(mixmonitor_id):
                        return
                if command.newest and lane_id:
                    raise AmiError(f"our own lane {lane_id} is on that channel")
                if not command.newest or not await stopped(""):
                    nameless = not command.newest
                    self._put(
                        events.ForeignGone(at=self._now(), uniqueid=command.uniqueid, nameless=nameless)
                    )
            except AmiError as error:
                failed(error)

        async def stopped(mixmonitor_id: str) -> bool:
            """Whether there was such a one; refused where there was none, or no such channel any more."""
            try:
                await self._send(actions.stop_foreign(command, mixmonitor_id))
            except ActionRefused:
                return False
            return True

        def failed(error: AmiError) -> None:
            self._trouble(AmiError(f"another's recorder on {command.uniqueid} was not stopped: {error}"))

        try:
            self._go(steps(self._both_marks(command.uniqueid)))
        except AmiError as error:
            failed(error)

    def _setvar(self, command: commands.Setvar) -> None:
        try:
            headers = actions.setvar(command)
        except AmiError as error:
            log.warning("%s was not set: %s", command.variable, error)
            return
        self._try(headers, f"setting {command.variable}")

    def _offer_feature(self, command: commands.OfferFeature) -> None:
        """Asterisk reads the variable when the channel enters a bridge: who answers at once leaves us a millisecond.

        So ours are appended unseen, and put right where they were there already, or Asterisk lacks its PUSH().
        """

        async def steps(asked: asyncio.Future[Reply], pushed: asyncio.Future[Reply]) -> None:
            try:
                done, read = await asyncio.gather(_is_done(pushed), asked)
                offered = read.headers.get("Value", "")
                should = actions.features_with(offered, self._features)
                if done and should == "#".join(filter(None, (offered, *self._features))):
                    return
                await self._send(actions.variable_set(command.uniqueid, "DYNAMIC_FEATURES", should))
            except AmiError as error:
                log.info("the feature code was not offered on %s: %s", command.uniqueid, error)

        try:
            push = actions.features_push(command.uniqueid, self._features)
            asked = self._send(actions.features_read(command))
            self._go(steps(asked, self._send(push)))
        except AmiError as error:
            log.info("the feature code was not offered on %s: %s", command.uniqueid, error)

    def _end_talk(self, command: commands.EndTalk) -> None:
        """To our prompt, where the dialplan has it; else they are hung up."""

        async def steps() -> None:
            try:
                await self._send(actions.end_talk(command))
            except AmiError as error:
                log.info("no prompt for those who may not talk on: %s", error)
                for uniqueid in command.uniqueids:
                    self._try(actions.hangup(uniqueid), "ending a call that may not go on")

        self._go(steps())

    def _try(self, headers: wire.Headers, what: str) -> None:
        """An action whose failure changes nothing for us: most often the channel has just gone."""

        def told(answer: asyncio.Future[Reply]) -> None:
            if error := answer.exception():
                log.info("%s failed: %s", what, error)

        try:
            self._send(headers).add_done_callback(told)
        except AmiError as error:
            log.info("%s failed: %s", what, error)

    def _soon(self, event: events.Event) -> None:
        asyncio.get_running_loop().call_soon(self._put, event)

    def _go(self, steps: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _is_done(asked: asyncio.Future[Reply]) -> bool:
    """Whether Asterisk did it, rather than refuse. Raises AmiError where it was not even asked."""
    try:
        await asked
    except ActionRefused:
        return False
    return True
