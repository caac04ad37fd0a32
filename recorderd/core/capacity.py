"""How long the disk will last: owns the arithmetic from what past days brought to the day it is full.

Pure. Must not know a disk, a database or a clock: days are whole numbers (days since 1970 in some zone), the
rest is bytes and seconds. Bytes are reckoned from seconds of talk and what a second takes today, so that a
change of format in the past does not bend the forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WEEK = 7
# Weeks looked at: enough to see growth, few enough to forget what the firm was like last year.
_WEEKS = 12
_LEAST_WEEKS = 4
# Growth does not go on for ever: at most so many times what there is now.
_MOST_GROWTH = 4.0
HORIZON_DAYS = 20 * 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one past day brought: seconds of talk, and the bytes of it that are still there."""

    day: int
    seconds: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Seconds of talk to be expected: `level` in the week before `today`, `growth` more each week.

    `pattern` is each weekday's share (by `day % 7`), 1.0 on average. `weeks` were looked at.
    """

    today: int
    level: float
    growth: float
    pattern: tuple[float, ...]
    weeks: int

    def on(self, day: int) -> float:
        """Seconds of talk on this day."""
        ahead = (day - self.today + WEEK / 2) / WEEK
        weekly = min(max(0.0, self.level + self.growth * ahead), self.level * _MOST_GROWTH)
        return weekly / WEEK * self.pattern[day % WEEK]

    @property
    def growth_percent(self) -> float:
        """Per week."""
        return 100.0 * self.growth / self.level if self.level else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`full_in` days from now the disk is full, None for never; `curve` is (day, bytes used) from today on.

    `settles_at` is where what expires and what comes are in balance, where they are.
    """

    rate: Rate
    full_in: float | None
    curve: tuple[tuple[int, float], ...]
    settles_at: float | None = None


def rate(days: Sequence[Day], today: int) -> Rate:
    """What the past days say of the coming ones; today, which is not over, is left out."""
    seconds = {each.day: each.seconds for each in days if each.day < today}
    if not seconds:
        return Rate(today=today, level=0.0, growth=0.0, pattern=(1.0,) * WEEK, weeks=0)
    whole = (today - min(seconds)) // WEEK
    if not whole:
        known = today - min(seconds)
        level = sum(seconds.values()) * WEEK / known
        return Rate(today=today, level=level, growth=0.0, pattern=(1.0,) * WEEK, weeks=0)
    count = min(whole, _WEEKS)
    weeks = [
        [seconds.get(today - WEEK * (back + 1) + place, 0.0) for place in range(WEEK)]
        for back in reversed(range(count))
    ]
    totals = [sum(week) for week in weeks]
    level, growth = _trend(totals)
    return Rate(today=today, level=level, growth=growth, pattern=_pattern(weeks, today), weeks=count)


def forecast(
    days: Sequence[Day],
    today: int,
    *,
    used: float,
    room: float,
    bytes_per_second: float,
    keeps: Mapping[float, float] | None = None,
    part: float = 0.0,
) -> Forecast:
    """Day by day from now, with `used` bytes used and `room` free, until it is full or it never will be.

    `keeps` maps ages in days to the share of the bytes that goes at that age; what is not in it stays. `part`
    of today is over.
    """
    expected = rate(days, today)
    there = {each.day: each.bytes for each in days}
    curve = [(today, used)]
    now, limit = used, used + room
    for day in range(today, today + HORIZON_DAYS):
        whole = expected.on(day) * bytes_per_second
        comes = whole * (1.0 - part) if day == today else whole
        there[day] = there.get(day, 0.0) + comes
        goes = sum(share * there.get(day - round(age), 0.0) for age, share in (keeps or {}).items())
        after = now + comes - goes
        if after >= limit and after > now:
            share = (limit - now) / (after - now)
            here = (1.0 - part) * share if day == today else day - today - part + share
            curve.append((day + 1, limit))
            return Forecast(rate=expected, full_in=max(0.0, here), curve=tuple(curve))
        now = max(0.0, after)
        curve.append((day + 1, now))
        if _is_settled(expected, keeps or {}, day - today):
            return Forecast(rate=expected, full_in=None, curve=tuple(curve), settles_at=now)
    return Forecast(rate=expected, full_in=None, curve=tuple(curve))


def _is_settled(expected: Rate, keeps: Mapping[float, float], ahead: int) -> bool:
    """Everything goes one day, that day is over, and no more comes than does today: nothing will change."""
    if not expected.level:
        return ahead >= WEEK
    goes = sum(keeps.values()) > 1.0 - 1e-9
    grown = expected.growth <= 0 or expected.growth * ahead / WEEK >= expected.level * (_MOST_GROWTH - 1)
    last = max(keeps, default=0.0)
    capped = expected.level * (_MOST_GROWTH - 1) / expected.growth * WEEK if expected.growth > 0 else 0.0
    return goes and grown and ahead > last + capped + WEEK


def _trend(totals: Sequence[float]) -> tuple[float, float]:
    """The level of the last week and the growth per week of a straight line through the weeks.

    The less sure a slope is, the more of it is taken for chance (James and Stein): measured on simulated
    loads, that errs less than to believe it and less than to believe it only when it is significant.
    """
    count, mean = len(totals), sum(totals) / len(totals)
    if count < _LEAST_WEEKS:
        return mean, 0.0
    middle = (count - 1) / 2
    spread = sum((k - middle) ** 2 for k in range(count))
    slope = sum((k - middle) * (total - mean) for k, total in enumerate(totals)) / spread
    left = sum((total - mean - slope * (k - middle)) ** 2 for k, total in enumerate(totals))
    chance = left / (count - 2) / spread
    slope *= max(0.0, 1.0 - chance / slope**2) if slope else 0.0
    return max(0.0, mean + slope * (count - 1 - middle)), slope


def _pattern(weeks: Sequence[Sequence[float]], today: int) -> tuple[float, ...]:
    """Each weekday against its own week's average, so that growth is not taken for a pattern."""
    shares = [0.0] * WEEK
    seen = 0
    for week in weeks:
        total = sum(week)
        if total:
            seen += 1
            for place, seconds in enumerate(week):
                shares[(today + place) % WEEK] += seconds * WEEK / total
    return tuple(share / seen for share in shares) if seen else (1.0,) * WEEK
