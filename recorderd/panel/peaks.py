"""The waveform of a recording: how loud it is, bucket by bucket, in one lane or two.

Owns where it is taken from: what the archive has stored beside the file; where that is not there (yet), the
mixer's two-channel file, a voice a lane; else the mix, one lane. Must not know who asks, or the form of peaks.
A WAV is read once, and remembered while the process lives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recorderd.archive import peaks as stored
from recorderd.archive import wav
from recorderd.archive.sealed import Keys, Sound
from recorderd.errors import AudioError

_REMEMBERED = 500


class Peaks:
    """`of` a file: blocking."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: OrderedDict[tuple[str, int, int], Mapping[str, Any]] = OrderedDict()

    def of(self, path: Path, stereo: Path | None, labels: Sequence[str]) -> Mapping[str, Any]:
        """See `ports.Media.peaks`. `stereo` is the same recording in two channels, `labels` who is on which.

        Raises AudioError.
        """
        try:
            about = path.stat()
        except OSError as error:
            raise AudioError(f"{path} cannot be read: {error.strerror}") from error
        key = (str(path), about.st_mtime_ns, about.st_size)
        if key not in self._known:
            self._known[key] = _found(path, stereo, labels, self._keys)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def of_object(self, key: str, opened: Callable[[], Sound]) -> Mapping[str, Any]:
        """The same of what lies in the bucket under this key."""
        if (key, 0, 0) not in self._known:
            self._known[key, 0, 0] = stored.read_from(opened())
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key, 0, 0]


def _found(path: Path, stereo: Path | None, labels: Sequence[str], keys: Keys) -> Mapping[str, Any]:
    try:
        return stored.read(path, keys)
    except AudioError:
        pass
    if stereo is not None:
        try:
            return made(stereo, labels)
        except AudioError:
            pass
    return made(path, ("",))


def made(path: Path, labels: Sequence[str]) -> Mapping[str, Any]:
    """The peaks of a WAV with a channel for each label. Raises AudioError for any other file."""
    with wav.reading(path, len(labels)) as sound:
        shape = stored.Peaks(len(labels), sound.rate, sound.frames)
        for first in range(0, sound.frames, wav.BLOCK_FRAMES):
            shape.feed(sound.read(first, wav.BLOCK_FRAMES))
        return stored.told(shape, labels, sound.frames * 1000 // sound.rate)
