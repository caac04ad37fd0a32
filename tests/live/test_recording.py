"""One call at a time, from the first word to the last: what is recorded, to the millisecond, and what is not.

The figures are the issue's: armed before the answer, nothing of the caller's speech is missing and at most a
frame of the callee's; started when the bridge is made, at most two frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.phone import Call, Phones
from tests.live.rig_ami import RigAmi
from tests.live.scene import Scene, Take, forgiving, hang_up, scene, talk

pytestmark = pytest.mark.live

POLICY = {
    "101": "always",
    "102": "always",
    "103": "never",
    "104": "on-demand",
    "105": "on-demand",
}
_ARMED = (0.0, 20.0)  # ms that may be missing at the start: of the caller's, of the callee's
_BRIDGED = (40.0, 40.0)
_SKEW = 60.0  # between what two said at one moment, anywhere in the file
_AT_END = 100.0  # in flight at the BYE: asterisk-facts 3
_SECONDS = 1.0

Played = tuple[Call, Call]


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(request.param, tmp_path_factory.mktemp("recording"), POLICY) as played:
        yield played


async def ring(phones: Phones, caller: str, callee: str, number: str = "") -> Played:
    one, two = await phones(caller), await phones(callee)
    call = await one.call(number or callee)
    return call, await two.ringing()


async def internal(_house: Scene, phones: Phones) -> Played:
    return await talk(phones, await phones("101"), await phones("102"), _SECONDS)


async def callee_hangs_up(_house: Scene, phones: Phones) -> Played:
    call, other = await phones.connect(await phones("101"), await phones("102"))
    await asyncio.sleep(_SECONDS)
    await hang_up(other, call)
    return call, other


async def answered_after_ringing(_house: Scene, phones: Phones) -> Played:
    call, other = await ring(phones, "101", "102")
    await asyncio.sleep(1.0)
    await other.answer()
    await call.up()
    await asyncio.sleep(_SECONDS)
    await hang_up(call, other)
    return call, other


async def inbound(_house: Scene, phones: Phones) -> Played:
    trunk, phone = await phones("trunk"), await phones("101")
    call = await trunk.call("5550101", caller="0612345678", name="Иван")
    other = await phone.ringing()
    await other.answer()
    await call.up()
    await asyncio.sleep(_SECONDS)
    await hang_up(call, other)
    return call, other


async def outbound(_house: Scene, phones: Phones) -> Played:
    return await talk(phones, await phones("101"), await phones("trunk"), _SECONDS, "90612345678")


async def click_to_call(house: Scene, phones: Phones) -> Played:
    """101's telephone rings and is answered first, then 102's: both are called by Asterisk."""
    first, second = await phones("101"), await phones("102")
    async with RigAmi(house.asterisk.ami_port, house.asterisk.secret) as ami:
        await ami.action(
            "Originate",
            Channel="PJSIP/101",
            Context="from-phones",
            Exten="102",
            Priority="1",
            CallerID="777",
            Async="true",
        )
        call = await first.ringing()
        await call.answer()
        other = await second.ringing()
        await other.answer()
        await other.hearing(call.stream.voice or 0)
        await asyncio.sleep(_SECONDS)
        await hang_up(call, other)
    return call, other


async def with_a_ring_group_that_disagrees(_house: Scene, phones: Phones) -> Played:
    """102 and 103 ring, of whom 103 is never recorded: nothing may be armed before one of them answers."""
    await phones("103")
    return await talk(phones, await phones("101"), await phones("102"), _SECONDS, "601")


Shape = Callable[[Scene, Phones], Awaitable[Played]]

# (what is played, ms that may be missing, whether 16 plays it too). At click-to-call a frame is in flight
# when the second party answers: app_dial hands it on before there is a bridge, so both may lack it.
SHAPES: list[tuple[Shape, tuple[float, float], bool]] = [
    (internal, _ARMED, True),
    (callee_hangs_up, _ARMED, False),
    (answered_after_ringing, _ARMED, False),
    (inbound, _ARMED, True),
    (outbound, _ARMED, True),
    (click_to_call, (20.0, 20.0), True),
    (with_a_ring_group_that_disagrees, _BRIDGED, True),
]


def _shapes(*, on_16: bool) -> pytest.MarkDecorator:
    chosen = [(shape, allowed) for shape, allowed, on_both in SHAPES if on_both or not on_16]
    return pytest.mark.parametrize(("shape", "allowed"), chosen, ids=[shape.__name__ for shape, _ in chosen])


on_22 = pytest.mark.parametrize("house", [22], indirect=True)
on_16 = pytest.mark.parametrize("house", [pytest.param(16)], indirect=True)
on_both = pytest.mark.parametrize("house", [22, 16], indirect=True)

Note = Callable[[str, object], None]


@on_22
@_shapes(on_16=False)
@forgiving
async def test_every_word_of_a_call_that_is_to_be_recorded_is_in_its_file(
    house: Scene, shape: Shape, allowed: tuple[float, float], record_property: Note
) -> None:
    await every_word_is_there(house, shape, allowed, record_property)


@on_16
@_shapes(on_16=True)
@forgiving
async def test_every_word_is_there_on_16_as_well(
    house: Scene, shape: Shape, allowed: tuple[float, float], record_property: Note
) -> None:
    await every_word_is_there(house, shape, allowed, record_property)


async def every_word_is_there(house: Scene, shape: Shape, allowed: tuple[float, float], note: Note) -> None:
    """Play it, and judge the file by what the telephones said."""
    async with house.take() as take, house.phones() as phones:
        call, other = await shape(house, phones)
    caller = ears.heard(take.file, call, _truth(call, other))
    callee = ears.heard(take.file, other, _truth(other, call))
    note("missing at the start, ms", {"caller": caller.start_ms, "callee": callee.start_ms})
    assert caller.complete, caller
    assert callee.complete, callee
    assert caller.start_ms <= allowed[0], caller
    assert callee.start_ms <= allowed[1], callee
    assert caller.end_ms <= _AT_END
    assert callee.end_ms <= _AT_END
    assert ears.skew_ms(take.file, call, other) <= _SKEW
    assert ears.audible(take.file) == {caller.voice, callee.voice}
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]
    linked = [row["recordingfile"] for row in take.cdrs if row["disposition"] == "ANSWERED"]
    assert take.file.name in linked


def _truth(speaker: Call, listener: Call) -> list[int]:
    """What was said into the conversation: an Originate's first party talks to nobody for a while."""
    if not speaker.outgoing and not listener.outgoing:
        return ears.passed(speaker, listener)
    return speaker.said()


@on_both
async def test_never_and_on_demand_that_nobody_asked_for_leave_nothing(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        one, two, three, four, five = [await phones(number) for number in sorted(POLICY)]
        for caller, callee in ((one, three), (three, two), (four, five)):
            await talk(phones, caller, callee, 0.5)
    _assert_nothing(house, take)
    assert [row.outcome for row in take.intervals] == [Outcome.NOT_BY_POLICY] * 3


async def given_up(phones: Phones) -> None:
    call, other = await ring(phones, "101", "102")
    await asyncio.sleep(0.4)
    await call.cancel()
    await other.ended()


async def busy(phones: Phones) -> None:
    call, other = await ring(phones, "101", "102")
    await other.reject(486)
    await call.ended()


async def declined_from_outside(phones: Phones) -> None:
    call, other = await ring(phones, "101", "trunk", "90612345678")
    await other.reject(603)
    await call.ended()


async def given_up_from_outside(phones: Phones) -> None:
    call, other = await ring(phones, "trunk", "101", "5550101")
    await asyncio.sleep(0.4)
    await call.cancel()
    await other.ended()


async def not_there(phones: Phones) -> None:
    call = await (await phones("101")).call("119")
    await call.ended()


@on_both
async def test_calls_that_nobody_answers_leave_no_file_and_no_open_row(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        for play in (given_up, busy, declined_from_outside, given_up_from_outside, not_there):
            await play(phones)
    _assert_nothing(house, take)
    assert take.intervals == []
    async with house.daemon.store() as store:
        left = await store.open_rows()
    assert (left.conversations, left.intervals, left.recordings, left.lanes) == ((), (), (), ())


@on_both
async def test_a_callers_name_and_number_cannot_lead_the_file_astray(house: Scene) -> None:
    """The number is hostile: it must neither leave the spool nor shift the date that FreePBX reads."""
    async with house.take() as take, house.phones() as phones:
        trunk, phone = await phones("trunk"), await phones("101")
        call = await trunk.call("5550101", caller="..%2F..%2F06-12-34,x(b)", name="../../etc/passwd, (b)")
        other = await phone.ringing()
        await other.answer()
        await call.up()
        await asyncio.sleep(1.0)
        await hang_up(call, other)
    assert take.file.parent == house.opened(take.file.name).parent
    assert ears.audible(take.file) == {call.stream.voice, other.stream.voice}


def _assert_nothing(house: Scene, take: Take) -> None:
    assert take.files == []
    assert take.recordings == []
    assert house.lane_files() == []
    assert [row["recordingfile"] for row in take.cdrs if row["recordingfile"]] == []


@on_both
async def test_in_the_end_everything_is_accounted_for(house: Scene) -> None:
    coverage = await house.proof()
    assert coverage.outcomes[Outcome.RECORDED]
