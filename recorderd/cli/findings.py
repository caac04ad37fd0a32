"""What a probe found: owns the shape. Must not know any probe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recorderd.cli.command import Exit


class Level(StrEnum):
    """How bad it is. A problem keeps recorderd from its work; a warning is worth a look."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `code` is what the command exits with when it is the first problem."""

    about: str
    level: Level
    sentence: str
    code: Exit = Exit.NO
