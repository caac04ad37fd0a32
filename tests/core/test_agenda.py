"""What touches very many calls is thought about step by step, the most urgent first, with the same outcome."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorderd.core import commands, events
from recorderd.core.agenda import AT_ONCE
from recorderd.core.conditions import Hours
from recorderd.core.engine import Engine
from recorderd.core.policy import Policy, Rule
from recorderd.core.rows import Interval
from tests.core.people import A, N, chooses, policy
from tests.core.world import SETTINGS

CALLS = 300
AT = 1_795_000_000.0


def live(call: int, side: int, **more: object) -> events.LiveChannel:
    """One of the two channels of a call."""
    number = 2 * call + side
    values: dict[str, object] = {
        "channel": f"PJSIP/{100 * (side + 1) + call % 50}-{number:08x}",
        "uniqueid": f"1795000000.{number}",
        "linkedid": f"1795000000.{2 * call}",
        "application": ("Dial", "AppDial")[side],
        "bridge_uniqueid": f"bridge-{call}",
        "bridge_technology": "simple_bridge",
        **more,
    }
    return events.LiveChannel(**values)  # type: ignore[arg-type]


def picture(calls: range, at: float = AT, marks: dict[str, tuple[str, str]] | None = None) -> events.Resync:
    def marked(uniqueid: str) -> dict[str, object]:
        lane_id, mixmonitor_id = (marks or {}).get(uniqueid, ("", ""))
        return {"lane_id": lane_id, "mixmonitor_id": mixmonitor_id}

    both = [live(call, side) for call in calls for side in (0, 1)]
    channels = tuple(live(n // 2 + calls.start, n % 2, **marked(one.uniqueid)) for n, one in enumerate(both))
    return events.Resync(at=at, channels=channels)


def engine(of: Policy | None = None, at_once: int = AT_ONCE) -> Engine:
    ids = iter(range(10**9))
    made = Engine(SETTINGS, of or policy(default=A), lambda: f"id{next(ids)}")
    made.agenda.at_once = at_once
    return made


def steps(engine: Engine, event: events.Event) -> Iterator[list[commands.Command]]:
    yield engine.begin(event)
    while engine.busy:
        yield engine.step()


def asked(todo: list[commands.Command], kind: type[commands.Command]) -> list[str]:
    return [command.uniqueid for command in todo if isinstance(command, kind)]  # type: ignore[attr-defined]


def run_all(engine: Engine) -> dict[str, tuple[str, str]]:
    """Every lane that was asked for runs, and its file is seen; what its channel's variables then say."""
    for lane in list(engine.lanes.by_id.values()):
        engine.handle(events.LaneStarted(at=AT, lane_id=lane.id, mixmonitor_id=f"0x{hash(lane.id) % 9999:x}"))
        engine.handle(events.FileSeen(at=AT, lane_id=lane.id))
    return {lane.uniqueid: (lane.id, lane.mixmonitor_id) for lane in engine.lanes.by_id.values()}


@pytest.mark.parametrize(
    "event",
    [
        picture(range(CALLS)),
        events.PolicyChanged(at=AT + 5, policy=policy(default=N)),
        events.Shutdown(at=AT + 5),
        events.Tick(at=AT + 120),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_step_asks_for_more_than_a_few_conversations_want(event: events.Event) -> None:
    """The tick is one on which a rule about the time of day may begin to hold."""
    night = Rule(name="night", mode=N, conditions=(Hours.parse("22:00-06:00", {}),))
    one = engine(policy(default=A, rules=(night,)))
    if not isinstance(event, events.Resync):
        one.handle(picture(range(CALLS)))
        one.handle(events.Tick(at=AT + 1))
    found = list(steps(one, event))
    assert max(map(len, found)) < 30
    assert len(found) > CALLS / 2


def test_step_by_step_the_same_is_asked_for_in_the_same_order_as_in_one_go() -> None:
    many = [
        picture(range(CALLS)),
        events.ConnectionLost(at=AT + 1),
        picture(range(50, CALLS + 50), AT + 2),
        events.PolicyChanged(at=AT + 3, policy=policy(chooses("103", N), default=A)),
        events.Shutdown(at=AT + 4),
    ]
    whole, stepped = engine(), engine()
    for event in many:
        assert whole.handle(event) == [c for todo in steps(stepped, event) for c in todo]


def test_lot_by_lot_every_talk_has_the_intervals_that_it_has_when_all_are_thought_about_at_once() -> None:
    def intervals(at_once: int) -> list[tuple[object, ...]]:
        one = engine(policy(chooses("103", N), default=A), at_once)
        todo = one.handle(picture(range(CALLS)))
        todo += one.handle(events.PolicyChanged(at=AT + 3, policy=policy(chooses("105", N), default=A)))
        todo += one.handle(picture(range(50, CALLS + 50), AT + 4))
        rows = [c.row for c in todo if isinstance(c, commands.Save) and isinstance(c.row, Interval)]
        return sorted(
            (tuple(p.uniqueid for p in i.parties), i.started_at, i.mode, str(i.ended_at)) for i in rows
        )

    assert intervals(10**9) == intervals(0)


def test_who_talks_and_has_no_recorder_comes_first() -> None:
    one = engine()
    one.handle(picture(range(CALLS)))
    marks = run_all(one)
    for gone in list(marks)[100:102]:
        del marks[gone]
    for lane in one.lanes.by_id.values():
        lane.was_muted = True  # so that something is to be said to every other
    one.handle(events.ConnectionLost(at=AT + 1))
    found = steps(one, picture(range(CALLS + 1), AT + 2, marks))
    todo: list[commands.Command] = []
    while len(asked(todo, commands.MixMonitor)) < 4:
        todo += next(found)
    new = {live(CALLS, side).uniqueid for side in (0, 1)}
    assert set(asked(todo, commands.MixMonitor)) == new | (marks.keys() ^ run_of(range(CALLS)))
    assert len(list(found)) > 2 * CALLS // AT_ONCE - 1, "of all others only one step has had its turn"


def run_of(calls: range) -> set[str]:
    return {live(call, side).uniqueid for call in calls for side in (0, 1)}


def test_a_picture_in_which_nothing_has_changed_changes_nothing() -> None:
    one = engine()
    one.handle(picture(range(CALLS)))
    marks = run_all(one)
    lanes, talks = set(one.lanes.by_id), {t.id: t.members for t in one.talks.talks.values()}
    one.handle(events.ConnectionLost(at=AT + 1))
    todo = one.handle(picture(range(CALLS), AT + 2, marks))
    assert todo == []
    assert set(one.lanes.by_id) == lanes
    assert {t.id: t.members for t in one.talks.talks.values()} == talks


def test_a_fault_in_one_conversation_leaves_all_others_their_turn() -> None:
    one = engine()
    bad = live(7, 0).uniqueid
    follow = one.following.follow

    def broken(talk: object, at: float, policy: Policy) -> None:
        if bad in talk.members:  # type: ignore[attr-defined]
            raise ZeroDivisionError
        follow(talk, at, policy)  # type: ignore[arg-type]

    one.following.follow = broken  # type: ignore[method-assign, assignment]
    todo, failures = one.begin(picture(range(CALLS))), 0
    while one.busy:
        try:
            todo += one.step()
        except ZeroDivisionError:
            failures += 1
            todo += one.out.take()
    assert failures == 1
    assert set(asked(todo, commands.MixMonitor)) == run_of(range(CALLS)) - run_of(range(7, 8))
