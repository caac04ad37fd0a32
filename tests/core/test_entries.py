"""Stories as people's lists tell them: one entry for everybody who took part, from whichever side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recorderd.core.channels import Names
from recorderd.core.entries import CallEntry, Result, Story, Way, entries
from recorderd.core.rows import (
    Cdr,
    Conversation,
    Direction,
    Interval,
    Outcome,
    Party,
    Recording,
    RecordingState,
)

T = 1_795_500_000.0
NAMES = Names()


def cdr(n: int, channel: str, dstchannel: str = "", **changed: Any) -> Cdr:
    """A row of call `n`: answered after 3 s, ended after 60, unless it is said otherwise."""
    values: dict[str, Any] = {
        "uniqueid": f"1795500000.{n}",
        "sequence": n,
        "linkedid": "1795500000.1",
        "start": T,
        "answer": T + 3,
        "end": T + 60,
        "src": "101",
        "dst": "102",
        "dcontext": "phones",
        "clid": '"Ann" <101>',
        "channel": channel,
        "dstchannel": dstchannel,
        "lastapp": "Dial",
        "disposition": "ANSWERED",
        "duration": 60,
        "billsec": 57,
    }
    return Cdr(**{**values, **changed})


UNANSWERED = {"answer": None, "disposition": "NO ANSWER", "billsec": 0}
A, B, C = "PJSIP/101-00000001", "PJSIP/102-00000002", "PJSIP/103-00000003"
TRUNK = "PJSIP/trunk-00000009"


def party(channel: str, number: str = "", *, called: bool = False, name: str = "") -> Party:
    extension = NAMES.extension(channel)
    return Party(
        uniqueid=f"u-{channel}",
        channel=channel,
        extension=extension,
        number=extension or number,
        name=name,
        direction=Direction.INBOUND if called else Direction.OUTBOUND,
    )


def interval(id: str, start: float, end: float | None, *parties: Party, **changed: Any) -> Interval:
    values: dict[str, Any] = {
        "conversation_id": "c1",
        "mode": "always",
        "wanted": True,
        "masked": False,
        "reason": "101 chose always",
        "trace": (),
        "policy_version": 1,
        "recording_id": "r1",
        "offset_ms": 0,
        "outcome": Outcome.RECORDED,
    }
    ended_at = None if end is None else T + end
    return Interval(id=id, started_at=T + start, ended_at=ended_at, parties=parties, **{**values, **changed})


def recording(id: str = "r1", **changed: Any) -> Recording:
    values: dict[str, Any] = {
        "conversation_id": "c1",
        "segment": 1,
        "folder": "2026/11/24",
        "name": f"{id}.wav",
        "state": RecordingState.CLOSED,
        "started_at": T + 3,
        "ended_at": T + 60,
        "size": 9,
        "duration_ms": 57_000,
    }
    return Recording(**{"id": id, **values, **changed})


def of(story: Story) -> dict[str, CallEntry]:
    return {entry.owner: entry for entry in entries(story, NAMES)}


def simple(**changed: Any) -> Story:
    parts: dict[str, Any] = {
        "conversations": (
            Conversation(id="c1", started_at=T + 3, ended_at=T + 60, linkedids=("1795500000.1",)),
        ),
        "intervals": (interval("i1", 3, 60.4, party(A), party(B, called=True)),),
        "recordings": (recording(),),
        "cdrs": (cdr(1, A, B),),
    }
    return Story(**{**parts, **changed})


def test_an_internal_call_is_out_for_one_and_in_for_the_other() -> None:
    found = of(simple())
    assert {owner: entry.way for owner, entry in found.items()} == {
        "": Way.INTERNAL,
        "101": Way.OUT,
        "102": Way.IN,
    }
    entry = found["101"]
    assert (entry.source, entry.destination, entry.caller_number, entry.caller_extension) == (
        "101",
        "102",
        "101",
        "101",
    )
    assert (entry.talk_s, entry.result, entry.caller_name) == (57, Result.ANSWERED, "Ann")
    assert (entry.recordings, entry.recorded, entry.mode, entry.outcome) == (
        ("r1",),
        True,
        "always",
        "recorded",
    )
    assert entry.story_id == "1795500000.1"


def test_a_call_from_outside_has_a_number_and_no_extension() -> None:
    story = simple(
        intervals=(interval("i1", 3, 60, party(TRUNK, "+74951234567", name="Иван"), party(B, called=True)),),
        cdrs=(cdr(1, TRUNK, B, src="+74951234567", clid='"Иван" <+74951234567>'),),
    )
    entry = of(story)["102"]
    assert (entry.way, entry.source, entry.destination) == (Way.IN, "+74951234567", "102")
    assert (entry.caller_number, entry.caller_name, entry.caller_extension) == ("+74951234567", "Иван", "")
    assert "иван" in entry.search
    assert of(story)[""].way is Way.IN


def test_a_call_to_outside_shows_the_number_that_others_see_and_the_internal_one_beneath() -> None:
    story = simple(
        intervals=(interval("i1", 3, 60, party(A), party(TRUNK, "0612345678", called=True)),),
        cdrs=(cdr(1, A, TRUNK, src="5550101", dst="0612345678", clid='"Firm" <5550101>'),),
    )
    entry = of(story)["101"]
    assert (entry.caller_number, entry.caller_extension) == ("5550101", "101")
    assert (entry.source, entry.destination) == ("101", "0612345678")
    assert of(story)[""].way is Way.OUT


def test_a_call_that_nobody_answered_is_missed_by_who_was_called() -> None:
    story = Story(cdrs=(cdr(1, A, B, **UNANSWERED),))
    found = of(story)
    assert (found["102"].result, found["101"].result) == (Result.MISSED, Result.UNANSWERED)
    assert (found["102"].talk_s, found["102"].recorded, found["102"].destination) == (0, False, "102")
    assert found[""].result is Result.UNANSWERED


def test_a_telephone_that_is_not_there_has_missed_the_call() -> None:
    story = Story(cdrs=(cdr(1, TRUNK, "", src="+7495", dst="104", clid="<+7495>", **UNANSWERED),))
    assert of(story)["104"].result is Result.MISSED


def test_of_a_group_that_rang_the_others_see_that_somebody_answered() -> None:
    story = simple(
        cdrs=(cdr(1, A, B), replace(cdr(2, A, C, **UNANSWERED), uniqueid="1795500000.1")),
    )
    found = of(story)
    assert (found["103"].result, found["103"].destination) == (Result.ELSEWHERE, "103")
    assert (found["102"].result, found[""].destination) == (Result.ANSWERED, "102")


def test_a_queue_that_was_left_is_missed_by_those_whom_it_rang() -> None:
    story = Story(
        cdrs=(
            cdr(1, TRUNK, "", lastapp="Queue", dst="600", src="0555", clid="<0555>", billsec=20),
            cdr(2, TRUNK, B, lastapp="Queue", dst="600", src="0555", **UNANSWERED),
        ),
        intervals=(
            interval("cdr-1", 3, 60, party(TRUNK, "0555"), conversation_id="", recording_id=None,
                     mode="never", wanted=False, outcome=Outcome.NO_CONVERSATION),
        ),
    )  # fmt: skip
    found = of(story)
    assert (found["102"].result, found[""].result, found[""].talk_s) == (Result.MISSED, Result.MISSED, 0)


def test_an_announcement_that_was_listened_to_is_an_answered_call() -> None:
    story = Story(cdrs=(cdr(1, A, "", lastapp="Playback", dst="123", billsec=9),))
    entry = of(story)["101"]
    assert (entry.result, entry.talk_s, entry.destination, entry.way) == (Result.ANSWERED, 9, "123", Way.OUT)


def test_a_transfer_is_one_entry_for_each_of_the_three() -> None:
    story = simple(
        intervals=(
            interval("i1", 3, 30, party(TRUNK, "0555"), party(A, called=True)),
            interval("i2", 30, 60, party(TRUNK, "0555"), party(B, called=True), mode="never", wanted=False,
                     recording_id=None, outcome=Outcome.NOT_BY_POLICY, reason="103"),
        ),
        cdrs=(
            cdr(1, TRUNK, A, src="0555", dst="101", clid="<0555>"),
            cdr(2, TRUNK, B, src="0555", start=T + 28),
        ),
    )  # fmt: skip
    found = of(story)
    assert set(found) == {"", "101", "102"}
    assert (found["101"].talk_s, found["102"].talk_s, found[""].talk_s) == (27, 30, 57)
    assert (found["101"].recordings, found["102"].recordings) == (("r1",), ())
    assert (found["102"].started_at, found["102"].mode) == (T + 28, "never")
    assert found[""].parts == 2
    assert "102" not in found["101"].search.split()


def test_the_worst_outcome_is_shown() -> None:
    story = simple(
        intervals=(
            interval("i1", 3, 10, party(A), party(B, called=True)),
            interval("i2", 10, 60, party(A), party(B, called=True), outcome=Outcome.PARTIAL),
        )
    )
    assert of(story)["101"].outcome == "partial"


@pytest.mark.parametrize("state", [RecordingState.RECORDING, RecordingState.FAILED, RecordingState.DISCARDED])
def test_what_cannot_be_played_is_not_offered(state: RecordingState) -> None:
    assert not of(simple(recordings=(recording(state=state),)))["101"].recorded


def test_a_call_that_goes_on_has_no_end() -> None:
    story = simple(
        intervals=(interval("i1", 3, None, party(A), party(B, called=True), outcome=None),), cdrs=()
    )
    assert of(story)["101"].ended_at is None


def test_a_story_is_known_by_its_oldest_linkedid() -> None:
    talks = (
        Conversation(
            id="c1", started_at=T, ended_at=None, linkedids=("pbx-1795500000.10", "pbx-1795500000.9")
        ),
    )
    assert Story(conversations=talks).id == "pbx-1795500000.9"


def test_nobody_has_called_in_a_story_without_rows() -> None:
    assert entries(Story(), NAMES) == []


def test_a_name_of_any_length_fits_the_index() -> None:
    story = simple(cdrs=(cdr(1, A, B, clid='"' + "ё" * 5000 + '" <101>'),))
    assert len(of(story)["101"].search.encode()) <= 1500
