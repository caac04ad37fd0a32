"""The key that signs the chain's heads: made on first use, readable by its owner alone.

Owns the key file and Ed25519 (RFC 8032). Must not know what is signed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import files
from recorderd.errors import EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LONGEST = 65_536


class Key:
    """A private key. `public` is its other half, in hexadecimal."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """The signature in hexadecimal."""
        return self._private.sign(message).hex()


def load(path: Path, *, make: bool = True) -> Key:
    """The key in this file, which is made if it is not there. Raises EvidenceError."""
    try:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            if not make:
                raise
            _make(path)
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            pem = os.read(fd, _LONGEST)
        finally:
            os.close(fd)
    except OSError as error:
        raise EvidenceError(f"The signing key {path} cannot be read or made: {error.strerror}") from error
    if mode & 0o077:
        raise EvidenceError(
            f"The signing key {path} can be read by others than its owner (mode {mode:o}): chmod 600 it, and "
            "ask who may have copied it"
        )
    return _parsed(path, pem)


def verifies(public: str, message: bytes, signature: str) -> bool:
    """Whether this signature of this message is by the owner of this public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _parsed(path: Path, pem: bytes) -> Key:
    # Only here: OpenSSL takes longer to load than most commands take in all.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvidenceError(f"{path} holds no private key in PEM without a password") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise EvidenceError(f"{path} holds a key of another kind than Ed25519")
    return Key(private)


def _make(path: Path) -> None:
    """Of two who make it at once one does. Raises OSError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        files.write_all(fd, pem)
        os.fsync(fd)
        if os.geteuid() == 0:
            # Whoever's the folder is runs the daemon, which must be able to read it.
            owner = path.parent.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        os.close(fd)
        part.unlink()
    files.sync_folder(path.parent)
