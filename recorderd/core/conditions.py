"""When a rule applies: one small class for each condition, one literal dict of them all.

Owns the conditions and how each is written. Must not know how rules are stored. To add a condition, write
a class with `parse` and `matches`, add its line to CONDITIONS, a row to its test table and to the manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from recorderd.core.localtime import local
from recorderd.core.policy import Condition, Situation
from recorderd.core.rows import Direction

Lists = Mapping[str, tuple[str, ...]]


class ConditionFault(ValueError):
    """A condition is written wrongly; `str()` is one sentence."""


# --- numbers -----------------------------------------------------------------------------------

_CLASS = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


def _pattern(text: str) -> re.Pattern[str]:
    """A number, or a pattern as the dialplan writes it: `_0800XXXX`, `_[1-3]XX`, `_9.`."""
    if not text.startswith("_"):
        return re.compile(re.escape(text))
    body = text[1:]
    if not re.fullmatch(r"(?:[0-9*#+XZN]|\[[0-9-]+\])+[.!]?", body, flags=re.IGNORECASE):
        raise ConditionFault(f"{text!r} is not a dialplan pattern such as _0800XXXX")
    parts = re.findall(r"\[[0-9-]+\]|.", body)
    spelled = "".join(_CLASS.get(p.upper(), p if p.startswith("[") else re.escape(p)) for p in parts)
    try:
        return re.compile(spelled)
    except re.error as error:  # [5-1]
        raise ConditionFault(f"{text!r} is not a dialplan pattern: {error.msg}") from None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A set of numbers: plain ones, dialplan patterns, and `@name` for a list kept by the administrator."""

    written: str
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def parse(cls, value: object, lists: Lists) -> Numbers:
        """Read a number, a comma-separated text or a sequence of them."""
        texts = _texts(value, "number")
        patterns: list[re.Pattern[str]] = []
        for text in texts:
            if text.startswith("@"):
                if text[1:] not in lists:
                    known = ", ".join(sorted(lists)) or "none"
                    raise ConditionFault(f"there is no list {text[1:]!r}; known lists: {known}")
                patterns.extend(_pattern(number) for number in lists[text[1:]])
            else:
                patterns.append(_pattern(text))
        return cls(", ".join(texts), tuple(patterns))

    def holds(self, candidates: Iterable[str]) -> bool:
        """Whether any candidate is in the set."""
        for candidate in candidates:
            if candidate:
                for pattern in self.patterns:
                    if pattern.fullmatch(candidate):
                        return True
        return False


def _items(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    raise ConditionFault(f"{value!r} is not a text or a list of texts")


def _texts(value: object, what: str) -> list[str]:
    """The texts of a comma-separated text or a sequence of them, without blanks around them."""
    texts = [t.strip() for item in _items(value) for t in item.split(",") if t.strip()]
    if not texts:
        raise ConditionFault(f"give at least one {what}")
    return texts


_CANDIDATES: dict[str, Callable[[Situation], Iterable[str]]] = {
    "caller": lambda s: [n for p in s.callers for n in (p.extension, p.number)],
    "callee": lambda s: [n for p in s.callees for n in (p.extension, p.number)],
    "party": lambda s: [n for p in s.parties for n in (p.extension, p.number)],
    "did": lambda s: s.dialled if not s.internal else (),
    "queue": lambda s: s.dialled,
    "group": lambda s: s.dialled,
}


@dataclass(frozen=True, slots=True)
class NumberCondition:
    """Some number of the conversation is in a set: whose, is the condition's name."""

    name: str
    numbers: Numbers

    def matches(self, situation: Situation) -> bool:
        """Whether one of them is."""
        return self.numbers.holds(_CANDIDATES[self.name](situation))

    def __str__(self) -> str:
        return f"{self.name} is not {self.numbers.written}"


# --- names -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trunk:
    """The outside party came or went by one of these endpoints."""

    names: frozenset[str]

    def matches(self, situation: Situation) -> bool:
        """Whether one did."""
        return not self.names.isdisjoint(situation.trunks)

    def __str__(self) -> str:
        return f"trunk is not {', '.join(sorted(self.names))}"


@dataclass(frozen=True, slots=True)
class Context:
    """A caller's channel was in one of these dialplan contexts."""

    names: frozenset[str]

    def matches(self, situation: Situation) -> bool:
        """Whether one was."""
        return not self.names.isdisjoint(situation.contexts)

    def __str__(self) -> str:
        return f"context is not {', '.join(sorted(self.names))}"


# --- direction and time ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallDirection:
    """`internal`: extensions only; `inbound`: somebody outside called; `outbound`: was called."""

    wanted: str

    @classmethod
    def parse(cls, value: object, _lists: Lists) -> CallDirection:
        """Read one of the three words."""
        if value not in ("inbound", "outbound", "internal"):
            raise ConditionFault(f"{value!r} is not inbound, outbound or internal")
        return cls(str(value))

    def matches(self, situation: Situation) -> bool:
        """Whether the conversation has that direction."""
        outside = [p for p in situation.parties if not p.extension]
        if self.wanted == "internal":
            return not outside
        caller_outside = any(p.direction is Direction.OUTBOUND for p in outside)
        return bool(outside) and caller_outside is (self.wanted == "inbound")

    def __str__(self) -> str:
        return f"direction is not {self.wanted}"


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Hours:
    """Local time: `Mon-Fri 08:00-18:00`, `Sat`, `22:00-06:00`; several with commas. The end is excluded."""

    written: str
    spans: tuple[tuple[frozenset[int], int, int], ...]

    @classmethod
    def parse(cls, value: object, _lists: Lists) -> Hours:
        """Read one or more spans."""
        texts = _texts(value, "time")
        return cls(", ".join(texts), tuple(_span(text) for text in texts))

    def matches(self, situation: Situation) -> bool:
        """Whether it is that time where the PBX stands. A span over midnight belongs to its first day."""
        now = local(situation.at, situation.zone)
        minute, today = now.hour * 60 + now.minute, now.weekday()
        yesterday = (today - 1) % 7
        return any(
            (today in days and first <= minute < last)
            if first < last
            else ((today in days and minute >= first) or (yesterday in days and minute < last))
            for days, first, last in self.spans
        )

    def __str__(self) -> str:
        return f"time is not {self.written}"


def _span(text: str) -> tuple[frozenset[int], int, int]:
    match = re.fullmatch(
        r"(?:(?P<a>[a-z]+)(?:-(?P<b>[a-z]+))?)?\s*(?:(?P<h1>\d?\d):(?P<m1>\d\d)-(?P<h2>\d?\d):(?P<m2>\d\d))?",
        text.lower(),
    )
    if not match or not text:
        raise ConditionFault(f"{text!r} is not a time such as Mon-Fri 08:00-18:00")
    days = _days(match["a"], match["b"], text)
    if match["h1"] is None:
        return days, 0, 24 * 60
    first, last = int(match["h1"]) * 60 + int(match["m1"]), int(match["h2"]) * 60 + int(match["m2"])
    if max(first, last) > 24 * 60 or int(match["m1"]) > 59 or int(match["m2"]) > 59 or first == last:
        raise ConditionFault(f"{text!r} is not a time of day from 00:00 to 24:00")
    return days, first, last


def _days(first: str | None, last: str | None, text: str) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    a, b = _day(first, text), _day(last or first, text)
    return frozenset((a + i) % 7 for i in range((b - a) % 7 + 1))


def _day(word: str, text: str) -> int:
    found = [i for i, day in enumerate(_DAYS) if len(word) >= 3 and day.startswith(word)]
    if not found:
        raise ConditionFault(f"{word!r} in {text!r} is not a day of the week (Mon to Sun)")
    return found[0]


# --- the table ---------------------------------------------------------------------------------


def _number(name: str) -> Callable[[object, Lists], Condition]:
    return lambda value, lists: NumberCondition(name, Numbers.parse(value, lists))


CONDITIONS: Mapping[str, Callable[[object, Lists], Condition]] = {
    "direction": CallDirection.parse,
    "caller": _number("caller"),
    "callee": _number("callee"),
    "party": _number("party"),
    "did": _number("did"),
    "queue": _number("queue"),
    "group": _number("group"),
    "trunk": lambda value, _lists: Trunk(frozenset(_texts(value, "trunk"))),
    "context": lambda value, _lists: Context(frozenset(_texts(value, "context"))),
    "time": Hours.parse,
}
