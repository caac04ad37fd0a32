"""AGI's language without a socket: header blocks and answers in, commands out.

Owns the bounds and the parsing of everything Asterisk, or whoever else connects, may send. Must not know
what is asked or answered. Spelling: Asterisk's res/res_agi.c (setup_env, agi_handle_command).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

MAX_BLOCK_BYTES = 8192
MAX_BLOCK_LINES = 64
MAX_ANSWER_BYTES = 8192  # of everything not yet read as whole answers; the longest usage text has 700

_FIRST_BYTES = b"agi_"
# `[systemname-]epoch.counter`, at most 149 characters (channel.h AST_MAX_UNIQUEID).
_UNIQUEID = re.compile(r"[\x21-\x7e]{1,149}")
_CHANNEL = re.compile(r"[^\x00-\x1f\x7f]{1,120}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RESULT = re.compile(r"result=(-?\d+)")


class Malformed(ValueError):
    """What came is not AGI; `str()` says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, and for what. `path` has no leading slash; text is UTF-8 with foreign bytes as surrogates."""

    path: str
    query: dict[str, str]
    args: tuple[str, ...]
    channel: str
    uniqueid: str
    caller_id_num: str
    exten: str
    context: str

    def argument(self, position: int, name: str) -> str:
        """The argument at `position` (from 0) if it was given, else `?name=` of the URL, else empty."""
        if position < len(self.args) and self.args[position]:
            return self.args[position]
        return self.query.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One whole answer to one command. `result` is None where Asterisk gave none (510, 511, 520)."""

    code: int
    result: int | None
    text: str

    @property
    def done(self) -> bool:
        """True when Asterisk did what it was told."""
        return self.code == 200 and self.result is not None and self.result >= 0


class Hangup:
    """The channel is gone; Asterisk says so in a line of its own, between or before answers."""


class BlockReader:
    """Collects the header block that opens a session, within its bounds."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[Request, bytes] | None:
        """The request and what followed it once the block is whole; Malformed as soon as it cannot be one."""
        searched = max(len(self._buffer) - 1, 0)
        self._buffer += data
        if not self._buffer.startswith(_FIRST_BYTES[: len(self._buffer)]):
            raise Malformed("does not begin with agi_")
        end = self._buffer.find(b"\n\n", searched)
        if end < 0 and len(self._buffer) <= MAX_BLOCK_BYTES:
            return None
        if end < 0 or end > MAX_BLOCK_BYTES:
            raise Malformed(f"header block over {MAX_BLOCK_BYTES} bytes")
        block, rest = self._buffer[:end], self._buffer[end + 2 :]
        self._buffer = b""
        return parse_block(block), rest


def parse_block(block: bytes) -> Request:
    """The request in a header block without its blank line, or Malformed."""
    lines = block.decode("utf-8", "surrogateescape").split("\n")
    if len(lines) > MAX_BLOCK_LINES:
        raise Malformed(f"header block over {MAX_BLOCK_LINES} lines")
    try:
        env = dict([line.split(":", 1) for line in lines])
    except ValueError:
        odd = next(line for line in lines if ":" not in line)
        raise Malformed(f"not a header: {odd[:40]!a}") from None
    if len(env) < len(lines):
        # Asterisk writes each once: a second one came out of somebody's name or number.
        names = [line.partition(":")[0] for line in lines]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"header {twice[:40]!a} comes twice")
    path, _, query = _needed(env, "agi_network_script").lstrip("/").partition("?")
    return Request(
        path=path,
        query=_query(query) if query else {},
        args=tuple(_arguments(env)),
        channel=_matching(_CHANNEL, _needed(env, "agi_channel"), "agi_channel"),
        uniqueid=_matching(_UNIQUEID, _needed(env, "agi_uniqueid"), "agi_uniqueid"),
        caller_id_num=_known(env.get("agi_callerid", "").strip()),
        exten=_known(env.get("agi_extension", "").strip()),
        context=_known(env.get("agi_context", "").strip()),
    )


class ReplyReader:
    """Cuts the bytes after the header block into answers and HANGUP lines, at any chunking."""

    def __init__(self) -> None:
        self._buffer = b""
        self._usage: list[str] = []

    def feed(self, data: bytes) -> Iterator[Reply | Hangup]:
        """Every whole answer in order; Malformed at the first line that is none."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > MAX_ANSWER_BYTES:
            raise Malformed(f"answer line over {MAX_ANSWER_BYTES} bytes")
        for line in lines:
            answer = self._line(line.decode("utf-8", "surrogateescape").rstrip("\r"))
            if answer is not None:
                yield answer

    def _line(self, line: str) -> Reply | Hangup | None:
        if line == "HANGUP":
            return Hangup()
        if self._usage:
            return self._usage_line(line)
        code = line[:3]
        if len(code) != 3 or not (code.isascii() and code.isdigit()):
            raise Malformed(f"not an answer: {line[:40]!a}")
        if code == "100":  # "100 Trying..." precedes the answer proper
            return None
        if line.startswith("520-"):
            self._usage = [line]
            return None
        result = _RESULT.search(line)
        return Reply(code=int(code), result=int(result[1]) if result else None, text=line)

    def _usage_line(self, line: str) -> Reply | None:
        self._usage.append(line)
        if sum(map(len, self._usage)) > MAX_ANSWER_BYTES:
            raise Malformed(f"usage text over {MAX_ANSWER_BYTES} bytes")
        if not line.startswith("520 "):
            return None
        text, self._usage = "\n".join(self._usage), []
        return Reply(code=520, result=None, text=text)


def set_variable(name: str, value: str) -> bytes:
    return _command(f"SET VARIABLE {name} {_quoted(value)}")


def stream_file(name: str) -> bytes:
    """Play a sound to this channel; no key interrupts it."""
    return _command(f'STREAM FILE {_quoted(name)} ""')


def extension_of(channel: str) -> str:
    """`PJSIP/101-0000002a` → `101`: cut at the last `-` (asterisk-facts 1.4)."""
    return channel.rpartition("-")[0].partition("/")[2]


def _command(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape") + b"\n"


def _quoted(text: str) -> str:
    plain = _CONTROL.sub(" ", text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, errors="surrogateescape", max_num_fields=MAX_BLOCK_LINES))


def _arguments(env: dict[str, str]) -> Iterator[str]:
    for number in range(1, MAX_BLOCK_LINES):
        value = env.get(f"agi_arg_{number}")
        if value is None:
            return
        yield value.strip()


def _needed(env: dict[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise Malformed(f"no {name}")
    return value


def _matching(pattern: re.Pattern[str], value: str, name: str) -> str:
    if not pattern.fullmatch(value):
        raise Malformed(f"{name} cannot be {value[:40]!a}")
    return value


def _known(value: str) -> str:
    """Asterisk writes `unknown` (AGI) or `<unknown>` where it knows nothing."""
    if value in ("unknown", "<unknown>"):
        return ""
    return value if value.isprintable() else _CONTROL.sub(" ", value)
