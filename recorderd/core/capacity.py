"""How long the disk will last: owns the arithmetic from what past days brought to the day it is full.

Pure. Must not know a disk, a database or a clock: days are whole numbers (days since 1970 in some zone), the
rest is bytes and seconds. Bytes are reckoned from seconds of talk and what a second takes today, so that a
change of format in the past does not bend the forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

WEEK = 7
# Weeks looked at: enough to see growth, few enough to forget what the firm was like last year.
_WEEKS = 12
# With fewer there is no trend to see.
LEAST_WEEKS = 4
# Growth does not go on for ever: at most so many times what there is now.
_MOST_GROWTH = 4.0
HORIZON_DAYS = 20 * 365
# Firms grow by so much a week, give or take: what a few noisy weeks say beyond that is believed less.
_USUAL_GROWTH = 0.01
# Standard deviations within which nine of ten lie.
_NINE_OF_TEN = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one past day brought: seconds of talk, and the bytes of it that are still there."""

    day: int
    seconds: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Seconds of talk to be expected: `level` in the week before `today`, `growth` more each week.

    `pattern` is each weekday's share (by `day % 7`), 1.0 on average. `weeks` were looked at; `noise` is how far
    one of them lies off the line (standard deviation).
    """

    today: int
    level: float
    growth: float
    pattern: tuple[float, ...]
    weeks: int
    noise: float = 0.0

    def doubt(self, ahead: float) -> float:
        """How far the average of the coming `ahead` days may be off what is expected, in nine of ten cases, as
        a share of it: by what the past says too little of, and by the weeks that come being weeks.
        """
        coming = ahead / WEEK
        middle = self.level + self.growth * coming / 2
        if self.weeks < LEAST_WEEKS or middle <= 0:
            return 1.0
        spread = self.weeks * (self.weeks**2 - 1) / 12
        reach = (self.weeks + coming) / 2
        variance = self.noise**2 * (1 / self.weeks + 1 / max(coming, 1 / WEEK))
        slope = min(self.noise**2 / spread, (_USUAL_GROWTH * self.level) ** 2)
        return _NINE_OF_TEN * sqrt(variance + slope * reach**2) / middle

    def on(self, day: int) -> float:
        """Seconds of talk on this day."""
        ahead = (day - self.today + WEEK / 2) / WEEK
        weekly = min(max(0.0, self.level + self.growth * ahead), self.level * _MOST_GROWTH)
        return weekly / WEEK * self.pattern[day % WEEK]

    def times(self, factor: float) -> Rate:
        """So many times as much of everything."""
        return replace(self, level=self.level * factor, growth=self.growth * factor)

    @property
    def growth_percent(self) -> float:
        """Per week."""
        return 100.0 * self.growth / self.level if self.level else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`full_in` days from now the disk is full, None for never; `curve` is (day, bytes used) from today on.

    `settles_at` is where what expires and what comes are in balance, where they are. `between` are the days in
    which nine of ten such disks will be full; its second is None where it may never be.
    """

    rate: Rate
    full_in: float | None
    curve: tuple[tuple[int, float], ...]
    settles_at: float | None = None
    between: tuple[float, float | None] | None = None


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
    level, growth, noise = _trend(totals)
    pattern = _pattern(weeks, today)
    return Rate(today=today, level=level, growth=growth, pattern=pattern, weeks=count, noise=noise)


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
    known = {day.day: day.bytes for day in days}

    def at(rate: Rate) -> Forecast:
        return _follow(rate, known, used, room, bytes_per_second, keeps or {}, part)

    found = at(expected)
    if found.full_in is None:
        return found
    doubt = min(expected.doubt(found.full_in), 0.9)
    soon, late = (at(expected.times(factor)).full_in for factor in (1 + doubt, 1 - doubt))
    assert soon is not None
    return replace(found, between=(soon, late))


def _follow(
    expected: Rate,
    known: Mapping[int, float],
    used: float,
    room: float,
    bytes_per_second: float,
    keeps: Mapping[float, float],
    part: float,
) -> Forecast:
    """Day by day, at this rate. `known` are the bytes of past days."""
    today = expected.today
    there = dict(known)
    curve = [(today, used)]
    now, limit = used, used + room
    for day in range(today, today + HORIZON_DAYS):
        whole = expected.on(day) * bytes_per_second
        comes = whole * (1.0 - part) if day == today else whole
        there[day] = there.get(day, 0.0) + comes
        goes = sum(share * there.get(day - round(age), 0.0) for age, share in keeps.items())
        after = now + comes - goes
        if after >= limit and after > now:
            share = (limit - now) / (after - now)
            here = (1.0 - part) * share if day == today else day - today - part + share
            curve.append((day + 1, limit))
            return Forecast(rate=expected, full_in=max(0.0, here), curve=tuple(curve))
        now = max(0.0, after)
        curve.append((day + 1, now))
        if _is_settled(expected, keeps, day - today):
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


def _trend(totals: Sequence[float]) -> tuple[float, float, float]:
    """The level of the last week, the growth per week of a straight line through the weeks, and how far one
    week lies off it.

    The less sure a slope is, the less of it is believed: as far as it would be likely in a firm (a ridge). Of
    what was tried on simulated loads (all, none, James and Stein's share, several ridges) it errs least.
    """
    count, mean = len(totals), sum(totals) / len(totals)
    if count < LEAST_WEEKS:
        return mean, 0.0, 0.0
    middle = (count - 1) / 2
    spread = sum((k - middle) ** 2 for k in range(count))
    slope = sum((k - middle) * (total - mean) for k, total in enumerate(totals)) / spread
    left = sum((total - mean - slope * (k - middle)) ** 2 for k, total in enumerate(totals)) / (count - 2)
    likely = (_USUAL_GROWTH * mean) ** 2
    slope *= likely / (likely + left / spread) if likely else 0.0
    return max(0.0, mean + slope * (count - 1 - middle)), slope, sqrt(left)


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
