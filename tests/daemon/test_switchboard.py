"""Every event in its turn; what concerns very many calls leaves the loop its turns in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from recorderd.core import commands, events
from recorderd.core.engine import Engine
from recorderd.daemon.switchboard import Switchboard
from tests.core.people import A, policy
from tests.core.test_agenda import AT, CALLS, picture, run_of
from tests.core.world import SETTINGS


class Desk:
    """A switchboard whose every look at the clock is a millisecond later, and what it had done."""

    def __init__(self) -> None:
        ids = iter(range(10**9))
        engine = Engine(SETTINGS, policy(default=A), lambda: f"id{next(ids)}")
        self.now = 0.0
        self.board = Switchboard(engine, asyncio.get_running_loop(), self._clock)
        self.done: list[commands.Command] = []
        kinds = [
            k for k in vars(commands).values() if isinstance(k, type) and issubclass(k, commands.Command)
        ]
        doers: dict[type[commands.Command], Callable[[Any], None]] = dict.fromkeys(kinds, self.done.append)
        self.board.connect(doers)

    def _clock(self) -> float:
        self.now += 0.001
        return self.now

    async def settled(self) -> int:
        """How many turns the loop had until nothing waited any more."""
        turns = 0
        while self.board.behind:
            turns += 1
            await asyncio.sleep(0)
        return turns

    @property
    def recorded(self) -> list[str]:
        return [command.uniqueid for command in self.done if isinstance(command, commands.MixMonitor)]


async def test_a_common_event_is_done_with_when_put_returns() -> None:
    desk = Desk()
    desk.board.put(picture(range(1)))
    assert not desk.board.behind
    assert set(desk.recorded) == run_of(range(1))


async def test_a_picture_of_very_many_calls_leaves_the_loop_its_turns() -> None:
    desk = Desk()
    desk.board.put(picture(range(CALLS)))
    assert desk.board.behind
    assert len(desk.recorded) < 10
    assert await desk.settled() > CALLS / 10
    assert set(desk.recorded) == run_of(range(CALLS))


async def test_what_comes_meanwhile_waits_in_its_order() -> None:
    desk, plain = Desk(), Desk()
    gone = [
        events.Hangup(at=AT + 1, channel="PJSIP/x", uniqueid=uniqueid, linkedid="")
        for uniqueid in sorted(run_of(range(100)))
    ]
    for event in [picture(range(CALLS)), *gone]:
        desk.board.put(event)
    await asyncio.sleep(0)
    assert desk.board.behind
    assert desk.board.engine.calls.channels.keys() >= run_of(range(100)), "not before the picture is taken in"
    await desk.settled()
    for event in [picture(range(CALLS)), *gone]:
        plain.board.put(event)
        await plain.settled()
    assert desk.done == plain.done
    assert desk.board.events == len(gone) + 1


def question(uniqueid: str) -> events.Consult:
    return events.Consult(
        at=AT,
        channel="PJSIP/101-00000001",
        uniqueid=uniqueid,
        linkedid=uniqueid,
        caller_id_num="101",
        exten="102",
        context="phones",
        callees=("102",),
    )


async def test_what_the_dialplan_asks_is_taken_along_by_the_next_event_and_comes_before_it() -> None:
    desk = Desk()
    desk.board.put(events.Resync(at=AT, channels=()))
    desk.board.put_soon(question("1.1"))
    await asyncio.sleep(0.01)
    assert not desk.recorded
    desk.board.put(events.Tick(at=AT + 0.1))
    assert desk.recorded == ["1.1"]
    assert desk.board.events == 3


async def test_who_waits_for_the_recorder_of_a_call_has_its_question_taken_in_at_once() -> None:
    """A call that may only connect recorded must not wait for a tick."""
    desk = Desk()
    desk.board.put(events.Resync(at=AT, channels=()))
    desk.board.put_soon(question("1.1"))
    seen = desk.board.armed("1.1")
    await asyncio.sleep(0)
    assert desk.recorded == ["1.1"]
    (lane,) = desk.board.engine.lanes.by_id.values()
    desk.board.put(events.LaneStarted(at=AT, lane_id=lane.id, mixmonitor_id="0x1"))
    desk.board.put(events.FileSeen(at=AT, lane_id=lane.id))
    assert seen.result(0) is True


async def test_a_press_waits_as_well() -> None:
    desk = Desk()
    desk.board.put(picture(range(CALLS)))
    uniqueid = sorted(run_of(range(1)))[0]
    future = desk.board.press(
        events.Press(at=AT, id="p1", action="pause", uniqueid=uniqueid, by="cli", source="cli")
    )
    answer = await asyncio.wait_for(asyncio.wrap_future(future), 10)
    assert answer.outcome == "paused"


async def test_once_the_link_is_lost_nothing_more_is_asked_for_and_all_is_thought_about() -> None:
    desk = Desk()
    desk.board.put(picture(range(CALLS)))
    asked = list(desk.recorded)
    desk.board.put(events.ConnectionLost(at=AT + 1))
    await desk.settled()
    assert desk.recorded == asked
    assert len(desk.board.engine.talks.talks) == CALLS
    desk.board.put(picture(range(CALLS), AT + 2))
    await desk.settled()
    lanes = desk.board.engine.lanes
    assert all(lanes.on(uniqueid) for uniqueid in run_of(range(CALLS)))


async def test_a_fault_in_one_of_many_is_told_and_the_rest_goes_on(caplog: Any) -> None:
    desk = Desk()
    start = desk.board.engine.recorder.start
    bad = sorted(run_of(range(50, 51)))[0]

    def broken(channel: Any, *args: Any) -> None:
        if channel.uniqueid == bad:
            raise ZeroDivisionError
        start(channel, *args)

    desk.board.engine.recorder.start = broken  # type: ignore[method-assign]
    desk.board.put(picture(range(CALLS)))
    await desk.settled()
    assert run_of(range(CALLS)) - set(desk.recorded) <= run_of(range(50, 51))
    assert "the engine failed on one of many calls" in caplog.text
