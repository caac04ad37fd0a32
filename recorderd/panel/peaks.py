"""The waveform of a recording: how loud it is, bucket by bucket, in one lane or two.

Owns the form of peaks and their making from a file that is at hand. Must not know who asks. What the
archive has stored beside a recording is taken first; else a WAV is read once, and remembered while the
process lives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recorderd.archive import peaks as stored
from recorderd.archive import wav
from recorderd.errors import AudioError

VERSION = 1
_LEAST_BUCKET_MS = 20
_MOST_BUCKETS = 2000
_FULL = 255
_REMEMBERED = 500


class Peaks:
    """`of` a file: blocking."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int], Mapping[str, Any]] = OrderedDict()

    def of(self, path: Path) -> Mapping[str, Any]:
        """See `ports.Media.peaks`. Raises AudioError."""
        try:
            about = path.stat()
        except OSError as error:
            raise AudioError(f"{path} cannot be read: {error.strerror}") from error
        key = (str(path), about.st_mtime_ns, about.st_size)
        if key not in self._known:
            try:
                self._known[key] = stored.read(path)
            except AudioError:
                self._known[key] = made(path)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]


def made(path: Path) -> Mapping[str, Any]:
    """The peaks of a mono WAV, one lane. Raises AudioError for any other file."""
    with wav.reading(path) as sound:
        duration_ms = sound.frames * 1000 // sound.rate
        bucket_ms = max(_LEAST_BUCKET_MS, -(-duration_ms // _MOST_BUCKETS))
        per_bucket = sound.rate * bucket_ms // 1000
        loud: list[int] = []
        # Whole buckets at a time, some megabytes of them.
        step = per_bucket * max(1, (1 << 20) // per_bucket)
        for first in range(0, sound.frames, step):
            loud += _buckets(sound.read(first, step), per_bucket)
    lanes = [{"label": "", "peaks": loud}]
    return {"version": VERSION, "duration_ms": duration_ms, "bucket_ms": bucket_ms, "lanes": lanes}


def _buckets(samples: wav.Samples, per_bucket: int) -> list[int]:
    # As 32 bits: the least of 16 bits has no positive counterpart.
    loud = np.abs(samples.astype(np.int32))
    rest = -len(loud) % per_bucket
    rows = np.pad(loud, (0, rest)).reshape(-1, per_bucket)
    found: list[int] = np.minimum(rows.max(axis=1) * _FULL // 32767, _FULL).tolist()
    return found
