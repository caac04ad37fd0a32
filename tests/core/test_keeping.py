"""The archive's thinking: sides, holds, erasure, retention. Pure: no files, no clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recorderd.core import keeping, retention, sides
from recorderd.core.conditions import Numbers
from recorderd.core.keeping import Erasure, Hold, KeepState, Kept, Subject
from recorderd.core.retention import FOREVER, Keep, Way, When
from recorderd.core.rows import Direction, Interval, Party, Recording, RecordingState

T = 1_795_000_000.0
DAY = 86_400.0
CALLED, CALLER = Direction.INBOUND, Direction.OUTBOUND


def party(uniqueid: str, extension: str = "", direction: Direction = CALLED, number: str = "") -> Party:
    return Party(
        uniqueid=uniqueid,
        channel=f"PJSIP/{extension or 'trunk'}-{uniqueid}",
        extension=extension,
        number=number or extension or "0612345678",
        name="",
        direction=direction,
    )


OUTSIDE, OTHER = party("o", "", CALLER), party("p", "", CALLED, "0711111111")
ANNA, BORIS, CLARA = party("a", "101"), party("b", "102"), party("c", "103")
ANNA_CALLS = replace(ANNA, direction=CALLER)


def interval(*parties: Party, at: float = T, **changed: Any) -> Interval:
    values: dict[str, Any] = {
        "id": f"i{at}", "conversation_id": "c1", "started_at": at, "ended_at": at + 60, "parties": parties,
        "mode": "always", "wanted": True, "masked": False, "reason": "101 chose always", "trace": (),
        "policy_version": 1, "recording_id": "r1",
    }  # fmt: skip
    return Interval(**{**values, **changed})


def recording(**changed: Any) -> Recording:
    values: dict[str, Any] = {
        "id": "r1", "conversation_id": "c1", "segment": 1, "folder": "2026/11/18", "name": "x.wav",
        "state": RecordingState.CLOSED, "started_at": T, "ended_at": T + 60, "duration_ms": 60_000,
    }  # fmt: skip
    return Recording(**{**values, **changed})


def subject(*intervals: Interval, tags: frozenset[str] = frozenset(), **changed: Any) -> Subject:
    return Subject(recording=recording(**changed), intervals=intervals, tags=tags)


CALL = subject(interval(OUTSIDE, ANNA))

# --- sides -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("talk", "left"),
    [
        ([(OUTSIDE, ANNA)], "o"),
        ([(ANNA_CALLS, OTHER)], "p"),
        ([(BORIS, ANNA_CALLS)], "a"),
        ([(OUTSIDE, ANNA), (OUTSIDE, BORIS)], "o"),
        ([(ANNA_CALLS, BORIS), (ANNA_CALLS, CLARA)], "a"),
        ([(OUTSIDE, ANNA, BORIS)], "o"),
        ([(OUTSIDE, ANNA), (OUTSIDE, OTHER)], "o"),
        ([(OTHER, replace(OUTSIDE, uniqueid="q"))], "q"),
    ],
    ids=[
        "who calls from outside",
        "who is called outside",
        "the first caller among extensions",
        "the outside party after a transfer",
        "the caller after a transfer",
        "the outside party of a conference",
        "the first of two from outside",
        "the caller of two from outside",
    ],
)
def test_left_is(talk: list[tuple[Party, ...]], left: str) -> None:
    intervals = [interval(*parties, at=T + 60 * n) for n, parties in enumerate(talk)]
    assert sides.left_of(reversed(intervals)) == frozenset(left)


def test_who_comes_when_the_left_one_is_gone_takes_his_place_and_nobody_changes_sides() -> None:
    talk = [interval(ANNA_CALLS, BORIS), interval(BORIS, CLARA, at=T + 60), interval(ANNA, BORIS, at=T + 120)]
    assert sides.left_of(talk) == {"a", "c"}
    assert sides.labels(talk) == ("101, 103", "102")


def test_two_who_were_both_on_the_right_stay_there() -> None:
    talk = [interval(OUTSIDE, ANNA, BORIS), interval(ANNA, BORIS, at=T + 60)]
    assert sides.left_of(talk) == {"o"}


# --- where the audio is -----------------------------------------------------------------------------


def kept(**changed: Any) -> Kept:
    values: dict[str, Any] = {
        "recording_id": "r1", "state": KeepState.KEPT, "started_at": T, "folder": "2026/11/18",
        "name": "x.opus",
    }  # fmt: skip
    return Kept(**{**values, **changed})


@pytest.mark.parametrize(
    ("row", "files"),
    [
        (None, ["x.wav"]),
        (kept(state=KeepState.WAITING, name=""), ["x.wav"]),
        (kept(state=KeepState.TAKEN, name=""), ["x.wav"]),
        (kept(state=KeepState.ENCODED, mix="x.wav"), ["x.opus", "x.wav"]),
        (kept(), ["x.opus"]),
        (kept(mix="x.wav"), ["x.opus", "x.wav"]),
        (kept(name="x.wav", mix="x.wav"), ["x.wav"]),
        (kept(name=""), []),
        (kept(state=KeepState.DELETING), []),
        (kept(state=KeepState.DELETED), []),
    ],
)
def test_a_recordings_files_are_where_the_archive_is_with_it(row: Kept | None, files: list[str]) -> None:
    assert keeping.files_of(recording(), row) == tuple(f"2026/11/18/{name}" for name in files)


def test_a_recording_that_failed_has_no_file() -> None:
    assert keeping.files_of(recording(state=RecordingState.FAILED), None) == ()


# --- holds and erasure ---------------------------------------------------------------------------------


def hold(**scope: Any) -> Hold:
    return Hold(id="h1", at=T, who="counsel", reason="case 7", **scope)


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ({}, True),
        ({"recording_id": "r1"}, True),
        ({"recording_id": "r2"}, False),
        ({"conversation_id": "c1"}, True),
        ({"conversation_id": "c2"}, False),
        ({"person": "101"}, True),
        ({"person": "0612345678"}, True),
        ({"person": "061234567"}, False),
        ({"person": "101", "recording_id": "r2"}, False),
        ({"since": T + 60}, True),
        ({"since": T + 61}, False),
        ({"until": T + 1}, True),
        ({"until": T}, False),
        ({"released_at": T}, False),
    ],
)
def test_a_hold_covers_what_agrees_with_all_it_says(scope: dict[str, Any], covers: bool) -> None:
    assert keeping.holds(hold(**scope), CALL) is covers


@pytest.mark.parametrize(
    ("person", "at", "erased"),
    [("101", T, True), ("0612345678", T, True), ("101", T - 1, False), ("", T, False)],
)
def test_an_erasure_means_every_conversation_with_the_person_until_then(
    person: str, at: float, erased: bool
) -> None:
    erasure = Erasure(id="e1", at=at, who="dpo", reason="asked", person=person)
    assert keeping.erases(erasure, CALL) is erased


# --- retention -----------------------------------------------------------------------------------------

BY_RULE = subject(interval(OUTSIDE, ANNA, reason="rule “order line” says always, contracts"))


@pytest.mark.parametrize(
    ("when", "call", "matches"),
    [
        (When(), CALL, True),
        (When(rule="order line"), BY_RULE, True),
        (When(rule="order line"), CALL, False),
        (When(rule="order"), BY_RULE, False),
        (When(mode="always"), CALL, True),
        (When(mode="on-demand"), CALL, False),
        (When(extension=Numbers.parse("_1XX", {})), CALL, True),
        (When(extension=Numbers.parse("0612345678", {})), CALL, False),
        (When(number=Numbers.parse("0612345678", {})), CALL, True),
        (When(number=Numbers.parse("101", {})), CALL, True),
        (When(direction=Way.INBOUND), CALL, True),
        (When(direction=Way.OUTBOUND), subject(interval(ANNA_CALLS, OTHER)), True),
        (When(direction=Way.INTERNAL), subject(interval(ANNA_CALLS, BORIS)), True),
        (When(direction=Way.INTERNAL), CALL, False),
        (When(tag="complaint"), CALL, False),
        (When(tag="complaint"), replace(CALL, tags=frozenset({"complaint"})), True),
        (When(tag="complaint", direction=Way.OUTBOUND), replace(CALL, tags=frozenset({"complaint"})), False),
    ],
)
def test_a_rule_of_keeping_asks_for(when: When, call: Subject, matches: bool) -> None:
    assert when.matches(call) is matches


def test_the_first_rule_that_matches_wins_and_leaves_the_rest_to_the_default() -> None:
    rules = (
        Keep(name="never", when=When(tag="x"), maximum=1.0),
        Keep(name="orders", when=When(direction=Way.INBOUND), format="flac"),
        Keep(name="all", maximum=2.0),
    )
    found = retention.keep_of(rules, Keep(maximum=9.0, minimum=3.0), CALL)
    assert (found.name, found.format, found.minimum, found.maximum) == ("orders", "flac", 3.0, 9.0)
    nothing = retention.keep_of((), Keep(), CALL)
    assert (nothing.format, nothing.minimum, nothing.maximum) == ("opus", 0.0, FOREVER)


def test_what_is_older_than_its_maximum_expires_and_says_why() -> None:
    keep = Keep(name="calls", maximum=90 * DAY)
    assert not retention.expires(keep, CALL, [], T + 90 * DAY).goes
    verdict = retention.expires(keep, CALL, [], T + 90 * DAY + 1)
    assert (verdict.goes, verdict.why) == (True, "calls keeps it for 90 days")


def test_what_is_younger_than_its_minimum_makes_no_room() -> None:
    keep = Keep(name="calls", minimum=7 * DAY)
    assert not retention.yields(keep, CALL, [], T + 7 * DAY).goes
    assert retention.yields(keep, CALL, [], T + 7 * DAY + 1).goes


@pytest.mark.parametrize("judge", [retention.expires, retention.yields])
def test_a_hold_outweighs_age_and_a_full_disk(judge: Any) -> None:
    verdict = judge(Keep(maximum=1.0), CALL, [hold(person="999"), hold(person="101")], T + 99 * DAY)
    assert (verdict.goes, verdict.why) == (False, "held by counsel: case 7")
