"""The rig tells the truth: telephones, their voices, Asterisk's CDRs and features, on a real Asterisk."""

from __future__ import annotations

import asyncio

import pytest

from tests.live.asterisk import Asterisk, within
from tests.live.phone import Call, PhoneError, Phones
from tests.live.rig_ami import RigAmi
from tests.live.signals import doubled, missing

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("asterisk")]


def lost(listener: Call, speaker: Call) -> list[int]:
    """Frames that were said while both were up and did not arrive; the first and the last 3 do not count."""
    since, until = max(listener.up_at, speaker.up_at), min(listener.ended_at, speaker.ended_at)
    said = speaker.said(since + 0.06, until - 0.06)
    assert len(said) > 20
    assert speaker.phone.voice is not None
    return missing(listener.hears(speaker.phone.voice), said)


async def test_both_hear_each_other_whole_and_the_cdr_is_there(asterisk: Asterisk, phones: Phones):
    a, b = await phones("101"), await phones("102")
    call, other = await phones.connect(a, b)
    await asyncio.sleep(1.5)
    await call.hangup()
    assert await other.ended() == 200
    assert lost(call, other) == []
    assert lost(other, call) == []
    assert doubled(call.hears(1)) == []
    assert call.hears(0) == []
    rows = await asyncio.to_thread(within, 5, asterisk.cdrs, "a CDR row")
    assert [(row["src"], row["dst"], row["disposition"]) for row in rows] == [("101", "102", "ANSWERED")]


async def test_a_voice_that_is_not_sent_is_not_heard(phones: Phones):
    a, b = await phones("101"), await phones("102")
    call, other = await phones.connect(a, b)
    await call.hearing(b.voice)
    other.mute()
    await asyncio.sleep(0.2)
    with pytest.raises(PhoneError):
        await call.hearing(b.voice, 1.2)
    assert call.hears(b.voice)


async def test_a_call_may_be_refused_cancelled_or_not_answered(phones: Phones):
    a, b = await phones("101"), await phones("102")
    call = await a.call("102")
    await (await b.ringing()).reject(486)
    assert await call.ended() == 486
    call = await a.call("102")
    other = await b.ringing()
    await call.is_ringing()
    await call.cancel()
    assert await call.ended() == 487
    assert await other.ended() == 487


async def test_a_blind_transfer_joins_the_others(phones: Phones):
    a, b, c = [await phones(number) for number in ("101", "102", "103")]
    c.auto_answer = 0.1
    call, other = await phones.connect(a, b)
    await call.hearing(b.voice)  # Asterisk refuses to transfer what is in no bridge yet
    assert await other.refer("103") == 200
    third = await c.ringing()
    await third.up()
    await call.hearing(c.voice)
    await third.hearing(a.voice)
    assert other.state == "ended"


async def test_an_attended_transfer_joins_the_others(phones: Phones):
    a, b, c = [await phones(number) for number in ("101", "102", "103")]
    call, other = await phones.connect(a, b)
    await other.hold()
    consult, third = await phones.connect(b, c)
    await consult.hearing(c.voice)
    await other.refer_replaces(consult)
    await call.hearing(c.voice)
    await third.hearing(a.voice)
    assert await consult.ended() == 200


async def test_hold_plays_music_to_the_other_and_silences_the_holder(phones: Phones):
    a, b = await phones("101"), await phones("102")
    call, other = await phones.connect(a, b)
    await other.hearing(a.voice)
    await call.hold()
    await asyncio.sleep(1)
    assert other.hears_hold_music() > 500
    await call.unhold()
    await other.hearing(a.voice)
    await call.hearing(b.voice)


async def test_feature_code_and_record_key_ask_the_server(asterisk: Asterisk, phones: Phones, ami: RigAmi):
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readuntil(b"\n\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", asterisk.agi_port)
    a, b = await phones("101"), await phones("102")
    call = await a.call("102")
    dial = await ami.event("DialBegin")
    for uniqueid in (dial["Uniqueid"], dial["DestUniqueid"]):
        await ami.setvar(uniqueid, "DYNAMIC_FEATURES", "recorderd")
    other = await b.ringing()
    await other.answer()
    await call.up()
    await call.hearing(b.voice)
    presses = [
        ("102", lambda: other.dtmf("*1")),
        ("101", lambda: call.dtmf("*1")),
        ("101", lambda: call.dtmf("*1", info=True)),
        ("102", lambda: other.info_record(True)),
    ]
    for presser, press in presses:
        await press()
        block = await asyncio.wait_for(asked.get(), 5)
        assert b"/toggle" in block
        assert f"agi_channel: PJSIP/{presser}-".encode() in block
    server.close()


async def test_digits_reach_the_other_side(phones: Phones):
    a, b = await phones("101"), await phones("102")
    call, other = await phones.connect(a, b)
    await call.dtmf("*15#")
    heard = other.stream.heard.digits
    await asyncio.to_thread(within, 3, lambda: "".join(heard) == "*15#", "the digits *15#")


async def test_the_trunk_shows_any_caller(phones: Phones, ami: RigAmi):
    trunk, b = await phones("trunk"), await phones("101")
    call = await trunk.call("5550101", caller="0612345678", name='Ева "x"')
    other = await b.ringing()
    await other.answer()
    await call.up()
    await other.hearing(trunk.voice)
    born = await ami.event("Newchannel", where=lambda e: e["Channel"].startswith("PJSIP/trunk-"))
    assert (born["CallerIDNum"], born["Context"]) == ("0612345678", "from-trunk")


async def test_a_call_goes_out_by_the_trunk(phones: Phones):
    trunk, a = await phones("trunk"), await phones("101")
    call, other = await phones.connect(a, trunk, "90612345678")
    await call.hearing(trunk.voice)
    await other.hearing(a.voice)


async def test_queue_group_follow_me_and_conference_answer(phones: Phones):
    a, b, c = [await phones(number) for number in ("101", "102", "103")]
    for number in ("600", "601", "602", "603"):
        call = await a.call(number)
        other = await b.ringing()
        await other.answer()
        await call.up()
        await call.hearing(b.voice)
        await other.hearing(a.voice)
        await call.hangup()
        await other.ended()
        for late in c.calls:
            await late.ended()
    talks = [await phone.call("800") for phone in (a, b, c)]
    for talk in talks:
        await talk.up()
    for talk in talks:
        for phone in {a, b, c} - {talk.phone}:
            await talk.hearing(phone.voice)


async def test_a_call_may_be_picked_up_or_parked(phones: Phones):
    a, b, c = [await phones(number) for number in ("101", "102", "103")]
    call = await a.call("102")
    await b.ringing()
    pick = await c.call("*8")
    await pick.up()
    await call.up()
    await pick.hearing(a.voice)
    await pick.refer("700", wait=False)
    await asyncio.sleep(0.5)
    back = await b.call("701")
    await back.up()
    await back.hearing(a.voice)
