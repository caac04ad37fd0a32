"""The life of a lane: every cell of the table, and that no fact in any state ever gets past it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.foreign import ForeignRecorders
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.places import Places
from recorderd.core.recorder import Recorder
from recorderd.core.recordings import LANE, OVER, LiveLane
from recorderd.core.rows import LaneState
from recorderd.core.stops import Stops
from tests.core.tape import T, name, tape, uid

S = LaneState

FACTS = {
    "started": events.LaneStarted(at=T + 1, lane_id="L", mixmonitor_id="0x1"),
    "refused": events.LaneRefused(at=T + 1, lane_id="L", reason="no"),
    "stopped": events.LaneStopped(at=T + 1, lane_id="L"),
    "stop failed": events.LaneStopFailed(at=T + 1, lane_id="L", reason="no"),
    "seen": events.FileSeen(at=T + 1, lane_id="L"),
    "fault": events.FileFault(at=T + 1, lane_id="L", kind="stalled"),
    "hangup": events.Hangup(at=T + 1, channel="x", uniqueid="u", linkedid="u"),
}

# What each fact makes of each state; a missing cell is a fact that cannot follow, and is left aside.
EXPECTED = {
    S.STARTING: {"started": S.ATTACHED, "refused": S.REFUSED, "fault": S.LOST, "hangup": S.CLOSED},
    S.ATTACHED: {"started": S.ATTACHED, "seen": S.RECORDING, "fault": S.LOST, "hangup": S.CLOSED},
    S.RECORDING: {"started": S.RECORDING, "seen": S.RECORDING, "fault": S.LOST, "hangup": S.CLOSED},
    S.STOPPING: {
        "stopped": S.CLOSED,
        "stop failed": S.LOST,
        "seen": S.STOPPING,
        "fault": S.STOPPING,
        "hangup": S.CLOSED,
    },
    **{state: {} for state in OVER},
}


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", LaneState)
def test_each_cell_is_in_the_table_or_an_error(state, fact) -> None:
    lane = LiveLane("L", "u", "x", "101", "/x", False, state=state)
    if fact in EXPECTED[state]:
        lane.advance(FACTS[fact])
        assert lane.state is EXPECTED[state][fact]
    else:
        with pytest.raises(KeyError):
            lane.advance(FACTS[fact])


def test_the_table_has_no_cell_that_is_not_looked_at() -> None:
    kinds = {type(event): fact for fact, event in FACTS.items()}
    assert {(state, kinds[kind]) for state, kind in LANE} == {
        (state, fact) for state, cells in EXPECTED.items() for fact in cells
    }
    assert set(EXPECTED) == set(LaneState)


class Desk:
    """A recorder, and a channel that it may be put on."""

    def __init__(self) -> None:
        calls, self.out = Calls(), Outbox()
        calls.apply(next(tape("new 101-00")))
        self.channel = calls.channels[uid("101-00")]
        self.lanes, places = Lanes(self.out), Places(("/a", "/b"))
        stops, foreign = Stops(self.lanes, places, self.out), ForeignRecorders(calls, self.out, "/m")
        self.recorder = Recorder(calls, self.out, self.lanes, places, stops, foreign)


def desk_with_a_lane(state: LaneState) -> tuple[Desk, LiveLane]:
    """Its only lane is in this state, however it got there."""
    desk = Desk()
    desk.recorder.start(desk.channel, lambda: "L", "2026/11/23", "", T)
    lane = desk.lanes.by_id["L"]
    lane.state, lane.mixmonitor_id = state, "0x1"
    if state in OVER:
        desk.lanes.end(lane, T)
    desk.out.take()
    return desk, lane


@pytest.mark.parametrize("fact", [f for f in FACTS if f != "hangup"])
@pytest.mark.parametrize("state", LaneState)
def test_the_recorder_never_runs_into_a_missing_cell(state, fact) -> None:
    desk, lane = desk_with_a_lane(state)
    desk.recorder.fact(FACTS[fact])
    if fact not in EXPECTED[state]:
        assert lane.state is state, "a fact that cannot follow changes nothing"


@pytest.mark.parametrize("state", LaneState)
def test_a_hangup_ends_whatever_runs(state) -> None:
    desk, lane = desk_with_a_lane(state)
    desk.recorder.hangup(lane.uniqueid, FACTS["hangup"])
    assert lane.state in OVER
    assert desk.lanes.on(lane.uniqueid) is None
    saved = [c.row.state for c in desk.out.take() if isinstance(c, commands.Save)]
    assert saved == ([] if state in OVER else [S.CLOSED])


@pytest.mark.parametrize("state", [S.STARTING, S.ATTACHED, S.RECORDING, S.STOPPING])
def test_no_second_recorder_starts_while_one_is_not_gone(state) -> None:
    desk, _ = desk_with_a_lane(state)
    desk.recorder.start(desk.channel, lambda: "M", "2026/11/23", "", T)
    assert desk.out.take() == []


def test_a_stop_is_asked_for_twice_before_it_is_given_up() -> None:
    desk, lane = desk_with_a_lane(S.RECORDING)
    desk.recorder.stop(lane)
    desk.recorder.fact(FACTS["stop failed"])
    assert lane.state is S.STOPPING
    stops = [c for c in desk.out.take() if isinstance(c, commands.StopMixMonitor)]
    assert len(stops) == 2
    desk.recorder.fact(FACTS["stop failed"])
    assert lane.state is S.LOST
    assert [c.kind for c in desk.out.take() if isinstance(c, commands.Alarm)] == ["stop-failed"]


def test_retries_wait_longer_and_go_elsewhere() -> None:
    """A file that does not come is looked for in the next folder; the pauses grow."""
    desk = Desk()
    recorder, channel = desk.recorder, desk.channel
    began, at = [], T
    for number in range(4):
        while not desk.lanes.on(channel.uniqueid):
            recorder.start(channel, f"L{number}".format, "d", "", at)
            at = round(at + 0.1, 6)
        lane = desk.lanes.on(channel.uniqueid)
        assert lane is not None
        began.append((lane.path, round(at - T - 0.1, 1)))
        recorder.fact(events.LaneStarted(at=at, lane_id=lane.id, mixmonitor_id="0x1"))
        recorder.fact(events.FileFault(at=at, lane_id=lane.id, kind="missing"))
        recorder.fact(events.LaneStopped(at=at, lane_id=lane.id))
    places = [path.split("/")[1] for path, _ in began]
    pauses = [round(b - a, 1) for (_, a), (_, b) in pairwise(began)]
    assert places == ["a", "b", "a", "b"]
    assert pauses == [0.1, 0.6, 2.1]
    assert name("101-00") in next(c.sentence for c in desk.out.take() if isinstance(c, commands.Alarm))
