"""What the disk holds, and how long it will last: facts of this machine brought to `core.capacity`.

Owns the gathering. Must not know how it is shown, nor who is warned. The command line, the panel and the alarm read
`Outlook`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from recorderd.archive import disk, plot
from recorderd.archive.formats import FORMATS
from recorderd.config import Config
from recorderd.core import capacity, retention
from recorderd.core.capacity import Forecast
from recorderd.core.keeping import IN_PLACE
from recorderd.core.retention import FOREVER
from recorderd.daemon.keeper import Keeper
from recorderd.store.abc import Store
from recorderd.store.keeping import DaySum

DISKS: Mapping[str, int] = {"250 GB": 250 * 10**9, "500 GB": 500 * 10**9, "1 TB": 10**12}
HOUR = 3600.0
_DAY = 86_400
# So much of a format must have been kept before its size is taken from here and not from the books.
_MEASURED_SECONDS = HOUR
_SAMPLE = 500
_RECENT_DAYS = 28
_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSize:
    """What an hour of one format takes; `measured` on this machine's own recordings."""

    name: str
    bytes_per_hour: float
    measured: bool

    def hours(self, size: float) -> float:
        """How many hours fit."""
        return size / self.bytes_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`disk` is the machine's, or one asked about. `full_on` is None when it never is full.

    `hours_left` is of the format in use now, `bytes_per_hour` what an hour of it takes, mixes kept beside
    included. `sentence` says it all to a person.
    """

    disk: disk.Disk
    formats: tuple[FormatSize, ...]
    recordings: int
    seconds: float
    bytes: float
    bytes_per_hour: float
    hours_left: float
    forecast: Forecast
    full_on: date | None
    past: tuple[tuple[int, float], ...]
    sentence: str

    @property
    def picture(self) -> str:
        """The forecast as an SVG."""
        full = float(self.disk.used + self.disk.free)
        return plot.svg(self.past, self.forecast.curve, full, self.sentence)


async def look(
    store: Store, keeper: Keeper, config: Config, now: float, *, size: int | None = None
) -> Outlook:
    """This machine's outlook; with `size`, that of a disk of so many bytes with our recordings on it.

    Raises StoreError, AudioError.
    """
    local = datetime.fromtimestamp(now, config.zone)
    offset = round((local.utcoffset() or timedelta()).total_seconds())
    today = int((now + offset) // _DAY)
    sums = await store.keeping.days(offset, node=config.node or None)
    held = sum(each.size + each.beside for each in sums)
    if size is None:
        place = await asyncio.to_thread(disk.usage, config.spool.monitor)
    else:
        here = min(held, config.archive.objects.cache) if config.archive.objects.url else held
        place = disk.Disk(total=size, used=round(here), free=max(0, size - round(here)))
    sizes = format_sizes(sums)
    per_second = current_rate(sums, sizes, config.archive.format, doubled=_is_doubled(config))
    forecast = capacity.forecast(
        _days(sums),
        today,
        used=place.used,
        room=place.free,
        bytes_per_second=per_second,
        keeps=_cached(await ages(store, keeper, config, now), _in_cache(config, sums, per_second, today)),
        part=((now + offset) % _DAY) / _DAY,
    )
    full_on = None
    if forecast.full_in is not None:
        full_on = (local + timedelta(days=forecast.full_in)).date()
    hours_left = place.free / (per_second * HOUR) if per_second else 0.0
    return Outlook(
        disk=place,
        formats=sizes,
        recordings=sum(each.recordings for each in sums),
        seconds=sum(each.duration_ms for each in sums) / 1000,
        bytes=held,
        bytes_per_hour=per_second * HOUR,
        hours_left=hours_left,
        forecast=forecast,
        full_on=full_on,
        past=_past(sums, today, place.used),
        sentence=sentence(forecast, place, hours_left, full_on),
    )


def format_sizes(sums: Sequence[DaySum]) -> tuple[FormatSize, ...]:
    """What an hour of each format takes: as measured here, else as measured by us; see docs/archive.md."""
    seconds: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for each in sums:
        seconds[each.format] += each.duration_ms
        taken[each.format] += each.size
    found = []
    for form in FORMATS.values():
        known = seconds[form.name] / 1000
        measured = known >= _MEASURED_SECONDS
        rate = taken[form.name] / known * HOUR if measured else float(form.bytes_per_hour)
        found.append(FormatSize(name=form.name, bytes_per_hour=rate, measured=measured))
    return tuple(found)


def current_rate(sums: Sequence[DaySum], sizes: Sequence[FormatSize], form: str, *, doubled: bool) -> float:
    """Bytes per second of talk that the coming recordings take."""
    rate = next(each.bytes_per_hour for each in sizes if each.name == form) / HOUR
    if not doubled:
        return rate
    beside = sum(each.beside for each in sums if each.format == form)
    seconds = sum(each.duration_ms for each in sums if each.format == form and each.beside) / 1000
    mix = next(each.bytes_per_hour for each in sizes if each.name == "wav-mono") / HOUR
    return rate + (beside / seconds if seconds else mix)


async def ages(store: Store, keeper: Keeper, config: Config, now: float) -> dict[float, float]:
    """Which share of the bytes goes at which age in days, by the rules and what the recordings of the last
    weeks were.
    """
    settings = config.archive
    default = settings.default
    if not settings.rules:
        return {} if settings.maximum == FOREVER else {settings.maximum / _DAY: 1.0}
    shares: Counter[float] = Counter()
    recent = (now - _RECENT_DAYS * _DAY, "")
    sample = await store.keeping.walk(IN_PLACE, after=recent, limit=_SAMPLE)
    sample = sample or await store.keeping.walk(IN_PLACE, limit=_SAMPLE)
    subjects = await keeper.subjects([kept.recording_id for kept in sample])
    for kept in sample:
        if kept.recording_id in subjects:
            keep = retention.keep_of(settings.rules, default, subjects[kept.recording_id])
            shares[FOREVER if keep.maximum is None else keep.maximum] += kept.size
    total = sum(shares.values())
    return {age / _DAY: size / total for age, size in shares.items() if age != FOREVER} if total else {}


def _in_cache(config: Config, sums: Sequence[DaySum], per_second: float, today: int) -> float:
    """The age in days at which a file makes room here, since the bucket has it; for ever without one, and where
    mixes stay beside.
    """
    recent = [each for each in sums if today - _RECENT_DAYS <= each.day < today]
    days = today - min((each.day for each in recent), default=today)
    daily = per_second * sum(each.duration_ms for each in recent) / 1000 / days if days else 0.0
    if not config.archive.objects.url or _is_doubled(config) or not daily:
        return FOREVER
    return config.archive.objects.cache / daily


def _cached(expire: Mapping[float, float], age: float) -> dict[float, float]:
    """What goes at which age, when everything goes at `age` at the latest."""
    if age == FOREVER:
        return dict(expire)
    shares = {age: 1.0 - sum(expire.values())}
    for other, share in expire.items():
        shares[min(other, age)] = shares.get(min(other, age), 0.0) + share
    return shares


def sentence(forecast: Forecast, place: disk.Disk, hours_left: float, full_on: date | None) -> str:
    """The outlook as a person would say it."""
    rate = forecast.rate
    if not rate.level:
        return f"Nothing was recorded yet; there is room for {hours_left:,.0f} hours of calls."
    weekly = rate.level / HOUR
    pace = f"At {weekly:,.3g} hours of calls a week"
    if abs(rate.growth_percent) >= 0.1:
        pace += (
            f", {'growing' if rate.growth > 0 else 'shrinking'} by {abs(rate.growth_percent):.1f} % a week"
        )
    if full_on is not None and forecast.full_in is not None:
        when = f"{_WORDS[full_on.weekday()]}, {full_on.isoformat()}"
        days = f"in {forecast.full_in:,.0f} days" if forecast.full_in >= 1 else "within a day"
        return (
            f"{pace} the disk will be full on {when}, {days}{_sure(forecast)}; {hours_left:,.0f} hours of calls fit"
            " until then."
        )
    if forecast.settles_at is not None:
        share = 100 * forecast.settles_at / (place.used + place.free)
        return f"{pace} the disk will not be full: what expires makes room, at {share:.0f} % it settles."
    return f"{pace} the disk will not be full within {capacity.HORIZON_DAYS // 365} years."


def _sure(forecast: Forecast) -> str:
    """Between which days, nine times in ten; nothing where it is a matter of hours."""
    soon, late = forecast.between or (0.0, 0.0)
    if forecast.rate.weeks < capacity.LEAST_WEEKS:
        return " (a first guess: the past is short)"
    if late is None:
        return f" (nine times in ten not before {soon:,.0f})"
    return f" (nine times in ten between {soon:,.0f} and {late:,.0f})" if late >= 2 else ""


def _is_doubled(config: Config) -> bool:
    """Whether mixes are kept beside what is encoded from them."""
    named = config.archive.named
    if config.archive.format.startswith("wav") or named == "remove" or config.archive.encryption.key_id:
        return False
    return named == "keep" or config.cdr.source == "ami" or not config.cdr.writable


def _days(sums: Sequence[DaySum]) -> list[capacity.Day]:
    found: dict[int, list[float]] = {}
    for each in sums:
        day = found.setdefault(each.day, [0.0, 0.0])
        day[0] += each.duration_ms / 1000
        day[1] += each.size + each.beside
    return [capacity.Day(day=day, seconds=s, bytes=b) for day, (s, b) in sorted(found.items())]


def _past(sums: Sequence[DaySum], today: int, used: float) -> tuple[tuple[int, float], ...]:
    """Bytes used at the end of each past day, reckoned back from now by what each day has brought."""
    by_day = {day.day: day.bytes for day in _days(sums)}
    curve, now = [(today, float(used))], float(used)
    for day in range(today - 1, min(by_day, default=today) - 1, -1):
        now = max(0.0, now - by_day.get(day + 1, 0.0))
        curve.append((day, now))
    return tuple(reversed(curve))
