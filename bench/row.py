"""One figure that a bench found.

Owns its shape and whether the goal is met. Must not know how it was measured.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`goal` is ("<=", 0.12) or such; without one the figure is for scale only.

    `detail` is the absolute figures behind a ratio, with their units, in one line.
    """

    what: str
    value: float
    unit: str = ""
    goal: tuple[str, float] | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else _HOLDS[self.goal[0]](self.value, self.goal[1])

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "goal": list(self.goal) if self.goal else None, "met": self.met}


def of_plain(data: dict[str, Any]) -> Row:
    """The Row of what `plain` gave."""
    goal = data["goal"]
    return Row(
        what=data["what"],
        value=data["value"],
        unit=data["unit"],
        goal=(goal[0], goal[1]) if goal else None,
        detail=data["detail"],
    )


def at(times: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


__all__ = ["Row", "at", "median", "of_plain"]
