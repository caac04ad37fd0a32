"""An encrypted file: what it looks like, how one is made, and how any part of it is read.

Owns the format. Must not know where keys come from (`keyring`) or what is inside. AES-256-GCM in chunks (STREAM,
Hoang, Reyhanitabar, Rogaway and Vizár 2015), so that playback can seek and every byte that goes out was verified:

    header   magic and version (8) | key id, zero-padded (32) | salt (16) | nonce prefix (7) | zero (1)
    chunk    64 KiB of the file, the last one what is left (perhaps nothing), and its tag (16)

Each file has a key of its own: HKDF-SHA256 of the named key with the salt. A chunk's nonce is the prefix, its
number (4) and whether it is the last (1), so none can be moved, left out or cut off; the header is authenticated
with every chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from recorderd.archive import files
from recorderd.errors import AudioError

MAGIC = b"RCDSEAL\x01"
CHUNK = 64 * 1024
TAG = 16
_ID, _SALT, _PREFIX = 32, 16, 7
HEADER = len(MAGIC) + _ID + _SALT + _PREFIX + 1
_MOST_CHUNKS = 1 << 32


class KeyMissing(AudioError):
    """A file cannot be decrypted, or made, since its key is not there."""


class Tampered(AudioError):
    """An encrypted file is not what was written, or its key is another of the same name."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its id. `secret` is 32 bytes, and in no `repr`."""

    id: str
    secret: bytes

    def __post_init__(self) -> None:
        assert 0 < len(self.id.encode()) <= _ID, self.id
        assert len(self.secret) == 32

    def __repr__(self) -> str:
        return f"Key({self.id})"


Keys = Callable[[str], Key]
"""The key of an id. Raises KeyMissing."""


class Raw(Protocol):
    """What a sound lies in, as it is stored: a file here, or an object in a bucket. Raises AudioError."""

    @property
    def size(self) -> int:
        """In bytes."""

    def pread(self, count: int, at: int) -> bytes:
        """At most `count` bytes from `at` on, empty only behind the end."""

    def close(self) -> None:
        """Let go of it."""


class File:
    """An open file; `path` is what errors call it."""

    def __init__(self, fd: int, path: object) -> None:
        self.fd = fd
        self._path = path

    @property
    def size(self) -> int:
        """In bytes."""
        try:
            return os.fstat(self.fd).st_size
        except OSError as error:
            raise AudioError(f"{self._path} cannot be read: {error.strerror}") from error

    def pread(self, count: int, at: int) -> bytes:
        """See `Raw`."""
        try:
            return os.pread(self.fd, count, at)
        except OSError as error:
            raise AudioError(f"{self._path} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


class Sound:
    """The bytes inside, encrypted or not; one reader at a time. `path` is what errors call it.

    Raises AudioError, for an encrypted file KeyMissing and Tampered. `close` closes what it lies in.
    """

    def __init__(self, raw: Raw, path: object, keys: Keys) -> None:
        self.raw = raw
        self.path = path
        header, length = raw.pread(HEADER, 0), raw.size
        self.key_id = key_id(header)
        self.size = length
        self._held: tuple[int, bytes] = (-1, b"")
        if not self.key_id:
            return
        if len(header) < HEADER or length < HEADER + TAG:
            raise Tampered(f"{path} is encrypted and too short: it was cut off")
        self._header = header
        self._cipher = AESGCM(_file_key(keys(self.key_id), header))
        self._chunks = -(-(length - HEADER) // (CHUNK + TAG))
        self.size = length - HEADER - self._chunks * TAG
        if self.size < (self._chunks - 1) * CHUNK:
            raise Tampered(f"{path} was cut off in its last tag")

    def pread(self, count: int, at: int) -> bytes:
        """At most `count` bytes from `at` on, empty only behind the end: of an encrypted file one chunk's."""
        if not self.key_id:
            return self.raw.pread(count, at)
        if at >= self.size:
            return b""
        number, within = divmod(at, CHUNK)
        return self._chunk(number)[within : within + count]

    def read(self) -> bytes:
        """All of it, every chunk verified."""
        parts, at = [], 0
        while part := self.pread(CHUNK, at):
            parts.append(part)
            at += len(part)
        if self.key_id and not self.size:
            self._chunk(0)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of it."""
        self.raw.close()

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            sealed = self.raw.pread(CHUNK + TAG, HEADER + number * (CHUNK + TAG))
            nonce = _nonce(self._header, number, last=number == self._chunks - 1)
            try:
                self._held = number, self._cipher.decrypt(nonce, sealed, self._header)
            except InvalidTag:
                raise Tampered(
                    f"{self.path}: chunk {number + 1} of {self._chunks} is not what was encrypted with key "
                    f"“{self.key_id}”: the file was changed or cut off, or the key is another"
                ) from None
        return self._held[1]


def key_id(header: bytes) -> str:
    """The id of the key a file is encrypted with, by its first bytes; empty for a file that is not. Raises
    Tampered for one that nearly is.
    """
    if not header.startswith(MAGIC[:-1]):
        return ""
    if not header.startswith(MAGIC):
        raise Tampered("The file is encrypted in a way that this version does not know")
    try:
        found = header[len(MAGIC) : len(MAGIC) + _ID].rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        found = ""
    if not found.isprintable() or not found:
        raise Tampered("The file is encrypted, and its header was changed")
    return found


def opened(path: object, keys: Keys) -> Sound:
    """A file opened by its path. Raises AudioError."""
    try:
        fd = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise AudioError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    return sound_in(fd, path, keys)


def sound_in(fd: int, path: object, keys: Keys) -> Sound:
    """The sound in an open file, which is closed with it, and when this fails. Raises AudioError."""
    try:
        return Sound(File(fd, path), path, keys)
    except BaseException:
        os.close(fd)
        raise


def seal(fd: int, key: Key) -> None:
    """Encrypt an open file where it lies. A crash in between leaves neither: call it before the file has its
    name. Raises OSError.

    From its end on: a chunk's place only reaches over what is encrypted already.
    """
    size = os.fstat(fd).st_size
    chunks = max(1, -(-size // CHUNK))
    assert chunks < _MOST_CHUNKS
    header = b"".join(
        (MAGIC, key.id.encode("ascii").ljust(_ID, b"\0"), os.urandom(_SALT), os.urandom(_PREFIX), b"\0")
    )
    cipher = AESGCM(_file_key(key, header))
    for number in reversed(range(chunks)):
        plain = _whole(fd, min(CHUNK, size - number * CHUNK), number * CHUNK)
        nonce = _nonce(header, number, last=number == chunks - 1)
        os.lseek(fd, HEADER + number * (CHUNK + TAG), os.SEEK_SET)
        files.write_all(fd, cipher.encrypt(nonce, plain, header))
    os.lseek(fd, 0, os.SEEK_SET)
    files.write_all(fd, header)


def in_memory(sound: Sound) -> int:
    """A descriptor of the bytes inside, for a program that reads files: they touch no disk. Whoever asks
    closes it. Raises AudioError.
    """
    fd = os.memfd_create("recorderd", os.MFD_CLOEXEC)
    try:
        at = 0
        while part := sound.pread(CHUNK, at):
            files.write_all(fd, part)
            at += len(part)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _whole(fd: int, count: int, at: int) -> bytes:
    parts = []
    while count > 0 and (part := os.pread(fd, count, at)):
        parts.append(part)
        count, at = count - len(part), at + len(part)
    return b"".join(parts)


def _file_key(key: Key, header: bytes) -> bytes:
    salt = header[len(MAGIC) + _ID :][:_SALT]
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=MAGIC).derive(key.secret)


def _nonce(header: bytes, number: int, *, last: bool) -> bytes:
    prefix = header[len(MAGIC) + _ID + _SALT :][:_PREFIX]
    return prefix + number.to_bytes(4, "big") + bytes((last,))
