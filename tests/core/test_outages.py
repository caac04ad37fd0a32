"""What is made of a time in which nobody told us anything, and of disks that fail: on the model Asterisk."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.places import Places
from recorderd.core.policy import FailMode, Lookback, Mode, Policy
from recorderd.core.rows import Interval, Lane, LaneState, Mark, Outcome, Recording, RecordingState
from tests.core.people import A, D, N, chooses, policy
from tests.core.tape import T, tape, uid
from tests.core.world import SETTINGS, World

BEGIN = """
new 101-00 ext=102
new 102-01 l=00
dial 101-00 102-01
"""
ANSWER = """
dialend 102-01 ANSWER
enter 102-01 B1
enter 101-00 B1
"""
END = """
leave 101-00 B1
hangup 101-00
leave 102-01 B1
hangup 102-01
"""
BOTH = policy(chooses("101", A), chooses("102", A))
NEVER = policy(chooses("101", A), chooses("102", N))
LANES, SPARE = SETTINGS.lanes


def found(world: World, *, answered: float, ended: dict[str, float] | None = None) -> None:
    """The link comes back, and the list says when the calls in it were answered."""
    world.wait(0.0)
    world.link_up = True
    world.deaf_times[-1][1] = world.now
    channels = tuple(replace(live, answered=answered) for live in world.truth.listed())
    world.hear(events.Resync(at=world.now, channels=channels, ended=ended or {}))


def intervals(world: World) -> list[Interval]:
    return [row for row in world.saved(Interval) if isinstance(row, Interval)]


def test_a_talk_that_began_unheard_is_in_the_ledger_from_its_answer_on() -> None:
    world = World(NEVER)
    world.play(tape(BEGIN))
    world.lose_link()
    world.play(tape(ANSWER, T + 1))
    answered = T + 1.003
    world.wait(2.0)
    found(world, answered=answered)
    assert [row.started_at for row in intervals(world)] == [answered]
    world.play(tape(END, world.now))
    assert [row.outcome for row in intervals(world)] == [Outcome.NOT_BY_POLICY]


def test_what_was_said_unheard_and_unrecorded_is_told_as_missing() -> None:
    world = World(BOTH)
    world.lose_link()
    world.play(tape(BEGIN + ANSWER, T + 1))
    world.wait(2.0)
    found(world, answered=T + 1.006)
    world.wait(3.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    (interval,) = intervals(world)
    assert interval.outcome is Outcome.PARTIAL
    assert interval.missing_ms == pytest.approx(2000, abs=100)


def test_a_recorder_that_was_armed_before_the_silence_has_all_of_its_voice() -> None:
    world = World(BOTH)
    world.play(tape(BEGIN))
    world.wait(0.5)
    world.lose_link()
    world.play(tape(ANSWER, world.now))
    answered = world.now
    world.wait(2.0)
    found(world, answered=answered)
    world.wait(1.0)
    caller = [row for row in world.saved(Lane) if isinstance(row, Lane) and row.uniqueid == uid("101-00")]
    assert caller[-1].stretches[0][0] == pytest.approx(answered, abs=0.01)


def test_a_list_that_does_not_say_when_a_call_was_answered_begins_it_now() -> None:
    calls = Calls()
    live = events.LiveChannel(channel="PJSIP/101-0", uniqueid="1.0", linkedid="1.0", bridge_uniqueid="B")
    calls.apply(events.ConnectionLost(at=10.0))
    calls.apply(events.Resync(at=20.0, channels=(live,)))
    assert calls.channels["1.0"].entered_at == 20.0


def test_a_call_known_before_the_silence_did_not_come_into_its_bridge_before_it() -> None:
    calls = Calls()
    live = events.LiveChannel(
        channel="PJSIP/101-0", uniqueid="1.0", linkedid="1.0", bridge_uniqueid="B", answered=5.0
    )
    calls.apply(events.ConnectionLost(at=10.0))
    calls.apply(events.Resync(at=20.0, channels=(live,)))
    assert calls.channels["1.0"].entered_at == 10.0


# --- disks -------------------------------------------------------------------------------------


def talking() -> World:
    world = World(BOTH)
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    return world


def lanes(world: World) -> list[Lane]:
    return [row for row in world.saved(Lane) if isinstance(row, Lane)]


def running(world: World) -> set[str]:
    """The places of the recorders that run."""
    engine = world.engine
    mine = [engine.lanes.on(uid(token)) for token in ("101-00", "102-01")]
    return {lane.path.rsplit("/", 4)[0] for lane in mine if lane is not None and lane.running}


def assert_only_those_on_the_spare_disk_run(world: World) -> None:
    """One of ours on each channel, and no mark of one that is still to be stopped."""
    for token in ("101-00", "102-01"):
        channel = world.truth.channels[uid(token)]
        assert [m.path.startswith(SPARE) for m in channel.monitors] == [True]
        assert not channel.replaced


@pytest.mark.parametrize("kind", ["full", "read-only", "frozen", "away"])
def test_recorders_leave_a_disk_that_fails_and_go_on_elsewhere(kind: str) -> None:
    world = talking()
    world.frozen = LANES if kind == "frozen" else world.frozen
    world.hear(events.PlaceFault(at=world.now, place=LANES, kind=kind))
    world.wait(1.0)
    assert running(world) == {SPARE}
    assert [a.kind for a in world.alarms].count("place-failed") == 1


def test_nothing_is_asked_of_a_frozen_disk_until_it_lives_again() -> None:
    world = talking()
    before = len(world.sent)
    world.frozen = LANES
    world.hear(events.PlaceFault(at=world.now, place=LANES, kind="frozen"))
    world.wait(1.0)
    assert not [c for c in world.sent[before:] if isinstance(c, commands.StopMixMonitor)]
    world.hear(events.PlaceWell(at=world.now, place=LANES))
    world.wait(1.0)
    stopped = [c for c in world.sent[before:] if isinstance(c, commands.StopMixMonitor)]
    assert {c.uniqueid for c in stopped} == {uid("101-00"), uid("102-01")}
    assert running(world) == {SPARE}


def test_what_a_recorder_took_on_a_frozen_disk_while_no_other_could_begin_is_not_missing() -> None:
    """Asterisk's manager session may be held by the disk as well; its recorder runs on, and writes after the thaw."""
    world = talking()
    world.fates[commands.MixMonitor] = deque(["lost"] * 9)
    world.freeze(LANES)
    world.wait(1.0)
    world.play(tape(END, world.now))
    world.wait(1.0)
    world.thaw()
    world.wait(2.0)
    assert [row.outcome for row in intervals(world)] == [Outcome.RECORDED]


def test_where_another_took_over_the_one_on_the_frozen_disk_is_stopped_after_it_and_heard_until_then() -> (
    None
):
    world = talking()
    world.freeze(LANES)
    world.wait(1.0)
    world.thaw()
    world.wait(1.0)
    for token in ("101-00", "102-01"):
        (left,) = world.truth.channels[uid(token)].monitors
        assert left.path.startswith(SPARE)
    world.play(tape(END, world.now))
    world.wait(2.0)
    assert [row.outcome for row in intervals(world)] == [Outcome.RECORDED]
    (mix,) = world.mixes
    for old, new in ((mix.lanes[0], mix.lanes[2]), (mix.lanes[1], mix.lanes[3])):
        assert old.path.rsplit("/", 1) != new.path.rsplit("/", 1)
        assert old.stretches[0].end - new.stretches[0].start == pytest.approx(1.0, abs=0.05), "it ran on"
        assert old.keep[-1].end == new.stretches[0].start, "no word is there twice"


def test_what_a_frozen_disk_kept_from_being_stopped_while_we_were_deaf_goes_before_another_comes() -> None:
    world = talking()
    world.lose_link()
    world.wait(0.2)
    world.freeze(LANES)
    world.wait(1.0)
    world.thaw()
    world.wait(0.2)
    world.regain_link()  # the model itself holds that no voice is taken twice
    world.wait(1.0)
    assert [len(world.truth.channels[uid(token)].monitors) for token in ("101-00", "102-01")] == [1, 1]
    world.play(tape(END, world.now))
    world.wait(2.0)
    assert sum(row.missing_ms for row in intervals(world)) < 20


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("losses", [1, 2, 3])
def test_one_that_began_unanswered_on_a_disk_which_then_froze_hinders_no_other_and_goes_after_the_thaw(
    losses: int, killed: bool
) -> None:
    """The link is lost before Asterisk's answer; what is found on the channel then, nobody can stop for now."""
    world = World(BOTH)
    world.lose_link()
    world.play(tape(BEGIN + ANSWER))
    world.regain_link()
    world.freeze(LANES)
    for _ in range(losses):
        world.lose_link()
        world.regain_link()
        world.wait(1.2)
    assert running(world) == {SPARE}
    if killed:
        world.die()
        world.rise()
    world.thaw()
    world.wait(3.0)
    assert_only_those_on_the_spare_disk_run(world)
    world.play(tape(END, world.now))
    world.wait(3.0)
    assert all(row.missing_ms < 1000 for row in intervals(world))


@pytest.mark.parametrize("thaws", ["while it is dead", "after it is back", "long after"])
def test_what_was_given_up_on_a_frozen_disk_is_stopped_though_the_daemon_was_killed_meanwhile(
    thaws: str,
) -> None:
    """Its id is with its channel; until a disk of which nothing was heard must be well it is not touched."""
    world = talking()
    world.freeze(LANES)
    world.wait(1.0)
    world.die()
    world.wait(0.5)
    if thaws == "while it is dead":
        world.frozen = "(none)"
    before = len(world.sent)
    world.rise()
    world.wait(1.5)
    assert not [c for c in world.sent[before:] if isinstance(c, commands.StopMixMonitor)]
    if thaws == "after it is back":
        world.thaw()
    world.wait(5.0)
    if thaws == "long after":
        assert not [c for c in world.sent[before:] if isinstance(c, commands.StopMixMonitor)]
        world.thaw()
        world.wait(1.0)
    assert_only_those_on_the_spare_disk_run(world)
    world.play(tape(END, world.now))
    world.wait(3.0)
    assert sum(row.missing_ms for row in intervals(world)) < 50


def test_a_mark_of_one_that_was_stopped_before_the_restart_changes_nothing() -> None:
    """Killed between the stop and the taking away of the mark."""
    world = talking()
    world.freeze(LANES)
    world.wait(1.0)
    marks = dict(world.truth.channels[uid("101-00")].replaced)
    world.thaw()
    world.wait(1.0)
    world.die()
    world.truth.channels[uid("101-00")].replaced = marks
    world.rise()
    world.wait(5.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    (mix,) = world.mixes
    ends = {lane.lane_id: lane.stretches[-1].end for lane in mix.lanes}
    assert ends[next(iter(marks))] < world.now - 8.0
    assert [row.outcome for row in intervals(world)] == [Outcome.RECORDED]


def test_of_a_recorder_that_was_adopted_the_words_before_another_took_over_are_not_cut_away() -> None:
    """With whom its party talked before is forgotten; that another took its voice is known, and forbids nothing."""
    world = talking()
    world.die()
    world.wait(0.5)
    world.rise()
    world.wait(1.0)
    world.freeze(LANES)
    world.wait(1.5)
    world.thaw()
    world.wait(1.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    (mix,) = world.mixes
    assert [lane.forbidden for lane in mix.lanes] == [()] * 4


def test_what_a_frozen_disk_cost_is_laid_before_its_thaw_though_the_daemon_was_killed_after_it() -> None:
    world = talking()
    world.freeze(LANES)
    world.wait(1.0)
    world.thaw()
    world.wait(1.0)
    world.die()
    world.wait(0.5)
    world.rise()
    world.wait(1.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    (mix,) = world.mixes
    old = [lane for lane in mix.lanes if lane.path.startswith(LANES)]
    assert [lane.stretches[-1].end - (lane.thawed_at or 0.0) for lane in old] == [
        pytest.approx(0.001, abs=1e-4)
    ] * 2
    assert [lane.thawed_at for lane in mix.lanes if lane not in old] == [None, None]


def test_what_was_armed_on_a_frozen_disk_is_stopped_before_its_file_goes_though_the_daemon_was_killed() -> (
    None
):
    world = World(BOTH)
    world.play(tape(BEGIN))
    world.wait(0.2)
    world.freeze(LANES)
    world.wait(0.2)
    world.die()
    world.rise()
    world.thaw()
    world.wait(5.0)  # the model itself holds that no file is removed while it is written
    (left,) = world.truth.channels[uid("101-00")].monitors
    assert left.path.startswith(SPARE)
    assert not [path for path in world.files if path.startswith(LANES)]


@pytest.mark.parametrize("seconds", [1.0, 2.046])
def test_when_a_talk_ended_that_a_frozen_disk_kept_us_from_hearing_of_its_files_tell(seconds: float) -> None:
    """But not where they end with a step of Asterisk's buffer: then the disk may have kept the rest from them."""
    world = World(BOTH)
    world.sees_closed = True
    world.play(tape(BEGIN + ANSWER))
    began = world.now
    world.wait(seconds - 0.3)
    world.fates[commands.MixMonitor] = deque(["lost"] * 9)
    world.freeze(LANES)
    world.wait(0.3)
    world.lose_link()
    world.play(tape(END, world.now))
    world.wait(1.5)
    world.regain_link()
    world.thaw()
    world.wait(2.0)
    (interval,) = intervals(world)
    if seconds == 1.0:
        assert interval.outcome is Outcome.RECORDED
        assert interval.ended_at == pytest.approx(began + seconds, abs=0.02)
    else:
        assert interval.outcome is Outcome.PARTIAL
        assert interval.missing_ms == pytest.approx(1500, abs=50)


def test_a_file_on_a_frozen_disk_is_waited_for_up_to_an_hour() -> None:
    world = talking()
    world.freeze(LANES)
    world.play(tape(END, world.now))
    world.wait(30.0)
    assert world.mixes == []
    world.thaw()
    world.wait(1.0)
    assert len(world.mixes) == 1
    assert [row.outcome for row in intervals(world)] == [Outcome.RECORDED]


def test_a_file_on_a_disk_that_stays_frozen_is_made_without_it_after_an_hour() -> None:
    world = talking()
    world.freeze(LANES)
    world.play(tape(END, world.now))
    world.wait(3599.0)
    assert world.mixes == []
    world.wait(3.0)
    assert len(world.mixes) == 1


def test_a_link_that_breaks_while_one_is_being_stopped_after_the_thaw_lets_none_run_on() -> None:
    world = talking()
    world.freeze(LANES)
    world.wait(0.5)
    world.latency = 0.2
    world.thaw()
    world.wait(0.1)
    world.lose_link()
    world.wait(1.0)
    world.latency = 0.001
    world.regain_link()
    world.wait(1.0)
    for token in ("101-00", "102-01"):
        (left,) = world.truth.channels[uid(token)].monitors
        assert left.path.startswith(SPARE)


def test_new_calls_begin_where_the_disk_is_well() -> None:
    world = World(BOTH)
    world.hear(events.PlaceFault(at=world.now, place=LANES, kind="full"))
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    assert running(world) == {SPARE}


def test_without_a_better_place_a_recorder_stays_where_it_is() -> None:
    world = World(BOTH, replace(SETTINGS, lanes=(LANES,)))
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    world.hear(events.PlaceFault(at=world.now, place=LANES, kind="full"))
    world.wait(1.0)
    assert [row.state for row in lanes(world)].count(LaneState.LOST) == 0


def test_a_place_is_chosen_by_what_is_known_of_it() -> None:
    places = Places(("/a", "/b"))
    assert places.choose(0, 0.0) == "/a"
    places.file_failed("/a/x.wav", "stalled", 0.0)
    assert places.choose(0, 1.0) == "/b"
    assert places.choose(0, 31.0) == "/a"
    places.fault("/b", "full", 40.0)
    places.fault("/a", "frozen", 40.0)
    assert places.choose(0, 31.0) == "/b"
    places.fault("/b", "frozen", 41.0)
    assert places.choose(0, 31.0) is None
    places.well("/a", 42.0)
    assert places.choose(0, 31.0) == "/a"
    assert places.frozen("/b/x.wav")
    assert not places.frozen("/a/x.wav")


def test_a_mix_for_which_there_is_no_room_is_made_when_there_is() -> None:
    world = talking()
    world.no_room = True
    world.play(tape(END, world.now))
    world.wait(5.0)
    (recording,) = [row for row in world.saved(Recording) if isinstance(row, Recording)]
    assert recording.state is RecordingState.CLOSING
    assert intervals(world)[0].outcome is None
    assert [a.kind for a in world.alarms].count("mix-waits") == 1
    world.no_room = False
    world.wait(5.0)
    assert [row.outcome for row in intervals(world)] == [Outcome.RECORDED]


def closed_during(**more: object) -> Policy:
    return replace(BOTH, fail_mode=FailMode.CLOSED_DURING, **more)


def ended(world: World) -> list[commands.EndTalk]:
    return [command for command in world.sent if isinstance(command, commands.EndTalk)]


def failing(wanted: Policy) -> World:
    """A talk whose disks all fail after a second."""
    world = World(wanted)
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    for place in (LANES, SPARE):
        world.hear(events.PlaceFault(at=world.now, place=place, kind="full"))
    return world


def test_a_talk_that_may_not_go_on_unrecorded_is_ended_once_after_three_seconds() -> None:
    world = failing(closed_during())
    world.wait(2.5)
    assert ended(world) == []
    world.wait(5.0)
    (end,) = ended(world)
    assert set(end.uniqueids) == {uid("101-00"), uid("102-01")}
    assert [a.kind for a in world.alarms].count("call-ended") == 1


def test_a_talk_that_is_recorded_again_in_time_goes_on() -> None:
    world = failing(closed_during())
    world.wait(2.0)
    world.hear(events.PlaceWell(at=world.now, place=LANES))
    world.hear(events.PlaceWell(at=world.now, place=SPARE))
    world.wait(10.0)
    assert ended(world) == []


@pytest.mark.parametrize("mode", [FailMode.OPEN, FailMode.ANNOUNCE, FailMode.CLOSED_BEFORE])
def test_other_fail_modes_let_people_talk_on(mode: FailMode) -> None:
    world = failing(replace(BOTH, fail_mode=mode))
    world.wait(10.0)
    assert ended(world) == []


def test_an_emergency_call_is_never_ended() -> None:
    world = failing(closed_during(emergency=frozenset(("102",))))
    world.wait(10.0)
    assert ended(world) == []


def test_what_is_not_to_be_recorded_is_not_ended() -> None:
    world = failing(replace(NEVER, fail_mode=FailMode.CLOSED_DURING))
    world.wait(10.0)
    assert ended(world) == []


# --- on demand with memory ---------------------------------------------------------------------


def remembering(**more: object) -> Policy:
    return policy(
        chooses("101", D, lookback=Lookback.WHOLE_CALL),
        chooses("102", D, lookback=Lookback.WHOLE_CALL),
        **more,
    )


def recordings(world: World) -> list[Recording]:
    return [row for row in world.saved(Recording) if isinstance(row, Recording)]


def test_what_nobody_asks_for_is_destroyed_and_the_ledger_says_so() -> None:
    world = World(remembering())
    world.play(tape(BEGIN + ANSWER))
    world.wait(3.0)
    assert world.truth.channels[uid("102-01")].monitors, "it is taken"
    world.play(tape(END, world.now))
    world.wait(5.0)
    assert world.files == set()
    assert world.mixes == []
    assert [row.state for row in recordings(world)] == [RecordingState.DISCARDED]
    (interval,) = intervals(world)
    assert (interval.outcome, interval.wanted) == (Outcome.NOT_BY_POLICY, False)
    assert "destroyed" in interval.note
    assert [row.kind for row in world.saved(Mark) if isinstance(row, Mark)] == ["destroyed"]
    assert not [c for c in world.sent if isinstance(c, commands.Setvar)], "no CDR names it"


def test_what_somebody_asks_for_late_is_kept_whole() -> None:
    world = World(remembering())
    world.play(tape(BEGIN + ANSWER))
    world.wait(3.0)
    world.play(tape("press 101-00 toggle", world.now))
    world.wait(1.0)
    world.play(tape(END, world.now))
    world.wait(5.0)
    (recording,) = recordings(world)
    assert recording.state is RecordingState.CLOSED
    assert recording.duration_ms == pytest.approx(4000, abs=100)
    assert {row.outcome for row in intervals(world)} == {Outcome.RECORDED}
    assert [c for c in world.sent if isinstance(c, commands.Setvar)], "its CDR names it"


def test_who_ends_a_recording_ends_the_taking_too() -> None:
    world = World(remembering())
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    world.play(tape("press 101-00 toggle\nwait 2000\npress 101-00 toggle", world.now))
    world.wait(2.0)
    assert [m for c in world.truth.channels.values() for m in c.monitors] == []
    world.play(tape(END, world.now))
    world.wait(3.0)
    assert [row.outcome for row in intervals(world)][-1] is Outcome.NOT_BY_POLICY


@pytest.mark.parametrize("other", [N, D])
def test_a_party_who_does_not_have_it_so_forbids_the_taking(other: Mode) -> None:
    world = World(policy(chooses("101", D, lookback=Lookback.WHOLE_CALL), chooses("102", other)))
    world.play(tape(BEGIN + ANSWER))
    world.wait(2.0)
    assert not [c for c in world.sent if isinstance(c, commands.MixMonitor)]


def test_a_restart_does_not_make_what_was_only_taken_into_something_asked_for() -> None:
    world = World(remembering())
    world.play(tape(BEGIN + ANSWER))
    world.wait(2.0)
    world.die()
    world.wait(1.0)
    world.rise()
    world.wait(1.0)
    world.play(tape(END, world.now))
    world.wait(5.0)
    assert [row.state for row in recordings(world)] == [RecordingState.DISCARDED]
    assert world.files == set()


def test_a_recorder_beeps_as_often_as_policy_says() -> None:
    world = World(policy(chooses("101", A, beep=30), chooses("102", A, beep=15)))
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    assert {c.beep_seconds for c in world.sent if isinstance(c, commands.MixMonitor)} == {15}


def test_a_prompt_that_nobody_heard_is_in_the_ledger_and_told() -> None:
    world = World(BOTH)
    world.play(tape(BEGIN))
    world.hear(events.PromptFailed(at=world.now, uniqueid=uid("101-00")))
    world.play(tape(ANSWER, world.now))
    world.wait(2.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    assert "prompt" in intervals(world)[0].note
    assert [a.kind for a in world.alarms] == ["prompt-failed"]


# --- the administrator wants no recording begun on a disk this full ---------------------------------------


def stopped(world: World) -> None:
    world.hear(events.NoRoom(at=world.now, why="No recording is begun: the disk is too full"))


def recorders(world: World) -> list[str]:
    return [command.uniqueid for command in world.sent if isinstance(command, commands.MixMonitor)]


def test_at_the_high_water_mark_no_recording_is_begun_and_the_ledger_says_so() -> None:
    world = World(BOTH)
    stopped(world)
    world.play(tape(BEGIN + ANSWER))
    world.wait(3.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    assert recorders(world) == []
    assert not world.engine.able
    assert [row.outcome for row in intervals(world)] == [Outcome.NOT_RECORDED]


def test_what_is_being_recorded_at_the_high_water_mark_ends_well_and_its_newcomer_is_heard() -> None:
    world = World(policy(chooses("101", A), chooses("102", A), chooses("103", A)))
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    stopped(world)
    world.play(tape("new 103-02 l=00\ndial 101-00 103-02\ndialend 103-02 ANSWER\nenter 103-02 B1", world.now))
    world.wait(2.0)
    world.play(tape("leave 103-02 B1\nhangup 103-02" + END, world.now))
    world.wait(3.0)
    assert len(recorders(world)) == 3
    assert {row.outcome for row in intervals(world)} == {Outcome.RECORDED}


def test_an_armed_call_that_is_answered_at_the_high_water_mark_is_recorded_on_both_sides() -> None:
    world = World(BOTH)
    world.play(tape(BEGIN))
    world.wait(0.5)
    stopped(world)
    world.play(tape(ANSWER, world.now))
    world.wait(2.0)
    assert recorders(world) == [uid("101-00"), uid("102-01")]


def test_with_room_again_a_call_that_goes_on_is_recorded_from_there() -> None:
    world = World(BOTH)
    stopped(world)
    world.play(tape(BEGIN + ANSWER))
    world.wait(2.0)
    world.hear(events.Room(at=world.now))
    assert world.engine.able
    world.wait(3.0)
    world.play(tape(END, world.now))
    world.wait(3.0)
    (interval,) = intervals(world)
    assert interval.outcome is Outcome.PARTIAL
    assert interval.missing_ms == pytest.approx(2000, abs=100)


def test_a_press_at_the_high_water_mark_is_denied_and_one_with_room_again_is_not() -> None:
    world = World(policy(chooses("101", D), chooses("102", D)))
    stopped(world)
    world.play(tape(BEGIN + ANSWER))
    world.wait(1.0)
    world.play(tape("press 101-00 start", world.now))
    (answer,) = world.answers.values()
    assert (answer.outcome, "too full" in answer.reason) == ("denied", True)
    assert [row.wanted for row in intervals(world)] == [False]
    world.hear(events.Room(at=world.now))
    world.wait(2.0)
    world.play(tape("press 101-00 start", world.now))
    assert [a.outcome for a in world.answers.values()][-1] == "started"


def test_at_the_high_water_mark_a_talk_that_must_be_recorded_is_ended() -> None:
    ending = replace(BOTH, fail_mode=FailMode.CLOSED_DURING)
    world = World(ending)
    stopped(world)
    world.play(tape(BEGIN + ANSWER))
    world.wait(4.0)
    assert [c for c in world.sent if isinstance(c, commands.EndTalk)]


def test_a_recorder_that_a_restart_found_is_stopped_as_soon_as_its_disk_is_told_to_live() -> None:
    """Another that begins on its channel in the seconds after would take the voice beside it."""
    world = talking()
    world.freeze(LANES)
    world.wait(0.1)
    world.die()
    world.rise()
    world.wait(0.1)
    before = len(world.sent)
    world.thaw()
    world.wait(0.1)
    stopped = [c.uniqueid for c in world.sent[before:] if isinstance(c, commands.StopMixMonitor)]
    assert sorted(stopped) == sorted([uid("101-00"), uid("102-01")])


def test_a_talk_that_ended_while_the_picture_was_in_coming_ends_then() -> None:
    """Asked for, and answered seconds later: what the edge found out may lie after the picture's own time."""
    world = talking()
    world.lose_link()
    asked = world.now
    world.wait(1.5)
    world.play(tape(END, world.now))
    world.wait(0.5)
    world.link_up = True
    ended = {uid("101-00"): asked + 1.5, uid("102-01"): asked + 1.8}
    world.hear(events.Resync(at=asked, channels=(), ended=ended))
    world.wait(3.0)
    assert [row.ended_at for row in intervals(world)] == [asked + 1.5]
