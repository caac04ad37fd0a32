"""kill -9 at every moment of a call: the rows that were written, and the next picture, are enough to go on.

Every call is played once without a fault. Then, for every command the engine ever gave, it is played again
with the daemon killed just before that command, and a new one risen a moment later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from recorderd.core import commands, events
from recorderd.core.policy import Policy
from recorderd.core.rows import Conversation, Interval, Lane, Outcome, Recording
from recorderd.store.memory import MemoryStore
from tests.core.people import A, D, N, chooses, policy
from tests.core.tape import press, tape, uid
from tests.core.test_calls import ANSWER, END, RING
from tests.core.world import RECORDINGS_END, World, lane_is_finished, open_rows

TRANSFER = """
wait 2000
blind 102-01 101-00 103
leave 102-01 B1
leave 101-00 B1
hangup 102-01
new 103-02 l=00
dial 101-00 103-02
wait 1000
dialend 103-02 ANSWER
enter 103-02 B2 l=00
enter 101-00 B2
wait 3000
leave 101-00 B2
leave 103-02 B2
hangup 101-00
hangup 103-02
"""

GIVEN_UP = "dialend 102-01 CANCEL\nhangup 102-01\nhangup 101-00"


@dataclass(frozen=True)
class Play:
    """A call under a policy, and what must have been recorded at its end."""

    name: str
    policy: Policy
    text: str
    seconds: float

    def __str__(self) -> str:
        return self.name


PLAYS = [
    Play("a call", policy(default=A), RING + ANSWER + "wait 5000" + END, 5.0),
    Play("a transfer", policy(default=A), RING + ANSWER + TRANSFER, 5.0),
    Play("a transfer to never", policy(chooses("103", N), default=A), RING + ANSWER + TRANSFER, 2.0),
    Play("unanswered", policy(default=A), f"{RING}wait 2000\n{GIVEN_UP}", 0),
    Play("never", policy(default=N), RING + ANSWER + "wait 3000" + END, 0),
]
OUTAGE = 0.4
AGAIN = 1.0
"""Seconds that may be missing for every outage: its own length, and where the stamps of it are not sharp."""


def played(play: Play, dies_after: int | None) -> World:
    """The world at the end; killed before that command, and risen `OUTAGE` later."""
    world = World(play.policy)
    world.dies_after = dies_after
    for event in tape(play.text):
        pass_until(world, event.at)
        world.emit(event)
    pass_until(world, world.now + 10)
    world.dies_after = None
    return world


def pass_until(world: World, at: float) -> None:
    """Time passes; a daemon that is dead has risen `OUTAGE` after its death."""
    while world.now < at:
        if world.dead and world.now >= world.deaf_times[-1][0] + OUTAGE:
            world.rise()
        world.wait(min(0.05, at - world.now))


def recorded(world: World) -> float:
    """Seconds of talk that are in finished files, by the mixer's own truth."""
    made = {r.id for r in world.saved(Recording) if r.duration_ms}
    return sum(
        (i.ended_at - i.started_at) - i.missing_ms / 1000
        for i in world.saved(Interval)
        if i.recording_id in made and i.outcome in (Outcome.RECORDED, Outcome.PARTIAL)
    )


def nothing_is_open(world: World) -> None:
    engine = world.engine
    assert not engine.calls.channels
    assert not engine.talks.talks
    assert not engine.lanes.by_id
    assert not engine.ledger.recordings
    assert all(row.ended_at for row in world.saved(Conversation))
    assert all(row.outcome for row in world.saved(Interval)), world.saved(Interval)
    assert all(row.state in RECORDINGS_END for row in world.saved(Recording))
    assert all(lane_is_finished(row) for row in world.saved(Lane))


@pytest.mark.parametrize("play", PLAYS, ids=str)
def test_killed_before_any_command_and_risen_it_ends_as_well(play) -> None:
    whole = played(play, None)
    nothing_is_open(whole)
    assert recorded(whole) == pytest.approx(play.seconds, abs=0.1)
    most = len(whole.sent)
    for index in range(most):
        world = played(play, index)
        nothing_is_open(world)
        assert recorded(world) >= play.seconds - AGAIN, f"killed before command {index}: {whole.sent[index]}"
        assert recorded(world) <= play.seconds + 0.1
        for interval in world.saved(Interval):
            if interval.mode == N:
                assert interval.outcome is Outcome.NOT_BY_POLICY


def test_a_recorder_that_runs_is_adopted_neither_doubled_nor_stopped() -> None:
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    world.wait(3)
    before = {u: [m.path for m in c.monitors] for u, c in world.truth.channels.items()}
    started = len([c for c in world.sent if isinstance(c, commands.MixMonitor)])
    world.die()
    world.wait(1)
    world.rise()
    world.wait(5)
    assert {u: [m.path for m in c.monitors] for u, c in world.truth.channels.items()} == before
    assert len([c for c in world.sent if isinstance(c, commands.MixMonitor)]) == started
    assert not [c for c in world.sent if isinstance(c, commands.StopMixMonitor)]
    world.play(tape(END, start=world.now))
    world.wait(3)
    (interval,) = world.saved(Interval)
    assert interval.outcome is Outcome.RECORDED
    nothing_is_open(world)


def test_an_armed_recorder_is_adopted_while_it_still_rings() -> None:
    world = World(policy(default=A))
    world.play(tape(RING))
    world.wait(1)
    world.die()
    world.rise()
    world.wait(1)
    assert len([c for c in world.sent if isinstance(c, commands.MixMonitor)]) == 1
    world.play(tape(ANSWER + "wait 2000" + END, start=world.now))
    world.wait(3)
    assert [i.outcome for i in world.saved(Interval)] == [Outcome.RECORDED]


def test_a_stop_that_was_sent_before_the_crash_is_sent_again() -> None:
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    world.wait(3)
    world.dies_after = 4
    world.policy = policy(default=N)
    world.hear(events.PolicyChanged(at=world.now, policy=world.policy))
    assert world.dead
    world.rise()
    world.wait(3)
    assert not any(m for c in world.truth.channels.values() for m in c.monitors)


def test_what_was_asked_for_is_remembered_even_between_two_bridges() -> None:
    world = World(policy(default=D))
    world.play(tape(RING + ANSWER))
    world.wait(1)
    world.hear(press("101-00", "start", world.now))
    world.wait(2)
    world.play(tape("leave 102-01 B1\nleave 101-00 B1\nhangup 102-01", start=world.now))
    world.die()
    world.rise()
    third = "new 103-02\ndial 101-00 103-02\ndialend 103-02 ANSWER\nenter 103-02 B2\nenter 101-00 B2"
    world.play(tape(third, start=world.now))
    world.wait(1)
    assert world.engine.talks.of(uid("101-00")).wanted


def test_a_pause_does_not_last_for_ever_because_of_a_restart() -> None:
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    world.wait(2)
    world.hear(press("101-00", "pause", world.now))
    world.wait(2)
    world.die()
    world.rise()
    assert world.engine.talks.of(uid("101-00")).masked
    world.wait(181)
    assert not world.engine.talks.of(uid("101-00")).masked
    unmuted = [c for c in world.sent if isinstance(c, commands.MixMonitorMute) and not c.muted]
    assert {c.uniqueid for c in unmuted} == {uid("101-00"), uid("102-01")}


def test_a_conversation_that_had_ended_is_not_opened_again() -> None:
    """The store gives it back as long as its recording is not mixed."""
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER + "wait 2000" + END))
    (before,) = world.saved(Conversation)
    world.die()
    world.wait(60)
    world.rise()
    world.wait(3)
    assert world.saved(Conversation) == [before]
    nothing_is_open(world)


def test_the_store_gives_back_what_is_left_open() -> None:
    """`world.open_rows` is written after the store's own, which must not choose less."""
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    world.wait(2)
    conversations, intervals, recordings, lanes = open_rows(world.rows.values())

    async def asked():
        store = MemoryStore(clock=lambda: 0.0)
        await store.save(list(world.rows.values()))
        return await store.open_rows()

    given = asyncio.run(asked())
    assert set(given.conversations) >= set(conversations)
    assert set(given.intervals) >= set(intervals)
    assert set(given.recordings) >= set(recordings)
    assert set(given.lanes) >= set(lanes)
