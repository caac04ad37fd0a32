"""Memory: what 1,000 and 10,000 tracked calls take, whether it comes back, and a soak of replayed calls.

Calls here are real ones: two telephones each, recorded, held in the state of a conversation, so each has two
channels, a bridge, a conversation, two lanes and a recording in memory.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from pathlib import Path

from bench import replay
from bench.row import Row, median
from recorderd.core import events

NAME = "memory"
START = 1_795_000_000.0


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    front = replay.Front()
    _talk(front, 200, 0)  # what is imported and cached once is not a call's
    _hang_up(front, 200, 0)
    rows, first = [], 1000
    for calls in (1000, 10_000):
        idle = _memory()
        _talk(front, calls, first)
        held = _memory()
        _hang_up(front, calls, first)
        after = _memory()
        first += calls
        rows.append(
            Row(
                what=f"{calls:,} tracked calls over idle",
                value=held - idle,
                unit="MB",
                goal=("<=", 16.0) if calls == 10_000 else None,
                detail=f"{(held - idle) * 1000 / calls:.2f} kB a call, recorders and ledger included",
            )
        )
        rows.append(
            Row(
                what=f"… after they ended, over idle ({calls:,})",
                value=max(0.0, after - idle),
                unit="MB",
                goal=("<=", 2.0),
                detail=f"{front.left()} of them still held",
            )
        )
    return rows + _soak(20_000 if quick else 1_000_000)


def _memory() -> float:
    """Resident megabytes, with what was freed given back to the system first."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


# --- calls as events -------------------------------------------------------------------------------


def _talk(front: replay.Front, calls: int, first: int) -> None:
    for n in range(first, first + calls):
        at = START + n
        one, two, name, other, bridge = _names(n)
        number, callee = str(100 + n % 400), str(500 + n % 400)
        front._take(
            events.Newchannel(
                at=at,
                channel=name,
                uniqueid=one,
                linkedid=one,
                caller_id_num=number,
                exten=callee,
                context="a",
            )
        )
        front._take(
            events.Newchannel(at=at, channel=other, uniqueid=two, linkedid=one, exten="s", context="a")
        )
        front._take(
            events.DialBegin(
                at=at,
                channel=name,
                uniqueid=one,
                linkedid=one,
                dest_channel=other,
                dest_uniqueid=two,
                dest_linkedid=one,
                exten=callee,
            )
        )
        front._take(
            events.DialEnd(
                at=at + 1, uniqueid=one, dest_channel=other, dest_uniqueid=two, dial_status="ANSWER"
            )
        )
        for uniqueid, channel in ((two, other), (one, name)):
            front._take(
                events.BridgeEnter(
                    at=at + 1,
                    bridge_uniqueid=bridge,
                    bridge_technology="simple_bridge",
                    channel=channel,
                    uniqueid=uniqueid,
                    linkedid=one,
                )
            )


def _hang_up(front: replay.Front, calls: int, first: int) -> None:
    for n in range(first, first + calls):
        one, two, name, other, _ = _names(n)
        for uniqueid, channel in ((one, name), (two, other)):
            front._take(events.Hangup(at=START + n + 30, channel=channel, uniqueid=uniqueid, linkedid=one))
    front.tick()


def _names(n: int) -> tuple[str, str, str, str, str]:
    return (
        f"1795000000.{2 * n}",
        f"1795000000.{2 * n + 1}",
        f"PJSIP/{100 + n % 400}-{2 * n:08x}",
        f"PJSIP/{500 + n % 400}-{2 * n + 1:08x}",
        f"{n:08x}-0000-4000-8000-000000000000",
    )


def _soak(calls: int) -> list[Row]:
    """Calls come and go, fifty at a time; memory and CPU of the last tenth against the second."""
    front, first, tenth = replay.Front(), 1_000_000, calls // 10
    memory, cpu = [], []
    for _ in range(10):
        begun = time.process_time()
        for _ in range(tenth // 50):
            _talk(front, 50, first)
            _hang_up(front, 50, first)
            first += 50
        cpu.append((time.process_time() - begun) / tenth * 1e6)
        memory.append(_memory())
    middle = median(cpu[1:])
    return [
        Row(
            what=f"soak of {calls:,} calls: memory at the end over memory after a tenth",
            value=memory[-1] - memory[0],
            unit="MB",
            goal=("<=", 2.0),
            detail=f"{front.left()} of them still held",
        ),
        Row(
            what="… CPU per call, the last three tenths ÷ all",
            value=median(cpu[-3:]) / middle,
            unit="×",
            goal=("<=", 1.1),
            detail=f"{middle:.0f} µs a call in the engine",
        ),
    ]
