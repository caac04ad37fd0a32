"""AMI: events per second of CPU through the whole front (parse, translate, engine), against plain panoramisk.

The streams were recorded from a real Asterisk 22 (bench/record_stream.py): `plain` with the rig's small dialplan,
`heavy` with a FreePBX-like one. panoramisk only parses and calls one function for each event.
"""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import UTC

from bench import replay
from bench.row import Row, median
from recorderd.ami import translate, wire
from recorderd.core import events

NAME = "ami"
CHUNK = 16 * 1024
CALLS = 24  # in each stream
SIZES = (1, 7, 1460, CHUNK)
GOALS = {"plain": (">=", 8.0), "heavy": (">=", 10.0)}
_SILENT = ("UserEvent", "BlindTransfer")  # may rightly mean nothing


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    found = []
    for name in ("plain", "heavy"):
        data = replay.stream(name)
        found += _speed(name, data, rounds=5 if quick else 9, many=4 if quick else 12)
        found += _losses(name, data)
    return found


def _speed(name: str, data: bytes, *, rounds: int, many: int) -> list[Row]:
    """Rounds are compared within themselves: the machine is another one a second later."""
    total = data.count(b"\r\nEvent: ") + data.startswith(b"Event: ")
    parts = [replay.chunks(copy, CHUNK) for copy in replay.copies(data, many)]
    whole, door, theirs = [], [], []
    for _ in range(rounds):
        front, deaf, peer = replay.Front(), replay.Front(think=False), replay.Panoramisk()
        whole.append(total * many / _cpu(parts, front.connection.data_received))
        theirs.append(total * many / _cpu(parts, peer.protocol.data_received))
        door.append(total * many / _cpu(parts, deaf.connection.data_received))
    stream = f"{total} events in {len(data) // 1000} kB, {total // CALLS} a call"
    return [
        Row(
            what=f"{name}: {what}, events/s per CPU, ours ÷ panoramisk",
            value=median([a / b for a, b in zip(ours, theirs, strict=True)]),
            unit="×",
            goal=GOALS[name],
            detail=f"{median(ours) / 1000:.0f} k against {median(theirs) / 1000:.0f} k; {stream}",
        )
        for what, ours in (("parse and translate", door), ("parse, translate and engine", whole))
    ]


def _cpu(parts: list[list[bytes]], take: object) -> float:
    gc.collect()
    begun = time.process_time()
    for part in parts:
        for chunk in part:
            take(chunk)  # type: ignore[operator]
    return time.process_time() - begun


def _losses(name: str, data: bytes) -> list[Row]:
    """Every event that the plainest reading finds is one of ours, in order, with the same content."""
    want = replay.expected(data)
    lines = data.split(b"\r\n\r\n")
    messages = [wire.start(message) for message in lines if wire.start(message)]
    right = [
        event
        for headers in map(wire.parse, messages)
        if headers.get("Event") in translate.PARSERS
        and (event := translate.read(headers, translate.timestamp(headers) or 0.0, UTC)) is not None
    ]
    silent = sum(name in _SILENT for name in want)
    wrong = max(0, len(want) - silent - len(right))
    for size in SIZES:
        front = replay.Front(keep=True)
        for chunk in replay.chunks(data, size):
            front.connection.data_received(chunk)
        wrong += _differences(front.heard, right) + front.link.malformed
    peer = replay.Panoramisk(keep=True)
    for chunk in replay.chunks(data, 1):
        peer.protocol.data_received(chunk)
    theirs = abs(len([name for name in peer.heard if name in translate.PARSERS]) - len(want))
    return [
        Row(
            what=f"{name}: events lost or misread, chunks of {', '.join(map(str, SIZES))} bytes",
            value=wrong,
            goal=("=", 0),
            detail=f"{len(want)} wanted events; panoramisk at 1 byte: {theirs}",
        )
    ]


def _differences(heard: list[events.Event], right: list[events.Event]) -> int:
    apart = abs(len(heard) - len(right))
    return apart + sum(a != b for a, b in zip(heard, right, strict=False))
