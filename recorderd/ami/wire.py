"""AMI messages as bytes: how a stream falls into messages, a message into headers, and headers into bytes.

Owns the shape of the wire and its limits. Must not know what any event or action means, nor a socket.

A message ends at an empty line. Debian's Asterisk ends some with *three* line ends (a TestEvent at the end of
every MixMonitor), so an empty message is nothing, and a message may have empty lines before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from recorderd.errors import AmiError

Headers = Mapping[str, str]

EOL = b"\r\n"
END = b"\r\n\r\n"

MAX_LINE = 1000
"""Bytes. From 1,023 on Asterisk answers "line too long", and without the ActionID if that was the line."""

MAX_MESSAGE = 256 * 1024
"""Bytes of one message; the longest real ones (a VarSet with a whole SIP message) are under 16 kB."""

_FORBIDDEN = re.compile(r"[\r\n\0]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Splitter:
    """Cuts a stream into messages, the same ones however it was chopped on its way."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._rest = b""
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """All messages that `data` completes, without their empty last line.

        One may be empty, or begin with line ends: see `start`. Raises AmiError when a message grows past the
        limit; the stream cannot be trusted after that.
        """
        messages = (self._rest + data if self._rest else data).split(END)
        self._rest = messages.pop()
        if len(self._rest) > self._limit:
            raise AmiError(f"a message of over {self._limit} bytes without an end")
        return messages

    def line(self, data: bytes) -> bytes | None:
        """The first line of the stream (the banner ends with one line end, not two), once it is complete."""
        self._rest += data
        line, end, rest = self._rest.partition(EOL)
        if not end:
            if len(self._rest) > MAX_LINE:
                raise AmiError("no banner: this is not Asterisk's manager port")
            return None
        self._rest = rest
        return line


def start(message: bytes) -> bytes:
    """The message without the line ends that a doubled empty line left before it."""
    return message.lstrip(EOL)


def text(raw: bytes) -> str:
    """Bytes that are not UTF-8 are kept as surrogates, so that a name goes back out as it came in."""
    return raw.decode("utf-8", "surrogateescape")


def pairs(message: bytes) -> list[tuple[str, str]]:
    """Every header in order, repeated ones too. An empty value is kept; a line that is no header is not."""
    found = []
    for line in text(message).split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon or line.endswith(":"):
            found.append((name if colon else line[:-1], value))
    return found


def parse(message: bytes) -> dict[str, str]:
    """The headers by name; of a repeated one the last."""
    try:
        return dict([line.split(": ", 1) for line in text(message).split("\r\n")])
    except ValueError:  # some line is no header: seldom, so the quick way is tried first
        return dict(pairs(message))


def header(name: str, value: str) -> str:
    """One line to send. Raises AmiError if it could become more than one line, or none.

    A CR or LF in a value would be a new header, or a whole action: the caller's name is hostile input.
    """
    if not _NAME.fullmatch(name):
        raise AmiError(f"{name!r} is not the name of a header")
    if _FORBIDDEN.search(value):
        raise AmiError(f"the value of {name} holds a line end or a NUL and was not sent")
    line = f"{name}: {value}"
    try:
        length = len(line.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise AmiError(f"the value of {name} is no text and was not sent") from None
    if length > MAX_LINE:
        raise AmiError(
            f"the value of {name} is over the {MAX_LINE} bytes that Asterisk reads and was not sent"
        )
    return line


def spell(headers: Headers, action_id: str) -> bytes:
    """The bytes of one action. Raises AmiError, before anything goes out, if a value is unfit."""
    lines = [header(name, value) for name, value in {**headers, "ActionID": action_id}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
