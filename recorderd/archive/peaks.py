"""The waveform of a recording, small enough for a page: the loudest sample of each stretch of each side.

Owns the `.peaks` file beside a kept file: JSON, as the panel's player takes it. Must not know what it is for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recorderd.archive import files, sealed
from recorderd.archive.keyring import Keyring
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

SUFFIX = ".peaks"
# A stretch is at least this long, and there are no more of them than a screen is wide.
_SHORTEST_MS = 20
_MOST = 2000
_READ_LIMIT = 1 << 20


class Peaks:
    """Takes blocks of frames, a row for each frame, of a sound that has `frames` in all."""

    def __init__(self, channels: int, rate: int, frames: int) -> None:
        steps = max(1, -(-frames * 1000 // (rate * _MOST * _SHORTEST_MS)))
        self.bucket_ms = steps * _SHORTEST_MS
        self._bucket = max(1, rate * self.bucket_ms // 1000)
        self._found: list[NDArray[Any]] = []
        self._rest = np.zeros((0, channels), dtype=np.int16)

    def feed(self, block: Samples) -> None:
        """The next frames."""
        rows = np.concatenate([self._rest, block.reshape(-1, self._rest.shape[1])])
        whole = len(rows) - len(rows) % self._bucket
        self._rest = rows[whole:]
        if whole:
            self._found.append(_loudest(rows[:whole].reshape(-1, self._bucket, rows.shape[1])))

    def sides(self) -> list[list[int]]:
        """From 0 to 255, a list for each channel."""
        found = [*self._found, *([_loudest(self._rest[None])] if len(self._rest) else [])]
        if not found:
            return [[] for _ in range(self._rest.shape[1])]
        every: list[list[int]] = np.concatenate(found).T.tolist()
        return every


def path_of(sound: Path) -> Path:
    """Where the peaks of a kept file are."""
    return sound.with_name(sound.name + SUFFIX)


def write(
    sound: Path, peaks: Peaks, labels: Sequence[str], duration_ms: int, key: sealed.Key | None = None
) -> None:
    """Put them beside the file, whole or not at all; encrypted where there is a key. Raises AudioError."""
    with files.replacing(path_of(sound)) as fd:
        shown = told(peaks, labels, duration_ms)
        files.write_all(fd, json.dumps(shown, separators=(",", ":")).encode("ascii"))
        if key is not None:
            sealed.seal(fd, key)


def told(peaks: Peaks, labels: Sequence[str], duration_ms: int) -> dict[str, Any]:
    """What the player takes; a label for each channel."""
    sides = zip(labels, peaks.sides(), strict=True)
    return {
        "version": 1,
        "duration_ms": duration_ms,
        "bucket_ms": peaks.bucket_ms,
        "lanes": [{"label": label, "peaks": side} for label, side in sides],
    }


def read(sound: Path, keys: sealed.Keys | None = None) -> dict[str, Any]:
    """What `write` wrote. Raises AudioError where there is nothing of the kind."""
    return read_from(sealed.opened(path_of(sound), keys or Keyring()))


def read_from(file: sealed.Sound) -> dict[str, Any]:
    """The same of one that is open, wherever it lies; it is closed."""
    place = file.path
    try:
        if file.size > _READ_LIMIT:
            raise AudioError(f"{place} holds no peaks")
        found = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise AudioError(f"{place} cannot be read: {error}") from error
    finally:
        file.close()
    if not isinstance(found, dict) or found.get("version") != 1:
        raise AudioError(f"{place} holds no peaks")
    return found


def _loudest(stretches: NDArray[Any]) -> NDArray[Any]:
    loudest: NDArray[Any] = np.minimum(np.abs(stretches.astype(np.int32)).max(axis=1) >> 7, 255)
    return loudest
