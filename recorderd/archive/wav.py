"""WAV as Asterisk leaves it: 16-bit PCM, growing, closed, or cut short by a kill; mono, our own also stereo.

Owns the RIFF header. Must not know lanes, mixes or recordings.

Asterisk's format_wav writes the header's lengths when it closes the file: until then, and for ever after a
`kill -9`, they say 0 (or what an earlier close said, where option `a` appended). So the header is believed
about the format, never about the length: samples run from the data chunk to the end of the file.
"""

from __future__ import annotations

import os
import stat
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recorderd.archive import files
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

HEADER_BYTES = 44
BLOCK_FRAMES = 65536
FRAME_BYTES = 2
_LITTLE_INT16 = "<i2"
_PCM = 1
_RATES = range(1000, 192001)
# A sound file has a handful of chunks before its samples; this bounds the walk through a hostile one.
_MOST_CHUNKS = 32
_LENGTH_LIMIT = 0xFFFFFFFF


class Sound:
    """An open WAV: `rate` in frames per second, `frames` in it when it was opened, `channels` samples each.

    `closed` says that the header tells the true length, so that its writer finished with it.
    Reads go through `pread`, not a memory map: a file cut short while it is mapped kills the process, and
    mapped pages count as its memory.
    """

    def __init__(self, path: Path, fd: int, channels: int = 1) -> None:
        self.path = path
        self.channels = channels
        self.rate, self._offset, told = _walk(path, fd, channels)
        self._frame_bytes = FRAME_BYTES * channels
        data = max(0, os.fstat(fd).st_size - self._offset)
        self.frames = data // self._frame_bytes
        self.closed = told == data
        self.group = os.fstat(fd).st_gid
        self._fd = fd

    def frames_in(self, size: int) -> int:
        """How many samples there were when the file was `size` bytes long."""
        return max(0, size - self._offset) // self._frame_bytes

    def read(self, first: int, count: int) -> Samples:
        """`count` frames from `first` on, fewer where the file ends. Raises AudioError.

        One-dimensional in mono, else a row for each frame and a column for each channel.
        """
        # Only here: the daemon looks at headers, and must not wait for numpy when it starts.
        import numpy as np

        wanted = max(0, min(count, self.frames - first)) * self._frame_bytes
        at = self._offset + first * self._frame_bytes
        parts = []
        try:
            while wanted > 0 and (part := os.pread(self._fd, wanted, at)):
                parts.append(part)
                at += len(part)
                wanted -= len(part)
        except OSError as error:
            raise AudioError(f"{self.path} cannot be read: {error.strerror}") from error
        data = b"".join(parts)
        samples = np.frombuffer(data[: len(data) - len(data) % self._frame_bytes], dtype=_LITTLE_INT16)
        return samples if self.channels == 1 else samples.reshape(-1, self.channels)


@dataclass(slots=True)
class Writer:
    """Takes frames of the WAV being written, in the shape that `Sound.read` gives; `frames` counts them."""

    fd: int
    rate: int
    channels: int = 1
    frames: int = 0

    def write(self, samples: Samples) -> None:
        files.write_all(self.fd, samples.astype(_LITTLE_INT16, copy=False).tobytes())
        self.frames += len(samples)


@contextmanager
def reading(path: Path, channels: int = 1) -> Iterator[Sound]:
    """`path` opened as a Sound. Raises AudioError if it is missing or no 16-bit WAV of so many channels."""
    try:
        # Non-blocking so that a FIFO of that name cannot hold us.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise AudioError(f"{path} cannot be opened: {reason}") from error
    try:
        yield Sound(path, fd, channels)
    finally:
        os.close(fd)


@contextmanager
def writing(path: Path, rate: int, *, group: int | None = None, channels: int = 1) -> Iterator[Writer]:
    """A Writer whose samples become the WAV `path` when the block ends well; see `files.replacing`."""
    with files.replacing(path, group=group) as fd:
        files.write_all(fd, header(rate, 0, channels))
        writer = Writer(fd, rate, channels)
        yield writer
        os.pwrite(fd, header(rate, writer.frames, channels), 0)


def header(rate: int, frames: int, channels: int = 1) -> bytes:
    """The 44 bytes before so many frames; a length beyond what RIFF can say is told as its greatest."""
    each = FRAME_BYTES * channels
    data = min(frames * each, _LENGTH_LIMIT - 36)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", data + 36, b"WAVE",
        b"fmt ", 16, _PCM, channels, rate, rate * each, each, 8 * FRAME_BYTES,
        b"data", data,
    )  # fmt: skip


def _walk(path: Path, fd: int, channels: int) -> tuple[int, int, int]:
    """The rate, where the samples start, and the header's word on their bytes."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise AudioError(f"{path} is not a file")
        riff = os.pread(fd, 12, 0)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            raise AudioError(f"{path} is not a WAV file" if riff else f"{path} is empty")
        return _find_data(path, fd, channels)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def _find_data(path: Path, fd: int, channels: int) -> tuple[int, int, int]:
    rate, at = 0, 12
    for _ in range(_MOST_CHUNKS):
        head = os.pread(fd, 8, at)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        at += 8
        if kind == b"fmt ":
            rate = _rate_of(path, os.pread(fd, 16, at), channels)
        elif kind == b"data":
            if not rate:
                break
            return rate, at, length
        at += length + length % 2
    raise AudioError(f"{path} is a WAV file without a readable header")


def _rate_of(path: Path, fmt: bytes, wanted: int) -> int:
    if len(fmt) < 16:
        raise AudioError(f"{path} is a WAV file without a readable header")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", fmt)
    if (tag, channels, bits) != (_PCM, wanted, 8 * FRAME_BYTES) or rate not in _RATES:
        kind = "mono" if wanted == 1 else "stereo"
        raise AudioError(
            f"{path} is not 16-bit {kind} PCM (format {tag}, {channels} channels, {bits} bits, {rate} Hz)"
        )
    return int(rate)
