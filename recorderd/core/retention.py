"""How long audio is kept, and in which format: rules of the administrator, first match wins.

Owns the rules and the decision whether a recording goes. Must not know a clock, a disk or who deletes. A
legal hold outweighs every rule, every person and a full disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from recorderd.core import keeping
from recorderd.core.conditions import Numbers
from recorderd.core.keeping import Hold, Subject
from recorderd.core.rows import Direction

FOREVER = float("inf")

# The formats audio can be kept in; what they are, `archive.formats` knows.
FORMATS = ("opus", "opus-mono", "mp3", "mp3-mono", "flac", "flac-mono", "wav", "wav-mono")
# libopus makes stereo into mono below about 17.5 kbit/s, and no tool says so: measured by listening.
LEAST_STEREO_KBITS = 18


class Way(StrEnum):
    """Which way a call went, as retention asks."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a rule asks of a recording; all that is given must hold.

    `rule` is the name of the policy rule that had it recorded, `mode` policy's word for it.
    """

    rule: str = ""
    mode: str = ""
    extension: Numbers | None = None
    number: Numbers | None = None
    direction: Way | None = None
    tag: str = ""

    def matches(self, subject: Subject) -> bool:
        """Whether it is one of these."""
        parties = [party for interval in subject.intervals for party in interval.parties]
        return (
            (not self.rule or any(i.reason.startswith(f"rule “{self.rule}” ") for i in subject.intervals))
            and (not self.mode or any(i.mode == self.mode for i in subject.intervals))
            and (self.extension is None or self.extension.holds(p.extension for p in parties))
            and (self.number is None or self.number.holds(subject.people))
            and (self.direction is None or way(subject) is self.direction)
            and (not self.tag or self.tag in subject.tags)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How one kind of recording is kept. Ages in seconds; None and an empty format: as by default.

    Younger than `minimum` it is not expired even when the disk is full; older than `maximum` it goes.
    """

    name: str = "the default"
    when: When = When()
    format: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a recording may go, and the sentence that says why or why not."""

    goes: bool
    why: str


def way(subject: Subject) -> Way:
    """Which way the call went, by its first interval: `inbound` when somebody outside called."""
    parties = subject.intervals[0].parties if subject.intervals else ()
    outside = [party for party in parties if not party.extension]
    if not outside:
        return Way.INTERNAL
    called = any(party.direction is Direction.OUTBOUND for party in outside)
    return Way.INBOUND if called else Way.OUTBOUND


def keep_of(rules: Iterable[Keep], default: Keep, subject: Subject) -> Keep:
    """The first rule that matches, with the default's word where it has none; else the default."""
    rule = next((rule for rule in rules if rule.when.matches(subject)), default)
    return replace(
        rule,
        format=rule.format or default.format or FORMATS[0],
        minimum=_first(rule.minimum, default.minimum, 0.0),
        maximum=_first(rule.maximum, default.maximum, FOREVER),
    )


def held(holds: Iterable[Hold], subject: Subject) -> Hold | None:
    """A hold that covers the recording, None for none."""
    return next((hold for hold in holds if keeping.holds(hold, subject)), None)


def expires(keep: Keep, subject: Subject, holds: Sequence[Hold], now: float) -> Verdict:
    """Whether its time is over."""
    most = _first(keep.maximum, FOREVER)
    if now - subject.recording.started_at <= most:
        return Verdict(goes=False, why=f"{keep.name} keeps it longer")
    return _unless_held(holds, subject, f"{keep.name} keeps it for {days(most)}")


def yields(keep: Keep, subject: Subject, holds: Sequence[Hold], now: float) -> Verdict:
    """Whether it may go to make room on a full disk."""
    least = _first(keep.minimum, 0.0)
    if now - subject.recording.started_at <= least:
        return Verdict(goes=False, why=f"{keep.name} keeps it for at least {days(least)}")
    return _unless_held(holds, subject, "the disk was full, and it was the oldest that might go")


def days(seconds: float) -> str:
    """A length as people say it."""
    if seconds == FOREVER:
        return "ever"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:g} hours"
    return f"{seconds / 86_400:g} days"


def _first(*given: float | None) -> float:
    return next(value for value in given if value is not None)


def _unless_held(holds: Sequence[Hold], subject: Subject, why: str) -> Verdict:
    hold = held(holds, subject)
    if hold is not None:
        return Verdict(goes=False, why=f"held by {hold.who}: {hold.reason}")
    return Verdict(goes=True, why=why)
