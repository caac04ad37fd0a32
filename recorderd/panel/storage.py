"""How long can recordings be kept on this disk? Owns the arithmetic of the answer.

Pure but for one look at the disk. Must not know what fills it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DISKS: Mapping[str, int] = {"250 GB": 250 * 10**9, "500 GB": 500 * 10**9, "1 TB": 10**12}
MIB = 1 << 20
# Bytes of one hour of talk, measured on two-voice telephone speech at 8 kHz (docs/panel.md); the last is the
# figure by which recorders have always been sold, and its megabyte is the old one.
FORMATS: Mapping[str, float] = {
    "WAV": 57.6e6,
    "FLAC": 33.3e6,
    "Opus 20k stereo": 8.8e6,
    "WAV49 (GSM)": 5.85e6,
    "5 minutes per MB": 12.0 * MIB,
}
_HOUR_MS = 3_600_000
_DAY = 86_400.0


def report(root: Path, usage: tuple[int, int, int], days: float, now: float) -> Mapping[str, Any]:
    """See `ports.Admin.storage`. `usage` are recordings, milliseconds and bytes of the past `days`.
    Blocking.
    """
    disk = shutil.disk_usage(_there(root))
    count, ms, size = usage
    per_hour = size * _HOUR_MS / ms if ms else None
    per_day = size / days if days else 0.0
    return {
        "total": disk.total,
        "used": disk.used,
        "free": disk.free,
        "recordings": count,
        "seconds": ms // 1000,
        "bytes": size,
        "bytes_per_hour": round(per_hour) if per_hour else None,
        "hours_left": round(disk.free / per_hour) if per_hour else None,
        "full_at": now + disk.free / per_day * _DAY if per_day else None,
        "formats": [_format(name, bytes_per_hour) for name, bytes_per_hour in FORMATS.items()],
    }


def _format(name: str, bytes_per_hour: float) -> Mapping[str, Any]:
    return {
        "name": name,
        "mb_per_hour": round(bytes_per_hour / (MIB if name.endswith("MB") else 10**6), 2),
        "bytes_per_hour": round(bytes_per_hour),
        "hours": {disk: round(size / bytes_per_hour) for disk, size in DISKS.items()},
    }


def _there(root: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    while not root.exists() and root != root.parent:
        root = root.parent
    return root
