"""What is wrong with a file, and where: owns the form `file:line:column: key.path: sentence`.

Must not know what was read, or how.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recorderd.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Located:
    """One fault with its place; line and column count from 1, `key` is the path of keys with dots."""

    file: str
    line: int
    column: int
    key: str
    sentence: str

    def __str__(self) -> str:
        key = f"{self.key.rstrip('.')}: " if self.key else ""
        return f"{self.file}:{self.line}:{self.column}: {key}{self.sentence}"


class FaultyConfig(ConfigError):
    """Every fault of a file at once: `faults` for a machine, `str()` one line each for a person."""

    def __init__(self, faults: Iterable[Located]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))
