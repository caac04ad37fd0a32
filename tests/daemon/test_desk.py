"""What people are told of the calls of this moment: recorded, only buffered, or neither."""

from __future__ import annotations

from types import SimpleNamespace

from recorderd.core.policy import Lookback
from recorderd.daemon.desk import Desk
from tests.core.people import A, D, chooses, policy
from tests.core.tape import press, tape
from tests.core.test_calls import ANSWER, RING
from tests.core.world import World


def told(world: World) -> tuple[bool, bool]:
    """Recording and buffered, as the control socket says it of the one call."""
    service = SimpleNamespace(board=SimpleNamespace(engine=world.engine))
    (call,) = Desk(service, reload=None).calls()  # type: ignore[arg-type]
    return call["recording"], call["buffered"]


def in_a_call(*people: object) -> World:
    world = World(policy(*people))
    world.play(tape(RING + ANSWER))
    world.wait(3)
    return world


def test_what_is_taken_in_case_somebody_asks_is_buffered_until_somebody_does() -> None:
    looking_back = [chooses(who, D, lookback=Lookback.WHOLE_CALL) for who in ("101", "102")]
    world = in_a_call(*looking_back)
    assert told(world) == (False, True)
    world.hear(press("101-00", "start", world.now))
    world.wait(1)
    assert told(world) == (True, False)
    # Who ends a recording does not want what follows to be taken for later.
    world.hear(press("101-00", "stop", world.now))
    world.wait(1)
    assert told(world) == (False, False)


def test_on_demand_without_looking_back_is_neither_and_always_is_recorded() -> None:
    assert told(in_a_call(chooses("101", D), chooses("102", D))) == (False, False)
    assert told(in_a_call(chooses("101", A), chooses("102", A))) == (True, False)
