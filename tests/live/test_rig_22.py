"""The rig under a little load, and an Asterisk that dies and returns; on one version only."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.live.asterisk import Asterisk, within
from tests.live.phone import Phones
from tests.live.test_rig import lost

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("asterisk22")]


async def test_ten_calls_at_once_are_whole(phones: Phones):
    for number in range(101, 121):
        await phones(str(number))
    callers = [await phones(str(number)) for number in range(101, 111)]
    callees = [await phones(str(number)) for number in range(111, 121)]
    for callee in callees:
        callee.auto_answer = random.uniform(0.05, 0.3)
    calls = [await a.call(b.number) for a, b in zip(callers, callees, strict=True)]
    others = [await b.ringing() for b in callees]
    await asyncio.gather(*(call.up() for call in calls))
    await asyncio.sleep(2)
    await asyncio.gather(*(call.hangup() for call in calls))
    for call, other in zip(calls, others, strict=True):
        await other.ended()
        assert len(lost(call, other)) <= 1
        assert len(lost(other, call)) <= 1


async def test_killed_asterisk_comes_back_with_its_cdrs(asterisk22: Asterisk, phones: Phones):
    a, b = await phones("101"), await phones("102")
    call, _ = await phones.connect(a, b)
    await asyncio.sleep(1.2)
    await call.hangup()
    rows = await asyncio.to_thread(within, 5, asterisk22.cdrs, "a CDR row")
    await asyncio.to_thread(asterisk22.kill)
    await asyncio.to_thread(asterisk22.boot)
    assert asterisk22.cdrs()[: len(rows)] == rows
