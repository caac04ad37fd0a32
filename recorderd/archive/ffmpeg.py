"""ffmpeg, as a pipe: samples go in and a file comes out, or the other way round.

Owns the child processes. Must not know formats or recordings. ffmpeg only ever gets plain samples or a file
of our own making, so nothing hostile reaches its parsers. When we are killed its pipe ends, and so does it.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from recorderd.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

_COMMON = ("-nostdin", "-hide_banner", "-v", "error", "-threads", "1")
# The same source gives the same bytes each time: no random stream number, no time of making.
_PLAIN = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-threads", "1")
_BLOCK_BYTES = 1 << 18
_SAID_BYTES = 500


class EncoderMissing(AudioError):
    """There is no ffmpeg to run: nothing can be encoded, whatever recording it is."""


class EncoderDiskFull(AudioError):
    """ffmpeg met a full disk: no other recording would fare better."""


@contextmanager
def encoding(
    program: str, options: Sequence[str], muxer: str, fd: int, *, rate: int, channels: int, seconds: float
) -> Iterator[Callable[[Samples], None]]:
    """A function that takes the samples; their file is in `fd` when the block ends well.

    `seconds` is how long it may take in all. Raises AudioError.
    """
    source = ("-f", "s16le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0")
    target = (*options, *_PLAIN, "-y", "-f", muxer, f"/dev/fd/{fd}")
    with _running([program, *_COMMON, *source, *target], fd, seconds, stdin=subprocess.PIPE) as process:
        pipe = _pipe(process.stdin)

        def write(samples: Samples) -> None:
            pipe.write(np.ascontiguousarray(samples).astype("<i2", copy=False).tobytes())

        try:
            yield write
            pipe.close()
        except BrokenPipeError:
            # It ended early; `_running` tells why.
            pass


def decoded(
    program: str, fd: int, *, rate: int, channels: int, seconds: float
) -> Iterator[Samples]:  # fmt: skip
    """The sound of the file in `fd`, block by block, a row for each frame. Raises AudioError."""
    frame = 2 * channels
    command = [
        program, *_COMMON, "-xerror", "-i", f"/dev/fd/{fd}",
        "-ar", str(rate), "-ac", str(channels), "-f", "s16le", "pipe:1",
    ]  # fmt: skip
    with _running(command, fd, seconds, stdout=subprocess.PIPE) as process:
        pipe, rest = _pipe(process.stdout), b""
        while data := pipe.read(_BLOCK_BYTES):
            data = rest + data
            whole = len(data) - len(data) % frame
            rest = data[whole:]
            yield np.frombuffer(data[:whole], dtype="<i2").reshape(-1, channels)


@contextmanager
def _running(command: list[str], fd: int, seconds: float, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The program, which has ended well when the block ends; it is killed when the block fails."""
    with tempfile.TemporaryFile() as said:
        plain = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **pipes}
        try:
            process = subprocess.Popen(command, stderr=said, pass_fds=(fd,), **plain)
        except OSError as error:
            raise EncoderMissing(f"{command[0]} cannot be run: {error.strerror}") from error
        late = threading.Event()
        clock = threading.Timer(seconds, _end, (process, late))
        clock.daemon = True
        clock.start()
        try:
            yield process
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            clock.cancel()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)
            process.wait()
        if late.is_set():
            raise AudioError(f"{command[0]} took more than {seconds:.0f} s and was ended")
        said.seek(0)
        lines = said.read(_SAID_BYTES).decode(errors="replace").strip().splitlines()
        # A disk that is full when the last of it is written is told of, and the exit code is 0.
        if full := next((line for line in lines if "No space left" in line or "quota" in line), ""):
            raise EncoderDiskFull(f"{command[0]} failed: {full.rpartition(': ')[2]}")
        if code:
            raise AudioError(f"{command[0]} failed: {lines[-1] if lines else f'exit code {code}'}")


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _close(pipe: IO[bytes]) -> None:
    """What it still held is of no interest to one that has ended."""
    try:
        pipe.close()
    except BrokenPipeError:
        pass


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
