"""The kinds of call whose lanes are measured, one function each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.live.experiments.stage import Stage

Scene = Callable[[Stage], Awaitable[None]]


async def plain(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(6)
    await stage.finish(call, other)


async def hold_sendonly(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(2)
    await call.hold("sendonly", silent=True)
    await asyncio.sleep(3)
    await call.unhold()
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def hold_inactive(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(2)
    await call.hold("inactive", silent=True)
    other.mute()
    await asyncio.sleep(3)
    await call.unhold()
    other.mute(False)
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def hold_by_callee(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(2)
    await other.hold("sendonly", silent=True)
    await asyncio.sleep(3)
    await other.unhold()
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def loss_of_5_percent(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    call.stream.loss = 0.05
    await asyncio.sleep(10)
    await stage.finish(call, other)


async def loss_on_both_sides(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    call.stream.loss = other.stream.loss = 0.05
    await asyncio.sleep(10)
    await stage.finish(call, other)


async def loss_on_both_sides_with_jitterbuffer(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, first, second = await stage.talk(a, b)
    for lane in (first, second):
        await stage.ami.setvar(lane.uniqueid, "JITTERBUFFER(adaptive)", "default")
    call.stream.loss = other.stream.loss = 0.05
    await asyncio.sleep(10)
    await stage.finish(call, other)


async def caller_silent_1_s(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(2)
    call.mute()
    await asyncio.sleep(1)
    call.mute(False)
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def both_silent_1_s(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(2)
    call.mute()
    other.mute()
    await asyncio.sleep(1)
    call.mute(False)
    other.mute(False)
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def caller_silent_for_its_first_2_s(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call = await a.call("102")
    call.mute()
    dial = await stage.ami.event("DialBegin")
    await stage.arm("101", dial["Uniqueid"], call)
    other = await b.ringing()
    lane = asyncio.create_task(stage.arm_at_bridge(0, "102", dial["DestUniqueid"], other))
    await other.answer()
    await lane
    await asyncio.sleep(2)
    call.mute(False)
    await asyncio.sleep(3)
    await stage.finish(call, other)


async def muted_over_ami_1_s(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, first, _ = await stage.talk(a, b)
    await asyncio.sleep(2)
    await stage.ami.action("MixMonitorMute", Channel=first.uniqueid, Direction="both", State="1")
    await asyncio.sleep(1)
    await stage.ami.action("MixMonitorMute", Channel=first.uniqueid, Direction="both", State="0")
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def stopped_and_started_again(stage: Stage) -> None:
    a, b = await stage.phones("101"), await stage.phones("102")
    call, other, first, second = await stage.talk(a, b)
    await asyncio.sleep(2)
    await stage.stop(first)
    await stage.stop(second)
    await asyncio.sleep(1)
    await stage.arm("101 again", first.uniqueid, call)
    await stage.arm("102 again", second.uniqueid, other)
    await asyncio.sleep(2)
    await stage.finish(call, other)


async def blind_transfer_by_callee(stage: Stage) -> None:
    a, b, c = await stage.phones("101"), await stage.phones("102"), await stage.phones("103")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(1.5)
    mark = len(stage.ami.events)
    transfer = asyncio.create_task(other.refer("103"))
    third, _ = await stage.newcomer(mark, c)
    await transfer
    await asyncio.sleep(2)
    await stage.finish(call, third)


async def blind_transfer_by_caller(stage: Stage) -> None:
    a, b, c = await stage.phones("101"), await stage.phones("102"), await stage.phones("103")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(1.5)
    mark = len(stage.ami.events)
    transfer = asyncio.create_task(call.refer("103"))
    third, _ = await stage.newcomer(mark, c)
    await transfer
    await asyncio.sleep(2)
    await stage.finish(other, third)


async def attended_transfer_by_callee(stage: Stage) -> None:
    a, b, c = await stage.phones("101"), await stage.phones("102"), await stage.phones("103")
    call, other, *_ = await stage.talk(a, b)
    await asyncio.sleep(1.5)
    await other.hold("sendonly")
    consult, third, *_ = await stage.talk(b, c)
    await asyncio.sleep(1.5)
    await other.refer_replaces(consult)
    await asyncio.sleep(2)
    await stage.finish(call, third)


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        plain,
        hold_sendonly,
        hold_by_callee,
        hold_inactive,
        loss_of_5_percent,
        loss_on_both_sides,
        loss_on_both_sides_with_jitterbuffer,
        caller_silent_1_s,
        both_silent_1_s,
        caller_silent_for_its_first_2_s,
        muted_over_ami_1_s,
        stopped_and_started_again,
        blind_transfer_by_callee,
        blind_transfer_by_caller,
        attended_transfer_by_callee,
    )
}


def long_call(seconds: float) -> Scene:
    """Both lanes over a long call with 5 % loss from the caller and a hold of 5 s in each minute."""

    async def scene(stage: Stage) -> None:
        a, b = await stage.phones("101"), await stage.phones("102")
        call, other, *_ = await stage.talk(a, b)
        call.stream.loss = 0.05
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(min(50, max(1, end - time.monotonic())))
            if time.monotonic() < end:
                await call.hold("sendonly")
                await asyncio.sleep(5)
                await call.unhold()
        await stage.finish(call, other)

    return scene
