"""One recording's sound, from the file the mixer made to the file that is kept: measured, encoded, checked.

Owns the order of these and their crash safety: the kept file appears under its name only when it is whole, on
the disk and heard to be right. Must not know the store, policy or what becomes of the source.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recorderd.archive import ffmpeg, files, meter, peaks, sealed, wav
from recorderd.archive.formats import Format
from recorderd.archive.keyring import Keyring
from recorderd.archive.meter import Meter
from recorderd.errors import AudioError

# An encoding may differ from its source by no more.
MOST_MS = 100
MOST_DB = 6.0
_LEAST_SECONDS = 60.0
# Half real time: it runs niced beside a PBX, which may take all the rest.
_SECONDS_PER_SECOND = 0.5
_HASH_BLOCK = 1 << 20
_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class MachineFault(AudioError):
    """Not this recording's fault: no other would fare better now. `kind` is `encoder`, `disk`, `key` or `stop`."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class NotThat(AudioError):
    """The file is not what it was taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`source` has `channels`; `labels` are its sides' names, one for each channel. `kbits` is for Opus.

    `target` may be `source` itself, which is then replaced. Once `stopping` is set the job gives up. With `key`
    the kept file and its peaks are encrypted; `keys` are to read what is kept already.
    """

    source: Path
    channels: int
    target: Path
    form: Format
    labels: tuple[str, ...]
    kbits: int = 20
    ffmpeg: str = "ffmpeg"
    stopping: threading.Event = field(default_factory=threading.Event)
    key: sealed.Key | None = None
    keys: sealed.Keys = field(default_factory=Keyring)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What is in the kept file, and what was found in its source. Size and hash are of the sound, encrypted or
    not: another key changes neither.
    """

    size: int
    sha256: str
    duration_ms: int
    channels: int
    rate: int
    levels: tuple[float, ...]
    findings: tuple[str, ...]


def run(job: Job) -> Encoded:
    """Make `job.target` and its peaks; doing it twice makes the same files again.

    Raises AudioError, then there is no new file; MachineFault when it is not the recording's fault.
    """
    try:
        return _run(job)
    except ffmpeg.EncoderMissing as error:
        raise MachineFault(str(error), "encoder") from error
    except ffmpeg.EncoderDiskFull as error:
        raise MachineFault(f"{job.target} cannot be written: {error}", "disk") from error
    except AudioError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _MACHINE:
            raise MachineFault(str(error), "disk") from error
        raise


def adopt(job: Job, duration_ms: int) -> Encoded:
    """What is in a kept file that is there without its source: from before a restored database, say.

    Raises NotThat when it is no sound of this format and length, MachineFault and KeyMissing where that cannot
    be told.
    """
    rate = job.form.check_rate or job.form.rate(8000)
    fd = _plain(job)
    try:
        found = Meter(job.form.channels, rate)
        for block in _sound_of(job, fd, rate, duration_ms / 1000):
            found.feed(block)
        if abs(found.duration_ms - duration_ms) > MOST_MS:
            raise NotThat(f"{job.target} lasts {found.duration_ms} ms and not {duration_ms}")
        return _encoded(job, fd, found, rate=0, findings=("adopted: its source is gone",))
    except ffmpeg.EncoderMissing as error:
        raise MachineFault(str(error), "encoder") from error
    except NotThat:
        raise
    except AudioError as error:
        raise NotThat(str(error)) from error
    finally:
        os.close(fd)


def _plain(job: Job) -> int:
    """The kept file, decrypted if it must be."""
    try:
        sound = sealed.opened(job.target, job.keys)
    except sealed.KeyMissing:
        raise
    except AudioError as error:
        raise NotThat(str(error)) from error
    if not sound.key_id and isinstance(sound.raw, sealed.File):
        return sound.raw.fd
    try:
        return sealed.in_memory(sound)
    except AudioError as error:
        raise NotThat(str(error)) from error
    finally:
        sound.close()


def sha256_of(fd: int) -> str:
    """The hash of a file from its first byte, wherever the descriptor stands. Raises OSError."""
    digest, at = hashlib.sha256(), 0
    while block := os.pread(fd, _HASH_BLOCK, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _run(job: Job) -> Encoded:
    with wav.reading(job.source, job.channels) as sound:
        if not sound.frames:
            raise AudioError(f"{job.source} holds no sound")
        source = Meter(job.channels, sound.rate)
        shape = peaks.Peaks(job.channels, sound.rate, sound.frames)
        with files.replacing(job.target, group=sound.group) as fd:
            _write(job, sound, fd, source, shape)
            rate = job.form.rate(sound.rate)
            copy = Meter(job.form.channels, job.form.check_rate or rate)
            for block in _sound_of(job, fd, rate, sound.frames / sound.rate):
                copy.feed(block)
            if why := meter.unlike(source, copy, most_ms=MOST_MS, most_db=MOST_DB):
                raise AudioError(f"{job.target} would be wrong: {why}")
            peaks.write(job.target, shape, job.labels, source.duration_ms, job.key)
            found = source.findings() + ([] if sound.closed else ["unclosed: its writer was killed"])
            done = _encoded(job, fd, source, rate, tuple(found))
            if job.key is not None:
                sealed.seal(fd, job.key)
    return done


def _write(job: Job, sound: wav.Sound, fd: int, source: Meter, shape: peaks.Peaks) -> None:
    """The encoded file in `fd`, and what was measured on the way: the source is read once."""

    def measured() -> Iterable[meter.Samples]:
        for first in range(0, sound.frames, wav.BLOCK_FRAMES):
            if job.stopping.is_set():
                raise MachineFault("The archive is being stopped", "stop")
            block = sound.read(first, wav.BLOCK_FRAMES)
            source.feed(block)
            shape.feed(block)
            yield block

    if not job.form.muxer:
        _write_wav(sound, fd, measured())
        return
    kbits = str(job.kbits)
    rate = job.form.rate(sound.rate)
    options = [word.replace("{kbits}", kbits) for word in job.form.options] + ["-ar", str(rate)]
    with ffmpeg.encoding(
        job.ffmpeg, options, job.form.muxer, fd,
        rate=sound.rate, channels=job.channels, seconds=_patience(sound.frames / sound.rate),
    ) as write:  # fmt: skip
        for block in measured():
            write(block)


def _write_wav(sound: wav.Sound, fd: int, blocks: Iterable[meter.Samples]) -> None:
    try:
        files.write_all(fd, wav.header(sound.rate, sound.frames, sound.channels))
        for block in blocks:
            files.write_all(fd, np.ascontiguousarray(block).tobytes())
    except OSError as error:
        raise AudioError(f"{sound.path} cannot be copied: {error.strerror}") from error


def _sound_of(job: Job, fd: int, found_rate: int, length: float) -> Iterable[meter.Samples]:
    """The kept file as a listener hears it; our own WAV needs no decoder."""
    if job.form.muxer:
        rate = job.form.check_rate or found_rate or 8000
        yield from ffmpeg.decoded(
            job.ffmpeg, fd, rate=rate, channels=job.form.channels, seconds=_patience(length)
        )
        return
    copy = wav.Sound(Path(f"/dev/fd/{fd}"), fd, job.form.channels)
    for first in range(0, copy.frames, wav.BLOCK_FRAMES):
        yield copy.read(first, wav.BLOCK_FRAMES)


def _encoded(job: Job, fd: int, found: Meter, rate: int, findings: tuple[str, ...]) -> Encoded:
    return Encoded(
        size=os.fstat(fd).st_size,
        sha256=sha256_of(fd),
        duration_ms=found.duration_ms,
        channels=job.form.channels,
        rate=rate,
        levels=found.levels,
        findings=findings,
    )


def _patience(seconds: float) -> float:
    return max(_LEAST_SECONDS, seconds * _SECONDS_PER_SECOND)
