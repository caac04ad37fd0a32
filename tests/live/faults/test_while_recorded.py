"""Looking back, the prompt before a call, the beep meanwhile: what each does to telephones, files and the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from recorderd.core.policy import ExtensionPolicy, FailMode, Lookback, Mode
from recorderd.core.rows import Outcome
from tests.live import ears, signals
from tests.live.call import Call
from tests.live.daemon import until
from tests.live.scene import ASKING, Scene, hang_up, scene, talk

pytestmark = pytest.mark.live

PROMPT = "this-call-is-recorded"
_DESTROYED_WITHIN = 5.0
_BEEP = 5  # seconds


def who(extension: str, mode: Mode, **more: object) -> ExtensionPolicy:
    return ExtensionPolicy(extension=extension, inbound=mode, outbound=mode, **more)


POLICY = {
    one.extension: one
    for one in (
        who("101", Mode.ON_DEMAND, lookback=Lookback.WHOLE_CALL),
        who("102", Mode.ON_DEMAND, lookback=Lookback.WHOLE_CALL),
        who("103", Mode.NEVER),
        who("104", Mode.ALWAYS, announce=PROMPT),
        who("105", Mode.ALWAYS, announce="there-is-no-such-prompt"),
        who("106", Mode.ALWAYS, announce="there-is-no-such-prompt", fail_mode=FailMode.CLOSED_BEFORE),
        who("107", Mode.ALWAYS, beep=_BEEP),
        who("108", Mode.ALWAYS, beep=_BEEP),
        who("109", Mode.ALWAYS),
    )
}


@pytest.fixture(scope="module", params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    options = {
        "dialplan": ASKING,
        "before_dial": "Gosub(recorderd,s,1(${EXTEN}))",
        "modules": ("func_periodic_hook.so", "app_chanspy.so", "app_originate.so"),
    }
    with scene(request.param, tmp_path_factory.mktemp("while"), POLICY, **options) as played:
        yield played


# --- on demand with memory ---------------------------------------------------------------------


async def test_what_nobody_asks_for_is_gone_within_five_seconds(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await until(house.lane_files, "the call is taken")
        await asyncio.sleep(2.5)
        await hang_up(call, other)
        over = time.monotonic()
        await until(lambda: not house.lane_files(), "its sound is destroyed")
        assert time.monotonic() - over <= _DESTROYED_WITHIN
    assert take.files == []
    assert [row["recordingfile"] for row in take.cdrs if row["recordingfile"]] == []
    (interval,) = take.intervals
    assert interval.outcome is Outcome.NOT_BY_POLICY
    assert "destroyed" in interval.note
    marks = await house.daemon.ledger(lambda store: store.marks(interval.conversation_id))
    assert [mark.kind for mark in marks] == ["destroyed"]


async def test_what_somebody_asks_for_at_last_is_there_from_the_first_word(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(2.5)
        control = house.daemon.control
        (before,) = await asyncio.to_thread(control.calls)
        assert (before["recording"], before["buffered"]) == (False, True)
        said = await asyncio.to_thread(control.press, "toggle", "101", by="101", source="cli")
        assert said["outcome"] == "started"
        (after,) = await asyncio.to_thread(control.calls)
        assert (after["recording"], after["buffered"]) == (True, False)
        await asyncio.sleep(1.0)
        await hang_up(call, other)
    for speaker, listener in ((call, other), (other, call)):
        missing = set(ears.passed(speaker, listener)) - ears.frames_in(take.file, speaker)
        assert len(missing) * 20 <= 200
    assert {row.outcome for row in take.intervals} == {Outcome.RECORDED}
    assert take.file.name in [row["recordingfile"] for row in take.cdrs]


async def test_a_party_who_is_never_recorded_forbids_the_taking(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("103"))
        for _ in range(10):
            assert house.lane_files() == []
            await asyncio.sleep(0.1)
        await hang_up(call, other)
    assert take.files == []


# --- prompts -----------------------------------------------------------------------------------


def heard_before(call: Call) -> float:
    """Seconds of sound that came before the answer."""
    return sum(0.02 for at in call.stream.heard.at if not call.up_at or at < call.up_at)


async def test_the_caller_hears_the_prompt_and_then_is_connected(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, _ = await talk(phones, await phones("109"), await phones("104"), 1.5)
    assert heard_before(call) >= 1.0
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]
    assert [row.note for row in take.intervals] == [""]


async def test_a_prompt_that_cannot_be_played_is_told_and_in_the_ledger(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        await talk(phones, await phones("109"), await phones("105"), 1.5)
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]
    assert "prompt" in take.intervals[0].note
    alarms = await house.daemon.ledger(lambda store: store.alarms())
    assert alarms[-1].kind == "prompt-failed"


async def test_a_call_that_may_connect_only_after_the_prompt_does_not_without_it(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        await phones("106")
        call = await (await phones("109")).call("106")
        await call.ended(20)
        assert not call.up_at
    assert take.files == []
    assert take.intervals == []
    assert house.lane_files() == []


# --- beeps -------------------------------------------------------------------------------------


async def test_a_beep_is_heard_is_not_in_the_file_and_is_nobody_in_the_ledger(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("107", voice=None), await phones("108", voice=None))
        await asyncio.sleep(2.4 * _BEEP)
        await hang_up(call, other)
    for side in (call, other):
        sound = signals.ulaw_decode(side.stream.heard.sound())
        assert abs(sound).max() > 1000, "both hear beeps"
    assert abs(signals.load(take.file)).max() < 1000, "neither said any"
    assert [len(row.parties) for row in take.intervals if row.conversation_id] == [2]
    assert [row for row in take.intervals if not row.conversation_id] == [], "no row for a beep"


async def test_in_the_end_everything_is_accounted_for(house: Scene) -> None:
    await house.daemon.quiet()
    coverage = await house.daemon.coverage()
    assert not coverage.unaccounted
    assert not coverage.orphans
    assert not coverage.pending
