"""What the engine does in the moments that once went wrong, or could: one call each, step by step."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from recorderd.core import commands, events
from recorderd.core.conditions import Hours
from recorderd.core.engine import Settings
from recorderd.core.policy import ExtensionPolicy, Mode, Policy, Rule, Situation
from recorderd.core.rows import Conversation, Interval, Lane, LaneState, Outcome, Recording, RecordingState
from recorderd.core.rules import Reader
from tests.core.people import A, D, N, chooses, policy
from tests.core.tape import press, tape, uid
from tests.core.test_calls import ANSWER, END, RING
from tests.core.world import Monitor, World

CALLER, CALLEE = "101-00", "102-01"


def sent(world: World, *kinds: type[commands.Command]) -> list[commands.Command]:
    return [command for command in world.sent if isinstance(command, kinds)]


def on(world: World, token: str) -> list[Monitor]:
    """The recorders that Asterisk really holds on this channel."""
    return world.truth.channels[uid(token)].monitors


def play(world: World, text: str, wait: float = 0.0) -> None:
    world.play(tape(text, start=world.now))
    world.wait(wait)


def outcomes(world: World) -> list[Outcome]:
    return [interval.outcome for interval in world.saved(Interval)]


class Asked:
    """A condition that never holds, and counts how often it was asked."""

    times = 0

    def matches(self, _situation: Situation) -> bool:
        self.times += 1
        return False


def test_news_of_a_recorder_decides_nothing_anew() -> None:
    """What should be recorded is as it was: only what is has changed."""
    asked = Asked()
    world = World(policy(default=A, rules=(Rule(name="r", mode=Mode.NEVER, conditions=(asked,)),)))
    world.latency = 0.5
    play(world, RING + ANSWER)
    before = asked.times
    assert before > 0
    assert world.saved(Recording)[0].state is RecordingState.ARMED
    world.wait(1)  # Asterisk answers, and the files are seen
    assert world.saved(Recording)[0].state is RecordingState.RECORDING
    assert asked.times == before


# --- a plain call ------------------------------------------------------------------------------


def test_the_caller_is_armed_while_it_rings_and_the_callee_never_is() -> None:
    world = World(policy(default=A))
    play(world, RING, 1)
    assert (len(on(world, CALLER)), len(on(world, CALLEE))) == (1, 0)
    assert on(world, CALLER)[0].written == []
    play(world, ANSWER, 1)
    assert (len(on(world, CALLER)), len(on(world, CALLEE))) == (1, 1)
    assert len(sent(world, commands.MixMonitor)) == 2


def test_a_recorder_is_asked_for_before_whatever_can_wait() -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 1)
    kinds = [type(command) for command in sent(world, commands.MixMonitor, commands.OfferFeature)]
    assert kinds == [commands.MixMonitor, commands.OfferFeature, commands.OfferFeature, commands.MixMonitor]


def test_an_unanswered_call_leaves_no_file_and_no_link() -> None:
    world = World(policy(default=A))
    play(world, RING, 1)
    play(world, "dialend 102-01 NOANSWER\nhangup 102-01\nhangup 101-00", 2)
    assert world.files == set()
    assert [lane.state for lane in world.saved(Lane)] == [LaneState.DISCARDED]
    assert not sent(world, commands.Setvar)
    assert not world.saved(Recording)


@pytest.mark.parametrize("event_first", [False, True], ids=["reply first", "event first"])
def test_our_own_start_is_not_taken_for_somebody_elses(event_first) -> None:
    """MixMonitorStart names no recorder, and comes before or after the reply to our action."""
    world = World(policy(default=A))
    world.event_before_reply = event_first
    play(world, RING + ANSWER, 2)
    assert not world.engine.foreign.on(uid(CALLER))
    assert not world.engine.foreign.on(uid(CALLEE))
    world.policy = policy(default=N)
    world.hear(events.PolicyChanged(at=world.now, policy=world.policy))
    world.wait(2)
    play(world, END, 2)
    assert outcomes(world) == [Outcome.RECORDED, Outcome.NOT_BY_POLICY]
    assert not sent(world, commands.StopForeign)


def test_the_file_is_linked_on_the_leg_that_makes_the_row_once_it_is_seen_and_only_then() -> None:
    world = World(policy(default=A))
    play(world, RING, 1)
    assert not sent(world, commands.Setvar)
    play(world, ANSWER, 1)
    assert {(c.uniqueid, c.variable) for c in sent(world, commands.Setvar)} == {
        (uid(CALLER), "CDR(recordingfile)"),
    }
    (recording,) = world.saved(Recording)
    assert {c.value for c in sent(world, commands.Setvar)} == {recording.name}


def test_the_feature_code_is_offered_once_to_each_extension_before_it_talks() -> None:
    world = World(policy(default=D))
    play(world, "new trunk-04 ext=101\nnew 101-05 l=04\ndial trunk-04 101-05\nconsult trunk-04 101")
    assert [c.uniqueid for c in sent(world, commands.OfferFeature)] == [uid("101-05")]
    silent = World(policy(default=D), Settings(monitor="/m", lanes=("/l",), offer_feature=False))
    play(silent, RING)
    assert not sent(silent, commands.OfferFeature)


# --- arming ------------------------------------------------------------------------------------


def test_the_caller_is_armed_only_if_every_one_who_rings_would_be_recorded() -> None:
    world = World(policy(chooses("103", N), default=A))
    play(world, RING, 1)
    assert len(on(world, CALLER)) == 1
    play(world, "new 103-02 l=00\ndial 101-00 103-02", 1)
    assert len(on(world, CALLER)) == 0
    play(world, "dialend 103-02 CANCEL\nhangup 103-02", 1)
    assert len(on(world, CALLER)) == 1


def test_a_dialplan_that_asks_arms_before_anybody_rings() -> None:
    world = World(policy(default=A))
    play(world, "new 101-00 ext=102\nconsult 101-00 102", 1)
    assert len(on(world, CALLER)) == 1
    play(world, "new 102-01 l=00\ndial 101-00 102-01" + ANSWER, 1)
    assert len(sent(world, commands.MixMonitor)) == 2


def test_a_rule_about_a_trunk_holds_while_it_still_rings() -> None:
    """Else the caller's first words on that trunk would be lost, or taken and cut away again."""
    ringing = "new 101-00 ext=9061\nnew trunk-01 l=00\ndial 101-00 trunk-01 ext=9061"
    for mode, armed in ((A, 1), (N, 0)):
        reader = Reader()
        rules = reader.rules([{"name": "t", "when": {"trunk": "trunk"}, "mode": mode}])
        world = World(policy(default=N if armed else A, rules=rules))
        play(world, ringing, 1)
        assert len(on(world, CALLER)) == armed


def test_what_was_asked_for_goes_on_through_a_transfer_without_a_gap() -> None:
    world = World(policy(default=D))
    play(world, RING + ANSWER, 2)
    world.hear(press(CALLER, "start", world.now))
    world.wait(1)
    play(world, "leave 102-01 B1\nleave 101-00 B1\nhangup 102-01\nnew 103-02 l=00\ndial 101-00 103-02", 2)
    assert len(on(world, CALLER)) == 1, "it stays while the new one rings"
    play(world, "dialend 103-02 ANSWER\nenter 103-02 B2\nenter 101-00 B2", 1)
    lanes = [c.uniqueid for c in sent(world, commands.MixMonitor)]
    assert lanes.count(uid(CALLER)) == 1


# --- never -------------------------------------------------------------------------------------


def test_one_who_is_never_recorded_and_joins_stops_all_and_is_cut_off() -> None:
    world = World(policy(chooses("103", N), default=A))
    play(world, "new 101-00\nenter 101-00 C tech=softmix\nnew 102-01\nenter 102-01 C tech=softmix", 5)
    play(world, "new 103-02\nenter 103-02 C tech=softmix", 5)
    assert not any(on(world, token) for token in ("101-00", "102-01", "103-02"))
    play(world, "hangup 103-02", 5)
    assert len(on(world, "101-00")) == 1
    play(world, "hangup 101-00\nhangup 102-01", 3)
    first, second = world.saved(Recording)
    assert (first.segment, second.segment) == (1, 2)
    never = next(i for i in world.saved(Interval) if i.mode == N)
    for mix in world.mixes:
        for keep in (k for lane in mix.lanes for k in lane.keep):
            assert keep.end <= never.started_at - 0.059 or keep.start >= never.ended_at


def test_a_stop_waits_for_the_start_to_be_answered() -> None:
    world = World(policy(default=A))
    world.latency = 0.2
    play(world, RING)
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    assert not sent(world, commands.StopMixMonitor), "there is no id to stop it by yet"
    world.wait(2)
    assert len(sent(world, commands.StopMixMonitor)) == 1
    assert on(world, CALLER) == []


@pytest.mark.parametrize("fate", ["lost", "refuse"])
def test_a_stop_that_nobody_answered_is_asked_for_again(fate) -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 2)
    world.fates[commands.StopMixMonitor] = deque([fate])
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.wait(6)
    assert on(world, CALLER) == []
    assert on(world, CALLEE) == []


def test_somebody_elses_recorder_is_stopped_only_where_the_decision_is_never() -> None:
    for mode, stopped in ((A, 0), (D, 0), (N, 1)):
        world = World(policy(default=mode))
        play(world, RING + ANSWER, 2)
        world.foreign_monitor(uid(CALLEE))
        world.wait(3)
        theirs = [m for m in on(world, CALLEE) if not m.lane_id]
        assert len(theirs) == 1 - stopped
        assert len(sent(world, commands.StopForeign)) == stopped


def test_somebody_elses_recorder_that_cannot_be_stopped_is_a_fault_of_that_interval() -> None:
    world = World(policy(default=N))
    play(world, RING + ANSWER, 1)
    world.truth.channels[uid(CALLER)].lane_id = "in the way"
    world.foreign_monitor(uid(CALLER))
    world.wait(12)
    assert len(sent(world, commands.StopForeign)) > 1, "it is asked for again"
    play(world, END, 2)
    assert outcomes(world) == [Outcome.RECORDED_IN_ERROR]


# --- recorders that fail -----------------------------------------------------------------------


@pytest.mark.parametrize(("fate", "within"), [("ghost", 1.5), ("stall", 3.5), ("refuse", 0.1)])
def test_a_recorder_that_fails_is_alarmed_and_another_takes_over_for_good(fate, within) -> None:
    """The stop of the one that failed must not be taken for a stop of the one that follows it."""
    world = World(policy(default=A))
    world.fates[commands.MixMonitor] = deque(["", fate])
    play(world, RING + ANSWER, within)
    assert [alarm.kind for alarm in world.alarms] == ["recorder-failed"]
    world.wait(30)
    assert [alarm.kind for alarm in world.alarms] == ["recorder-failed"], "once"
    (monitor,) = on(world, CALLEE)
    assert monitor.healthy
    assert len(sent(world, commands.MixMonitor)) == 3
    play(world, END, 3)
    places = [c.path.split("/")[1] for c in sent(world, commands.MixMonitor)]
    assert places == ["spool", "spool", "spool" if fate == "refuse" else "spare"]
    (mix,) = world.mixes
    seen = [lane.seen for lane in mix.lanes if world.rows[Lane, lane.lane_id].uniqueid == uid(CALLEE)]
    assert seen == [fate == "stall", True], "what never was is not waited for"


def test_no_voice_is_taken_twice_while_a_failed_recorder_is_not_gone() -> None:
    """Its mark would be overwritten, and after a lost link nobody would know of it."""
    world = World(policy(default=A))
    world.latency = 0.3
    world.fates[commands.MixMonitor] = deque(["", "stall"])
    play(world, RING + ANSWER)
    for _ in range(80):
        world.wait(0.05)
        assert len(on(world, CALLEE)) <= 1
    assert on(world, CALLEE)[0].healthy


def test_a_quick_stop_and_start_does_not_kill_the_second_recorder() -> None:
    world = World(policy(default=D))
    play(world, RING + ANSWER, 2)
    for action in ("start", "stop", "start"):
        world.hear(press(CALLER, action, world.now))
        world.wait(0.0005)
    world.wait(5)
    assert [len(on(world, token)) for token in (CALLER, CALLEE)] == [1, 1]
    assert not world.alarms


def test_our_recorder_stopped_behind_our_back_is_told_at_once_and_replaced() -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    world.stop_newest(uid(CALLEE))
    assert "stopped by somebody else" in world.alarms[0].sentence
    world.wait(1)
    assert len(on(world, CALLEE)) == 1


def test_a_start_answered_too_late_does_not_stay_beside_its_successor() -> None:
    world = World(policy(default=A))
    world.fates[commands.MixMonitor] = deque(["done-unanswered"])
    play(world, RING + ANSWER, 10)
    assert len(on(world, CALLER)) == 1
    assert not world.engine.foreign.on(uid(CALLER))


def test_a_recording_of_nothing_ends_as_failed_and_is_forgotten() -> None:
    world = World(policy(default=A))
    world.fates[commands.MixMonitor] = deque(["refuse"] * 20)
    play(world, RING + ANSWER, 8)
    play(world, END, 3)
    assert [r.state for r in world.saved(Recording)] == [RecordingState.FAILED]
    assert outcomes(world) == [Outcome.NOT_RECORDED]
    assert not world.engine.lanes.by_id
    assert not world.mixes


def test_lanes_that_could_not_be_mixed_are_kept_and_say_why() -> None:
    world = World(policy(default=A))
    world.fates[commands.Mix] = deque(["disk full"])
    play(world, RING + ANSWER, 3)
    play(world, END, 3)
    assert {lane.path for lane in world.saved(Lane)} == world.files
    assert {lane.note for lane in world.saved(Lane)} == {"disk full"}
    assert "mix-failed" in {alarm.kind for alarm in world.alarms}
    assert not world.engine.lanes.by_id


def test_a_lane_of_two_recordings_is_kept_for_the_one_that_still_needs_it() -> None:
    """A party goes from one recorded conversation into another with its recorder running."""
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    consultation = (
        "new 102-02 ext=103\nnew 103-03 l=02\ndial 102-02 103-03\ndialend 103-03 ANSWER\n"
        "enter 103-03 B2 l=02\nenter 102-02 B2"
    )
    play(world, consultation, 3)
    play(world, "leave 101-00 B1\nleave 102-02 B2\nenter 101-00 B2 swap=102-02")
    play(world, "hangup 102-01\nhangup 102-02", 3)
    world.fates[commands.Mix] = deque(["disk full", ""])
    play(world, "hangup 101-00\nhangup 103-03", 5)
    assert len(world.mixes) == 2
    assert len(world.mixes[1].lanes) >= 2
    assert not world.engine.lanes.by_id
    shared = next(x for x in world.saved(Lane) if x.uniqueid == uid("103-03"))
    assert shared.path in world.files, "the failed mix needs it still"


# --- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(A, N), (N, A)])
def test_a_rule_about_the_time_of_day_begins_and_ceases_to_hold_in_the_middle_of_a_call(
    before, after
) -> None:
    start = 1_795_000_000.0 // 60 * 60 + 50  # ten seconds to the minute
    change = start + 10
    hour = f"{datetime.fromtimestamp(change, UTC):%H:%M}"
    rule = Rule(name="night", mode=after, conditions=(Hours.parse(f"{hour}-00:00", {}),))
    world = World(Policy(rules=(rule,), default=policy(default=before).default), start=start)
    play(world, RING + ANSWER, 20)
    play(world, END, 3)
    first, second = world.saved(Interval)
    assert (first.mode, second.mode) == (before, after)
    assert first.ended_at == second.started_at == change
    (mix,) = world.mixes
    assert all(
        (k.start >= change) if after == A else (k.end <= change - 0.059)
        for lane in mix.lanes
        for k in lane.keep
    )


def test_a_stamp_from_before_the_last_one_makes_no_interval_overlap() -> None:
    """A press is stamped by us, an event by Asterisk, which may be told late."""
    world = World(policy(default=D))
    play(world, RING + ANSWER, 2)
    world.hear(press(CALLER, "start", world.now + 0.01))
    play(world, "new 103-05")
    play(world, "enter 103-05 B1", 1)
    play(world, "hangup 103-05\nhangup 101-00\nhangup 102-01", 2)
    held = world.saved(Interval)
    assert len(held) > 1
    for before, after in pairwise(held):
        assert before.ended_at <= after.started_at


def test_a_stretch_begins_when_asterisk_says_it_did_not_when_we_were_told() -> None:
    world = World(policy(default=A))
    world.latency = 0.8
    play(world, RING + ANSWER, 3)
    play(world, END, 4)
    really = {m.lane_id: m.written[0][0] for _, m in world.truth.monitors if m.written}
    for lane in world.saved(Lane):
        assert lane.stretches[0][0] == pytest.approx(really[lane.id], abs=0.01)


def test_a_lanes_row_knows_its_stretches_at_every_moment() -> None:
    """After a crash nothing else tells where in the file a moment lies."""
    world = World(policy(default=A))
    play(world, RING + ANSWER, 2)
    play(world, "leave 101-00 B1\nleave 102-01 B1", 2)
    caller = next(x for x in world.saved(Lane) if x.uniqueid == uid(CALLER))
    assert [end is not None for _, end in caller.stretches] == [True]
    play(world, "enter 102-01 B2\nenter 101-00 B2", 2)
    caller = next(x for x in world.saved(Lane) if x.uniqueid == uid(CALLER))
    assert [end is not None for _, end in caller.stretches] == [True, False]


def test_two_conversations_of_one_channel_in_one_second_have_two_files() -> None:
    """One mix over the other would be a recording lost."""
    world = World(policy(default=A))
    play(world, "new 101-00\nenter 101-00 C tech=softmix\nnew 102-01\nenter 102-01 C tech=softmix")
    play(world, "new 103-02\nenter 103-02 D tech=softmix\nnew 104-03\nenter 104-03 D tech=softmix")
    play(world, "new 102-04\nleave 101-00 C\nenter 101-00 D tech=softmix\nhangup 102-01")
    play(world, "leave 101-00 D\nenter 101-00 E\nenter 102-04 E", 3)
    play(world, "hangup 101-00\nhangup 102-04\nhangup 103-02\nhangup 104-03", 3)
    names = [r.name for r in world.saved(Recording)]
    assert len(names) == len(set(names))
    assert len(names) >= 3


# --- policy changes ----------------------------------------------------------------------------


def test_a_new_policy_holds_for_running_calls_at_once() -> None:
    world = World(policy(default=N))
    play(world, RING + ANSWER, 2)
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=A)))
    world.wait(2)
    assert len(on(world, CALLER)) == len(on(world, CALLEE)) == 1
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.wait(2)
    assert on(world, CALLER) == on(world, CALLEE) == []
    play(world, END, 3)
    assert outcomes(world) == [Outcome.NOT_BY_POLICY, Outcome.RECORDED, Outcome.NOT_BY_POLICY]


def test_a_decision_is_kept_with_its_interval() -> None:
    rule = Rule(name="law", mode=Mode.ALWAYS, reason="says so")
    nobody = ExtensionPolicy(extension="", inbound=N, outbound=N)
    world = World(Policy(version=12, rules=(rule,), default=nobody))
    play(world, RING + ANSWER, 2)
    (interval,) = world.saved(Interval)
    assert (interval.policy_version, interval.reason) == (12, "rule “law” says always, says so")
    assert len(interval.trace) == 3


# --- the link ----------------------------------------------------------------------------------


def test_a_lost_link_is_alarmed_while_something_is_to_be_recorded() -> None:
    world = World(policy(default=A))
    world.lose_link()
    assert not world.alarms
    world.regain_link()
    play(world, RING + ANSWER, 2)
    world.lose_link()
    assert [alarm.kind for alarm in world.alarms] == ["link-lost"]


def test_recorders_run_on_through_a_lost_link_and_are_neither_doubled_nor_stopped() -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    before = [on(world, token)[0].path for token in (CALLER, CALLEE)]
    world.lose_link()
    world.wait(5)
    world.regain_link()
    world.wait(5)
    assert [m.path for token in (CALLER, CALLEE) for m in on(world, token)] == before
    play(world, END, 3)
    assert outcomes(world) == [Outcome.RECORDED]


def test_a_call_that_ended_while_the_link_was_lost_is_closed_by_the_picture() -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    world.lose_link()
    play(world, END, 1)
    world.regain_link()
    world.wait(3)
    assert all(row.ended_at for row in world.saved(Conversation))
    assert [r.state for r in world.saved(Recording)] == [RecordingState.CLOSED]


def test_a_call_that_began_while_the_link_was_lost_is_recorded_from_the_picture_on() -> None:
    world = World(policy(default=A))
    world.lose_link()
    play(world, RING + ANSWER, 1)
    world.regain_link()
    world.wait(1)
    assert len(on(world, CALLER)) == len(on(world, CALLEE)) == 1
    assert world.engine.talks.talks


def test_a_recorder_of_ours_that_nobody_knows_is_stopped_before_another_starts() -> None:
    """The store was away when this daemon started."""
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    world.die()
    world.rows.clear()
    world.rise()
    world.wait(2)
    for token in (CALLER, CALLEE):
        (monitor,) = on(world, token)
        assert (Lane, monitor.lane_id) in world.rows


def test_asterisk_going_down_ends_everything() -> None:
    world = World(policy(default=A))
    play(world, RING + ANSWER, 3)
    world.hear(events.Shutdown(at=world.now))
    assert not world.engine.calls.channels
    assert all(row.ended_at for row in world.saved(Conversation))
