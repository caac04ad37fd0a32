"""The same connection beside a real Asterisk 22 and 16, with real telephones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recorderd.ami import actions, translate, wire
from recorderd.ami.client import AmiClient
from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings
from recorderd.core import commands, events
from recorderd.errors import ActionRefused, LoginRefused
from tests.ami.conftest import until
from tests.live.asterisk import Asterisk
from tests.live.phone import Phones

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", params=[22, 16], ids=["22", "16"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    asterisk = Asterisk.start(request.param, tmp_path_factory.mktemp("asterisk"))
    yield asterisk
    asterisk.stop()


def at(real: Asterisk, **changes: object) -> AmiSettings:
    values = {"port": real.ami_port, "username": "recorderd", "secret": real.secret, **changes}
    return AmiSettings(**values)  # type: ignore[arg-type]


class Ear:
    """A link and what it put."""

    def __init__(self, real: Asterisk) -> None:
        self.events: list[events.Event] = []
        self.troubles: list[object] = []
        self.link = AsteriskLink(at(real), self.events.append, on_trouble=self.troubles.append)

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.events if type(event) is kind]


@asynccontextmanager
async def linked(real: Asterisk) -> AsyncIterator[Ear]:
    ear = Ear(real)
    running = asyncio.create_task(ear.link.run())
    try:
        await until(lambda: ear.link.connected)
        yield ear
    finally:
        await ear.link.close()
        await running


@asynccontextmanager
async def a_call(real: Asterisk) -> AsyncIterator[None]:
    """101 and 102 talk."""
    async with Phones(real) as phones:
        call, _ = await phones.connect(await phones("101"), await phones("102"))
        try:
            yield
        finally:
            await call.hangup()


async def test_the_rights_that_the_manual_asks_for_are_enough(real: Asterisk) -> None:
    async with linked(real) as ear:
        allowed = await ear.link._client.send_action({"Action": "ListCommands"})
        assert allowed.headers.keys() >= actions.NEEDED
        await until(lambda: ear.link.version.startswith(f"{real.version}."))
        assert ear.of(events.Resync)[0] == ear.events[0]
        assert not ear.troubles


async def test_a_wrong_secret_is_one_sentence(real: Asterisk) -> None:
    troubles: list[Exception] = []
    client = AmiClient(at(real, secret="wrong"), ["Hangup"], on_event=print, on_trouble=troubles.append)
    running = asyncio.create_task(client.run())
    await until(lambda: troubles)
    await client.close()
    await running
    assert isinstance(troubles[0], LoginRefused)
    assert str(troubles[0]).endswith("refused the login of manager user 'recorderd': Authentication failed")


async def test_asterisk_sends_wanted_events_and_no_others(real: Asterisk) -> None:
    """Counted on the wire: the filter works on both versions, exact to the name."""
    received = bytearray()
    heard: list[bytes] = []
    client = AmiClient(at(real), translate.PARSERS.keys(), on_event=heard.append)
    running = asyncio.create_task(client.run())
    await until(lambda: client.connected)
    connection = client._current
    assert connection is not None
    plain = connection.data_received
    connection.data_received = lambda data: (received.extend(data), plain(data))[1]  # type: ignore[method-assign]
    async with a_call(real):
        pass
    await until(lambda: sum(b"Event: Cdr" in one for one in heard) >= 1)
    await client.close()
    await running
    names = [line[7:].decode() for line in received.split(b"\r\n") if line.startswith(b"Event: ")]
    assert {"Newchannel", "DialBegin", "DialEnd", "BridgeEnter", "BridgeLeave", "Hangup", "Cdr"} <= set(names)
    assert [name for name in names if name not in translate.PARSERS] == []


async def test_a_call_is_heard_in_the_words_of_the_core(real: Asterisk) -> None:
    before = len(await asyncio.to_thread(real.cdrs))
    async with linked(real) as ear:
        async with a_call(real):
            await until(lambda: len(ear.of(events.BridgeEnter)) == 2)
        await until(lambda: ear.of(events.CdrWritten) and len(ear.of(events.Hangup)) == 2)
        kinds = [type(event).__name__ for event in ear.events if not isinstance(event, events.CdrWritten)]
        start = kinds[: kinds.index("BridgeLeave")]
        assert start == [
            *("Resync", "Newchannel", "Newchannel", "DialBegin", "DialEnd", "BridgeEnter", "BridgeEnter")
        ]
        dial = ear.of(events.DialBegin)[0]
        assert isinstance(dial, events.DialBegin)
        assert (dial.channel or "").startswith("PJSIP/101-")
        assert dial.dest_channel.startswith("PJSIP/102-")
        cdr = ear.of(events.CdrWritten)[0]
        assert isinstance(cdr, events.CdrWritten)
        await until(lambda: len(real.cdrs()) > before)
        row = (await asyncio.to_thread(real.cdrs))[-1]
        assert (cdr.cdr.uniqueid, cdr.cdr.linkedid) == (row["uniqueid"], row["linkedid"])
        assert cdr.cdr.sequence == int(row["sequence"])
        assert abs(cdr.cdr.end - cdr.at) < 3
        assert ear.link.malformed == 0


async def test_a_lane_starts_at_once_stops_for_good_and_is_found_by_a_restart(
    real: Asterisk, tmp_path: Path
) -> None:
    path = tmp_path / "2026" / "lane.wav"
    async with linked(real) as ear, a_call(real):
        await until(lambda: len(ear.of(events.BridgeEnter)) == 2)
        who = ear.of(events.BridgeEnter)[0]
        assert isinstance(who, events.BridgeEnter)
        ear.link.execute(commands.MixMonitor(lane_id="lane-1", uniqueid=who.uniqueid, path=str(path)))
        await until(lambda: ear.of(events.LaneStarted))
        started = ear.of(events.LaneStarted)[0]
        assert isinstance(started, events.LaneStarted)
        # The recorder's thread makes its file, and no sound is in it yet.
        await until(lambda: path.is_file() and path.stat().st_size == 44)

        async with linked(real) as later:
            picture = later.events[0]
            assert isinstance(picture, events.Resync)
            marked = {one.uniqueid: one for one in picture.channels}
            ours = marked[who.uniqueid]
            assert (ours.lane_id, ours.mixmonitor_id) == ("lane-1", started.mixmonitor_id)
            assert ours.bridge_uniqueid == who.bridge_uniqueid
            assert ours.bridge_technology in {"simple_bridge", "native_rtp"}
            assert {one.application for one in picture.channels} == {"Dial", "AppDial"}
            assert [one.lane_id for one in picture.channels if one is not ours] == [""]

        mute = commands.MixMonitorMute(
            lane_id="lane-1", uniqueid=who.uniqueid, mixmonitor_id=started.mixmonitor_id, muted=True
        )
        ear.link.execute(mute)
        stop = commands.StopMixMonitor(
            lane_id="lane-1", uniqueid=who.uniqueid, mixmonitor_id=started.mixmonitor_id
        )
        await until(lambda: path.stat().st_size > 44)  # the first buffer is full after two seconds
        ear.link.execute(stop)
        await until(lambda: ear.of(events.LaneStopped))
        final = path.stat().st_size
        ear.link.execute(stop)
        await until(lambda: ear.of(events.LaneStopFailed))
        assert path.stat().st_size == final
        # Asterisk answers in order, so everything before this has been answered.
        await ear.link._client.send_action({"Action": "ListCommands"})
        assert not ear.troubles


async def test_a_lane_on_a_channel_that_is_gone_is_refused(real: Asterisk) -> None:
    async with linked(real) as ear:
        ear.link.execute(commands.MixMonitor(lane_id="l", uniqueid="1.1", path="/tmp/never.wav"))
        ear.link.execute(commands.StopMixMonitor(lane_id="l", uniqueid="1.1", mixmonitor_id="0x7f1"))
        ear.link.execute(commands.StopForeign(uniqueid="1.1"))
        ear.link.execute(commands.OfferFeature(uniqueid="1.1"))
        await until(lambda: ear.of(events.LaneRefused) and ear.of(events.LaneStopFailed))
        refused = ear.of(events.LaneRefused)[0]
        assert isinstance(refused, events.LaneRefused)
        assert refused.reason == "No such channel"


async def test_the_feature_is_offered_before_the_bridge_and_nothing_is_overwritten(real: Asterisk) -> None:
    async with linked(real) as ear, Phones(real) as phones:
        caller, callee = await phones("101"), await phones("102")
        call = await caller.call("102")
        other = await callee.ringing()
        await until(lambda: ear.of(events.DialBegin))
        dial = ear.of(events.DialBegin)[0]
        assert isinstance(dial, events.DialBegin)
        assert dial.uniqueid
        features = commands.Setvar(uniqueid=dial.uniqueid, variable="DYNAMIC_FEATURES", value="automon")
        ear.link.execute(features)
        for uniqueid in (dial.uniqueid, dial.dest_uniqueid):
            ear.link.execute(commands.OfferFeature(uniqueid=uniqueid))
        send = ear.link._client.send_action

        async def offered(uniqueid: str) -> str:
            reply = await send({"Action": "Getvar", "Channel": uniqueid, "Variable": "DYNAMIC_FEATURES"})
            return reply.headers["Value"]

        await offered(dial.uniqueid)  # the answers to OfferFeature's own questions are in
        assert await offered(dial.uniqueid) == "automon#recorderd"
        assert await offered(dial.dest_uniqueid) == "recorderd"
        await other.reject()
        await call.ended()


async def test_the_longest_value_we_let_out_is_read_by_asterisk(real: Asterisk) -> None:
    async with linked(real) as ear:
        longest = "И" * ((wire.MAX_LINE - len("Val: ")) // 2)
        await ear.link.db_put("recorderd/test", "long", longest)
        assert await ear.link.db_get_tree("recorderd/test") == {"long": longest}
        await ear.link.db_del_tree("recorderd/test")
        await ear.link.db_del_tree("recorderd/test")


async def test_a_call_is_ended_by_its_uniqueid(real: Asterisk) -> None:
    async with linked(real) as ear, Phones(real) as phones:
        call, _ = await phones.connect(await phones("101"), await phones("102"))
        await until(lambda: ear.of(events.DialBegin))
        dial = ear.of(events.DialBegin)[0]
        assert isinstance(dial, events.DialBegin)
        assert dial.uniqueid
        send = ear.link._client.send_action
        await send(actions.redirect(dial.uniqueid, "rig-wait", "s"))
        await send(actions.hangup(dial.uniqueid))
        await call.ended()
        with pytest.raises(ActionRefused, match="No such channel"):
            await send(actions.hangup(dial.uniqueid))


async def test_a_restarted_asterisk_is_found_and_looked_at_again(real: Asterisk) -> None:
    async with linked(real) as ear:
        await asyncio.to_thread(real.restart)
        await until(lambda: len(ear.of(events.Resync)) == 2, within=60)
        # The records of the calls before come as late as the batch of Asterisk's CDR engine lets them.
        kinds = [type(event) for event in ear.events if not isinstance(event, events.CdrWritten)]
        assert kinds == [events.Resync, events.Shutdown, events.ConnectionLost, events.Resync]
        assert ear.link.connected
