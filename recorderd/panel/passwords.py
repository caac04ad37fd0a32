"""Passwords and one-time codes: owns how they are made, hashed, checked and judged.

Must not know users. Hashes are argon2id at OWASP's settings (19 MiB, two passes, one lane), in threads, two
at once at most: a flood of logins is a flood of memory, and a PBX lives on this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from recorderd.panel.language import _

LEAST = 8
MOST = 128
_AT_ONCE = 2
# Without those that look alike or sound alike.
_ALPHABET = "ABCDEFGHJKMNPQRTUVWXYZ2346789"
_GROUPS, _GROUP = 3, 4
CODE = re.compile(r"[A-Z0-9]{12}")
# The first that anybody tries; what is built from the login itself is refused besides.
_COMMON = frozenset(
    (
        "password", "password1", "passw0rd", "qwertyui", "qwertyuiop", "qwerty123", "1q2w3e4r", "1qaz2wsx",
        "asdfghjkl", "letmein1", "iloveyou", "administrator", "asterisk", "recorderd", "welcome1", "changeme",
        "пароль123", "йцукенгш", "йцукен123", "12345678", "123456789", "1234567890", "87654321", "abcd1234",
    )
)  # fmt: skip


class Passwords:
    """Hashes and checks."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobodys = ""

    async def hash(self, secret: str) -> str:
        """The hash to keep."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, secret)

    async def matches(self, hashed: str, secret: str) -> bool:
        """Whether it is the one. With an empty hash it never is, after as long a time: nobody learns from the
        clock which logins there are.
        """
        if not self._nobodys:
            self._nobodys = await self.hash(secrets.token_hex())
        async with self._turn:
            return await asyncio.to_thread(self._check, hashed or self._nobodys, secret[: MOST * 4])

    def _check(self, hashed: str, secret: str) -> bool:
        try:
            return self._hasher.verify(hashed, secret)
        except (Argon2Error, InvalidHashError):
            return False


def fault(password: str, *about: str) -> str:
    """What is wrong with a new password, one sentence; empty when nothing is. `about` is what others know of
    its owner: login, extension, name.
    """
    lower = password.lower()
    if len(password) < LEAST:
        return _("A password has at least 8 characters.")
    if len(password) > MOST:
        return _("A password has at most 128 characters.")
    if len(set(lower)) < 4 or lower in _COMMON or lower in "0123456789012345" or lower[::-1] in "0123456789":
        return _("That password is one of the first that anybody would try.")
    for known in about:
        if (
            known
            and lower.replace(known.lower(), "").strip("0123456789-_. ") == ""
            and known.lower() in lower
        ):
            return _("Your extension or your name is not a password.")
    return ""


def new_code() -> str:
    """A one-time code to be read aloud: three groups of four, 58 bits of chance."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _i in range(_GROUP)) for _g in range(_GROUPS))


def bare_code(typed: str) -> str:
    """A code as it is hashed, whatever was typed between its groups; empty for what is none."""
    bare = re.sub(r"[\s-]", "", typed[:64]).upper()
    return bare if CODE.fullmatch(bare) else ""


def new_token() -> str:
    """256 bits of chance for a cookie or a key."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token. No salt: there is nothing to guess in 256 bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
