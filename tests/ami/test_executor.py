"""Commands carried out against a fake Asterisk, and the events that come of them."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from recorderd.ami import fake_pbx
from recorderd.ami.actions import BUILDERS
from recorderd.ami.executor import UNDER_WAY, Executor
from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.fake_pbx import event
from recorderd.core import commands, events
from tests.ami.conftest import Linked, until

Link = Callable[..., "asyncio.Future[Linked]"]
START = commands.MixMonitor(lane_id="l1", uniqueid="u.1", path="/spool/l1.wav")


def stop(mixmonitor_id: str, lane_id: str = "l1") -> commands.StopMixMonitor:
    return commands.StopMixMonitor(lane_id=lane_id, uniqueid="u.1", mixmonitor_id=mixmonitor_id)


async def started(one: Linked, command: commands.MixMonitor = START) -> str:
    """Starts a lane; its MixMonitorID."""
    before = len(one.of(events.LaneStarted))
    one.link.execute(command)
    await until(lambda: len(one.of(events.LaneStarted)) > before)
    answer = one.of(events.LaneStarted)[-1]
    assert isinstance(answer, events.LaneStarted)
    assert answer.lane_id == command.lane_id
    return answer.mixmonitor_id


async def settled(one: Linked) -> None:
    """Everything sent so far has been answered: Asterisk answers in order."""
    await one.link._client.send_action({"Action": "ListCommands"})
    await asyncio.sleep(0)


def reason(one: Linked, kind: type[events.Event]) -> str:
    return str(getattr(one.of(kind)[-1], "reason"))  # noqa: B009 - the kinds that have one


def test_every_command_for_asterisk_has_an_executor() -> None:
    executor = Executor(
        lambda *_a, **_k: None,  # type: ignore[arg-type, return-value]
        lambda _e: None,
        lambda: 0.0,
        str,
        str,
        ("f",),
        lambda: True,
        lambda _e: None,
    )
    assert executor._carry_out.keys() == BUILDERS.keys()


async def test_a_lane_that_asterisk_takes_is_started_and_marked_as_ours(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    mixmonitor_id = await started(one)
    await settled(one)
    assert asterisk.variables["u.1"] == {"RECORDERD": "l1", "RECORDERD_ID": mixmonitor_id}
    assert asterisk.actions("MixMonitor")[0]["Options"] == "br(/spool/l1.wav)i(RECORDERD_ID)"


@pytest.mark.parametrize(
    ("ami_version", "silence"), [("5.0.4", "S"), ("9.0.0", "S"), ("11.0.0", ""), ("?", "")]
)
async def test_silence_is_asked_for_where_asterisk_would_cut_it_out(
    asterisk: FakeAsterisk, linked: Link, ami_version: str, silence: str
) -> None:
    asterisk.banner = f"Asterisk Call Manager/{ami_version}"
    await started(await linked())
    options = asterisk.actions("MixMonitor")[0]["Options"]
    assert options == f"br(/spool/l1.wav){silence}i(RECORDERD_ID)"


async def test_nothing_is_put_from_within_execute(linked: Link) -> None:
    one = await linked()
    before = list(one.events)
    one.link.execute(START)
    one.link.execute(commands.MixMonitor(lane_id="l2", uniqueid="u.2", path="not absolute"))
    one.link.execute(stop("not an id"))
    assert one.events == before
    await until(
        lambda: one.of(events.LaneStarted) and one.of(events.LaneRefused) and one.of(events.LaneStopFailed)
    )


async def test_the_action_is_on_the_wire_before_execute_returns(asterisk: FakeAsterisk, linked: Link) -> None:
    """What passes between a BridgeEnter and its MixMonitor is lost audio, so there is no hop in between."""
    one = await linked()
    await settled(one)
    theirs = asterisk.sessions[0].writer.get_extra_info("socket")
    with socket.socket(fileno=os.dup(theirs.fileno())) as peer:
        one.link.execute(START)
        # Nothing else has run since: what the kernel holds for the other side was written by execute itself.
        assert select.select([peer], [], [], 5.0)[0]
        assert peer.recv(65536, socket.MSG_PEEK).startswith(b"Action: MixMonitor\r\nChannel: u.1\r\n")


async def test_a_lane_that_asterisk_refuses_is_refused_in_its_own_words_and_unmarked(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.answers["MixMonitor"] = lambda action: fake_pbx.fail(
        action, "Could not start monitoring channel"
    )
    one = await linked()
    one.link.execute(START)
    await until(lambda: one.of(events.LaneRefused))
    await settled(one)
    assert reason(one, events.LaneRefused) == "Could not start monitoring channel"
    assert asterisk.variables["u.1"]["RECORDERD"] == ""


async def test_a_missing_permission_refuses_the_lane_and_says_so(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.faults.forbidden = frozenset({"MixMonitor"})
    one = await linked()
    one.link.execute(START)
    await until(lambda: one.of(events.LaneRefused))
    assert reason(one, events.LaneRefused).startswith("Permission denied: the manager user needs")


async def test_while_down_a_lane_is_refused_at_once_and_never_started_later(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    await asterisk.stop()
    await until(lambda: one.of(events.ConnectionLost))
    one.link.execute(START)
    one.link.execute(stop("0x7f1"))
    await until(lambda: one.of(events.LaneRefused) and one.of(events.LaneStopFailed))
    assert "no connection" in reason(one, events.LaneRefused)
    await asterisk.start()
    await until(lambda: one.link.connected)
    await settled(one)
    assert not asterisk.actions("MixMonitor")
    assert not asterisk.actions("StopMixMonitor")


async def test_a_hostile_path_refuses_the_lane_and_sends_nothing(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    one.link.execute(commands.MixMonitor(lane_id="l1", uniqueid="u.1", path="/a,b\r\nAction: Originate"))
    await until(lambda: one.of(events.LaneRefused))
    await settled(one)
    assert not asterisk.actions("MixMonitor")
    assert not asterisk.actions("Setvar")


async def test_a_lane_answered_after_its_deadline_is_refused_and_stopped_again(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked(settings={"action_deadline": 0.1})
    asterisk.faults.delays["MixMonitor"] = 0.2
    one.link.execute(START)
    await until(lambda: one.of(events.LaneRefused))
    await until(lambda: asterisk.actions("StopMixMonitor"))
    await until(lambda: not asterisk.recorders["u.1"])
    assert not one.of(events.LaneStarted)


async def test_our_lane_is_stopped_and_its_marks_are_taken_off(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    one.link.execute(stop(await started(one)))
    await until(lambda: one.of(events.LaneStopped))
    await settled(one)
    assert asterisk.recorders["u.1"] == []
    assert asterisk.variables["u.1"] == {"RECORDERD": "", "RECORDERD_ID": ""}


async def test_a_lane_of_before_our_restart_is_stopped_by_its_marks(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.recorders["u.1"] = ["0x7f1"]
    asterisk.variables["u.1"] = {"RECORDERD": "l1", "RECORDERD_ID": "0x7f1"}
    one = await linked()
    one.link.execute(stop("0x7f1"))
    await until(lambda: one.of(events.LaneStopped))


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"RECORDERD": "l1", "RECORDERD_ID": "0x7f2"},
        {"RECORDERD": "l9", "RECORDERD_ID": "0x7f1"},
        {"RECORDERD_ID": "0x7f1"},
    ],
)
async def test_an_id_that_is_not_marked_as_ours_is_left_alone(
    asterisk: FakeAsterisk, linked: Link, marks: dict[str, str]
) -> None:
    asterisk.recorders["u.1"] = ["0x7f1"]
    asterisk.variables["u.1"] = marks
    one = await linked()
    one.link.execute(stop("0x7f1"))
    await until(lambda: one.of(events.LaneStopFailed))
    await settled(one)
    assert "the channel's recorder is " in reason(one, events.LaneStopFailed)
    assert asterisk.recorders["u.1"] == ["0x7f1"]


async def test_a_stop_that_asterisk_refuses_has_failed(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    mixmonitor_id = await started(one)
    asterisk.recorders["u.1"].clear()
    one.link.execute(stop(mixmonitor_id))
    await until(lambda: one.of(events.LaneStopFailed))
    assert reason(one, events.LaneStopFailed) == "Could not stop monitoring channel"


async def test_a_lane_started_while_another_stops_keeps_its_marks(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    first = await started(one)
    one.link.execute(stop(first))
    second = await started(one, commands.MixMonitor(lane_id="l2", uniqueid="u.1", path="/spool/l2.wav"))
    await until(lambda: one.of(events.LaneStopped) or one.of(events.LaneStopFailed))
    await settled(one)
    assert asterisk.variables["u.1"] == {"RECORDERD": "l2", "RECORDERD_ID": second}


@pytest.mark.parametrize("replaced", [True, False])
async def test_ours_beside_which_another_was_begun_is_stopped_only_where_that_is_known(
    asterisk: FakeAsterisk, linked: Link, replaced: bool
) -> None:
    """Its disk was frozen; the channel's marks are the other's, and stay."""
    one = await linked()
    first = await started(one)
    second = await started(one, commands.MixMonitor(lane_id="l2", uniqueid="u.1", path="/spool/l2.wav"))
    one.link.execute(replace(stop(first), replaced=replaced))
    await until(lambda: one.of(events.LaneStopped) or one.of(events.LaneStopFailed))
    assert asterisk.recorders["u.1"] == ([second] if replaced else [first, second])
    assert asterisk.variables["u.1"] == {"RECORDERD": "l2", "RECORDERD_ID": second}


async def test_anothers_recorder_is_stopped_where_none_of_ours_is(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    asterisk.recorders["u.1"] = ["0x7f1"]
    one = await linked()
    one.link.execute(commands.StopForeign(uniqueid="u.1", newest=True))
    await until(lambda: not asterisk.recorders["u.1"])


async def test_anothers_recorder_is_stopped_by_its_id_beside_ours(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    asterisk.recorders["u.1"] = ["0xabc"]
    ours = await started(one)
    one.link.execute(commands.StopForeign(uniqueid="u.1", mixmonitor_ids=("0xdead", "0xabc")))
    await until(lambda: asterisk.recorders["u.1"] == [ours])
    assert not one.of(events.ForeignGone)


@pytest.mark.parametrize("newest", [False, True])
async def test_anothers_recorder_that_is_not_there_is_told_of(
    asterisk: FakeAsterisk, linked: Link, newest: bool
) -> None:
    one = await linked()
    asterisk.recorders["u.1"] = []
    one.link.execute(commands.StopForeign(uniqueid="u.1", mixmonitor_ids=("0xdead",), newest=newest))
    await until(lambda: one.of(events.ForeignGone))
    (gone,) = one.of(events.ForeignGone)
    assert (gone.uniqueid, gone.nameless) == ("u.1", not newest)  # type: ignore[attr-defined]
    assert [a.get("MixMonitorID", "") for a in asterisk.actions("StopMixMonitor")] == ["0xdead"] + [
        ""
    ] * newest


async def test_what_the_variables_say_of_anothers_recorder_is_told(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    ours = await started(one)
    asterisk.variables["u.1"] |= {
        "MIXMONITOR_FILENAME": "/spool/monitor/2026/11/26/x.wav",
        "LOCAL_MIXMON_ID": "0xabc",
        "MIXMON_ID": ours,
        "REC_STATUS": "INITIALIZED",  # FreePBX says RECORDING some steps later
    }
    one.link.execute(commands.LookAtForeign(uniqueid="u.1"))
    await until(lambda: one.of(events.ForeignSeen))
    (seen,) = one.of(events.ForeignSeen)
    assert (seen.mixmonitor_ids, seen.path) == (("0xabc",), "/spool/monitor/2026/11/26/x.wav")  # type: ignore[attr-defined]


async def test_our_own_recorder_is_never_taken_for_anothers(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    ours = await started(one)
    one.link.execute(commands.StopForeign(uniqueid="u.1", newest=True))
    one.link.execute(commands.StopForeign(uniqueid="u.1", mixmonitor_ids=(ours,)))
    await settled(one)
    await settled(one)
    assert len(asterisk.recorders["u.1"]) == 1
    assert not asterisk.actions("StopMixMonitor")


@pytest.mark.parametrize(("muted", "state"), [(True, "1"), (False, "0")])
async def test_muting_names_the_one_recorder(
    asterisk: FakeAsterisk, linked: Link, muted: bool, state: str
) -> None:
    one = await linked()
    one.link.execute(
        commands.MixMonitorMute(lane_id="l1", uniqueid="u.1", mixmonitor_id="0x7f1", muted=muted)
    )
    await until(lambda: asterisk.actions("MixMonitorMute"))
    action = asterisk.actions("MixMonitorMute")[0]
    assert (action["State"], action["MixMonitorID"], action["Channel"]) == (state, "0x7f1", "u.1")


async def test_an_asterisk_that_can_lock_up_on_muting_is_not_asked_to(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    """asterisk issue 233; the mask is carried out when the file is made."""
    asterisk.version = "18.18.0"
    asterisk.banner = "Asterisk Call Manager/7.0.3"
    one = await linked()
    await until(lambda: one.link.version == "18.18.0")
    one.link.execute(commands.MixMonitorMute(lane_id="l1", uniqueid="u", mixmonitor_id="0x7f1", muted=True))
    one.link.execute(commands.Setvar(uniqueid="u", variable="AFTER", value="1"))
    await until(lambda: asterisk.actions("Setvar"))
    assert asterisk.actions("MixMonitorMute") == []


async def test_talks_that_may_not_go_on_are_sent_to_the_prompt_or_hung_up(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    asterisk.answers["Redirect"] = lambda action: fake_pbx.fail(action, "no such context")
    asterisk.answers["Hangup"] = lambda action: fake_pbx.ok(action)
    one.link.execute(commands.EndTalk(uniqueids=("u.1", "u.2")))
    await until(lambda: len(asterisk.actions("Hangup")) == 2)
    assert asterisk.actions("Redirect")[0]["ExtraChannel"] == "u.2"
    assert [action["Channel"] for action in asterisk.actions("Hangup")] == ["u.1", "u.2"]


async def test_muting_that_fails_is_told_to_people(asterisk: FakeAsterisk, linked: Link) -> None:
    asterisk.answers["MixMonitorMute"] = lambda action: fake_pbx.fail(action, "Cannot set mute flag")
    one = await linked()
    one.link.execute(commands.MixMonitorMute(lane_id="l1", uniqueid="u", mixmonitor_id="0x7f1", muted=True))
    await until(lambda: one.troubles)
    assert str(one.troubles[0]) == "muting lane l1 failed: Cannot set mute flag"


async def test_a_variable_is_set_and_one_that_cannot_be_harms_nothing(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    one.link.execute(commands.Setvar(uniqueid="u.1", variable="CDR(recordingfile)", value="a.wav"))
    one.link.execute(commands.Setvar(uniqueid="u.1", variable="X", value="a\r\nAction: Originate"))
    one.link.execute(commands.Setvar(uniqueid="u.1", variable="SHELL(x;y)", value="a"))
    await settled(one)
    assert asterisk.variables["u.1"] == {"CDR(recordingfile)": "a.wav"}
    assert not asterisk.actions("Originate")


@pytest.mark.parametrize("push", [True, False])
@pytest.mark.parametrize(("offered", "after"), [("", "rec1"), ("automon", "automon#rec1"), ("rec1", "rec1")])
async def test_the_feature_code_is_offered_beside_what_is_there(
    asterisk: FakeAsterisk, linked: Link, offered: str, after: str, push: bool
) -> None:
    """`push`: this Asterisk has func_strings."""
    asterisk.variables["u.1"]["DYNAMIC_FEATURES"] = offered
    if not push:
        setvar = asterisk.answers["Setvar"]
        asterisk.answers["Setvar"] = lambda action: (
            fake_pbx.fail(action, "Variable not set") if "PUSH" in action["Variable"] else setvar(action)
        )
    one = await linked(settings={"feature": "rec1"})
    one.link.execute(commands.OfferFeature(uniqueid="u.1"))
    await until(lambda: asterisk.actions("Getvar"))
    await settled(one)
    await settled(one)
    assert asterisk.variables["u.1"]["DYNAMIC_FEATURES"] == after


async def test_the_feature_code_is_offered_without_waiting_for_an_answer(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    """Who answers a millisecond after it rings has it all the same."""
    asterisk.answers["Getvar"] = lambda _action: b""
    one = await linked(settings={"feature": "rec1"})
    one.link.execute(commands.OfferFeature(uniqueid="u.1"))
    await until(lambda: asterisk.variables["u.1"].get("DYNAMIC_FEATURES") == "rec1")


async def test_a_channel_that_is_gone_before_it_is_offered_the_code_is_no_fault_of_ours(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    for name in ("Getvar", "Setvar"):
        asterisk.answers[name] = lambda action: fake_pbx.fail(action, "No such channel")
    one = await linked()
    unheard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
    one.link.execute(commands.OfferFeature(uniqueid="u.1"))
    await until(lambda: asterisk.actions("Setvar"))
    await settled(one)
    gc.collect()
    assert not unheard


async def test_a_channel_that_is_gone_is_forgotten(asterisk: FakeAsterisk, linked: Link) -> None:
    one = await linked()
    await started(one)
    assert one.link._executor._marks
    asterisk.say(event("Hangup", Channel="x", Uniqueid="u.1", Linkedid="u.1"))
    await until(lambda: one.of(events.Hangup))
    assert not one.link._executor._marks


def lane(n: int) -> commands.MixMonitor:
    return commands.MixMonitor(lane_id=f"l{n}", uniqueid=f"u.{n}", path=f"/spool/l{n}.wav")


async def test_thousands_of_recorders_at_once_are_begun_in_their_order_a_few_at_a_time(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    await settled(one)
    for n in range(5000):
        one.link.execute(lane(n))
    # A command and its mark go out in one breath, so there may be one more.
    assert one.link._executor._under_way <= UNDER_WAY + 1
    await until(lambda: len(one.of(events.LaneStarted)) == 5000, within=60)
    assert not one.of(events.LaneRefused)
    asked = [
        (a["Action"], a["Channel"]) for a in asterisk.received if a["Action"] in ("MixMonitor", "Setvar")
    ]
    assert asked == [(action, f"u.{n}") for n in range(5000) for action in ("MixMonitor", "Setvar")]


async def test_where_more_is_asked_for_than_is_answered_recorders_come_first(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    await settled(one)
    before = len(asterisk.received)
    for n in range(UNDER_WAY + 50):
        one.link.execute(commands.Setvar(uniqueid=f"u.{n}", variable="CDR(recordingfile)", value="x.wav"))
    one.link.execute(lane(1))
    one.link.execute(lane(2))
    await until(lambda: len(asterisk.received) - before == UNDER_WAY + 50 + 4)
    asked = [a["Action"] for a in asterisk.received[before:]]
    recorders = [n for n, action in enumerate(asked) if action == "MixMonitor"]
    assert recorders == [UNDER_WAY, UNDER_WAY + 2], "each with its mark, before all that waits"


async def test_a_channel_that_is_gone_has_no_mark_to_be_taken_off(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    one = await linked()
    asterisk.answers["MixMonitor"] = lambda action: fake_pbx.fail(action, "No such channel")
    one.link.execute(START)
    await until(lambda: one.of(events.LaneRefused))
    await settled(one)
    assert [a["Value"] for a in asterisk.actions("Setvar")] == ["l1"]


async def test_what_waited_for_its_turn_when_the_link_broke_is_not_asked_for_later(
    asterisk: FakeAsterisk, linked: Link
) -> None:
    """The next picture shows that it is not there, and the engine asks again."""
    asterisk.faults.mute_actions = frozenset({"MixMonitor", "Setvar"})
    one = await linked()
    for n in range(300):
        one.link.execute(lane(n))
    await until(lambda: len(asterisk.actions("MixMonitor")) == UNDER_WAY // 2)
    asterisk.drop()
    await until(lambda: one.of(events.ConnectionLost))
    asterisk.faults.mute_actions = frozenset()
    await until(lambda: one.link.connected)
    await started(one, lane(300))
    assert asterisk.actions("MixMonitor")[-1]["Channel"] == "u.300"
    assert len(asterisk.actions("MixMonitor")) == UNDER_WAY // 2 + 1


async def test_a_command_that_is_not_asterisks_is_an_error_of_the_caller(linked: Link) -> None:
    one = await linked()
    with pytest.raises(KeyError):
        one.link.execute(commands.Unwatch(lane_id="l1"))
