"""Channels that somebody who speaks AGI invents: they are forgotten, and a real one of the same name is not."""

from __future__ import annotations

from recorderd.core import events
from tests.core.people import A, policy
from tests.core.tape import T, tape
from tests.core.test_calls import ANSWER, RING
from tests.core.world import World


def consult(number: int, at: float = T) -> events.Consult:
    return events.Consult(
        at=at,
        channel=f"PJSIP/666-{number:08x}",
        uniqueid=f"666.{number}",
        linkedid=f"666.{number}",
        caller_id_num="666",
        exten="101",
        context="nowhere",
        callees=("101",),
    )


def test_a_channel_that_asterisk_never_speaks_of_is_forgotten_after_a_minute() -> None:
    world = World(policy(default=A))
    world.hear(consult(1))
    world.wait(50)
    assert "666.1" in world.engine.calls.channels, "its Newchannel may be late"
    world.wait(15)
    assert world.engine.calls.channels == {}
    assert world.engine.lanes.by_id == {}


def test_of_many_invented_at_once_the_oldest_go_first() -> None:
    world = World(policy(default=A))
    for number in range(1200):
        world.hear(consult(number))
    world.wait(1)
    assert len(world.engine.calls.channels) == 1000
    assert "666.1199" in world.engine.calls.channels


def test_one_that_asterisk_speaks_of_stays_and_is_recorded() -> None:
    world = World(policy(default=A))
    world.play(tape("new 101-00 ext=102\nconsult 101-00 102"))
    world.wait(120)
    assert len(world.engine.calls.channels) == 1


def test_one_taken_for_invented_is_believed_when_asterisk_speaks_of_it_after_all() -> None:
    world = World(policy(default=A))
    world.play(tape("consult 101-00 102"))
    for number in range(1200):
        world.hear(consult(number))
    world.wait(1)
    assert not any(c.name.startswith("PJSIP/101") for c in world.engine.calls.channels.values())
    world.play(tape(RING + ANSWER, start=world.now))
    running = {lane.label for lane in world.engine.lanes.by_id.values() if lane.running}
    assert running == {"101", "102"}


def test_one_forgotten_after_a_minute_is_believed_at_once_when_asterisk_speaks_of_it_after_all() -> None:
    world = World(policy(default=A))
    world.play(tape("consult 101-00 102"))
    world.wait(65)
    assert world.engine.calls.channels == {}
    world.play(tape(RING + ANSWER, start=world.now))
    running = {lane.label for lane in world.engine.lanes.by_id.values() if lane.running}
    assert running == {"101", "102"}
