"""The judgement on one watched file, as a table of what is seen when. Pure: no thread, no file."""

from __future__ import annotations

import pytest

from recorderd.archive.growth import GONE, Growth, Sight, stall_seconds
from recorderd.errors import AudioError

STALL = 2.548


def sight(size: int, inode: int = 7) -> Sight:
    return Sight(inode=inode, size=size)


def told(steps: list[tuple[float, object]], *, growing: bool = True) -> list[tuple[float, str]]:
    """What is told when: a step is a Sight, True or False (in a bridge or not), or None (time passes)."""
    growth = Growth(stall=STALL, growing=growing, now=0.0)
    said = []
    for now, step in steps:
        if isinstance(step, Sight):
            kinds = growth.look(step, now)
        elif isinstance(step, bool):
            growth.grow(step, now)
            kinds = []
        else:
            kinds = growth.judge(now)
        said += [(now, kind) for kind in kinds]
    return said


ARMED, STEP1, STEP2 = sight(44), sight(32812), sight(65580)

TABLE: dict[str, tuple[list[tuple[float, object]], list[tuple[float, str]]]] = {
    "grows as it should": (
        [(0.01, ARMED), (2.0, None), (2.2, STEP1), (4.7, None), (4.74, STEP2), (7.2, None)],
        [],
    ),
    "not there for less than a second": ([(0.0, GONE), (0.99, None), (0.995, ARMED), (1.1, None)], []),
    "never there": ([(0.0, GONE), (1.0, None), (1.1, None), (9.0, None)], [(1.0, "missing")]),
    "comes late": ([(0.0, GONE), (1.0, None), (1.5, ARMED), (3.9, None)], [(1.0, "missing")]),
    "comes late and stalls": (
        [(0.0, GONE), (1.0, None), (1.5, ARMED), (4.06, None), (5.0, None)],
        [(1.0, "missing"), (4.06, "stalled")],
    ),
    "nobody could look": ([(1.0, None), (2.0, None)], [(1.0, "stalled")]),
    "does not grow from the start": (
        [(0.0, ARMED), (2.5, None), (2.55, None), (2.6, None)],
        [(2.55, "stalled")],
    ),
    "stops growing": (
        [(0.0, ARMED), (2.1, STEP1), (4.6, None), (4.65, None), (9.0, None)],
        [(4.65, "stalled")],
    ),
    "stalls, goes on and stalls again": (
        [(0.0, ARMED), (2.6, None), (3.0, STEP1), (5.5, None), (5.6, None)],
        [(2.6, "stalled"), (5.6, "stalled")],
    ),
    "waits unbridged": ([(0.0, ARMED), (0.0, False), (60.0, None)], []),
    "waits, then is bridged": (
        [(0.0, ARMED), (0.0, False), (60.0, True), (62.5, None), (62.6, None)],
        [(62.6, "stalled")],
    ),
    "the clock goes on where it stopped": (
        [(0.0, ARMED), (2.0, False), (50.0, None), (60.0, True), (60.5, None), (60.6, None)],
        [(60.6, "stalled")],
    ),
    "told twice that it is bridged": (
        [(0.0, ARMED), (2.0, True), (2.5, None), (2.6, None)],
        [(2.6, "stalled")],
    ),
    "is cut": ([(0.0, ARMED), (2.1, STEP1), (2.4, sight(0)), (2.7, sight(0))], [(2.4, "truncated")]),
    "is cut and stays so": (
        [(0.0, STEP2), (0.5, ARMED), (3.0, None), (3.1, None)],
        [(0.5, "truncated"), (3.1, "stalled")],
    ),
    "is cut, grows, is cut": (
        [(0.0, STEP1), (0.5, sight(0)), (1.0, STEP1), (1.5, ARMED)],
        [(0.5, "truncated"), (1.5, "truncated")],
    ),
    "is deleted": ([(0.0, ARMED), (0.5, GONE), (0.8, GONE), (9.0, None)], [(0.5, "deleted")]),
    "is deleted before it is bridged": ([(0.0, False), (0.0, ARMED), (0.5, GONE)], [(0.5, "deleted")]),
    "another file takes its name": ([(0.0, ARMED), (0.5, sight(99, inode=8))], [(0.5, "deleted")]),
    "is moved away and back": (
        [(0.0, ARMED), (0.5, GONE), (0.8, ARMED), (1.1, GONE)],
        [(0.5, "deleted"), (1.1, "deleted")],
    ),
    "an old look does not shorten the time to grow": (
        [(0.0, False), (5.0, True), (4.9, ARMED), (7.5, None), (7.6, None)],
        [(7.6, "stalled")],
    ),
}


@pytest.mark.parametrize(("steps", "expected"), TABLE.values(), ids=TABLE)
def test_each_fault_is_told_once_and_in_time(steps, expected):
    assert told(steps) == expected


def test_a_growing_file_may_stand_still_for_one_buffer_step_and_half_a_second():
    assert stall_seconds("/spool/a.wav") == pytest.approx(2.548)
    assert stall_seconds("/spool/a.ulaw") == pytest.approx(4.596)
    assert stall_seconds("/spool/a.WAV") > 20


@pytest.mark.parametrize("path", ["/spool/a.mp3", "/spool/a", "/spool.wav/a", ""])
def test_a_format_of_unknown_rate_is_refused(path: str):
    with pytest.raises(AudioError, match="cannot be watched"):
        stall_seconds(path)
