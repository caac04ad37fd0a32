"""Lanes as Asterisk leaves them, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recorderd.archive import wav
from recorderd.core import commands

RATE = 8000


def stretches(*pairs: tuple[float, float]) -> tuple[commands.Stretch, ...]:
    return tuple(commands.Stretch(start=start, end=end) for start, end in pairs)


def mix_lane(
    path: Path,
    *,
    lane_id: str = "lane",
    grew: tuple[tuple[float, float], ...],
    keep: tuple[tuple[float, float], ...] | None = None,
) -> commands.MixLane:
    return commands.MixLane(
        lane_id=lane_id,
        path=str(path),
        outside=False,
        stretches=stretches(*grew),
        keep=stretches(*(grew if keep is None else keep)),
    )


def ramp(frames: int) -> np.ndarray:
    """Samples that tell their own place: 1, 2, 3, ... modulo 30,000, never 0."""
    return (np.arange(frames) % 30000 + 1).astype(np.int16)


def write_lane(path: Path, samples: np.ndarray, *, rate: int = RATE, length: int | None = None) -> Path:
    """A WAV whose header says `length` bytes of data, the truth by default."""
    header = bytearray(wav.header(rate, len(samples)))
    if length is not None:
        header[40:44] = length.to_bytes(4, "little")
        header[4:8] = min(length + 36 if length else 0, 0xFFFFFFFF).to_bytes(4, "little")
    path.write_bytes(bytes(header) + samples.astype("<i2").tobytes())
    return path


def read_samples(path: Path) -> np.ndarray:
    with wav.reading(path) as sound:
        assert sound.closed
        return sound.read(0, sound.frames)
