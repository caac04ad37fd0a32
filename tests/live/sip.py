"""SIP messages as text: read at the door, written in one place. Just what a telephone needs; no state."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

_SHORT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "r": "refer-to",
    "o": "event",
    "b": "referred-by",
}


@dataclass(slots=True)
class Message:
    """A request (`method`, `uri`) or a response (`status`, `reason`). Header names are lower case."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def cseq(self) -> tuple[int, str]:
        number, _, method = self.get("cseq").partition(" ")
        return int(number), method.strip()

    @property
    def branch(self) -> str:
        return parameter(self.get("via"), "branch")

    def encode(self) -> bytes:
        first = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{name.title()}: {value}" for name, value in self.headers)]
        body = self.body.encode()
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse(data: bytes) -> Message | None:
    """None for what is no SIP message (a keep-alive)."""
    head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    message = Message(body=body)
    if first.startswith("SIP/2.0 "):
        _, status, message.reason = [*first.split(" ", 2), ""][:3]
        message.status = int(status)
    elif first.endswith(" SIP/2.0"):
        message.method, message.uri, _ = first.split(" ", 2)
    else:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        if name != "content-length":
            message.headers.append((_SHORT.get(name, name), value.strip()))
    return message


def parameter(value: str, name: str) -> str:
    found = re.search(rf";\s*{name}=([^;,\s>]+)", value)
    return found[1] if found else ""


def address(value: str) -> str:
    """The URI inside a From, To, Contact or Refer-To."""
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.split(";")[0].strip()


def number_in(value: str) -> str:
    """The user part of the URI: who calls."""
    found = re.search(r"sips?:([^@;>]+)@", value)
    return found[1] if found else ""


def token() -> str:
    return secrets.token_hex(8)


def response(
    request: Message, status: int, reason: str, tag: str = "", contact: str = "", body: str = ""
) -> Message:
    """The answer to a request; `tag` is ours, for a To that has none yet."""
    answer = Message(status=status, reason=reason, body=body)
    answer.headers = [("via", value) for value in request.all("via")]
    to = request.get("to")
    if tag and "tag=" not in to:
        to += f";tag={tag}"
    answer.headers += [("from", request.get("from")), ("to", to), ("call-id", request.get("call-id"))]
    answer.headers += [("cseq", request.get("cseq"))]
    if contact:
        answer.headers.append(("contact", f"<{contact}>"))
    if body:
        answer.headers.append(("content-type", "application/sdp"))
    return answer


def offer(port: int, direction: str, version: int, event_type: int) -> str:
    """An SDP body: ulaw and RFC 4733 digits at `port`."""
    lines = [
        "v=0",
        f"o=rig 1 {version} IN IP4 127.0.0.1",
        "s=rig",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0 {event_type}",
        "a=rtpmap:0 PCMU/8000",
        f"a=rtpmap:{event_type} telephone-event/8000",
        f"a=fmtp:{event_type} 0-16",
        "a=ptime:20",
        f"a={direction}",
    ]
    return "\r\n".join([*lines, ""])


def media_of(body: str) -> tuple[str, int] | None:
    """Where the other side wants its RTP; None without an audio line or with port 0."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.M)
    port = re.search(r"^m=audio (\d+)", body, re.M)
    return (host[1], int(port[1])) if host and port and port[1] != "0" else None


def direction_of(body: str) -> str:
    found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.M)
    return found[1] if found else "sendrecv"
