"""How long the disk lasts: the forecast against simulated loads whose future is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from recorderd.core import capacity
from recorderd.core.capacity import Day, Forecast

HOUR = 3600.0
WAV, OPUS = 57.6e6 / HOUR, 8.8e6 / HOUR
FIRST, TODAY = 20_000, 20_090
WEEKDAYS = (1.0, 1.05, 0.98, 1.1, 0.9, 0.2, 0.1)


def load(seed: int, growth: float, noise: float = 0.03) -> Callable[[int], float]:
    """Seconds of talk on a day: 120 hours on a working day, little at the weekend, every day another."""
    chance = random.Random(seed)

    def seconds(day: int) -> float:
        expected = 120 * HOUR * WEEKDAYS[day % 7] * (1 + growth * (day - FIRST) / 7)
        return max(0.0, chance.gauss(expected, noise * expected))

    return seconds


GROWTHS = (0.0, 0.005, 0.01, -0.004)


def guess(seed: int, growth: float, noise: float, room_days: int) -> tuple[Forecast, float]:
    """The forecast after ninety days, the last thirty in another format; and the truth."""
    seconds = load(seed, growth, noise)
    days = [
        Day(day=day, seconds=talk, bytes=talk * (WAV if day < FIRST + 60 else OPUS))
        for day in range(FIRST, TODAY)
        for talk in [seconds(day)]
    ]
    room = 120 * HOUR * OPUS * room_days
    used = sum(day.bytes for day in days)
    found = capacity.forecast(days, TODAY, used=used, room=room, bytes_per_second=OPUS)
    return found, full_in(seconds, room, 100_000, {})


def full_in(seconds: Callable[[int], float], room: float, keep_days: int, stored: dict[int, float]) -> float:
    """The truth: what really happens day by day from today on."""
    left, day = room, TODAY
    while True:
        stored[day] = seconds(day) * OPUS
        comes = stored[day] - stored.get(day - keep_days, 0.0)
        if comes >= left:
            return day - TODAY + left / comes
        left -= comes
        day += 1


@pytest.mark.parametrize("growth", [0.0, 0.005, 0.01, -0.004])
@pytest.mark.parametrize("seed", range(5))
def test_days_to_full_are_within_five_percent_after_ninety_days_with_weekends_and_a_new_format(
    seed: int, growth: float
) -> None:
    found, truth = guess(seed, growth, 0.03, 75)
    assert 75 < truth < 140
    assert found.full_in == pytest.approx(truth, rel=0.05)


def test_over_many_loads_it_is_nearly_always_within_five_percent_and_never_far_off() -> None:
    errors = []
    for seed in range(1000, 1060):
        for growth in GROWTHS:
            found, truth = guess(seed, growth, 0.03, 75)
            assert found.full_in is not None
            errors.append(abs(found.full_in / truth - 1))
    assert sum(error > 0.05 for error in errors) <= len(errors) // 50
    assert max(errors) < 0.08


@pytest.mark.parametrize("noise", [0.03, 0.1])
@pytest.mark.parametrize("room_days", [75, 150])
def test_the_range_it_gives_holds_about_nine_times_in_ten(noise: float, room_days: int) -> None:
    held = []
    for seed in range(2000, 2030):
        for growth in GROWTHS:
            found, truth = guess(seed, growth, noise, room_days)
            assert found.between is not None
            soon, late = found.between
            held.append(soon <= truth and (late is None or truth <= late))
    assert 0.8 <= sum(held) / len(held) <= 0.98


def test_what_expires_is_reckoned_with() -> None:
    days = [Day(day=d, seconds=HOUR, bytes=HOUR * OPUS) for d in range(TODAY - 60, TODAY)]
    day = HOUR * OPUS
    found = capacity.forecast(
        days, TODAY, used=60 * day, room=50 * day, bytes_per_second=OPUS, keeps={90.0: 0.5}
    )
    # 30 days until the first half expires, 30 days' room is gone; from then on half a day is taken each day.
    assert found.full_in == pytest.approx(30 + 20 / 0.5, abs=1.0)


def test_a_disk_where_as_much_expires_as_comes_is_never_full_and_says_where_it_settles() -> None:
    days = [Day(day=d, seconds=HOUR, bytes=HOUR * OPUS) for d in range(FIRST, TODAY)]
    held = 90 * HOUR * OPUS
    found = capacity.forecast(days, TODAY, used=held, room=held, bytes_per_second=OPUS, keeps={90.0: 1.0})
    assert found.full_in is None
    assert found.settles_at == pytest.approx(held, rel=0.02)


def test_the_pattern_of_the_week_says_on_which_day_it_is_full() -> None:
    only = TODAY % 7
    days = [Day(day=d, seconds=HOUR if d % 7 == only else 0.0, bytes=0.0) for d in range(FIRST - 1, TODAY)]
    found = capacity.forecast(days, TODAY, used=0.0, room=2.5 * HOUR, bytes_per_second=1.0)
    assert found.rate.pattern[only] == pytest.approx(7.0)
    assert found.full_in == pytest.approx(14.5)


@pytest.mark.parametrize("days", [[], [Day(day=TODAY, seconds=HOUR, bytes=1.0)]])
def test_without_a_past_there_is_no_forecast(days: list[Day]) -> None:
    found = capacity.forecast(days, TODAY, used=0.0, room=1.0, bytes_per_second=1.0)
    assert (found.full_in, found.rate.level) == (None, 0.0)


def test_the_first_days_are_enough_for_a_first_guess() -> None:
    days = [Day(day=TODAY - back, seconds=HOUR, bytes=0.0) for back in (1, 2, 3)]
    found = capacity.forecast(days, TODAY, used=0.0, room=10 * HOUR, bytes_per_second=1.0)
    assert found.full_in == pytest.approx(10.0)


def test_a_disk_that_is_full_is_full_now() -> None:
    days = [Day(day=d, seconds=HOUR, bytes=1.0) for d in range(FIRST, TODAY)]
    assert capacity.forecast(days, TODAY, used=5.0, room=0.0, bytes_per_second=1.0).full_in == 0.0


def test_part_of_today_is_over() -> None:
    days = [Day(day=d, seconds=HOUR, bytes=0.0) for d in range(FIRST, TODAY)]
    found = capacity.forecast(days, TODAY, used=0.0, room=HOUR, bytes_per_second=1.0, part=0.75)
    assert found.full_in == pytest.approx(1.0)
