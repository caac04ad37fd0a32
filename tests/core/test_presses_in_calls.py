"""What follows from a press in a running call: recorders, silence, the mix."""

from __future__ import annotations

import pytest

from recorderd.core import commands
from recorderd.core.policy import Mode
from recorderd.core.rows import Interval, Mark, Outcome
from tests.core.people import A, D, N, policy
from tests.core.tape import press, tape, uid
from tests.core.test_calls import ANSWER, END, RING
from tests.core.world import World


def in_a_call(mode: Mode) -> World:
    world = World(policy(default=mode))
    world.play(tape(RING + ANSWER))
    world.wait(3)
    return world


def do(world: World, action: str, who: str = "101-00") -> str:
    """Press, and let two seconds pass."""
    pressed = press(who, action, world.now)
    world.hear(pressed)
    world.wait(2)
    answer = world.answers[pressed.id]
    assert answer.reason
    return answer.outcome


# mode, presses one after the other, the last one's outcome, recorded then?, masked then?
TABLE = [
    (A, "toggle", "denied", True, False),
    (A, "pause", "paused", True, True),
    (A, "pause toggle", "denied", True, True),
    (A, "pause resume", "resumed", True, False),
    (N, "toggle", "denied", False, False),
    (N, "pause", "denied", False, False),
    (D, "toggle", "started", True, False),
    (D, "toggle toggle", "stopped", False, False),
    (D, "toggle pause", "paused", True, True),
    (D, "toggle pause toggle", "stopped", False, False),
    (D, "toggle pause stop start", "started", True, False),
    (D, "start stop start", "started", True, False),
]


@pytest.mark.parametrize(("mode", "actions", "outcome", "recorded", "masked"), TABLE)
def test_recorders_follow_every_press(mode, actions, outcome, recorded, masked) -> None:
    world = in_a_call(mode)
    told = [do(world, action) for action in actions.split()]
    assert told[-1] == outcome
    talk = world.engine.talks.of(uid("101-00"))
    assert (talk.wanted, talk.masked) == (recorded, masked)
    for token in ("101-00", "102-01"):
        assert len(world.truth.channels[uid(token)].monitors) == recorded
    lane = world.engine.lanes.on(uid("101-00"))
    assert bool(lane and lane.muted) is masked


def test_each_start_is_a_file_of_its_own() -> None:
    world = in_a_call(D)
    for action in ("start", "stop", "start", "stop"):
        do(world, action)
    world.play(tape(END, start=world.now))
    world.wait(3)
    assert [i.outcome for i in world.saved(Interval)] == [
        Outcome.NOT_BY_POLICY,
        Outcome.RECORDED,
        Outcome.NOT_BY_POLICY,
        Outcome.RECORDED,
        Outcome.NOT_BY_POLICY,
    ]
    assert len({mix.path for mix in world.mixes}) == 2


def test_a_press_on_a_conversation_that_waits_is_denied() -> None:
    world = in_a_call(D)
    do(world, "start")
    world.play(tape("leave 101-00 B1\nleave 102-01 B1\ndestroy B1", start=world.now))
    assert do(world, "toggle") == "denied"


def test_a_pause_ends_by_itself_after_three_minutes() -> None:
    world = in_a_call(A)
    do(world, "pause")
    world.wait(176)
    assert world.engine.talks.of(uid("101-00")).masked
    world.wait(3)
    assert not world.engine.talks.of(uid("101-00")).masked
    muted = [c.muted for c in world.sent if isinstance(c, commands.MixMonitorMute)]
    assert muted == [True, True, False, False]


def test_what_is_paused_is_in_no_mix_and_its_time_stays() -> None:
    world = in_a_call(A)
    do(world, "pause")
    do(world, "resume")
    world.play(tape(END, start=world.now))
    world.wait(3)
    (mix,) = world.mixes
    intervals = world.saved(Interval)
    assert [i.masked for i in intervals] == [False, True, False]
    assert [(s.start, s.end) for s in mix.timeline] == [(i.started_at, i.ended_at) for i in intervals]
    heard = [(i.started_at, i.ended_at) for i in intervals if not i.masked]
    for lane in mix.lanes:
        assert [(k.start, k.end) for k in lane.keep] == heard


def test_every_press_leaves_a_mark_whatever_came_of_it() -> None:
    world = in_a_call(A)
    do(world, "toggle")
    do(world, "pause")
    assert [(m.kind, m.who) for m in world.saved(Mark)] == [("denied", "101"), ("paused", "101")]
