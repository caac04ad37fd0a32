"""What a call does when it cannot be recorded: each fail mode, with each thing dead that a recording needs.

Seen from the telephones: does it connect, is a prompt heard before, does it end by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from recorderd.core.policy import ExtensionPolicy, FailMode, Mode
from recorderd.core.rows import Outcome
from tests.live.asterisk import Asterisk, free_port
from tests.live.daemon import Recorderd, until
from tests.live.faults import disk
from tests.live.faults.disk import Disk
from tests.live.phone import Phones
from tests.live.scene import ASKING, Scene
from tests.postgres import Cluster, running

pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(disk.missing()), reason=disk.missing())]

# One pair of telephones for each mode; 7112 is an emergency number that rings 110.
PAIRS = {
    FailMode.OPEN: ("101", "102"),
    FailMode.ANNOUNCE: ("103", "104"),
    FailMode.CLOSED_BEFORE: ("105", "106"),
    FailMode.CLOSED_DURING: ("107", "108"),
}
EMERGENCY = "7112"
_EMERGENCY_RULE = """
[rig-extra](+)
exten => 7112,1,Gosub(recorderd,s,1(7112))
 same => n,Dial(PJSIP/110,30)
"""
_PROMPT = 1.0  # seconds of sound before the answer that only a prompt can be
_ENDS_WITHIN = 15.0


@dataclass
class House:
    scene: Scene
    lanes: Disk
    fallback: Disk
    cluster: Cluster


@pytest.fixture(scope="module", params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder, port = tmp_path_factory.mktemp("modes"), free_port()
    policy = {
        number: ExtensionPolicy(extension=number, inbound=Mode.ALWAYS, outbound=Mode.ALWAYS, fail_mode=mode)
        for mode, pair in PAIRS.items()
        for number in pair
    }
    with ExitStack() as stack:
        asterisk = Asterisk.start(
            request.param,
            folder / "asterisk",
            dialplan=(ASKING + _EMERGENCY_RULE).replace("@agi_port@", str(port)),
            agi_port=port,
            before_dial="Gosub(recorderd,s,1(${EXTEN}))",
        )
        stack.callback(asterisk.stop)
        cluster = stack.enter_context(running())
        cluster.create("recorderd")
        daemon = Recorderd(
            asterisk,
            folder / "recorderd",
            store_url=cluster.url("recorderd"),
            policy={"emergency": [EMERGENCY]},
        )
        daemon.configure()
        lanes = Disk(daemon.lanes, folder / "image", 8)
        stack.callback(lanes.close)
        fallback = Disk(daemon.fallback, folder / "image2", 8)
        stack.callback(fallback.close)

        async def begin() -> None:
            await daemon.allow(policy)
            await daemon.start()

        stack.callback(daemon.kill)
        asyncio.run(begin())
        yield House(Scene(asterisk, daemon), lanes, fallback, cluster)


# --- what dies ---------------------------------------------------------------------------------


@asynccontextmanager
async def nothing_dead(_house: House) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def daemon_dead(house: House) -> AsyncIterator[None]:
    daemon = house.scene.daemon
    await until(lambda: "recorderd" in house.scene.asterisk.cli("database show recorderd"), "the mirror")
    daemon.kill()
    yield
    await daemon.start()


@asynccontextmanager
async def disks_dead(house: House) -> AsyncIterator[None]:
    since = len(house.scene.daemon.said())
    for each in (house.lanes, house.fallback):
        await asyncio.to_thread(each.fill)
    await house.scene.daemon.says("fallback is full", since)
    yield
    for each in (house.lanes, house.fallback):
        await asyncio.to_thread(each.empty)
    await house.scene.daemon.says("takes what is written to it again", since)


@asynccontextmanager
async def database_dead(house: House) -> AsyncIterator[None]:
    await asyncio.to_thread(house.cluster.stop, "immediate")
    yield
    await asyncio.to_thread(house.cluster.start)


# --- what the caller lives through -------------------------------------------------------------


@dataclass(frozen=True)
class Lived:
    """One call: did it connect, was a prompt heard before, did it end by itself."""

    connects: bool
    prompt: bool = False
    ended: bool = False


async def live(phones: Phones, caller: str, number: str, callee: str, *, wait: bool) -> Lived:
    """Call and talk; wait long enough for a call that ends by itself, if `wait`."""
    one, two = await phones(caller), await phones(callee)
    two.auto_answer = 0.3
    call = await one.call(number)
    await call.until(lambda: call.state in ("up", "ended"), "answered or refused", 20)
    early = sum(1 for at in call.stream.heard.at if not call.up_at or at < call.up_at) * 0.02
    if call.state == "ended":
        return Lived(False, early >= _PROMPT)
    ended = False
    try:
        await call.until(lambda: call.state == "ended", "its end", _ENDS_WITHIN if wait else 1.0)
        ended = True
    except AssertionError:
        await call.hangup()
    return Lived(True, early >= _PROMPT, ended)


TABLE = {
    nothing_dead: {mode: Lived(True) for mode in FailMode},
    database_dead: {mode: Lived(True) for mode in FailMode},
    daemon_dead: {
        FailMode.OPEN: Lived(True),
        FailMode.ANNOUNCE: Lived(True, prompt=True),
        FailMode.CLOSED_BEFORE: Lived(False, prompt=True),
        FailMode.CLOSED_DURING: Lived(True),  # impossible: nobody is there to end it
    },
    disks_dead: {
        FailMode.OPEN: Lived(True),
        FailMode.ANNOUNCE: Lived(True, prompt=True),
        FailMode.CLOSED_BEFORE: Lived(False, prompt=True),
        FailMode.CLOSED_DURING: Lived(True, ended=True),
    },
}


@pytest.mark.parametrize("dead", TABLE)
async def test_each_mode_does_what_it_says(house: House, dead) -> None:  # type: ignore[no-untyped-def]
    expected = TABLE[dead]
    async with house.scene.phones() as phones, dead(house):
        calls = [
            live(phones, caller, callee, callee, wait=expected[mode].ended)
            for mode, (caller, callee) in PAIRS.items()
        ]
        *lived, emergency = await asyncio.gather(*calls, live(phones, "109", EMERGENCY, "110", wait=False))
    assert dict(zip(PAIRS, lived, strict=True)) == expected
    assert emergency == Lived(True), "an emergency call waits for nobody"
    await house.scene.daemon.idle(40)


async def test_what_could_not_be_recorded_is_in_the_ledger_and_was_told(house: House) -> None:
    intervals = await house.scene.daemon.intervals()
    faults = [i for i in intervals if i.outcome in (Outcome.NOT_RECORDED, Outcome.PARTIAL)]
    assert faults
    alarms = await house.scene.daemon.ledger(lambda store: store.alarms())
    assert {"place-failed", "call-ended"} <= {alarm.kind for alarm in alarms}
    assert Path(house.scene.daemon.log).exists()  # noqa: ASYNC240
