"""Presses: by either telephone, by every way in, allowed and denied; what each of them hears and loses.

Truth: the tones that reached the telephones, and whose words are in the files. Each test plays one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome
from recorderd.errors import ControlError
from tests.live import ears
from tests.live.asterisk import RigError
from tests.live.daemon import until
from tests.live.phone import Call
from tests.live.scene import ASKING, Scene, Take, forgiving, hang_up, scene

pytestmark = pytest.mark.live

POLICY = {
    "101": "on-demand",
    "102": "on-demand",
    "103": "always",
    "104": "always",
    "105": "never",
    "106": "on-demand",
}
_FRAMES = 0.06  # seconds: what is on its way when the engine decides
_TONE = 300.0  # ms: a tone's greatest length
_SLACK = 0.1  # seconds: what a press takes to begin, and what is on its way
_LATE = 80.0  # ms that a noisy machine may add to a tone

# Besides recorderd's feature: what a dialplan offers of its own, and a press from the dialplan.
FEATURES = """
[general]
featuredigittimeout = 1000
[featuremap]
[applicationmap]
recorderd => *1,self,AGI,agi://127.0.0.1:@agi_port@/toggle
own => *4,self/both,Gosub(recorderd-press,s,1(toggle))
"""
DIALPLAN = (
    ASKING
    + """
[rig-extra](+)
exten => _51XX,1,Set(__DYNAMIC_FEATURES=own)
 same => n,Dial(PJSIP/${EXTEN:1},30)
 same => n,Hangup()
"""
)


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("toggle")
    with scene(request.param, folder, POLICY, dialplan=DIALPLAN, features=FEATURES) as played:
        yield played


on_both = pytest.mark.parametrize("house", [22, 16], indirect=True)
on_22_first = pytest.mark.parametrize("house", [22, pytest.param(16, marks=pytest.mark.full)], indirect=True)
on_22 = pytest.mark.parametrize("house", [22], indirect=True)


Span = tuple[float, float]


@dataclass
class Played:
    """One call and what became of it; `files` once the `async with` has ended."""

    call: Call
    other: Call
    take: Take = field(default_factory=Take)

    @property
    def files(self) -> list[Path]:
        return self.take.files


@contextlib.asynccontextmanager
async def talking(house: Scene, caller: str, callee: str, number: str = "") -> AsyncIterator[Played]:
    """Two talk while the block runs, then hang up."""
    async with house.take() as take, house.phones() as phones:
        calling, called = await phones(caller), await phones(callee)
        call = await calling.call(number or callee)
        other = await called.ringing()
        # A person lets it ring. The feature is offered while it does, and read at the answer only: a robot
        # that answers sooner than our word is there (two milliseconds) has none.
        await asyncio.sleep(0.15)
        await other.answer()
        await call.up()
        await other.hearing(call.stream.voice or 0)
        played = Played(call, other, take)
        yield played
        await hang_up(call, other)


async def press(call: Call, code: str = "*1") -> Span:
    """Press the code and wait until its tone was heard whole; from the first key to the tone's end."""
    began = time.time()
    await call.dtmf(code)
    with contextlib.suppress(RigError):  # the test says which tone it wanted
        await until(lambda: ears.tones_heard(call, since=began), "a tone", 3)
    await asyncio.sleep(0.15)
    return began, time.time()


def assert_holds(file: Path, played: Played, on: Span, off: Span) -> None:
    """Both voices from switching on to switching off, without a hole; nothing from before or after."""
    for call in (played.call, played.other):
        there = ears.frames_in(file, call)
        wanted = set(call.said(on[1] + _SLACK, off[0] - _SLACK))
        assert wanted
        assert wanted <= there
        outside = set(call.said(until=on[0] - _FRAMES)) | set(call.said(since=off[1] + _FRAMES))
        assert not there & outside


# --- allowed --------------------------------------------------------------------------------------


@on_both
@pytest.mark.parametrize("who", ["caller", "callee"])
@forgiving
async def test_either_telephone_switches_it_on_and_off_and_on_again(house: Scene, who: str) -> None:
    async with talking(house, "101", "102") as played:
        presser, listener = (played.call, played.other)[:: 1 if who == "caller" else -1]
        await asyncio.sleep(0.5)
        on = await press(presser)
        await asyncio.sleep(0.8)
        off = await press(presser)
        await asyncio.sleep(0.8)
        again = await press(presser)
        await asyncio.sleep(0.8)
        end = (time.time(), time.time())
    assert ears.tones_heard(presser) == ["started", "stopped", "started"]
    assert ears.tones_heard(listener) == []
    first, second = sorted(played.files, key=lambda file: file.name.endswith(".2.wav"))
    assert_holds(first, played, on, off)
    assert_holds(second, played, again, end)
    for began, over in (on, off, again):
        assert ears.lost_between(listener, presser, began - 0.5, over) <= _TONE + _LATE
    outcomes = [row.outcome for row in played.take.intervals]
    assert outcomes == [
        Outcome.NOT_BY_POLICY,
        Outcome.RECORDED,
        Outcome.NOT_BY_POLICY,
        Outcome.RECORDED,
    ]
    # The row names one of the two; our own tables find both.
    assert played.take.cdrs[0]["recordingfile"] in {first.name, second.name}
    linked = {link.recording_id for link in await house.daemon.links()}
    assert {row.id for row in played.take.recordings} <= linked


@on_22
@forgiving
async def test_what_one_switched_on_the_other_can_switch_off(house: Scene) -> None:
    async with talking(house, "101", "102") as played:
        on = await press(played.call)
        await asyncio.sleep(0.8)
        off = await press(played.other)
        await asyncio.sleep(0.8)
    assert ears.tones_heard(played.call) == ["started"]
    assert ears.tones_heard(played.other) == ["stopped"]
    assert_holds(played.take.file, played, on, off)


# --- denied ---------------------------------------------------------------------------------------


@on_22_first
@pytest.mark.parametrize("who", ["caller", "callee"])
@forgiving
async def test_never_is_denied_and_only_the_presser_hears_it(house: Scene, who: str) -> None:
    async with talking(house, "106", "105") as played:
        presser, listener = (played.call, played.other)[:: 1 if who == "caller" else -1]
        await press(presser)
        await asyncio.sleep(0.5)
    assert ears.tones_heard(presser) == ["denied"]
    assert ears.tones_heard(listener) == []
    assert played.files == []
    assert [row.outcome for row in played.take.intervals] == [Outcome.NOT_BY_POLICY]


@on_both
@forgiving
async def test_always_cannot_be_stopped_and_nobody_loses_more_than_the_tone(house: Scene) -> None:
    async with talking(house, "103", "104") as played:
        await asyncio.sleep(0.5)
        began, over = await press(played.other)
        await asyncio.sleep(0.5)
    assert ears.tones_heard(played.other) == ["denied"]
    assert ears.tones_heard(played.call) == []
    for speaker, listener in ((played.call, played.other), (played.other, played.call)):
        assert ears.lost_between(speaker, listener, began - 0.5, over) <= _TONE + _LATE
        recorded = ears.heard(played.take.file, speaker)
        assert recorded.holes_ms <= _TONE + _LATE
    assert [row.outcome for row in played.take.intervals][-1] is Outcome.RECORDED


# --- twice ----------------------------------------------------------------------------------------


@on_22
@forgiving
async def test_the_same_telephone_pressing_twice_within_a_second_presses_once(house: Scene) -> None:
    async with talking(house, "101", "102") as played:
        on = await press(played.call, "*1*1")
        await asyncio.sleep(1.2)
        end = (time.time(), time.time())
    assert ears.tones_heard(played.call)[:1] == ["started"]
    assert "stopped" not in ears.tones_heard(played.call)
    assert_holds(played.take.file, played, on, end)


@on_22
@forgiving
async def test_when_both_press_at_once_what_each_hears_is_true(house: Scene) -> None:
    """One of them starts it and the other, a moment later, stops it: the last tone is the state."""
    async with talking(house, "101", "102") as played:
        await asyncio.gather(press(played.call), press(played.other))
        await asyncio.sleep(0.5)
        [state] = await asyncio.to_thread(house.daemon.control.calls)
        recording = state["recording"]
        await asyncio.sleep(0.5)
    heard = [*ears.tones_heard(played.call), *ears.tones_heard(played.other)]
    assert heard
    assert heard.count("started") - heard.count("stopped") == int(recording)
    outcomes = [row.outcome for row in played.take.intervals]
    assert outcomes.count(Outcome.RECORDED) + outcomes.count(Outcome.PARTIAL) == heard.count("started")


# --- other ways in --------------------------------------------------------------------------------


async def ask(house: Scene, action: str, extension: str) -> tuple[str, Span]:
    """Press by the control socket: the outcome, and from when to when that took."""
    began = time.time()
    said = await asyncio.to_thread(
        house.daemon.control.press, action, extension, by="boss", source="cli", reason="asked"
    )
    return said["outcome"], (began, time.time())


@on_both
@forgiving
async def test_the_control_socket_presses_too_and_nobody_hears_it(house: Scene) -> None:
    async with talking(house, "101", "102") as played:
        await asyncio.sleep(0.5)
        said, on = await ask(house, "start", "102")
        await asyncio.sleep(1.0)
        again, _ = await ask(house, "start", "101")
        stopped, off = await ask(house, "stop", "101")
        await asyncio.sleep(0.5)
    assert (said, again, stopped) == ("started", "unchanged", "stopped")
    assert ears.tones_heard(played.call) == ears.tones_heard(played.other) == []
    assert_holds(played.take.file, played, on, off)


@on_22
@forgiving
async def test_a_pause_leaves_out_what_was_said_meanwhile_and_keeps_one_file(house: Scene) -> None:
    async with talking(house, "103", "104") as played:
        await asyncio.sleep(0.8)
        said, pause = await ask(house, "pause", "103")
        await asyncio.sleep(1.0)
        _, resume = await ask(house, "resume", "103")
        await asyncio.sleep(0.8)
        ended = time.time()
    assert said == "paused"
    for call in (played.call, played.other):
        there = ears.frames_in(played.take.file, call)
        assert not there & set(call.said(pause[1] + _SLACK, resume[0]))
        assert set(call.said(until=pause[0] - _SLACK)[2:]) <= there
        assert set(call.said(resume[1] + _SLACK, ended - _SLACK)) <= there


@on_22
@forgiving
async def test_the_dialplans_own_feature_presses_by_agi_and_ours_stands_beside_it(house: Scene) -> None:
    async with talking(house, "101", "102", "5102") as played:
        await asyncio.sleep(0.5)
        await played.call.dtmf("*4")
        await asyncio.sleep(1.2)
        await press(played.other)
    assert ears.tones_heard(played.call) == []
    assert ears.tones_heard(played.other) == ["stopped"]
    assert ears.audible(played.take.file) == {played.call.stream.voice, played.other.stream.voice}


@on_22_first
@forgiving
async def test_a_telephones_record_key_presses_by_sip_info(house: Scene) -> None:
    async with talking(house, "101", "102") as played:
        await asyncio.sleep(0.5)
        assert await played.call.info_record(True) == 200
        await asyncio.sleep(1.5)
        on = time.time()
        await asyncio.sleep(0.8)
        off = time.time()
        assert await played.call.info_record(False) == 200
        await asyncio.sleep(1.2)
    assert ears.tones_heard(played.call) == ["started", "stopped"]
    for call in (played.call, played.other):
        there = ears.frames_in(played.take.file, call)
        assert set(call.said(on, off)) <= there


@on_22
async def test_a_press_for_a_call_that_is_not_there_is_refused_in_a_sentence(house: Scene) -> None:
    with pytest.raises(ControlError, match="119 takes part in no call now"):
        await ask(house, "start", "119")


@on_both
async def test_in_the_end_everything_is_accounted_for(house: Scene) -> None:
    await house.proof()
