"""Times as people write and read them: owns both directions. Must not know what happens at a time.

Aware throughout: a time without a zone is in the PBX's own.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from recorderd.cli.command import Wrong

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAYS_AGO = {"today": 0, "yesterday": 1}


def moment(text: str, now: float, zone: tzinfo) -> float:
    """Seconds since the epoch of `10:30` (today), `2026-11-23`, `2026-11-23 10:30`, with `Z` or `+03:00`."""
    words = text.strip()
    try:
        if re.fullmatch(r"\d?\d:\d\d(:\d\d)?", words):
            today = datetime.fromtimestamp(now, zone).date()
            words = f"{today} {words.zfill(5 if words.count(':') == 1 else 8)}"
        found = datetime.fromisoformat(words)
        instant = (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()
        if instant < 0:
            raise ValueError("before 1970")
        return instant
    except (ValueError, OverflowError, OSError) as error:
        raise Wrong(f"{text!r} is not a time such as 2026-11-23 10:30 or 10:30") from error


def since(text: str, now: float, zone: tzinfo) -> float:
    """The same, and `today` or `yesterday` (from midnight on), or a time ago: `90s`, `30m`, `24h`, `7d`, `2w`."""
    words = text.strip().lower()
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", words)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    if words in _DAYS_AGO:
        midnight = datetime.fromtimestamp(now, zone).replace(
            hour=0, minute=0, second=0, microsecond=0, fold=0
        )
        return (midnight - timedelta(days=_DAYS_AGO[words])).timestamp()
    try:
        return moment(text, now, zone)
    except Wrong as error:
        raise Wrong(
            f"{text!r} is not a time such as 24h, 7d, today, yesterday or 2026-11-23 10:30"
        ) from error


def written(at: float | None, zone: tzinfo) -> str:
    """`2026-11-23 10:30:00`, in the zone; a dash where there is none."""
    return "-" if at is None else datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def length(seconds: float | None) -> str:
    """`0:42`, `1:02:03`; a dash where there is none yet."""
    if seconds is None:
        return "-"
    minutes, left = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
