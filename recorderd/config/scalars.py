"""The kinds of value that a key may have: owns one function for each, from text to type.

Must not know any key. Each raises ValueError with a sentence that fits behind the key's name.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorderd.core.dealing import Foreign
from recorderd.core.rules import did_you_mean

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def text(value: str) -> str:
    """Any text that fits on one line."""
    if not value:
        raise ValueError("is empty")
    if not value.isprintable() or len(value) > 1000:
        raise ValueError("is not one line of at most 1000 characters")
    return value


def boolean(value: str) -> bool:
    """`true` or `false`, or YAML's other words for them."""
    if value.lower() not in _BOOLEANS:
        raise ValueError(f"{value!r} is not true or false")
    return _BOOLEANS[value.lower()]


def port(value: str) -> int:
    """A TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise ValueError(f"{value!r} is not a port from 1 to 65535")
    return int(value)


def host(value: str) -> str:
    """A host name or an IP address."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.%]{2,64}", value):
        raise ValueError(f"{value!r} is not a host name or an address")
    return value


def path(value: str) -> Path:
    """An absolute path."""
    if not text(value).startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path")
    if ".." in PurePosixPath(value).parts:
        raise ValueError(f"{value!r} has a `..` in it")
    return Path(value)


def spool_path(value: str) -> Path:
    """An absolute path that may stand in a MixMonitor's options: a comma or a bracket would end it there."""
    if not re.fullmatch(r"[A-Za-z0-9._/@+-]+", value):
        raise ValueError(f"{value!r} may only have letters, digits and . _ / @ + -")
    return path(value)


def name(value: str) -> str:
    """A word such as a feature, a list or a user has for its name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError(f"{value!r} is not a name of letters, digits and _ . -")
    return value


def number(value: str) -> str:
    """A telephone number as it is dialled."""
    if not re.fullmatch(r"\+?[0-9*#]{1,32}", value):
        raise ValueError(f"{value!r} is not a telephone number")
    return value


def extension(value: str) -> str:
    """An extension's name: what the channel pattern calls it."""
    if not re.fullmatch(r"[A-Za-z0-9_.+*#-]{1,64}", value):
        raise ValueError(f"{value!r} is not an extension")
    return value


def identifier(value: str) -> str:
    """A table or a column of a database, with its schema where it has one."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?", value):
        raise ValueError(f"{value!r} is not a name that a database table or column can have")
    return value


def zone(value: str) -> tzinfo:
    """An IANA time zone."""
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is not a time zone such as Europe/Berlin") from error


def extension_pattern(value: str) -> re.Pattern[str]:
    """A regular expression with a group called `extension`."""
    if len(value) > 500:
        raise ValueError("is longer than 500 characters")
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if "extension" not in pattern.groupindex:
        raise ValueError("has no group (?P<extension>...)")
    return pattern


def database(value: str) -> str:
    """A database's address, as `store.open_store` takes it."""
    return value if value == "memory:" else _server(value)


def cdr_source(value: str) -> str:
    """`ami`, or the address of the database where Asterisk writes its CDRs."""
    return value if value == "ami" else _server(value, "mysql", "mariadb")


def _server(value: str, *more: str) -> str:
    parts = urlsplit(text(value))
    if parts.scheme not in ("sqlite", "postgresql", "postgres", *more):
        hint = did_you_mean(parts.scheme, ("sqlite", "postgresql", *more))
        named = "sqlite:///, postgresql:// or mysql://" if more else "sqlite:/// or postgresql://"
        raise ValueError(f"does not begin with {named}{hint}")
    if parts.scheme == "sqlite" and not re.match("sqlite:////[^/]", value):
        raise ValueError("needs an absolute path: sqlite:////var/lib/... with four slashes")
    return value


def webhook(value: str) -> str:
    """An http or https address."""
    parts = urlsplit(text(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an address that begins with http:// or https://")
    return value


def command(value: str) -> tuple[str, ...]:
    """A program and its arguments, split as a shell would; the program by its absolute path."""
    try:
        words = tuple(shlex.split(text(value)))
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from error
    if not words or not os.path.isabs(words[0]):
        raise ValueError("does not begin with the absolute path of a program")
    return words


def count(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def convert(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
        return int(value)

    return convert


def foreign(value: str) -> Foreign:
    """What becomes of others' recorders."""
    return Foreign(one_of(*Foreign)(value))


def one_of(*words: str) -> Callable[[str], str]:
    """One of a few words."""

    def convert(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}{did_you_mean(value, words)}")
        return value

    return convert
