"""Resync: from a lost connection to a picture of 10,000 channels, against panoramisk reading the same list.

A fake Asterisk in a process of its own has 5,000 calls up and serves Status and BridgeList as 22 does. Ours is the
daemon's whole front with its engine, which knows these calls from before and finds out that all is as it was; and
once an engine that knows none, as after the first start. panoramisk gathers the list and makes a dict of each item.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import replay
from bench.row import Row, median
from recorderd.ami import snapshot
from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings
from recorderd.ami.snapshot import LANE, MIXMONITOR_ID
from recorderd.core import events

NAME = "resync"
CHANNELS = 10_000
SECRET = "s3cret"


def run(quick: bool) -> list[Row]:
    with _fake() as (port, tell):
        return asyncio.run(_run(port, tell, 3 if quick else 7))


Marks = dict[str, dict[str, str]]
"""The variables that our recorders put on each channel."""


async def _run(port: int, tell: Callable[[Marks], object], rounds: int) -> list[Row]:
    ours, theirs, fresh = [], [], []
    for _ in range(rounds):
        first, again = await _ours(port, tell)
        fresh.append(first)
        ours.append(again)
        theirs.append(await _panoramisk(port))
    times = [[took for took, _ in found] for found in (ours, theirs, fresh)]
    blocks = [[block for _, block in found] for found in (ours, theirs, fresh)]
    told = [f"{1000 * median(t):.0f} ms" for t in times]
    return [
        Row(
            what=f"resync of {CHANNELS:,} channels after a lost link ÷ panoramisk reading the list",
            value=median([a / b for a, b in zip(times[0], times[1], strict=True)]),
            unit="×",
            goal=("<=", 0.3),
            detail=f"{told[0]} against {told[1]}; a first start, every channel new and to be recorded: {told[2]}",
        ),
        Row(
            what="… longest block of the loop",
            value=1000 * median(blocks[0]),
            unit="ms",
            goal=("<=", 20.0),
            detail=f"panoramisk {1000 * median(blocks[1]):.0f} ms; a first start {1000 * median(blocks[2]):.0f} ms",
        ),
    ]


class Pulse:
    """The longest time in which the loop did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Pulse:
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0.01)
        self.longest = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.perf_counter() - before)


async def _ours(
    port: int, tell: Callable[[Marks], object]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """(seconds, longest block) of the first picture from the connecting on, and of one when all is known."""
    front = replay.Front()
    done = asyncio.Event()

    def put(event: events.Event) -> None:
        front._take(event)
        if isinstance(event, events.Resync):
            done.set()

    link = AsteriskLink(AmiSettings(host="127.0.0.1", port=port, username="recorderd", secret=SECRET), put)
    async with Pulse() as pulse:
        begun = time.perf_counter()
        running = asyncio.create_task(link.run())
        await asyncio.wait_for(done.wait(), 60)
        took = time.perf_counter() - begun
        await asyncio.sleep(0.01)
        first = took, pulse.longest
        lanes = front.board.engine.recorder.lanes.values()
        tell({one.uniqueid: {LANE: one.id, MIXMONITOR_ID: one.mixmonitor_id} for one in lanes})
        held = len(lanes)
        await asyncio.sleep(1.5)
        gc.collect()
        front._take(events.ConnectionLost(at=front.hands.now))
        pulse.longest, begun = 0.0, time.perf_counter()
        await link.resync()
        took = time.perf_counter() - begun
        await asyncio.sleep(0.01)
        again = took, pulse.longest
    assert len(front.board.engine.recorder.lanes) == held, "no recorder was lost, none doubled"
    assert len(front.board.engine.calls.channels) == CHANNELS
    await link.close()
    await running
    return first, again


async def _panoramisk(port: int) -> tuple[float, float]:
    from panoramisk import Manager

    manager = Manager(
        loop=asyncio.get_running_loop(), host="127.0.0.1", port=port, username="recorderd", secret=SECRET
    )
    await manager.connect()
    await asyncio.sleep(0.3)
    gc.collect()
    async with Pulse() as pulse:
        begun = time.perf_counter()
        listed = await manager.send_action({"Action": "Status"}, as_list=True)
        picture = {item.Uniqueid: dict(item) for item in listed if item.event == "Status"}
        took = time.perf_counter() - begun
        await asyncio.sleep(0.01)
    assert len(picture) == CHANNELS
    manager.close()
    return took, pulse.longest


# --- Asterisk's side -----------------------------------------------------------------------------------


@contextmanager
def _fake() -> Iterator[tuple[int, Callable[[Marks], object]]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv(), here.send
    finally:
        process.kill()
        process.join()


def _serve(told: Any) -> None:
    from recorderd.ami.fake import FakeAsterisk

    async def serve() -> None:
        async with FakeAsterisk(secret=SECRET) as asterisk:
            for n in range(CHANNELS // 2):
                asterisk.channels += _call(n)
                asterisk.bridges.append({"BridgeUniqueid": _bridge(n), "BridgeTechnology": "simple_bridge"})
            plain = {name: asterisk.answers[name] for name in ("Status", "BridgeList")}
            asterisk.answers |= {name: _once(answer) for name, answer in plain.items()}
            told.send(asterisk.port)
            while True:
                await asyncio.sleep(0.02)
                if told.poll():
                    asterisk.variables.clear()
                    asterisk.variables.update(told.recv())
                    asterisk.answers["Status"] = _once(plain["Status"])
                    asterisk.answers["Status"]({"ActionID": "", **snapshot.STATUS})

    asyncio.run(serve())


def _once(answer: Any) -> Any:
    """Built once: its making must not be measured. The ActionID is put in each time."""
    kept: list[bytes] = []

    def quick(action: Any) -> bytes:
        if not kept:
            kept.append(answer({**action, "ActionID": "@action@"}))
        return kept[0].replace(b"@action@", action.get("ActionID", "").encode())

    return quick


def _bridge(n: int) -> str:
    return f"{n:08x}-0000-4000-8000-000000000000"


def _call(n: int) -> list[dict[str, str]]:
    """The two channels of a call, with the headers that Status of 22 has."""
    both = []
    for side, (device, application) in enumerate(((100 + n % 400, "Dial"), (500 + n % 400, "AppDial"))):
        both.append(
            {
                "Privilege": "Call",
                "Channel": f"PJSIP/{device}-{2 * n + side:08x}",
                "ChannelState": "6",
                "ChannelStateDesc": "Up",
                "CallerIDNum": str(device),
                "CallerIDName": f"Phone {device}",
                "ConnectedLineNum": "<unknown>",
                "ConnectedLineName": "<unknown>",
                "Language": "en",
                "AccountCode": f"acc{device}",
                "Context": "from-phones",
                "Exten": str(500 + n % 400) if not side else "",
                "Priority": "3",
                "Uniqueid": f"1795000000.{2 * n + side}",
                "Linkedid": f"1795000000.{2 * n}",
                "Type": "PJSIP",
                "DNID": "",
                "EffectiveConnectedLineNum": "<unknown>",
                "EffectiveConnectedLineName": "<unknown>",
                "TimeToHangup": "0",
                "BridgeID": _bridge(n),
                "Application": application,
                "Data": "",
                "Nativeformats": "(ulaw)",
                "Readformat": "slin",
                "Readtrans": "(ulaw)->(slin)",
                "Writeformat": "slin",
                "Writetrans": "(slin)->(ulaw)",
                "Callgroup": "1",
                "Pickupgroup": "1",
                "Seconds": "30",
            }
        )
    return both
