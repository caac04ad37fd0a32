"""What the daemon hears of an Asterisk: the picture first, then every event once, then the loss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from recorderd.ami import fake_pbx
from recorderd.ami import link as link_module
from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.fake_pbx import event, message
from recorderd.core import events
from recorderd.errors import ActionRefused, AmiError
from tests.ami.conftest import Linked, until
from tests.ami.test_client import Naps

Link = Callable[..., "asyncio.Future[Linked]"]
ONE = {
    "Channel": "PJSIP/101-00000000",
    "ChannelStateDesc": "Up",
    "CallerIDNum": "101",
    "Context": "c",
    "Exten": "102",
    "Uniqueid": "u.1",
    "Linkedid": "u.1",
    "BridgeID": "b1",
    "Application": "Dial",
    "Seconds": "7",
}


def hangup(uniqueid: str = "u.9", **more: str) -> bytes:
    return event("Hangup", Channel="PJSIP/109-1", Uniqueid=uniqueid, Linkedid=uniqueid, **more)


def stamped(name: str, at: float, **headers: str) -> bytes:
    return message(Event=name, Timestamp=f"{at:.6f}", **headers)


async def test_the_whole_picture_comes_first_with_our_marks(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.channels = [ONE]
    asterisk.bridges = [{"BridgeUniqueid": "b1", "BridgeTechnology": "native_rtp"}]
    asterisk.variables["u.1"] = {
        "RECORDERD": "l1",
        "RECORDERD_ID": "0x7f1",
        "CDR(recordingfile)": "a.wav",
    }
    one = await linked()
    first = one.events[0]
    assert isinstance(first, events.Resync)
    assert abs(first.at - time.time()) < 60
    channel = first.channels[0]
    assert channel == events.LiveChannel(
        channel="PJSIP/101-00000000",
        uniqueid="u.1",
        linkedid="u.1",
        caller_id_num="101",
        exten="102",
        context="c",
        application="Dial",
        bridge_uniqueid="b1",
        bridge_technology="native_rtp",
        lane_id="l1",
        mixmonitor_id="0x7f1",
        recording_file="a.wav",
    )


async def test_an_asterisk_without_calls_has_an_empty_picture(linked: Link) -> None:
    one = await linked()
    assert [getattr(event, "channels", None) for event in one.events] == [()]


async def test_the_version_is_asterisks_own(linked: Link) -> None:
    one = await linked()
    await until(lambda: one.link.version == "22.10.1")


async def test_events_wait_for_the_picture_and_what_it_contains_is_not_repeated(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.faults.delays["Status"] = 0.1
    one = await linked(up=False)
    await until(lambda: asterisk.actions("Status"))
    new = {"Channel": "PJSIP/101-0", "Uniqueid": "u.1", "Linkedid": "u.1"}
    past = time.time() - 5
    asterisk.say(stamped("Newchannel", past, **new), stamped("Hangup", past, **{**new, "Uniqueid": "u.0"}))
    asterisk.say(event("Newchannel", **{**new, "Uniqueid": "u.2"}))
    await until(lambda: one.link._held and len(one.link._held) == 3)
    assert not one.events
    await until(lambda: len(one.events) == 3)
    kinds = [(type(event).__name__, getattr(event, "uniqueid", "")) for event in one.events]
    # The Hangup is passed on however old it is: its channel may still have been in the list.
    assert kinds == [("Resync", ""), ("Hangup", "u.0"), ("Newchannel", "u.2")]


async def test_an_event_from_before_the_picture_is_not_believed_when_it_comes_late(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    who = {"Channel": "PJSIP/101-0", "Uniqueid": "u.1", "Linkedid": "u.1"}
    asterisk.say(stamped("BridgeEnter", time.time() - 5, BridgeUniqueid="b1", **who), hangup())
    await until(lambda: len(one.events) > 1)
    assert [type(event) for event in one.events] == [events.Resync, events.Hangup]


async def test_after_a_loss_the_picture_is_made_again(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    asterisk.drop()
    await until(lambda: len(one.of(events.Resync)) == 2)
    assert [type(event) for event in one.events] == [events.Resync, events.ConnectionLost, events.Resync]


async def test_no_event_comes_between_the_loss_and_the_next_picture(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    asterisk.faults.delays["Events"] = 0.1  # events flow already, and the login is not yet done
    asterisk.drop()
    await until(lambda: len(asterisk.actions("Events")) == 2)
    asterisk.say(hangup())
    await until(lambda: one.of(events.Hangup))
    assert [type(event) for event in one.events] == [
        *(events.Resync, events.ConnectionLost, events.Resync, events.Hangup)
    ]


async def test_the_loss_says_why(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked(settings={"ping_interval": 0.02, "ping_deadline": 0.1})
    asterisk.faults.silent = True
    await until(lambda: one.of(events.ConnectionLost))
    assert one.of(events.ConnectionLost) == [
        events.ConnectionLost(at=one.events[-1].at, reason="Asterisk was silent for 0.1 s")
    ]
    assert not one.link.connected


async def test_a_malformed_event_is_counted_and_the_next_is_heard(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    asterisk.say(message(Event="Hangup"), message(Event="Newchannel"), hangup("u.2"))
    await until(lambda: one.of(events.Hangup))
    assert one.link.malformed == 2
    assert one.link.connected


async def test_a_picture_that_is_refused_is_said_and_asked_for_again_while_events_flow(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.faults.forbidden = frozenset({"Status"})
    naps = Naps(0)
    one = await linked(up=False, sleep=naps)
    await until(lambda: naps.lengths)
    asterisk.say(hangup())
    await until(lambda: one.of(events.Hangup))
    assert str(one.troubles[0]).startswith("Asterisk would not tell what lives in it: Permission denied")
    assert not one.of(events.Resync)
    assert naps.lengths == [5.0]


async def test_an_asterisk_that_boots_late_is_looked_at_again(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.faults.not_booted = True
    one = await linked(settings={"boot_timeout": 0.05})
    asterisk.say(event("FullyBooted"))
    await until(lambda: len(one.of(events.Resync)) == 2)


async def test_without_timestamps_time_is_ours(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.answers["Ping"] = fake_pbx.ok
    one = await linked(clock=lambda: 1000.0)
    asterisk.say(message(Event="Hangup", Channel="x", Uniqueid="u", Linkedid="u"))
    await until(lambda: one.of(events.Hangup))
    assert one.of(events.Hangup)[0].at == 1000.0


async def test_the_clock_of_another_machine_is_followed(linked: Link) -> None:
    one = await linked(clock=lambda: time.time() - 3600)
    assert abs(one.link.now() - time.time()) < 60


async def test_another_machines_clock_is_followed_between_pictures_too(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked(settings={"ping_interval": 0.01})
    asterisk.answers["Ping"] = lambda action: fake_pbx.ok(action, Timestamp=f"{time.time() + 3600:.6f}")
    await until(lambda: one.link.now() > time.time() + 3000)


async def test_two_pictures_asked_for_at_once_are_made_one_after_the_other(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    """Else an event could be passed on between the second picture and its Resync: a call would be lost."""
    one = await linked()
    asterisk.faults.mute_actions = frozenset({"Status"})
    asked = len(asterisk.actions("Ping"))
    both = asyncio.gather(one.link.resync(), one.link.resync(), return_exceptions=True)
    await until(lambda: len(asterisk.actions("Status")) == 2)
    assert len(asterisk.actions("Ping")) == asked + 1
    asterisk.drop()
    await both


async def test_a_picture_that_fails_lets_the_events_go_on(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    asterisk.faults.forbidden = frozenset({"Status"})
    with pytest.raises(ActionRefused):
        await one.link.resync()
    asterisk.say(hangup())
    await until(lambda: one.of(events.Hangup))
    assert one.link.connected


async def test_long_after_a_picture_a_clock_put_back_hides_no_call(
    asterisk: FakeAsterisk, linked: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "STALE_FOR", -1.0)
    one = await linked()
    who = {"Channel": "PJSIP/101-0", "Uniqueid": "u.1", "Linkedid": "u.1"}
    asterisk.say(stamped("BridgeEnter", time.time() - 5, BridgeUniqueid="b1", **who))
    await until(lambda: one.of(events.BridgeEnter))


async def test_a_big_picture_is_whole(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.channels = [{**ONE, "Uniqueid": f"u.{number}"} for number in range(3000)]
    one = await linked()
    picture = one.events[0]
    assert isinstance(picture, events.Resync)
    assert [channel.uniqueid for channel in picture.channels] == [f"u.{n}" for n in range(3000)]


async def test_asterisks_database_is_written_read_and_cleared(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    await one.link.db_put("recorderd/fail", "101", "open")
    await one.link.db_put("recorderd/emergency", "112", "1")
    assert await one.link.db_get_tree("recorderd") == {"fail/101": "open", "emergency/112": "1"}
    await one.link.db_del_tree("recorderd")
    await one.link.db_del_tree("recorderd")
    assert asterisk.database == {}
    with pytest.raises(AmiError, match="line end"):
        await one.link.db_put("recorderd", "1\r\nAction: Originate", "x")


async def test_a_refused_login_is_told_and_shown(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    naps = Naps(0)
    one = await linked(up=False, sleep=naps)
    await until(lambda: naps.lengths)
    assert "refused the login of manager user 'recorderd'" in str(one.link.trouble)
    assert [str(trouble) for trouble in one.troubles] == [str(one.link.trouble)]
    assert not one.events


async def test_closing_puts_the_loss_and_nothing_after_it(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    await one.link.close()
    assert [type(event) for event in one.events] == [events.Resync, events.ConnectionLost]
    await until(lambda: not asterisk.sessions)
