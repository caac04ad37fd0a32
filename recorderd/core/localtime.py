"""The wall clock where the PBX stands, from seconds since the epoch.

Owns how a moment becomes a local time. Must not know what it is for. datetime asks the zone anew for each moment, by
a name made for that one question, and Python's table of methods keeps thousands of such names alive.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

_QUARTER = 900
_EPOCH = datetime(1970, 1, 1)


def local(at: float, zone: tzinfo) -> datetime:
    """The date and time there, without its zone. Within a quarter of an hour no zone changes its clocks."""
    return _EPOCH + timedelta(seconds=at + _offset(at // _QUARTER, zone))


@lru_cache(maxsize=1)
def _offset(quarter: float, zone: tzinfo) -> float:
    """Seconds east of Greenwich. Only the last is remembered: calls come in the order of time."""
    there = _EPOCH + timedelta(seconds=quarter * _QUARTER)
    return (zone.fromutc(there.replace(tzinfo=zone)).replace(tzinfo=None) - there).total_seconds()
