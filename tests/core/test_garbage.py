"""Events in any order, about anything: nothing may raise, and nothing may be left behind."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from recorderd.core import commands, events
from recorderd.core.engine import Engine
from recorderd.core.policy import ExtensionPolicy, Mode, Policy
from recorderd.core.rows import Interval, Row
from tests.core.world import RECORDINGS_END, SETTINGS, key, lane_is_finished, open_rows

UNIQUEIDS = [f"u{n}" for n in range(5)]
NAMES = ["PJSIP/101-1", "PJSIP/102-2", "PJSIP/trunk-3", "Local/x@y-4;1", "Local/x@y-4;2"]
BRIDGES = ["b1", "b2", "b3"]

uniqueids = st.sampled_from(UNIQUEIDS)
names = st.sampled_from(NAMES)
bridges = st.sampled_from(BRIDGES)
lanes = st.sampled_from([f"id{n}" for n in range(1, 12)])
at = st.floats(0, 30)
modes = st.sampled_from(Mode)


def default(mode: Mode) -> Policy:
    return Policy(default=ExtensionPolicy(extension="", inbound=mode, outbound=mode))


channel = {"at": at, "channel": names, "uniqueid": uniqueids}
live = st.builds(
    events.LiveChannel,
    channel=names,
    uniqueid=uniqueids,
    linkedid=uniqueids,
    application=st.sampled_from(["Dial", "AppDial", "Queue", "AppQueue", ""]),
    bridge_uniqueid=st.one_of(st.just(""), bridges),
    bridge_technology=st.sampled_from(["", "simple_bridge", "holding_bridge"]),
    lane_id=st.one_of(st.just(""), lanes),
    mixmonitor_id=st.sampled_from(["", "0x1"]),
)

ANY_EVENT = st.one_of(
    st.builds(events.Newchannel, **channel, linkedid=uniqueids, exten=st.sampled_from(["s", "102", "*8"])),
    st.builds(
        events.DialBegin,
        at=at,
        channel=st.none() | names,
        uniqueid=st.none() | uniqueids,
        linkedid=uniqueids,
        dest_channel=names,
        dest_uniqueid=uniqueids,
        dest_linkedid=uniqueids,
    ),
    st.builds(
        events.DialEnd,
        at=at,
        uniqueid=st.none() | uniqueids,
        dest_channel=names,
        dest_uniqueid=uniqueids,
        dial_status=st.sampled_from(["ANSWER", "CANCEL", ""]),
    ),
    st.builds(events.Pickup, **channel, target_uniqueid=uniqueids),
    st.builds(events.Hangup, **channel, linkedid=uniqueids),
    st.builds(
        events.BridgeEnter,
        **channel,
        linkedid=uniqueids,
        bridge_uniqueid=bridges,
        bridge_technology=st.sampled_from(["simple_bridge", "softmix", "holding_bridge", ""]),
        swap_uniqueid=st.none() | uniqueids,
    ),
    st.builds(events.BridgeLeave, **channel, linkedid=uniqueids, bridge_uniqueid=bridges),
    st.builds(events.BridgeDestroy, at=at, bridge_uniqueid=bridges),
    st.builds(
        events.BlindTransfer,
        at=at,
        transferer_uniqueid=uniqueids,
        extension=st.just("103"),
    ),
    st.builds(events.MixMonitorStart, **channel),
    st.builds(events.MixMonitorStop, **channel),
    st.builds(events.NoRoom, at=at, why=st.just("full")),
    st.builds(events.Room, at=at),
    st.builds(events.LaneStarted, at=at, lane_id=lanes, mixmonitor_id=st.just("0x1")),
    st.builds(events.LaneRefused, at=at, lane_id=lanes, reason=st.just("no")),
    st.builds(events.LaneStopped, at=at, lane_id=lanes),
    st.builds(events.LaneStopFailed, at=at, lane_id=lanes, reason=st.just("no")),
    st.builds(events.FileSeen, at=at, lane_id=lanes),
    st.builds(
        events.FileFault, at=at, lane_id=lanes, kind=st.sampled_from(["missing", "stalled", "deleted"])
    ),
    st.builds(
        events.Mixed,
        at=at,
        recording_id=lanes,
        duration_ms=st.integers(0, 9000),
        size=st.just(1),
        audio=st.dictionaries(lanes, st.integers(0, 9000), max_size=3),
        error=st.sampled_from(["", "no disk"]),
    ),
    st.builds(
        events.Consult,
        **channel,
        linkedid=uniqueids,
        caller_id_num=st.just(""),
        exten=st.just("102"),
        context=st.just("x"),
        callees=st.lists(st.sampled_from(["101", "102", "9112"]), max_size=2).map(tuple),
    ),
    st.builds(
        events.Press,
        at=at,
        id=st.just("p"),
        action=st.sampled_from(["toggle", "start", "stop", "pause", "resume"]),
        uniqueid=uniqueids,
        by=st.just("x"),
        source=st.just("cli"),
    ),
    st.builds(events.PolicyChanged, at=at, policy=modes.map(default)),
    st.builds(events.Resync, at=at, channels=st.lists(live, max_size=4).map(tuple)),
    st.builds(events.ConnectionLost, at=at),
    st.builds(events.Shutdown, at=at),
    st.builds(events.Tick, at=at),
)


class Notebook:
    """Keeps what the engine saves, and answers it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rows: dict[tuple[type[Row], str], Row] = {}
        self.todo: list[commands.Command] = []

    def hear(self, event: events.Event) -> None:
        for command in self.engine.handle(event):
            self.todo.append(command)
            if isinstance(command, commands.Save):
                self.rows[type(command.row), key(command.row)] = command.row

    def end(self, now: float) -> None:
        """Asterisk is empty; ticks, and every mix is answered."""
        self.hear(events.Resync(at=now, channels=()))
        for second in range(1, 5):
            self.hear(events.Tick(at=now + second))
            for command in self.todo:
                if isinstance(command, commands.Mix):
                    mixed = events.Mixed(
                        at=now, recording_id=command.recording_id, duration_ms=1, size=1, audio={}
                    )
                    self.hear(mixed)
            self.todo.clear()


def nothing_is_left(notebook: Notebook) -> None:
    engine = notebook.engine
    assert not engine.calls.channels
    assert not engine.calls.bridges
    assert not engine.talks.talks
    assert not engine.talks.home
    assert not engine.lanes.by_id
    assert not engine.ledger.recordings
    conversations, intervals, recordings, lanes = open_rows(notebook.rows.values())
    assert not conversations
    assert not [i for i in intervals if i.ended_at is None or i.outcome is None]
    assert not [r for r in recordings if r.state not in RECORDINGS_END]
    assert not [lane for lane in lanes if not lane_is_finished(lane)]


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(happened=st.lists(ANY_EVENT, max_size=60), mode=modes)
def test_no_order_of_events_raises_or_leaves_anything_behind(
    happened: list[events.Event], mode: Mode
) -> None:
    ids = itertools.count(1)
    notebook = Notebook(Engine(SETTINGS, default(mode), lambda: f"id{next(ids)}"))
    notebook.hear(events.Resync(at=0.0, channels=()))
    for event in happened:
        notebook.hear(event)
    notebook.end(100.0)
    nothing_is_left(notebook)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(before=st.lists(ANY_EVENT, max_size=40), after=st.lists(ANY_EVENT, max_size=20), mode=modes)
def test_a_restart_from_any_rows_ends_in_closed_rows(
    before: list[events.Event], after: list[events.Event], mode: Mode
) -> None:
    ids = itertools.count(1)
    notebook = Notebook(Engine(SETTINGS, default(mode), lambda: f"id{next(ids)}"))
    for event in before:
        notebook.hear(event)
    notebook.engine = Engine(SETTINGS, default(mode), lambda: f"id{next(ids)}")
    notebook.engine.catching_up.restore(*open_rows(notebook.rows.values()))
    for event in after:
        notebook.hear(replace(event, at=event.at + 30))
    notebook.end(100.0)
    nothing_is_left(notebook)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(happened=st.lists(ANY_EVENT, max_size=60), mode=modes)
def test_intervals_of_a_conversation_never_overlap_however_clocks_jump(
    happened: list[events.Event], mode: Mode
) -> None:
    ids = itertools.count(1)
    notebook = Notebook(Engine(SETTINGS, default(mode), lambda: f"id{next(ids)}"))
    notebook.hear(events.Resync(at=0.0, channels=()))
    for event in happened:
        notebook.hear(event)
    notebook.end(100.0)
    by_talk: dict[str, list[Interval]] = {}
    for row in notebook.rows.values():
        if isinstance(row, Interval):
            by_talk.setdefault(row.conversation_id, []).append(row)
    for held in by_talk.values():
        for before, later in itertools.pairwise(held):
            assert before.ended_at is not None
            assert before.ended_at <= later.started_at
