"""What the live transfer matrix taught: whose conversation a consultation is, and what name a CDR may carry."""

from __future__ import annotations

import math

import pytest

from recorderd.core import commands, events, filenames, intervals, links, recordings
from recorderd.core.company import Company
from recorderd.core.policy import Mode, Situation
from recorderd.core.rows import (
    Cdr,
    Conversation,
    Direction,
    Interval,
    Lane,
    LaneState,
    Outcome,
    Party,
    Recording,
    RecordingState,
)
from tests.core.people import A, D, N, chooses, policy
from tests.core.tape import T, tape, uid
from tests.core.test_engine import play, sent
from tests.core.world import World

CALL = """
new 101-00 ext=102
new 102-01 l=00
dial 101-00 102-01
dialend 102-01 ANSWER
enter 102-01 B1
enter 101-00 B1
wait 1000
"""
# 102 asks 103 by *2: it goes into a bridge of its own, 101 waits where they talked (asterisk-facts 1.3).
BY_CODE = """
leave 102-01 B1
enter 102-01 B2
new L05;1 l=00
new L05;2 l=00
new 103-03 l=00
dial L05;2 103-03
dialend 103-03 ANSWER
enter 103-03 B3
enter L05;2 B3
enter L05;1 B2
wait 1000
"""
# 102 asks 103 from its second line, then joins the two by REFER with Replaces.
BY_REFER = """
new 102-02 ext=103
new 103-03 l=02
dial 102-02 103-03
dialend 103-03 ANSWER
enter 103-03 B2 l=02
enter 102-02 B2
wait 1000
leave 101-00 B1
leave 102-02 B2
enter 101-00 B2 swap=102-02
leave 102-01 B1
hangup 102-01
hangup 102-02
wait 1000
"""


def names(world: World, token: str) -> list[str]:
    """What was written into a channel's CDR, one after the other."""
    return [c.value for c in sent(world, commands.Setvar) if c.uniqueid == uid(token)]


def talks(world: World) -> list[tuple[str, ...]]:
    """Who talked in each interval, with a number for the conversation."""
    order = {row.id: str(n) for n, row in enumerate(world.saved(Conversation), 1)}
    return [(order[i.conversation_id], *(p.extension for p in i.parties)) for i in world.saved(Interval)]


# --- a consultation ------------------------------------------------------------------------------


def test_a_consultation_by_feature_code_is_a_conversation_of_its_own_in_the_same_story() -> None:
    world = World(policy(default=A))
    play(world, CALL + BY_CODE, 1)
    assert talks(world) == [("1", "101", "102"), ("2", "102", "103")]
    first, second = world.saved(Conversation)
    assert second.joined == first.id
    assert len(world.saved(Recording)) == 2


def test_what_was_asked_for_before_a_consultation_is_not_asked_for_in_it_and_goes_on_after_it() -> None:
    world = World(policy(default=D))
    play(world, CALL + "press 101-00 toggle\nwait 500" + BY_CODE, 1)
    play(world, "leave L05;1 B2\nleave 102-01 B2\nenter 102-01 B1\nhangup 103-03\nwait 1000", 1)
    wanted = {(i.conversation_id, i.wanted) for i in world.saved(Interval)}
    first, second = world.saved(Conversation)
    assert wanted == {(first.id, False), (first.id, True), (second.id, False)}
    assert world.saved(Interval)[-1].wanted


def test_who_sent_the_other_away_does_not_wait_for_him() -> None:
    """After a REFER to a parking lot the parker lingers in the bridge until his telephone says goodbye."""
    world = World(policy(default=A))
    play(world, CALL + "blind 102-01 101-00 700\nleave 101-00 B1\nenter 101-00 P tech=holding_bridge", 1)
    play(world, "new 103-03 ext=701\nleave 101-00 P\nenter 103-03 B2\nenter 101-00 B2\nwait 1000", 1)
    assert talks(world) == [("1", "101", "102"), ("1", "101", "103")]


def test_two_calls_that_are_merged_are_one_story_whoever_leaves_first() -> None:
    world = World(policy(default=A))
    play(world, CALL + "new 103-03 ext=104\nnew 104-04 l=03\ndial 103-03 104-04\ndialend 104-04 ANSWER", 0)
    play(world, "enter 104-04 B2\nenter 103-03 B2\nwait 1000", 0)
    play(world, "leave 101-00 B1\nenter 101-00 B3\nleave 103-03 B2\nenter 103-03 B3", 0)
    play(world, "leave 102-01 B1\nleave 104-04 B2\nhangup 102-01\nhangup 104-04\nwait 500", 1)
    play(world, "hangup 101-00\nhangup 103-03", 2)
    joined = {row.id: row.joined for row in world.saved(Conversation)}
    roots = {key for key, value in joined.items() if value is None}
    assert len(roots) == 1


# --- the name in the CDR -------------------------------------------------------------------------


def test_a_transferred_channels_next_cdr_names_no_file_while_it_rings_and_if_it_is_not_recorded() -> None:
    world = World(policy(chooses("103", N), default=A))
    play(world, CALL + "blind 102-01 101-00 103\nleave 102-01 B1\nleave 101-00 B1\nhangup 102-01", 0)
    (name,) = names(world, "101-00")
    play(world, "new 103-03 l=00\ndial 101-00 103-03\nwait 200", 0)
    assert names(world, "101-00") == [name, ""]
    play(world, "dialend 103-03 ANSWER\nenter 103-03 B2\nenter 101-00 B2\nwait 1000", 1)
    assert names(world, "101-00") == [name, ""]


def test_a_transferred_channel_is_given_the_name_again_when_it_is_recorded_again() -> None:
    world = World(policy(default=A))
    play(world, CALL + "blind 102-01 101-00 103\nleave 102-01 B1\nleave 101-00 B1\nhangup 102-01", 0)
    play(world, "new 103-03 l=00\ndial 101-00 103-03\nwait 200\ndialend 103-03 ANSWER", 0)
    play(world, "enter 103-03 B2\nenter 101-00 B2\nwait 1000", 1)
    name, blank, again = names(world, "101-00")
    assert (blank, again) == ("", name)


def test_one_who_was_called_carries_no_name_into_the_row_of_one_who_is_never_recorded() -> None:
    world = World(policy(chooses("101", N), default=A))
    play(world, CALL + BY_REFER, 1)
    assert names(world, "103-03") == []
    assert names(world, "101-00") == []
    assert len(names(world, "102-02")) == 1


def test_somebody_who_leaves_a_conference_or_stops_the_recording_keeps_the_name() -> None:
    world = World(policy(chooses("103", N), default=A))
    room = "new 101-00 ext=800\nnew 102-01 ext=800\nnew 103-03 ext=800\nenter 101-00 C tech=softmix\n"
    play(world, room + "enter 102-01 C tech=softmix\nwait 1000\nenter 103-03 C tech=softmix\nwait 500", 1)
    assert all(names(world, token)[-1] for token in ("101-00", "102-01"))


# --- what a lane holds besides -------------------------------------------------------------------


def party(extension: str, uniqueid: str) -> Party:
    return Party(
        uniqueid=uniqueid,
        channel=f"PJSIP/{extension}-0",
        extension=extension,
        number=extension,
        name="",
        direction=Direction.INBOUND,
    )


def interval(start: float, end: float | None, *who: str, wanted: bool = True) -> Interval:
    return Interval(
        id=f"i{start}",
        conversation_id="c",
        started_at=start,
        ended_at=end,
        parties=tuple(party(w, w) for w in who),
        mode="always" if wanted else "never",
        wanted=wanted,
        masked=False,
        reason="",
        trace=(),
        policy_version=1,
    )


def test_company_knows_when_a_channel_was_alone_and_when_it_was_forbidden() -> None:
    company = Company()
    for each in (interval(1, 3, "101", "102"), interval(4, 6, "101", "103", wanted=False)):
        company.begin(each)
    assert company.forbidden("101") == [(4, 6)]
    assert company.forbidden("102") == []
    assert company.alone("101", [(0, 7)]) == [(0, 1), (3, 4), (6, 7)]
    company.begin(interval(8, None, "101", "104", wanted=False))
    assert company.forbidden("101")[-1] == (8, math.inf)
    company.end(interval(8, 8.01, "101", "104", wanted=False))
    assert company.forbidden("101") == [(4, 6)], "what is shorter than a frame is no talk"
    company.forget(["101"])
    assert company.forbidden("101") == []


def test_the_mixer_is_told_what_is_forbidden_in_a_lane_and_that_it_grew_until_it_was_stopped() -> None:
    """103 is never recorded: the lanes of the others stop when it joins, a moment after it did."""
    world = World(policy(chooses("103", N), default=A))
    room = "new 101-00 ext=800\nnew 102-01 ext=800\nnew 103-03 ext=800\nenter 101-00 C tech=softmix\n"
    world.latency = 0.05
    play(world, room + "enter 102-01 C tech=softmix\nwait 2000\nenter 103-03 C tech=softmix\nwait 2000", 2)
    (mix,) = world.mixes
    joined = next(i.started_at for i in world.saved(Interval) if i.mode == Mode.NEVER)
    for lane in mix.lanes:
        assert lane.forbidden
        assert lane.forbidden[0].start == joined
        assert lane.stretches[-1].end > joined, "what was written until the stop is known, to be cut off"
        assert all(stretch.end <= joined for stretch in lane.keep)


def test_a_talk_too_short_for_a_word_has_no_file_and_is_no_fault() -> None:
    world = World(policy(default=A))
    world.latency = 0.4
    start = CALL.replace("wait 1000\n", "")
    play(world, start + "leave 101-00 B1\nleave 102-01 B1\nhangup 101-00\nhangup 102-01", 3)
    (recording,) = world.saved(Recording)
    (row,) = world.saved(Interval)
    assert recording.state is RecordingState.DISCARDED
    assert row.recording_id is None
    assert row.outcome is Outcome.RECORDED
    assert not world.alarms


def test_a_consultation_between_two_who_were_called_is_named_after_who_asks() -> None:
    situation = Situation(at=T, parties=(party("102", "1"), party("103", "2")))
    name = filenames.recording_name(situation, Mode.ALWAYS, "1700000000.1", 1)
    assert name.startswith("internal-103-102-")


@pytest.mark.parametrize("restored", [False, True])
def test_of_a_lane_from_before_a_restart_everything_else_is_taken_for_forbidden(restored: bool) -> None:
    lane = recordings.LiveLane("l", "101", "PJSIP/101-0", "101", "/l/l.wav", False)
    lane.stretches, lane.restored = ((T, T + 5),), restored
    recording = recordings.LiveRecording("r", "c", 1, "f", "n.wav", "", T)
    recording.intervals = (interval(T, T + 3, "101", "102"),)
    company = Company()
    company.begin(recording.intervals[0])
    (told,) = recordings.mix(recording, [lane], company, "/m").lanes
    assert told.forbidden is not None
    rest = [(T + 3, T + 5)]
    assert [(s.start, s.end) for s in told.forbidden] == (rest if restored else [])
    assert [(s.start, s.end) for s in told.alone] == ([] if restored else rest)


def test_the_tape_of_a_blind_transfer_marks_the_transferer() -> None:
    (event,) = tape("blind 102-01 101-00 103")
    assert isinstance(event, events.BlindTransfer)


# --- what a row and an interval are made of ------------------------------------------------------


def test_a_row_of_parking_alone_leads_to_none_of_its_neighbours_talk() -> None:
    talks_before_and_after = [interval(T - 5, T + 0.6, "101", "102"), interval(T + 4.2, T + 9, "101", "103")]
    row = Cdr(
        uniqueid="101",
        sequence=2,
        linkedid="101",
        start=T,
        answer=T,
        end=T + 3,
        src="101",
        dst="700",
        dcontext="from-phones",
        clid="101",
        channel="PJSIP/101-0",
        dstchannel="",
        lastapp="Park",
        disposition="ANSWERED",
        duration=3,
        billsec=3,
    )
    assert links.of_cdr(row, talks_before_and_after) == []


def lane(state: LaneState, *stretches: tuple[float, float]) -> Lane:
    return Lane(
        id="l",
        recording_id="r",
        uniqueid="101",
        channel="PJSIP/101-0",
        label="101",
        path="/l.wav",
        state=state,
        stretches=stretches,
    )


@pytest.mark.parametrize(
    ("audio_ms", "whole", "missing"),
    [
        (10_000, (), 0),
        (9_500, (), 500),  # the file ends too early, for all that is known
        (9_500, ("l",), 0),  # it was ended properly: no packet came for half a second
        (4_000, ("l",), 6_000),  # that is no silence any more
    ],
)
def test_time_without_packets_in_a_file_that_was_ended_properly_is_not_missing(
    audio_ms: int, whole: tuple[str, ...], missing: int
) -> None:
    row = lane(LaneState.CLOSED, (T, T + 10))
    assert intervals.missing_ms(interval(T, T + 10, "101"), [row], {"l": audio_ms}, whole) == missing
