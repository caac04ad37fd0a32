"""FreePBX's own recorder beside ours: left, linked and replaced; always, never and on demand. The files are heard.

FreePBX forces the calls of 101, 103 and 105, whatever recorderd's policy says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.asterisk import RigError
from tests.live.daemon import until
from tests.live.freepbx.pbx import freepbx
from tests.live.phone import Call, Phones
from tests.live.scene import Scene, Take, forgiving, hang_up
from tests.live.signals import CYCLE

pytestmark = pytest.mark.live

POLICY = {
    **dict.fromkeys(("101", "102"), "always"),
    **dict.fromkeys(("103", "104"), "never"),
    **dict.fromkeys(("105", "106", "107", "108"), "on-demand"),
}
FORCED = dict.fromkeys(("101", "103", "105"), "force")
_EDGE = 100.0  # ms at either end of a file
_HELD_BACK = 200.0  # ms that theirs may hold before it is stopped
_BRIDGES_CHANGE = 200.0  # ms
_PRESS = 1500.0  # ms: dialling the code, its tone


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    version, foreign = request.param
    with freepbx(version, tmp_path_factory.mktemp("freepbx"), POLICY, FORCED, foreign=foreign) as played:
        yield played


def beside(*choices: str) -> pytest.MarkDecorator:
    """These choices on 22, and `link`, which knows most of Asterisk, on 16 too; the others there in the full run."""
    params = [
        pytest.param(
            (version, choice),
            id=f"{choice}-{version}",
            marks=[pytest.mark.full] if version == 16 and choice != "link" else [],
        )
        for choice in choices
        for version in (22, 16)
    ]
    return pytest.mark.parametrize("house", params, indirect=True)


everywhere = beside("leave", "link", "replace")


def theirs(take: Take) -> list[Path]:
    """The files that FreePBX's dialplan began, by its words for them."""
    return [f for f in take.files if f.name.startswith(("exten-", "rg-", "ondemand-108-"))]


def ours(take: Take) -> list[Path]:
    return [f for f in take.files if f not in theirs(take)]


def assert_whole(file: Path, call: Call, other: Call) -> None:
    """Every word that passed between the two."""
    for speaker, listener in ((call, other), (other, call)):
        found = ears.heard(file, speaker, ears.passed(speaker, listener))
        assert found.complete, found
        assert max(found.start_ms, found.end_ms) <= _EDGE, found


def heard_ms(file: Path, *calls: Call) -> float:
    """How much of what these said is in a file: the most of any."""
    return max(20.0 * len(ears.frames_in(file, call)) for call in calls)


def choice(house: Scene) -> str:
    return str(house.daemon.overrides["foreign"])


def named(take: Take) -> set[str]:
    return {row["recordingfile"] for row in take.cdrs if row["disposition"] == "ANSWERED"}


@everywhere
@forgiving
async def test_always(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    (file,) = theirs(take)
    (recording,) = take.recordings
    assert [i.outcome for i in take.intervals] == [Outcome.RECORDED]
    assert named(take) == {recording.name}
    if choice(house) == "link":
        assert recording.linked
        assert take.file.name == recording.name == file.name
        assert "not proven" in take.intervals[0].note
        assert abs(recording.duration_ms - 2000) < 300
    else:
        assert not recording.linked
        assert_whole(ours(take)[0], call, other)
    if choice(house) == "replace":
        assert heard_ms(file, call, other) <= _HELD_BACK + 500
    else:
        assert_whole(file, call, other)


@everywhere
@forgiving
async def test_never(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("103"), await phones("104"))
        await asyncio.sleep(1.5)
        await hang_up(call, other)
    (file,) = take.files
    assert theirs(take) == [file]
    assert heard_ms(file, call, other) <= _HELD_BACK
    assert take.recordings == []
    assert [i.outcome for i in take.intervals] == [Outcome.NOT_BY_POLICY]


@everywhere
@forgiving
async def test_on_demand_that_freepbx_records_anyway_and_somebody_asks_for_here(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await answered_after_a_while(phones, "105", "106")
        await asyncio.sleep(1.5)
        await ask_for_it(house, call)
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    (file,) = theirs(take)
    (made,) = take.recordings
    assert [i.outcome for i in take.intervals] == [Outcome.NOT_BY_POLICY, Outcome.RECORDED]
    asked = take.intervals[-1]
    if choice(house) == "link":
        assert made.linked
        assert made.name == file.name
        at = (asked.offset_ms or 0) + 1000  # while the keys and the tone last nobody speaks
        first = next(iter(call.said(asked.started_at + 1.0)))
        run = next(r for r in ears.voice_in(file, call, call.up_at) if r.first <= first % CYCLE <= r.last)
        assert abs(run.start_ms + 20 * (first % CYCLE - run.first) - at) <= 100, "where it begins in the file"
        assert take.files == [file]
    else:
        (mine,) = ours(take)
        assert heard_ms(mine, call, other) >= 1500
    if choice(house) == "replace":
        assert heard_ms(file, call, other) <= 1500 + _PRESS


async def answered_after_a_while(phones: Phones, caller: str, callee: str) -> tuple[Call, Call]:
    """As people do: the code is offered while it rings."""
    one, two = await phones(caller), await phones(callee)
    call = await one.call(callee)
    other = await two.ringing()
    await asyncio.sleep(0.4)
    await other.answer()
    await call.up()
    return call, other


async def ask_for_it(house: Scene, call: Call) -> None:
    """Dial the code; once more where a busy machine stretched the keys."""
    for last in (False, True):
        await call.dtmf("*1")
        try:
            await until(lambda: recording(house), "it is asked for", 3)
        except RigError:
            if last:
                raise
        else:
            return


async def recording(house: Scene) -> bool:
    return bool((await house.daemon.status())["calls"]["recording"])


@everywhere
@forgiving
async def test_freepbxs_own_one_touch_in_a_call_on_demand_is_its_own_affair(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("107"), await phones("108"))
        await asyncio.sleep(0.5)
        await call.dtmf("*3")
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    (file,) = take.files
    assert heard_ms(file, call, other) >= 1000
    assert take.recordings == []
    assert [i.outcome for i in take.intervals] == [Outcome.NOT_BY_POLICY]


@beside("link")
@forgiving
async def test_a_blind_transfer_ends_the_link_and_the_new_voice_is_in_ours(house: Scene) -> None:
    """On 22 a recorder that stays may lose it (asterisk-facts, trap 28)."""
    async with house.take() as take, house.phones() as phones:
        third = await phones("106")
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.5)
        await other.refer("106", wait=False)
        new = await third.ringing()
        await new.answer()
        await new.hearing(call.stream.voice or 0)
        await asyncio.sleep(1.5)
        await hang_up(call, new)
    first, second = sorted(take.recordings, key=lambda r: r.started_at)
    assert (first.linked, second.linked) == (True, False)
    assert ears.audible(house.daemon.path(first)) == {call.stream.voice, other.stream.voice}
    assert ears.audible(house.daemon.path(second)) == {call.stream.voice, new.stream.voice}
    found = ears.heard(house.daemon.path(second), new, ears.passed(new, call))
    assert found.complete, found
    assert [i.outcome for i in take.intervals] == [Outcome.RECORDED] * 2


@beside("link")
@forgiving
async def test_freepbxs_recorder_ends_and_ours_begins_at_once(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.5)
        await call.dtmf("*3")  # FreePBX's one-touch: what runs is stopped
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    first, second = sorted(take.recordings, key=lambda r: r.started_at)
    assert (first.linked, second.linked) == (True, False)
    lost = set(call.said(call.up_at)) - ears.frames_in(house.daemon.path(first), call, call.up_at)
    lost -= ears.frames_in(house.daemon.path(second), call, second.started_at)
    assert 20.0 * len(lost) <= 900, "the keys of the press, and the change"
    assert {i.outcome for i in take.intervals} == {Outcome.RECORDED}


@beside("link")
@forgiving
async def test_what_becomes_never_is_not_on_the_disk(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.5)
        await house.daemon.allow({**POLICY, "101": "never"})
        await asyncio.sleep(1.5)
        await hang_up(call, other)
    await house.daemon.allow(POLICY)
    (file,) = take.files
    first, second = take.intervals
    assert (first.outcome, second.outcome) == (Outcome.RECORDED, Outcome.NOT_BY_POLICY)
    for speaker in (call, other):
        forbidden = set(speaker.said(second.started_at))
        assert not forbidden & ears.frames_in(file, speaker, speaker.up_at)
        assert heard_ms(file, speaker) >= 1200


@beside("link")
@forgiving
async def test_a_link_outlives_the_daemon(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(1.0)
        house.daemon.kill()
        await asyncio.sleep(0.5)
        await house.daemon.start()
        await asyncio.sleep(1.5)
        await hang_up(call, other)
    (made,) = take.recordings
    assert made.linked
    assert_whole(take.file, call, other)
    assert [i.outcome for i in take.intervals] == [Outcome.RECORDED]


@everywhere
@forgiving
async def test_a_recorder_that_ran_before_we_started_is_known_and_stopped_where_never_is_said(
    house: Scene,
) -> None:
    async with house.take() as take, house.phones() as phones:
        await house.daemon.stop()
        call, other = await phones.connect(await phones("103"), await phones("104"))
        await asyncio.sleep(0.5)
        await house.daemon.start()
        await asyncio.sleep(0.3)
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    (file,) = take.files
    late = set(call.said(call.ended_at - 1.8))
    assert not late & ears.frames_in(file, call, call.up_at)


@everywhere
@forgiving
@pytest.mark.parametrize("number", ["600", "601", "602"])
async def test_groups_through_local_channels_are_recorded_and_accounted(house: Scene, number: str) -> None:
    """600: FreePBX records on the member's Local channel; 601 and 602 on the caller's."""
    async with house.take() as take, house.phones() as phones:
        await phones("103")
        call, other = await phones.connect(await phones("101"), await phones("102"), number)
        await asyncio.sleep(2.0)
        await hang_up(call, other)
    assert {i.outcome for i in take.intervals if i.wanted} == {Outcome.RECORDED}
    (made,) = take.recordings
    for speaker, listener in ((call, other), (other, call)):
        # The bridges change under the talk when the Local channels are taken out.
        found = ears.heard(house.daemon.path(made), speaker, ears.passed(speaker, listener))
        assert found.start_ms + found.holes_ms + found.end_ms <= _BRIDGES_CHANGE, found
        assert not found.doubled_ms
    assert made.linked is (choice(house) == "link" and number != "600")


@everywhere
@forgiving
async def test_a_group_that_is_never_recorded_is_not_on_a_local_channel_either(house: Scene) -> None:
    await house.daemon.allow({**POLICY, "102": "never"})
    async with house.take() as take, house.phones() as phones:
        await phones("103")
        call, other = await phones.connect(await phones("101"), await phones("102"), "600")
        await asyncio.sleep(1.5)
        await hang_up(call, other)
    await house.daemon.allow(POLICY)
    assert take.recordings == []
    for file in take.files:
        assert heard_ms(file, call, other) <= _HELD_BACK
    assert {i.outcome for i in take.intervals} == {Outcome.NOT_BY_POLICY}
