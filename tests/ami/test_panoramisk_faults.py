"""Why panoramisk 1.4 is subclassed: each of its eleven faults, shown on it as it comes, and cured in ours.

The tests named `plain_...` describe panoramisk itself: when one fails, a newer release has cured that fault.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import pytest
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from recorderd.ami import wire
from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.fake_pbx import event
from recorderd.errors import ActionLost, AmiError, LoginRefused
from tests.ami.conftest import Heard, until
from tests.ami.test_client import Naps

Connect = Callable[..., "asyncio.Future[Heard]"]
Plain = Callable[..., "asyncio.Future[Manager]"]


@pytest.fixture
async def plain(asterisk: FakeAsterisk) -> AsyncIterator[Plain]:
    """panoramisk as it comes, reconnecting at once so that nobody waits."""
    managers: list[Manager] = []

    async def start(up: bool = True, **config: object) -> Manager:
        options = {"username": "recorderd", "secret": "s3cret", "reconnect_timeout": 0, **config}
        manager = Manager(host="127.0.0.1", port=asterisk.port, **options)
        managers.append(manager)
        manager.connect()
        if up:
            await until(lambda: manager.authenticated)
        return manager

    yield start  # type: ignore[misc]
    for manager in managers:
        manager.connect = lambda: None  # close() would not stop it: fault 2
        manager.close()
    await asyncio.sleep(0)


# 1. a refused login


async def test_plain_repeats_a_refused_login_for_ever_and_says_nothing(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    await plain(up=False)
    await until(lambda: len(asterisk.actions("Login")) > 5)


async def test_ours_says_a_refused_login_once_and_slows_down(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    asterisk.faults.refuse_login = "Authentication failed"
    naps = Naps(3)
    heard = await connect(up=False, sleep=naps)
    await until(lambda: len(naps.lengths) == 4)
    assert naps.lengths == [2, 4, 8, 16]
    assert [type(error) for error in heard.troubles] == [LoginRefused]


# 2. closing while it waits to reconnect


async def test_plain_connects_again_after_it_was_closed(asterisk: FakeAsterisk, plain: Plain) -> None:
    manager = await plain(reconnect_timeout=1)
    before = asterisk.connections
    asterisk.drop()
    await until(lambda: not manager._connected)
    manager.close()
    await until(lambda: asterisk.connections > before)


async def test_ours_stays_closed_when_closed_while_waiting(asterisk: FakeAsterisk, connect: Connect) -> None:
    naps = Naps(0)
    heard = await connect(sleep=naps)
    asterisk.drop()
    await until(lambda: naps.lengths)
    await heard.client.close()
    await heard.task
    assert asterisk.connections == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "ami"]


# 3. a half-open link


async def test_plain_never_notices_silence_and_leaks_a_future_a_ping(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    manager = await plain(ping_delay=0, ping_interval=0)
    asterisk.faults.silent = True
    await until(lambda: len(manager.protocol.responses) > 100)
    assert manager._connected


async def test_ours_notices_silence_and_keeps_nothing(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect(settings={"ping_interval": 0.01, "ping_deadline": 0.05})
    connection = heard.client._current
    assert connection is not None
    asterisk.faults.silent = True
    await until(lambda: heard.downs)
    assert "silent" in heard.downs[0]
    assert len(connection.pending) == 0


# 4. an action that timed out


async def test_plain_keeps_a_timed_out_action_for_ever_even_when_its_answer_comes(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    manager = await plain()
    asterisk.faults.delays["Status"] = 0.05
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(manager.send_action({"Action": "Status", "ActionID": "late"}), 0.01)
    asterisk.faults.delays["Getvar"] = 0.1  # answered after Status was
    await manager.send_action({"Action": "Getvar", "Channel": "u", "Variable": "v"})
    assert "late" in manager.protocol.responses


async def test_ours_forgets_a_timed_out_action_and_drops_its_answer(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect()
    asterisk.faults.delays["MixMonitorMute"] = 0.05
    with pytest.raises(ActionLost, match=r"within 0\.01 s"):
        await heard.client.send_action({"Action": "MixMonitorMute"}, deadline=0.01)
    asterisk.faults.delays["Getvar"] = 0.1
    await heard.client.send_action({"Action": "Getvar", "Channel": "u", "Variable": "v"})
    assert heard.client._current is not None
    assert len(heard.client._current.pending) == 0


# 5. a callback that raises


async def test_plain_loses_the_connection_and_the_rest_to_a_callback_that_raises(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    manager = await plain()
    heard: list[str] = []

    def callback(_manager: Manager, one: Message) -> None:
        heard.append(one.uniqueid)
        raise RuntimeError

    manager.register_event("Hangup", callback)
    before = asterisk.connections
    asterisk.say(event("Hangup", Uniqueid="1") + event("Hangup", Uniqueid="2"))
    await until(lambda: asterisk.connections > before)
    assert heard == ["1"]


async def test_ours_survives_a_callback_that_raises_and_hears_the_rest(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard: list[str] = []

    def callback(one: bytes) -> None:
        heard.append(wire.parse(one).get("Uniqueid", ""))
        raise RuntimeError

    running = await connect(on_event=callback)
    asterisk.say(event("Hangup", Uniqueid="1") + event("Hangup", Uniqueid="2"))
    await until(lambda: "2" in heard)
    assert heard[-2:] == ["1", "2"]
    assert running.client.connected


# 6. the order of events


async def test_plain_loses_the_order_of_events_to_coroutine_callbacks(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    manager = await plain()
    heard: list[str] = []

    async def callback(_manager: Manager, one: Message) -> None:
        if one.uniqueid == "1":  # some work, as a look-up would be
            await asyncio.sleep(0.01)
        heard.append(one.uniqueid)

    manager.register_event("Hangup", callback)
    asterisk.say(b"".join(event("Hangup", Uniqueid=str(number)) for number in (1, 2, 3)))
    await until(lambda: len(heard) == 3)
    assert heard == ["2", "3", "1"]


async def test_ours_hands_events_on_one_after_the_other(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    asterisk.say(b"".join(event("Hangup", Uniqueid=str(number)) for number in (1, 2, 3)))
    await until(lambda: len(heard.names) == 3)
    last = heard.events[-3:]
    assert [wire.parse(one)["Uniqueid"] for one in last] == ["1", "2", "3"]


# 7. a letter cut in two by the network


async def test_plain_loses_letters_at_the_edge_of_a_chunk(plain: Plain) -> None:
    manager = await plain()
    heard: list[str] = []
    manager.register_event("Hangup", lambda _manager, one: heard.append(one.calleridname))
    one = event("Hangup", CallerIDName="Иван", Uniqueid="1")
    middle = one.index("в".encode()) + 1
    manager.protocol.data_received(one[:middle])
    manager.protocol.data_received(one[middle:])
    assert heard == ["Иан"]


async def test_ours_keeps_letters_whole(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    asterisk.faults.chunk = 1
    asterisk.say(event("Hangup", CallerIDName="Иван", Uniqueid="1"))
    await until(lambda: heard.names)
    assert wire.parse(heard.events[-1])["CallerIDName"] == "Иван"


# 8. a line end in a value

HOSTILE = "x\r\n\r\nAction: Originate\r\nChannel: Local/9@anywhere\r\n"


async def test_plain_lets_a_callers_name_start_a_call(asterisk: FakeAsterisk, plain: Plain) -> None:
    manager = await plain()
    manager.send_action({"Action": "Setvar", "Channel": "u", "Variable": "NAME", "Value": HOSTILE})
    await until(lambda: asterisk.actions("Originate"))


async def test_ours_sends_nothing_of_it(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    with pytest.raises(AmiError, match="line end"):
        heard.client.send_action({"Action": "Setvar", "Channel": "u", "Variable": "NAME", "Value": HOSTILE})
    await heard.client.send_action({"Action": "Ping"})
    assert not asterisk.actions("Originate")
    assert not asterisk.actions("Setvar")


# 9. actions from before the reconnect


async def test_plain_sends_an_old_mixmonitor_again_after_a_reconnect(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    manager = await plain()
    asterisk.faults.mute_actions = frozenset({"MixMonitor"})
    manager.send_action({"Action": "MixMonitor", "Channel": "u"})
    await until(lambda: asterisk.actions("MixMonitor"))
    asterisk.drop()
    await until(lambda: len(asterisk.actions("MixMonitor")) == 2)


async def test_ours_never_sends_an_action_twice(asterisk: FakeAsterisk, connect: Connect) -> None:
    heard = await connect()
    asterisk.faults.mute_actions = frozenset({"MixMonitor"})
    answer = heard.client.send_action({"Action": "MixMonitor", "Channel": "u"})
    await until(lambda: asterisk.actions("MixMonitor"))
    asterisk.drop()
    with pytest.raises(ActionLost):
        await answer
    await until(lambda: heard.ups == 2)
    await heard.client.send_action({"Action": "Ping"})
    assert len(asterisk.actions("MixMonitor")) == 1


# 10. how a message is read

LAST_EMPTY = b"Event: VarSet\r\nVariable: RECORDERD\r\nValue: \r\n\r\n"


async def test_plain_loses_an_empty_last_header_unquotes_results_and_knows_every_attribute() -> None:
    protocol = AMIProtocol()
    protocol.connection_made(None)
    protocol.version, protocol.queue, heard = "5", deque(), []
    protocol.factory = type("Factory", (), {"dispatch": staticmethod(heard.append)})()
    protocol.data_received(LAST_EMPTY)
    assert "value" not in heard[0]
    assert heard[0].no_such_header == ""
    assert Message.from_line("Event: AsyncAGIExec\r\nResult: a%20b")["result"] == "a b"


def test_ours_reads_what_is_there_and_nothing_else() -> None:
    headers = wire.parse(wire.Splitter().feed(LAST_EMPTY)[0])
    assert headers["Value"] == ""
    assert "no_such_header" not in headers
    assert wire.parse(b"Result: a%20b")["Result"] == "a%20b"


# 11. limits


async def test_plain_waits_for_a_greeting_and_an_answer_without_end_and_keeps_all_it_hears(
    asterisk: FakeAsterisk, plain: Plain
) -> None:
    manager = await plain()
    asterisk.faults.mute_actions = frozenset({"MixMonitor"})
    answer = manager.send_action({"Action": "MixMonitor"})
    manager.protocol.data_received(b"x" * 3_000_000)
    assert sum(map(len, manager.protocol.queue)) >= 3_000_000
    done, _ = await asyncio.wait({answer}, timeout=0.1)
    assert not done


async def test_ours_has_a_deadline_for_each_and_a_bound_for_all(
    asterisk: FakeAsterisk, connect: Connect
) -> None:
    heard = await connect(settings={"action_deadline": 0.05})
    asterisk.faults.mute_actions = frozenset({"MixMonitor"})
    with pytest.raises(ActionLost, match=r"within 0\.05 s"):
        await heard.client.send_action({"Action": "MixMonitor"})
    asterisk.say(b"x" * 3_000_000)
    await until(lambda: heard.downs)
    assert "without an end" in heard.downs[0]
