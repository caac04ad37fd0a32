"""Where the archive's keys come from: files, or credentials that systemd hands over.

Owns how a key is spelled and read. Must not know what is encrypted. Keys are read when they are asked for, so that
one that was missing is found as soon as it is there, and none stays in memory for long.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recorderd.archive import files
from recorderd.archive.sealed import Key, KeyMissing
from recorderd.errors import AudioError

CREDENTIAL = "credential:"
_MOST_BYTES = 4096
_HEX = 64


def _environment() -> Mapping[str, str]:
    return os.environ


@dataclass(frozen=True, slots=True)
class Keyring:
    """`places` are the keys' files by their ids, or `credential:NAME`; `active` is the id of the one that new
    files are encrypted with, empty where they are not.
    """

    places: Mapping[str, str] = field(default_factory=dict)
    active: str = ""
    environ: Mapping[str, str] = field(default_factory=_environment)

    def __call__(self, id: str) -> Key:
        """The key of this id. Raises KeyMissing with a sentence that says what to do."""
        if id not in self.places:
            known = ", ".join(self.places) or "none"
            raise KeyMissing(
                f"Key “{id}” is missing: archive.encryption.keys does not have it (it has {known}); what was "
                "encrypted with it cannot be read until it does"
            )
        return Key(id, self._secret(id, self.path(id)))

    def current(self) -> Key | None:
        """The key for new files, None where they are not encrypted. Raises KeyMissing."""
        return self(self.active) if self.active else None

    def path(self, id: str) -> Path:
        """The file of a key that is known. Raises KeyMissing where systemd handed over no credentials."""
        place = self.places[id]
        if not place.startswith(CREDENTIAL):
            return Path(place)
        folder = self.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise KeyMissing(
                f"Key “{id}” is missing: it is the credential {place.removeprefix(CREDENTIAL)}, and systemd "
                "handed over none (LoadCredential= in the unit)"
            )
        return Path(folder) / place.removeprefix(CREDENTIAL)

    def open_to_all(self, id: str) -> bool:
        """Whether every user of this machine may read it. Raises KeyMissing."""
        try:
            return bool(self.path(id).stat().st_mode & stat.S_IROTH)
        except OSError as error:
            raise KeyMissing(f"Key “{id}” is missing: {self.path(id)}: {error.strerror}") from error

    def _secret(self, id: str, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                written = file.read(_MOST_BYTES)
        except OSError as error:
            raise KeyMissing(f"Key “{id}” is missing: {path} cannot be read: {error.strerror}") from error
        text = written.strip()
        try:
            secret = bytes.fromhex(text.decode("ascii")) if len(text) == _HEX else b""
        except ValueError:
            secret = b""
        if len(secret) != 32:
            raise KeyMissing(
                f"Key “{id}” is missing: {path} holds no key, which is {_HEX} hexadecimal digits "
                "(recorderd keys make FILE)"
            )
        return secret


def make(path: Path) -> None:
    """A new key in a new file that only its owner can read. Raises AudioError, also where there is a file."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            files.write_all(fd, os.urandom(32).hex().encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        files.sync_folder(path.parent)
    except OSError as error:
        raise AudioError(f"{path} cannot be made: {error.strerror}") from error
