"""How full a disk is: owns the question to the system, and what the water marks say of the answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from recorderd.errors import AudioError


class Level(StrEnum):
    """Below both marks, above the first, above the second."""

    FINE = "fine"
    LOW = "low-water"
    HIGH = "high-water"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Bytes. `free` is what we may still use, so `used` and `free` need not come to `total`."""

    total: int
    used: int
    free: int

    @property
    def percent(self) -> float:
        """Used, as `df` reckons it."""
        usable = self.used + self.free
        return 100.0 * self.used / usable if usable else 100.0

    def level(self, low: float, high: float) -> Level:
        """Which mark has been passed."""
        return Level.HIGH if self.percent >= high else Level.LOW if self.percent >= low else Level.FINE


def usage(folder: Path) -> Disk:
    """The disk that this folder is on. Raises AudioError."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise AudioError(f"The disk of {folder} cannot be asked: {error.strerror}") from error
    size = found.f_frsize
    return Disk(
        total=found.f_blocks * size,
        used=(found.f_blocks - found.f_bfree) * size,
        free=found.f_bavail * size,
    )
