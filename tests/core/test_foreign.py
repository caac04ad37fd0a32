"""Other people's recorders beside ours: left, linked or replaced, and stopped wherever policy says never."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from recorderd.core import commands, events, filenames, hearing
from recorderd.core.dealing import Foreign
from recorderd.core.intervals import overlap
from recorderd.core.policy import Mode
from recorderd.core.rows import Interval, Lane, Outcome, Recording, RecordingState
from tests.core.people import A, D, N, chooses, policy
from tests.core.tape import press, tape, uid
from tests.core.test_calls import ANSWER, END, RING
from tests.core.test_engine import CALLEE, CALLER, on, play, sent
from tests.core.world import SETTINGS, Monitor, World


def world_of(foreign: str, mode: Mode = A, **extensions: Mode) -> World:
    chosen = [chooses(name, to) for name, to in extensions.items()]
    return World(policy(*chosen, default=mode), replace(SETTINGS, foreign=Foreign(foreign)))


def freepbx(world: World, before: str, after: str, seconds: float = 3.0) -> Monitor:
    """It records the caller between two parts of a call, as its dialplan does before it dials."""
    play(world, before)
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    world.wait(0.005)
    play(world, after, seconds)
    return theirs


NEW, REST = RING.strip().split("\n", 1)


def intervals(world: World) -> list[Interval]:
    return [i for i in world.saved(Interval) if i.ended_at is not None and i.ended_at - i.started_at > 0.01]


def ours(world: World) -> list[Monitor]:
    return [m for token in (CALLER, CALLEE) for m in on(world, token) if m.lane_id]


def test_left_alone_both_run() -> None:
    world = world_of("leave")
    theirs = freepbx(world, NEW, REST + ANSWER)
    assert len(ours(world)) == 2
    assert theirs in on(world, CALLER)
    play(world, END, 3)
    assert not sent(world, commands.StopForeign)


def consult(world: World) -> None:
    """The dialplan asks for the caller, on whom somebody's recorder was started; this overtakes what AMI tells."""
    for question in tape(f"consult {CALLER} 102 monitored=yes", start=world.now):
        world.hear(question)


def test_linked_its_file_is_the_recording_and_ours_never_start() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    play(world, END, 3)
    assert not sent(world, commands.MixMonitor)
    (recording,) = world.saved(Recording)
    assert f"/spool/monitor/{recording.folder}/{recording.name}" == theirs.path
    assert (recording.state, recording.linked, recording.lanes) == (RecordingState.CLOSED, True, ())
    (interval,) = intervals(world)
    assert (interval.outcome, interval.recording_id, interval.offset_ms) == (
        Outcome.RECORDED,
        recording.id,
        0,
    )
    assert "not proven" in interval.note
    names = {c.value for c in sent(world, commands.Setvar) if c.variable == "CDR(recordingfile)"}
    assert names == {recording.name}
    assert not world.alarms


@pytest.mark.parametrize("late", [0.0, 0.001, 0.3])
def test_the_dialplan_may_speak_of_their_recorder_before_asterisk_does(late: float) -> None:
    world = world_of("link")
    play(world, NEW)
    world.lag = 1
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    consult(world)
    world.wait(late)
    world.lag = 0
    world.flush()
    world.wait(0.005)
    play(world, REST + ANSWER, 3.0)
    play(world, END, 3)
    assert not sent(world, commands.MixMonitor)
    (recording,) = world.saved(Recording)
    assert f"/spool/monitor/{recording.folder}/{recording.name}" == theirs.path
    (interval,) = intervals(world)
    assert interval.outcome is Outcome.RECORDED
    assert not world.alarms


def test_of_what_the_dialplan_says_nothing_is_new_that_asterisk_told_before() -> None:
    world = world_of("link")
    play(world, NEW)
    world.foreign_monitor(uid(CALLER), named=True)
    world.wait(0.005)
    world.stop_newest(uid(CALLER))
    consult(world)
    play(world, REST + ANSWER, 3.0)
    assert len(ours(world)) == 2
    assert not world.engine.foreign.on(uid(CALLER))


def test_where_nobody_can_tell_which_was_stopped_theirs_is_stopped_by_its_id_all_the_same() -> None:
    world = world_of("replace")
    play(world, NEW)
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    world.wait(0.005)
    play(world, REST, 0.01)
    assert [m.lane_id != "" for m in on(world, CALLER)] == [False, True]
    world.stop_newest(uid(CALLER))
    play(world, ANSWER, 8.0)
    assert theirs not in on(world, CALLER)
    assert len(ours(world)) == 2


def test_what_a_linked_file_holds_from_before_the_talk_is_counted_from_its_end() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    theirs.written.insert(
        0, [world.now - 100, world.now - 96]
    )  # a prompt of four seconds, recorded without `b`
    play(world, END, 3)
    (interval,) = intervals(world)
    assert abs((interval.offset_ms or 0) - 4000) < 20


def test_a_linked_file_that_is_too_short_is_told_as_partial() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    theirs.written[0][0] += 1.5
    play(world, END, 3)
    (interval,) = intervals(world)
    assert interval.outcome is Outcome.PARTIAL
    assert abs(interval.missing_ms - 1500) < 20


@pytest.mark.parametrize(
    "how", ["it ends", "its file does not grow", "nobody can stop it", "it lies elsewhere"]
)
def test_where_a_file_cannot_be_answered_for_ours_run(how: str) -> None:
    world = world_of("link")
    play(world, NEW)
    if how == "nobody can stop it":
        world.foreign_monitor(uid(CALLER), named=False)
    else:
        path = "/elsewhere/x.wav" if how == "it lies elsewhere" else ""
        grows = how != "its file does not grow"
        theirs = world.foreign_monitor(uid(CALLER), named=True, grows=grows, path=path)
    play(world, REST + ANSWER, 2)
    if how == "it ends":
        assert not ours(world)
        world.stop_newest(uid(CALLER))
        world.wait(0.01)
        assert theirs not in on(world, CALLER)
    world.wait(3)
    assert len(ours(world)) == 2
    play(world, END, 3)
    assert [i.outcome for i in intervals(world)][-1] is Outcome.RECORDED


def test_another_peer_ends_the_link_and_ours_take_over_before_theirs_is_stopped() -> None:
    """A recorder that stays while its peer changes may lose the newcomer's voice (trap 28)."""
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    play(
        world,
        f"leave {CALLEE} B1\nhangup {CALLEE}\nnew 103-02\ndial {CALLER} 103-02\nenter 103-02 B9\nenter {CALLER} B9",
        3,
    )
    assert theirs not in on(world, CALLER)
    assert [m.lane_id != "" for m in on(world, CALLER)] == [True]
    started = [i for i, c in enumerate(world.sent) if isinstance(c, commands.MixMonitor)]
    stopped = next(i for i, c in enumerate(world.sent) if isinstance(c, commands.StopForeign))
    assert max(started) < stopped
    play(world, f"hangup {CALLER}\nhangup 103-02", 3)
    first, second = world.saved(Recording)
    assert (first.linked, second.linked) == (True, False)
    assert [i.outcome for i in intervals(world)] == [Outcome.RECORDED] * 2


@pytest.mark.parametrize("foreign", list(Foreign))
def test_never_stops_theirs_by_its_id_whatever_was_chosen(foreign: Foreign) -> None:
    world = world_of(foreign, N)
    theirs = freepbx(world, NEW, REST + ANSWER)
    assert theirs not in on(world, CALLER)
    (stop,) = sent(world, commands.StopForeign)
    assert stop.mixmonitor_ids == (theirs.mixmonitor_id,)
    play(world, END, 3)
    assert [i.outcome for i in intervals(world)] == [Outcome.NOT_BY_POLICY]


def test_what_becomes_never_is_cut_off_the_linked_file() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.wait(3)
    assert theirs not in on(world, CALLER)
    play(world, END, 3)
    (measure,) = world.measures
    assert measure.path == theirs.path
    assert 60 <= measure.cut_ms < 70, "until it was stopped, and the margin of a stamp"
    first, _ = intervals(world)
    assert "cut off" in first.note


def test_a_pause_ends_the_link_so_that_what_is_masked_is_in_no_file() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.hear(press(CALLER, "pause", world.now))
    world.wait(0.01)
    assert theirs not in on(world, CALLER)
    assert len(ours(world)) == 2
    world.hear(press(CALLER, "resume", world.now))
    world.wait(1)
    assert len(ours(world)) == 2
    assert world.saved(Recording)[-1].linked is False


def test_on_demand_theirs_is_left_and_taken_as_soon_as_somebody_asks() -> None:
    world = world_of("link", D)
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.hear(press(CALLER, "start", world.now))
    world.wait(3)
    assert not ours(world)
    world.hear(press(CALLER, "stop", world.now))
    world.wait(0.1)
    assert theirs not in on(world, CALLER), "who ends the recording ends theirs as well"
    play(world, END, 3)
    before, asked, after = intervals(world)
    assert [i.outcome for i in (before, asked, after)] == [
        Outcome.NOT_BY_POLICY,
        Outcome.RECORDED,
        Outcome.NOT_BY_POLICY,
    ]
    assert abs((asked.offset_ms or 0) - 3000) < 50


def test_replaced_theirs_ends_once_ours_have_their_files() -> None:
    world = world_of("replace")
    theirs = freepbx(world, NEW, REST + ANSWER)
    assert theirs not in on(world, CALLER)
    assert len(ours(world)) == 2
    (stop,) = sent(world, commands.StopForeign)
    assert (stop.mixmonitor_ids, stop.newest) == ((theirs.mixmonitor_id,), False)
    play(world, END, 3)
    assert len(sent(world, commands.StopForeign)) == 1
    assert [i.outcome for i in intervals(world)] == [Outcome.RECORDED]


def test_replaced_theirs_goes_on_while_ours_cannot_record() -> None:
    world = world_of("replace")
    world.fates[commands.MixMonitor] = deque(["refuse"] * 50)
    theirs = freepbx(world, NEW, REST + ANSWER)
    assert theirs in on(world, CALLER)


def test_a_recorder_on_a_local_channel_is_stopped_where_nothing_may_be_recorded() -> None:
    world = World(policy(default=N))
    play(
        world,
        "new 101-00\nnew L05;1\nnew L05;2\ndial 101-00 L05;1\nnew 102-01\ndial L05;2 102-01\n"
        "enter 102-01 B1\nenter L05;2 B1\nenter L05;1 B2\nenter 101-00 B2",
        1,
    )
    theirs = world.foreign_monitor(uid("L05;2"), named=True)
    world.wait(1)
    assert theirs not in on(world, "L05;2")


@pytest.mark.parametrize("foreign", ["leave", "link", "replace"])
def test_one_that_began_unheard_beside_another_is_stopped_too_where_nothing_may_be_recorded(
    foreign: str,
) -> None:
    """Neither has a name: Asterisk stops the newest, until there is none."""
    world = world_of(foreign, N)
    play(world, RING + ANSWER, 1)
    world.foreign_monitor(uid(CALLER))
    world.lose_link()
    world.foreign_monitor(uid(CALLER))
    world.regain_link()
    world.wait(1)
    assert on(world, CALLER) == []


@pytest.mark.parametrize("foreign", ["leave", "link", "replace"])
def test_after_a_restart_the_variables_tell_of_it(foreign: str) -> None:
    world = world_of(foreign)
    play(world, RING + ANSWER, 1)
    world.die()
    world.truth.channels[uid(CALLER)].monitors[:] = [
        m for m in world.truth.channels[uid(CALLER)].monitors if m.lane_id
    ]
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    world.rise()
    world.wait(3)
    assert (theirs in on(world, CALLER)) is (foreign != "replace")
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.wait(3)
    assert on(world, CALLER) == []


def test_a_link_outlives_a_restart() -> None:
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.die()
    world.wait(2)
    world.rise()
    world.wait(3)
    assert not ours(world)
    play(world, END, 3)
    (recording,) = world.saved(Recording)
    assert (recording.linked, recording.state) == (True, RecordingState.CLOSED)
    assert f"/spool/monitor/{recording.folder}/{recording.name}" == theirs.path
    assert [i.outcome for i in intervals(world)] == [Outcome.RECORDED]
    assert not world.saved(Lane)


def test_ours_never_takes_the_name_of_a_file_that_somebody_else_writes() -> None:
    world = world_of("leave")
    play(world, NEW)
    play(world, REST)
    world.wait(0.2)
    situation = hearing.situation(world.engine.calls, frozenset((uid(CALLER), uid(CALLEE))), world.now)
    name = filenames.recording_name(situation, A, uid(CALLER), 1)
    folder = filenames.day_folder(world.now, situation.zone)
    world.foreign_monitor(uid(CALLER), named=True, path=f"/spool/monitor/{folder}/{name}")
    play(world, ANSWER.replace("wait 200\n", ""), 3)
    play(world, END, 3)
    (recording,) = world.saved(Recording)
    assert recording.name == name.replace(".wav", ".2.wav")


@pytest.mark.parametrize("answered", [True, False])
def test_whose_file_it_is_may_be_known_only_after_the_talk_began(answered: bool) -> None:
    """Nothing of it is counted twice, and nothing is begun that need not be; a short talk is accounted for as well."""
    world = world_of("link")
    play(world, NEW)
    world.latency = 0.15
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    play(world, REST + ANSWER.replace("wait 200\n", ""))
    if answered:
        world.wait(3)
    play(world, END, 3)
    (interval,) = [i for i in world.saved(Interval) if i.ended_at is not None]
    assert not sent(world, commands.MixMonitor)
    if answered:
        (recording,) = world.saved(Recording)
        assert f"/spool/monitor/{recording.folder}/{recording.name}" == theirs.path
    assert interval.outcome is Outcome.RECORDED


LOCAL = """
new L05;1 l=00
new L05;2 l=00
dial 101-00 L05;1
new 102-01 l=00
dial L05;2 102-01
dialend 102-01 ANSWER
enter 102-01 B1
enter L05;2 B1
enter L05;1 B2
enter 101-00 B2
"""
OPTIMISED = """
leave 102-01 B1
leave L05;1 B2
enter 102-01 B2 swap=L05;1
leave L05;2 B1
hangup L05;1
hangup L05;2
"""


@pytest.mark.parametrize("gap_ms", [0, 120])
@pytest.mark.parametrize("known_ms", [1, 12, 50, 120])
def test_the_bridges_may_change_before_it_is_known_whose_file_it_is(known_ms: int, gap_ms: int) -> None:
    """Local channels are taken out a moment after the answer: that makes no second recording."""
    world = world_of("link")
    play(world, NEW)
    world.latency = known_ms / 1000
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    play(world, LOCAL + OPTIMISED.replace("enter", f"wait {gap_ms}\nenter"), 3)
    play(world, END, 3)
    (recording,) = world.saved(Recording)
    assert f"/spool/monitor/{recording.folder}/{recording.name}" == theirs.path
    assert not sent(world, commands.MixMonitor)
    told = [i for i in world.saved(Interval) if i.ended_at is not None]
    assert {i.outcome for i in told} == {Outcome.RECORDED}
    talked = [(start, end) for start, end, _ in world.truth.talks]
    assert len(talked) == 2
    for start, end in talked:
        common = (overlap((start, end), (i.started_at, i.ended_at or end)) for i in told)
        assert sum(c[1] - c[0] for c in common if c) == pytest.approx(end - start, abs=0.002)


def test_ours_that_was_armed_before_theirs_was_heard_of_goes_again() -> None:
    """The dialplan's question may come before the event of a recorder that began earlier."""
    world = world_of("link")
    play(world, f"{NEW}\nconsult {CALLER} 102", 0.1)
    assert len(on(world, CALLER)) == 1
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    world.wait(0.01)
    play(world, REST + ANSWER, 3)
    assert not ours(world)
    assert theirs in on(world, CALLER)
    play(world, END, 3)
    (recording,) = world.saved(Recording)
    assert (recording.linked, recording.lanes) == (True, ())
    assert [i.outcome for i in intervals(world)] == [Outcome.RECORDED]
    assert world.files == {theirs.path}


def test_one_that_began_unheard_is_one_more_and_all_are_stopped_where_nothing_may_be_recorded() -> None:
    world = world_of("leave")
    play(world, RING + ANSWER, 1)
    for named in (False, True):
        world.foreign_monitor(uid(CALLER), named=named)
        world.wait(0.1)
    world.lose_link()
    world.foreign_monitor(uid(CALLER), named=True)
    world.wait(1)
    world.regain_link()
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.wait(8)
    assert not on(world, CALLER)


def test_a_file_is_one_recording_though_policy_changed_twice_while_nobody_heard_us() -> None:
    """Taken, no longer wanted, wanted again: its recorder could not be stopped in between, and ours takes over."""
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.lose_link()
    for mode in (D, A):
        world.policy = policy(default=mode)
        world.hear(events.PolicyChanged(at=world.now, policy=world.policy))
    world.regain_link()
    world.wait(5)
    assert theirs not in on(world, CALLER)
    assert len(ours(world)) == 2
    play(world, END, 3)
    names = [(r.folder, r.name) for r in world.saved(Recording)]
    assert len(names) == 2
    assert len(set(names)) == 2


def test_a_recorder_that_ran_while_nobody_told_us_of_calls_is_not_taken_for_a_recording() -> None:
    """Its channel may have talked with another meanwhile, who is in its file."""
    world = world_of("link")
    play(world, NEW)
    theirs = world.foreign_monitor(uid(CALLER), named=True)
    play(world, REST)
    world.lose_link()
    world.play(
        tape(
            "dialend 102-01 ANSWER\nenter 102-01 B1\nenter 101-00 B1\nleave 101-00 B1\nleave 102-01 B1",
            world.now,
        )
    )
    world.play(tape("hangup 102-01\nnew 103-02\nenter 103-02 B2\nenter 101-00 B2", world.now))
    world.regain_link()
    world.wait(3)
    assert len([m for token in (CALLER, "103-02") for m in on(world, token) if m.lane_id]) == 2
    assert theirs.path not in {f"/spool/monitor/{r.folder}/{r.name}" for r in world.saved(Recording)}


@pytest.mark.parametrize("mode", [A, D, N])
def test_a_recorder_that_was_to_be_stopped_when_we_died_is_measured_once_it_is(mode: Mode) -> None:
    """Its recording takes nothing more, but the file of one that runs on may not be cut."""
    world = world_of("link")
    theirs = freepbx(world, NEW, REST + ANSWER)
    world.hear(events.PolicyChanged(at=world.now, policy=policy(default=N)))
    world.policy = policy(default=mode)
    world.die()
    assert theirs in on(world, CALLER)
    world.wait(1)
    world.rise()
    world.wait(20)
    assert theirs not in on(world, CALLER)
    play(world, END, 5)
    (linked,) = [r for r in world.saved(Recording) if r.linked]
    assert linked.state is RecordingState.CLOSED
