"""Tables are made anew after the fall from many to few, and only then."""

from __future__ import annotations

import sys

import pytest

from recorderd.core.rows import Interval, Outcome
from recorderd.core.tables import Tables
from tests.core.people import A, policy
from tests.core.tape import tape
from tests.core.test_calls import ANSWER, END, RING
from tests.core.world import World


class Part:
    """As the engine's are: tables and other things."""

    def __init__(self) -> None:
        self.table = {str(n): n for n in range(20_000)}
        self.names = set(self.table)
        self.word = "stays"


def test_what_a_busy_hour_took_is_given_back_and_what_is_held_stays() -> None:
    part = Part()
    tables = Tables([part])
    tables.fit(len(part.table))
    full = sys.getsizeof(part.table) + sys.getsizeof(part.names)
    for name in list(part.table)[10:]:
        del part.table[name]
        part.names.discard(name)
    assert sys.getsizeof(part.table) + sys.getsizeof(part.names) == full, (
        "or Python shrinks them itself by now"
    )
    tables.fit(len(part.table))
    assert sys.getsizeof(part.table) + sys.getsizeof(part.names) < full / 100
    assert list(part.table) == [str(n) for n in range(10)]
    assert part.names == set(part.table)
    assert part.word == "stays"


@pytest.mark.parametrize("held", [(1000, 0), (20_000, 3000)], ids=["never many", "still many"])
def test_tables_are_left_alone_while_nothing_would_be_won(held: tuple[int, int]) -> None:
    part = Part()
    tables, table = Tables([part]), part.table
    for number in held:
        tables.fit(number)
    assert part.table is table


def test_an_engine_goes_on_with_its_new_tables() -> None:
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    before = world.engine.calls.channels
    world.engine._tables.fit(100_000)
    world.wait(1)  # a tick finds six things held, of a hundred thousand
    assert world.engine.calls.channels is not before
    assert len(world.engine.recorder.lanes) == 2
    world.play(tape(END, start=world.now))
    world.wait(30)
    assert not world.engine.recorder.lanes
    assert [row.outcome for row in world.saved(Interval)] == [Outcome.RECORDED]
