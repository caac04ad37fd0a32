"""The keys of `panel:` that are more than a text: owns how each is read.

Must not know the other sections, nor what a role may.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from recorderd.config.scalars import one_of, text

role = one_of("user", "supervisor", "auditor", "administrator")


def header(value: str) -> str:
    """The name of an HTTP header."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", value):
        raise ValueError(f"{value!r} is not the name of a header, such as X-Remote-User")
    if value.lower() in ("authorization", "cookie", "host", "x-csrf-token", "x-forwarded-for"):
        raise ValueError(f"{value!r} is sent by browsers themselves")
    return value


def proxy(value: str) -> str:
    """The address of a proxy, or the network that it is in."""
    try:
        if "/" in value:
            return str(ip_network(value))
        return str(ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an address such as 127.0.0.1, or a network 10.1.0.0/24") from None


def address(value: str) -> str:
    """An https address; http only on this machine itself."""
    parts = urlsplit(text(value))
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{value!r} is not an address such as https://login.example.org")
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(parts.hostname)):
        raise ValueError(f"{value!r} does not begin with https://")
    return value


def claim(value: str) -> str:
    """The name of a claim."""
    if not re.fullmatch(r"[\x21-\x7e]{1,128}", value):
        raise ValueError(f"{value!r} is not the name of a claim, such as preferred_username")
    return value


def scope(value: str) -> str:
    """A scope, as RFC 6749 writes one."""
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}", value):
        raise ValueError(f"{value!r} is not a scope, such as profile")
    return value


def _here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
