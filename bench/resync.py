"""Resync: from a lost connection to a picture of 10,000 channels, against panoramisk reading the same list.

A fake Asterisk in a process of its own has 5,000 calls up and serves Status and BridgeList as 22 does. Ours is the
daemon's whole front with its engine, which knows these calls from before and finds out that all is as it was; and
once an engine that knows none, as after the first start. panoramisk gathers the list and makes a dict of each item.
Counted is CPU time: that of the whole, and the most of one turn of the loop, in which it hears nobody else.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from bench import replay
from bench.row import Row, median
from recorderd.ami import snapshot
from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings
from recorderd.ami.snapshot import LANE, MIXMONITOR_ID
from recorderd.core import events
from recorderd.daemon import interpreter

NAME = "resync"
CHANNELS = 10_000
SECRET = "s3cret"


def run(quick: bool) -> list[Row]:
    with _fake() as (port, tell), asyncio.Runner(loop_factory=Turns) as runner:
        runner.get_loop()
        interpreter.settle()
        return runner.run(_run(port, tell, 3 if quick else 7))


Marks = dict[str, dict[str, str]]
"""The variables that our recorders put on each channel."""


async def _run(port: int, tell: Callable[[Marks], object], rounds: int) -> list[Row]:
    ours, theirs, fresh = [], [], []
    for _ in range(rounds):
        first, again = await _ours(port, tell)
        fresh.append(first)
        ours.append(again)
        theirs.append(await _panoramisk(port))
    ratio = median([a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True)])
    told = [
        f"{median([one.cpu for one in found]):.2f} s ({median([one.wall for one in found]):.2f} s on the clock)"
        for found in (ours, theirs, fresh)
    ]
    turns = [1000 * median([one.longest for one in found]) for found in (ours, theirs, fresh)]
    return [
        Row(
            what=f"resync of {CHANNELS:,} channels after a lost link ÷ panoramisk reading the list, CPU",
            value=ratio,
            unit="×",
            goal=("<=", 0.3),
            detail=f"{told[0]} against {told[1]}; a first start, every channel new and to be recorded: {told[2]}",
        ),
        Row(
            what="… longest turn of the loop, CPU",
            value=turns[0],
            unit="ms",
            goal=("<=", 20.0),
            detail=f"panoramisk {turns[1]:.0f} ms; a first start {turns[2]:.0f} ms",
        ),
    ]


class Turns(asyncio.SelectorEventLoop):
    """Knows the CPU time of its longest turn."""

    longest = 0.0

    def _run_once(self) -> None:
        begun = time.thread_time()
        super()._run_once()  # type: ignore[misc]
        self.longest = max(self.longest, time.thread_time() - begun)


@dataclass
class Took:
    """What something took: seconds of CPU and of the clock, and the CPU of the longest turn of the loop."""

    cpu: float = 0.0
    wall: float = 0.0
    longest: float = 0.0


@contextmanager
def _timed() -> Iterator[Took]:
    loop, took = cast(Turns, asyncio.get_running_loop()), Took()
    loop.longest = 0.0
    took.cpu, took.wall = -time.thread_time(), -time.perf_counter()
    yield took
    took.cpu += time.thread_time()
    took.wall += time.perf_counter()
    took.longest = loop.longest


async def _ours(port: int, tell: Callable[[Marks], object]) -> tuple[Took, Took]:
    """The first picture from the connecting on, and one when all is known."""
    front = replay.Front()
    done = asyncio.Event()

    def put(event: events.Event) -> None:
        front._take(event)
        if isinstance(event, events.Resync):
            done.set()

    async def settled() -> None:
        while front.board.behind:  # noqa: ASYNC110 - its turns are what is measured
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # so that the last turn is over

    link = AsteriskLink(AmiSettings(host="127.0.0.1", port=port, username="recorderd", secret=SECRET), put)
    await _marked({}, tell)
    with _timed() as first:
        running = asyncio.create_task(link.run())
        await asyncio.wait_for(done.wait(), 60)
        await settled()
    lanes = front.board.engine.lanes.by_id.values()
    await _marked({one.uniqueid: {LANE: one.id, MIXMONITOR_ID: one.mixmonitor_id} for one in lanes}, tell)
    held = len(lanes)
    front._take(events.ConnectionLost(at=front.hands.now))
    await asyncio.sleep(0)
    with _timed() as again:
        await link.resync()
        await settled()
    assert len(front.board.engine.lanes.by_id) == held, "no recorder was lost, none doubled"
    assert len(front.board.engine.calls.channels) == CHANNELS
    await link.close()
    await running
    return first, again


async def _marked(marks: Marks, tell: Callable[[Marks], object]) -> None:
    """Asterisk's channels carry these from now on, and its answer is made."""
    tell(marks)
    await asyncio.sleep(1.5)
    gc.collect()
    await asyncio.sleep(0)


async def _panoramisk(port: int) -> Took:
    from panoramisk import Manager

    manager = Manager(
        loop=asyncio.get_running_loop(), host="127.0.0.1", port=port, username="recorderd", secret=SECRET
    )
    await manager.connect()
    await asyncio.sleep(0.3)
    gc.collect()
    await asyncio.sleep(0)
    with _timed() as took:
        listed = await manager.send_action({"Action": "Status"}, as_list=True)
        picture = {item.Uniqueid: dict(item) for item in listed if item.event == "Status"}
        await asyncio.sleep(0)
    assert len(picture) == CHANNELS
    manager.close()
    return took


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
