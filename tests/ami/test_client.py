"""The connection, over real TCP, against an Asterisk that misbehaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from recorderd.ami import client as client_module
from recorderd.ami import fake_pbx, wire
from recorderd.ami.client import AmiClient
from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.fake_pbx import event, message
from recorderd.ami.pending import MOST
from recorderd.ami.session import event_filter
from recorderd.ami.settings import AmiSettings
from recorderd.ami.translate import PARSERS
from recorderd.errors import ActionLost, ActionRefused, AmiError, ConfigError, LoginRefused
from tests.ami.conftest import Heard, settings, until

Connect = Callable[..., "asyncio.Future[Heard]"]


class Naps:
    """Stands in for sleeping between attempts: notes how long, and lets `allowed` of them pass."""

    def __init__(self, allowed: int) -> None:
        self.lengths: list[float] = []
        self.allowed = allowed

    async def __call__(self, seconds: float) -> None:
        self.lengths.append(seconds)
        if len(self.lengths) > self.allowed:
            await asyncio.Event().wait()


# --- logging in


async def test_events_are_chosen_before_they_can_pour_in(asterisk: FakeAsterisk, connect: Connect) -> None:
    await connect()
    login, choice, mask = asterisk.received[:3]
    assert (login["Action"], login["Events"]) == ("Login", "system")
    assert (choice["Action"], choice["Operation"]) == ("Filter", "Add")
    assert (mask["Action"], mask["EventMask"]) == ("Events", "system,call,cdr,user")


def test_the_filter_is_exact_to_the_name_and_fits_a_line() -> None:
    assert event_filter(["Hangup", "Cdr"]) == "^Event: (Cdr|Hangup)[[:cntrl:]]"
    wire.header("Filter", event_filter([*PARSERS, "FullyBooted"]))


@pytest.mark.parametrize(("banner", "version"), [("5.0.4", "5.0.4"), ("11.0.0", "11.0.0"), ("x", "x")])
async def test_the_version_is_the_banners(
    asterisk: FakeAsterisk, connect: Connect, banner: str, version: str
) -> None:
    asterisk.banner = f"Asterisk Call Manager/{banner}"
    heard = await connect()
    assert heard.client.version == version


async def test_a_refused_filter_changes_nothing_but_the_traffic(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.forbidden = frozenset({"Filter"})
    heard = await connect()
    asterisk.say(event("VarSet"), event("Hangup", Uniqueid="1"), event("HangupRequest"))
    await until(lambda: heard.names)
    assert heard.names == ["Hangup"]


async def test_without_fully_booted_the_link_still_comes_up(asterisk: FakeAsterisk, connect: Connect) -> None:
    asterisk.faults.not_booted = True
    heard = await connect(settings={"boot_timeout": 0.05})
    assert heard.client.connected


async def test_a_port_that_is_not_asterisks_is_named_in_one_sentence(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.banner = "SSH-2.0-OpenSSH_9.2"
    heard = await connect(up=False)
    await until(lambda: heard.troubles)
    assert str(heard.troubles[0]) == (
        f"127.0.0.1:{asterisk.port} is not Asterisk's manager: it says 'SSH-2.0-OpenSSH_9.2'"
    )


async def test_a_peer_that_accepts_and_says_nothing_is_given_up(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.no_banner = True
    heard = await connect(up=False, settings={"connect_timeout": 0.05})
    await until(lambda: heard.troubles)
    assert "did not answer within 0.05 s" in str(heard.troubles[0])


async def test_a_login_that_is_never_answered_is_given_up(asterisk: FakeAsterisk, connect: Connect) -> None:
    asterisk.faults.mute_actions = frozenset({"Login"})
    heard = await connect(up=False, settings={"login_timeout": 0.05})
    await until(lambda: asterisk.connections > 1)
    assert "Login had no answer within 0.05 s" in str(heard.troubles[0])


async def test_a_closed_port_is_said_once_and_tried_for_ever(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    await asterisk.stop()
    naps = Naps(20)
    heard = await connect(up=False, sleep=naps)
    await until(lambda: len(naps.lengths) > 20)
    assert len(heard.troubles) == 1
    assert f"127.0.0.1:{asterisk.port} cannot be reached" in str(heard.troubles[0])


# --- a refused login


async def test_a_refused_login_is_said_once_and_tried_ever_more_slowly(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    naps = Naps(7)
    heard = await connect(up=False, sleep=naps)
    await until(lambda: len(naps.lengths) == 8)
    assert naps.lengths == [2, 4, 8, 16, 32, 60, 60, 60]
    assert len(heard.troubles) == 1
    assert isinstance(heard.troubles[0], LoginRefused)
    assert str(heard.troubles[0]) == (
        f"Asterisk at 127.0.0.1:{asterisk.port} refused the login of manager user 'recorderd': "
        "Authentication failed"
    )
    assert str(heard.client.trouble) == str(heard.troubles[0])
    assert not heard.ups


async def test_once_let_in_again_the_patience_starts_anew(asterisk: FakeAsterisk, connect: Connect) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    naps = Naps(100)

    async def let_in(seconds: float) -> None:
        asterisk.faults.refuse_login = "" if len(naps.lengths) == 2 else asterisk.faults.refuse_login
        await naps(seconds)

    heard = await connect(sleep=let_in, chance=lambda: 0.5)
    assert heard.client.trouble is None
    asterisk.drop()
    await until(lambda: heard.ups == 2)
    assert naps.lengths == pytest.approx([2, 4, 8, 0.055])  # at once: what is not armed by then is lost


async def test_a_refusal_does_not_slow_down_finding_an_asterisk_that_restarts(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    naps = Naps(4)

    async def nap(seconds: float) -> None:
        if len(naps.lengths) == 2:
            await asterisk.stop()
        await naps(seconds)

    heard = await connect(up=False, sleep=nap, chance=lambda: 1.0)
    await until(lambda: len(naps.lengths) == 5)
    assert naps.lengths == [2, 4, 8, 1.0, 1.0]
    assert [type(error) for error in heard.troubles] == [LoginRefused, AmiError]


async def test_the_secret_is_in_no_log_and_no_sentence(
    asterisk: FakeAsterisk, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asterisk.secret = "another"
    heard = await connect(up=False)
    await until(lambda: heard.troubles)
    assert "s3cret" not in caplog.text + str(heard.troubles) + repr(settings(asterisk))


def test_settings_that_could_say_more_than_a_login_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"asterisk\.secret: .* line end"):
        AmiSettings(username="recorderd", secret="x\r\nAction: Originate")
    with pytest.raises(ConfigError, match=r"asterisk\.port"):
        AmiSettings(username="recorderd", secret="x", port=70000)


# --- losing and finding Asterisk


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.01), (1.0, 0.1)])
async def test_a_lost_link_is_tried_again_at_once_with_jitter(
    asterisk: FakeAsterisk, connect: Connect, chance: float, delay: float
) -> None:
    naps = Naps(1)
    heard = await connect(sleep=naps, chance=lambda: chance)
    asterisk.drop()
    await until(lambda: heard.ups == 2)
    assert naps.lengths == [pytest.approx(delay)]
    assert len(heard.downs) == 1


async def test_a_restarted_asterisk_is_found_again(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    await asterisk.stop()
    await until(lambda: heard.downs)
    assert not heard.client.connected
    await asterisk.start()
    await until(lambda: heard.ups == 2)
    asterisk.say(event("Hangup"))
    await until(lambda: heard.names)


async def test_silence_is_noticed_and_ended(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect(settings={"ping_interval": 0.02, "ping_deadline": 0.1})
    asterisk.faults.silent = True
    await until(lambda: heard.downs)
    assert heard.downs == ["Asterisk was silent for 0.1 s"]
    asterisk.faults.silent = False
    await until(lambda: heard.ups == 2)


async def test_a_late_ping_while_events_flow_is_not_silence(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect(settings={"ping_interval": 0.01, "ping_deadline": 0.1})
    asterisk.faults.delays["Ping"] = 0.25
    pings = len(asterisk.actions("Ping"))
    while len(asterisk.actions("Ping")) < pings + 2:
        asterisk.say(event("Hangup"))
        await asyncio.sleep(0.01)
    assert not heard.downs


async def test_an_endless_message_ends_the_connection_and_not_the_memory(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    asterisk.say(b"Event: VarSet\r\nValue: " + b"x" * (wire.MAX_MESSAGE + 100_000))
    await until(lambda: heard.ups == 2)
    assert "without an end" in heard.downs[0]


async def test_closing_really_ends_it(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    await heard.client.close()
    await until(lambda: not asterisk.sessions)
    assert heard.task.done() or await heard.task is None
    assert not heard.client.connected
    await heard.client.close()


async def test_cancelling_run_closes_the_connection(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    heard.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await heard.task
    await until(lambda: not asterisk.sessions)
    heard.task = asyncio.ensure_future(asyncio.sleep(0))


async def test_panoramisks_own_way_in_is_shut(asterisk: FakeAsterisk) -> None:
    client = AmiClient(settings(asterisk), ["Hangup"], on_event=lambda _message: None)
    with pytest.raises(AmiError, match="run"):
        client.connect()


# --- actions


async def test_an_action_while_down_fails_at_once_and_is_never_sent_later(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    await asterisk.stop()
    heard = await connect(up=False)
    with pytest.raises(ActionLost, match="MixMonitor was not sent"):
        heard.client.send_action({"Action": "MixMonitor"})
    await asterisk.start()
    await until(lambda: heard.ups)
    await heard.client.send_action({"Action": "Ping"})
    assert not asterisk.actions("MixMonitor")


async def test_an_action_under_way_at_the_loss_is_lost_and_never_sent_again(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.mute_actions = frozenset({"MixMonitor"})
    heard = await connect()
    answer = heard.client.send_action({"Action": "MixMonitor"})
    await until(lambda: asterisk.actions("MixMonitor"))
    asterisk.drop()
    with pytest.raises(ActionLost, match="MixMonitor had no answer: "):
        await answer
    await until(lambda: heard.ups == 2)
    await heard.client.send_action({"Action": "Ping"})
    assert len(asterisk.actions("MixMonitor")) == 1


async def test_an_error_is_an_exception_with_asterisks_own_words(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.forbidden = frozenset({"MixMonitor"})
    heard = await connect()
    with pytest.raises(ActionRefused, match="Permission denied"):
        await heard.client.send_action({"Action": "MixMonitor"})


async def test_no_answer_is_an_exception_after_the_deadline_and_nothing_is_left(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    asterisk.faults.wrong_ids = True
    answers = [heard.client.send_action({"Action": "Ping"}, deadline=0.05) for _ in range(50)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert {type(result) for result in results} == {ActionLost}
    assert heard.client._current is not None
    assert len(heard.client._current.pending) == 0


async def test_a_late_answer_is_told_to_whoever_asked_to_be_told(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    asterisk.faults.delays["MixMonitor"] = 0.1
    late: list[wire.Headers] = []
    with pytest.raises(ActionLost):
        await heard.client.send_action(
            {"Action": "MixMonitor", "Channel": "u"}, deadline=0.02, late=late.append
        )
    await until(lambda: late)
    assert late[0]["MixMonitorID"].startswith("0x")


async def test_a_value_with_a_line_end_raises_and_not_a_byte_goes_out(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    await heard.client.send_action({"Action": "Ping"})
    sent = len(asterisk.raw)
    with pytest.raises(AmiError, match="line end"):
        heard.client.send_action({"Action": "Setvar", "Value": "x\r\n\r\nAction: Originate"})
    await heard.client.send_action({"Action": "Ping"})
    assert b"Originate" not in asterisk.raw[sent:]
    assert len(asterisk.actions("Setvar")) == 0


async def test_an_asterisk_that_does_not_read_is_not_written_to_for_ever(
    asterisk: FakeAsterisk, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = await connect()
    connection = heard.client._current
    assert connection is not None
    monkeypatch.setattr(client_module, "MOST_UNSENT", -1)
    with pytest.raises(ActionLost, match="does not take"):
        heard.client.send_action({"Action": "Ping"})
    monkeypatch.undo()
    asterisk.faults.mute_actions = frozenset({"Ping"})
    answers = [heard.client.send_action({"Action": "Ping"}, deadline=60) for _ in range(MOST)]
    with pytest.raises(ActionLost, match="does not take"):
        heard.client.send_action({"Action": "Ping"})
    asterisk.drop()
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert {type(result) for result in results} == {ActionLost}


async def test_a_list_is_gathered_although_other_events_come_in_between(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    items = [message(Event="Status", Uniqueid=str(number)) for number in range(300)]

    def status(action: fake_pbx.Action) -> bytes:
        head, *rest = fake_pbx.listing(action, "StatusComplete", items).split(b"Event: Status\r\n")
        between = event("Hangup") + event("VarSet", ActionID="nobody") + event("Newchannel")
        return head + between + between.join(b"Event: Status\r\n" + one for one in rest)

    asterisk.answers["Status"] = status
    reply = await heard.client.send_action({"Action": "Status"}, each=wire.parse)
    assert [item["Uniqueid"] for item in reply.items] == [str(number) for number in range(300)]
    assert heard.names == ["Hangup", "Newchannel"] * 300


async def test_a_list_cut_off_by_the_loss_is_lost(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    asterisk.answers["Status"] = lambda action: fake_pbx.ok(action, EventList="start")
    answer = heard.client.send_action({"Action": "Status"}, each=wire.parse)
    await heard.client.send_action({"Action": "Ping"})
    asterisk.drop()
    with pytest.raises(ActionLost):
        await answer


async def test_a_list_that_is_refused_says_so(asterisk: FakeAsterisk, connect: Connect) -> None:
    asterisk.faults.forbidden = frozenset({"Status"})
    heard = await connect()
    with pytest.raises(ActionRefused, match="Permission denied"):
        await heard.client.send_action({"Action": "Status"}, each=wire.parse)


# --- events


@pytest.mark.parametrize("chunk", [0, 1, 7])
@pytest.mark.parametrize("blank_lines", [0, 1, 2])
async def test_events_come_whole_and_in_order_however_they_are_chopped_and_spaced(
    asterisk: FakeAsterisk, connect: Connect, chunk: int, blank_lines: int
) -> None:
    heard = await connect()
    asterisk.faults.chunk, asterisk.faults.blank_lines = chunk, blank_lines
    said = [event("Hangup", Uniqueid=str(number), CallerIDName="Иван Öz") for number in range(20)]
    asterisk.say(*[part for one in said for part in (event("TestEvent"), one)])
    await until(lambda: len(heard.names) == 20)
    parsed = [wire.parse(wire.start(one)) for one in heard.events if b"Hangup" in one]
    assert [one["Uniqueid"] for one in parsed] == [str(number) for number in range(20)]
    assert {one["CallerIDName"] for one in parsed} == {"Иван Öz"}


async def test_a_callback_that_raises_is_logged_and_loses_nothing_else(
    asterisk: FakeAsterisk, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    def on_event(one: bytes) -> None:
        heard.append(one)
        if b"bad" in one:
            raise RuntimeError("a fault of our own")

    running = await connect(on_event=on_event)
    asterisk.say(event("Hangup", Uniqueid="bad"), event("Hangup", Uniqueid="good"))
    await until(lambda: any(b"good" in one for one in heard))
    assert running.client.connected
    assert "a fault of our own" in caplog.text


async def test_an_unwanted_event_is_never_handed_on(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    asterisk.say(event("HangupRequest"), event("VarSet"), event("MixMonitorMute"), event("Hangup"))
    await until(lambda: heard.names)
    assert heard.names == ["Hangup"]


async def test_an_asterisk_that_is_silent_or_away_never_makes_us_overdue(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    quick = {"connect_timeout": 0.05, "ping_interval": 0.02, "ping_deadline": 0.02, "reconnect_within": 0.02}
    heard = await connect(settings=quick)
    late: list[float] = []

    def tried_again() -> bool:
        late.append(heard.client.overdue)
        return asterisk.connections > 5

    asterisk.faults.silent = True
    await until(tried_again)
    await asterisk.stop()
    await until(lambda: late.append(heard.client.overdue) or len(late) > 100)
    assert max(late) <= 0


async def test_a_connection_that_nobody_pings_is_overdue(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by hand, as no fault of the other side can bring it about."""

    async def hanging(*_arguments: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(client_module.session, "stay", hanging)
    monkeypatch.setattr(client_module, "_MARGIN", 0.0)
    heard = await connect(settings={"ping_interval": 0.02, "ping_deadline": 0.02})
    await until(lambda: heard.client.overdue > 0)
    assert heard.client.connected
