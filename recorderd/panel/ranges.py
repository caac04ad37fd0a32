"""HTTP ranges of one file: what a Range header asks for, and what is to be answered.

Owns RFC 9110 sections 13 and 14 as far as a file needs them. Pure: no file, no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a file from another."""

    etag: str
    modified: float

    @property
    def last_modified(self) -> str:
        """As the header has it."""
        return formatdate(self.modified, usegmt=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, and which bytes go out: `[start, end)`. None of them with 304 and 416."""

    status: int
    start: int = 0
    end: int = 0


def answer(headers: Mapping[str, str], size: int, now: Validators) -> Answer:
    """What to answer to a GET or HEAD with these headers (lower case) of a file of `size` bytes."""
    if _is_known(headers, now):
        return Answer(304)
    whole = Answer(200, 0, size)
    wanted = headers.get("range")
    if wanted is None or not _still_the_same(headers.get("if-range"), now):
        return whole
    match = _RANGE.fullmatch(wanted)
    # Several ranges at once, or another unit: a server may send everything instead.
    if match is None or match[1] == match[2] == "":
        return whole
    return _one(match[1], match[2], size) or whole


def _one(first: str, last: str, size: int) -> Answer | None:
    """One range; None for a form that means nothing, 416 for one that lies behind the end."""
    # Longer numbers than any file's size are as good as its end, and cost nothing to read.
    start = int(first[:18]) if first else None
    end = int(last[:18]) if last else None
    if start is None:
        if not end or not size:
            return Answer(416)
        return Answer(206, max(0, size - end), size)
    if end is not None and end < start:
        return None
    if start >= size:
        return Answer(416)
    return Answer(206, start, size if end is None else min(end + 1, size))


def _is_known(headers: Mapping[str, str], now: Validators) -> bool:
    """Whether the client has it already."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or now.etag in [tag.removeprefix("W/") for tag in _ETAG.findall(tags)]
    since = _time(headers.get("if-modified-since"))
    return since is not None and int(now.modified) <= since


def _still_the_same(condition: str | None, now: Validators) -> bool:
    """If-Range: a tag or a time; without it, it is. A weak tag never is (RFC 9110, 13.1.5)."""
    if condition is None:
        return True
    if condition.strip().startswith(("W/", '"')):
        return condition.strip() == now.etag
    return _time(condition) == int(now.modified)


def _time(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
