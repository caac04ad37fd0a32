"""What a request's body may be: owns the check of every field that comes in.

Must not know what is done with it. Whatever does not fit is one sentence in a Refused, and nothing of it
goes further.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

MAX_BODY = 64 * 1024
BODY_SECONDS = 2.0
MAX_TEXT = 512


class Refused(Exception):
    """The request cannot be taken; `str()` is one sentence, `status` the HTTP status that says so."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how it is read (ValueError says what is wrong) and what it is when it is not given."""

    read: Callable[[object], Any]
    default: Any = None
    required: bool = False


Shape = Mapping[str, Field]


def text(value: object) -> str:
    """One line of text."""
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > MAX_TEXT:
        raise ValueError(f"must be at most {MAX_TEXT} characters")
    # Not `isprintable`: a channel's name may hold bytes that are no UTF-8, kept by surrogateescape.
    if any(c < " " or c == "\x7f" for c in value):
        raise ValueError("must not have control characters")
    return value


def named(value: object) -> str:
    """A text that is not empty."""
    if not text(value):
        raise ValueError("must not be empty")
    return text(value)


def texts(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or len(value) > 256:
        raise ValueError("must be a list of at most 256 texts")
    return tuple(text(item) for item in value)


def time(value: object) -> float:
    """Seconds since the epoch, up to the year 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number of seconds since the epoch")
    if not 0 <= value < 253402300800:
        raise ValueError("must lie between the years 1970 and 9999")
    return float(value)


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def one_of(*words: str) -> Callable[[object], str]:
    """One of a few words."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return read


async def body(request: Request, shape: Shape) -> dict[str, Any]:
    """The request's JSON object, field by field. Raises Refused."""
    raw = await _raw(request)
    if not raw.strip() and not any(field.required for field in shape.values()):
        raw = b"{}"
    try:
        given = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refused(400, f"the body is not JSON: {why}") from error
    if not isinstance(given, dict):
        raise Refused(400, "the body must be a JSON object")
    return fields(given, shape)


def fields(given: Mapping[str, object], shape: Shape) -> dict[str, Any]:
    """Every field of the shape, read. Raises Refused at the first that does not fit."""
    unknown = [name for name in given if name not in shape]
    if unknown:
        known = ", ".join(shape) or "none"
        raise Refused(422, f"unknown field {unknown[0][:80]!r}; known fields: {known}")
    found: dict[str, Any] = {}
    for name, field in shape.items():
        if name not in given:
            if field.required:
                raise Refused(422, f"{name} is missing")
            found[name] = field.default
            continue
        try:
            found[name] = field.read(given[name])
        except ValueError as error:
            raise Refused(422, f"{name} {error}") from error
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


async def _raw(request: Request) -> bytes:
    """The body, bounded in size and in the time it may take to come."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise Refused(413, f"the body is larger than {MAX_BODY} bytes")
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                found += chunk
                if len(found) > MAX_BODY:
                    raise Refused(413, f"the body is larger than {MAX_BODY} bytes")
    except TimeoutError as error:
        raise Refused(408, f"the body did not come within {BODY_SECONDS:.0f} s") from error
    except ClientDisconnect as error:
        raise Refused(400, "the client went away") from error
    return bytes(found)
