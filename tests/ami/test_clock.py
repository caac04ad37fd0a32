"""Two clocks, and what an answer's time says about them."""

from __future__ import annotations

import pytest

from recorderd.ami.clock import Clock


@pytest.mark.parametrize(
    ("told", "waited", "now"),
    [
        (1000.0, 0.001, 1000.0),  # the same clock
        (999.97, 0.001, 1000.0),  # within what says nothing
        (998.0, 3.0, 1000.0),  # told early in a long wait: the same clock and a busy Asterisk
        (997.0, 3.0, 1000.0),
        (4600.0, 0.002, 4600.001),  # an hour ahead
        (4600.0, 2.0, 4601.0),  # the same, known to a second only
        (0.5, 0.0, 0.5),  # a machine that has no time yet
        (None, 1.0, 1000.0),  # told nothing
    ],
)
def test_time_is_corrected_only_as_far_as_an_answer_proves(
    told: float | None, waited: float, now: float
) -> None:
    clock = Clock(lambda: 1000.0)
    clock.hear(told, waited)
    assert clock.now() == pytest.approx(now)


def test_a_clock_that_was_set_right_is_believed_again() -> None:
    clock = Clock(lambda: 1000.0)
    clock.hear(4600.0, 0.0)
    clock.hear(1000.0, 0.0)
    assert clock.now() == 1000.0
