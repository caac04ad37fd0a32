"""CDR rows and the talk behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recorderd.core.channels import Names
from recorderd.core.coverage import reconcile
from recorderd.core.keeping import KeepState, Kept
from recorderd.core.links import account, links, of_cdr
from recorderd.core.policy import Mode
from recorderd.core.rows import Cdr, Interval, Outcome, Recording, RecordingState
from tests.core.parties import NOON, chose, party, policy

A, B, C = party("101", "outbound", "1.0"), party("102", "inbound", "1.1"), party("103", "inbound", "1.2")


def talk(start: float, end: float, *who: object, recording: str | None = "r1", **more: object) -> Interval:
    """An interval of talk, in seconds after noon."""
    given: dict[str, object] = {
        "id": f"i{start}",
        "conversation_id": "c1",
        "started_at": NOON + start,
        "ended_at": NOON + end,
        "parties": who,
        "mode": "always",
        "wanted": recording is not None,
        "masked": False,
        "reason": "",
        "trace": (),
        "policy_version": 7,
        "recording_id": recording,
        "outcome": Outcome.RECORDED if recording else Outcome.NOT_BY_POLICY,
        **more,
    }
    return Interval(**given)  # type: ignore[arg-type]


def row(start: float, end: float, channel: str, other: str, uniqueid: str = "1.0", **more: object) -> Cdr:
    """An answered CDR row, in seconds after noon."""
    given: dict[str, object] = {
        "uniqueid": uniqueid,
        "sequence": 1,
        "linkedid": "1.0",
        "start": NOON + start,
        "answer": NOON + start,
        "end": NOON + end,
        "src": "101",
        "dst": "102",
        "dcontext": "from-phones",
        "clid": "",
        "channel": channel,
        "dstchannel": other,
        "lastapp": "Dial",
        "disposition": "ANSWERED",
        "duration": round(end - start),
        "billsec": round(end - start),
        **more,
    }
    return Cdr(**given)  # type: ignore[arg-type]


FIRST, SECOND = talk(0.4, 10.2, A, B), talk(12.3, 20.1, A, C, recording="r2")


@pytest.mark.parametrize(
    ("cdr", "expected"),
    [
        (row(0, 10, A.channel, B.channel), ["r1"]),
        (row(12, 20, A.channel, C.channel), ["r2"]),
        (row(0, 20, A.channel, "Local/x@y-0;1"), ["r1", "r2"]),
        (row(0, 10, "Local/x@y-0;2", B.channel, uniqueid="1.9"), ["r1"]),
        (row(0, 10, B.channel, A.channel, uniqueid="1.1"), ["r1"]),
        (row(30, 40, A.channel, B.channel), []),
        (row(0, 10, A.channel, B.channel, disposition="NO ANSWER", answer=None), []),
    ],
)
def test_a_row_is_linked_to_the_audio_of_its_own_talk(cdr: Cdr, expected: list[str]) -> None:
    assert [link.recording_id for link in links(cdr, [FIRST, SECOND])] == expected


def test_a_neighbouring_talk_that_only_touches_is_not_the_row_s() -> None:
    segments = [talk(0.4, 10.2, A, B), talk(10.2, 20.0, A, B, recording="r2")]
    assert [i.recording_id for i in of_cdr(row(0, 10, A.channel, B.channel), segments)] == ["r1"]


def test_an_ivr_is_no_conversation() -> None:
    found = account(row(0, 9, A.channel, ""), [], policy(), Names(), deaf=False)
    assert found is not None
    assert (found.outcome, found.conversation_id, found.cdr_uniqueid) == (Outcome.NO_CONVERSATION, "", "1.0")


@pytest.mark.parametrize(
    ("mode", "outcome", "missing"),
    [("always", Outcome.NOT_RECORDED, 10_000), ("on-demand", Outcome.NOT_BY_POLICY, 0)],
)
def test_a_call_that_nobody_told_us_of_is_what_policy_says_of_it(
    mode: str, outcome: Outcome, missing: int
) -> None:
    said = policy(chose("101", mode), chose("102", mode))
    found = account(row(0, 10, A.channel, B.channel), [], said, Names(), deaf=True)
    assert found is not None
    assert (found.outcome, found.missing_ms, found.mode) == (outcome, missing, Mode(mode))


def test_a_row_with_its_intervals_needs_no_account() -> None:
    assert account(row(0, 10, A.channel, B.channel), [FIRST], policy(), Names(), deaf=True) is None


def test_an_unanswered_row_needs_no_account() -> None:
    unanswered = row(0, 10, A.channel, B.channel, disposition="BUSY", answer=None)
    assert account(unanswered, [], policy(), Names(), deaf=True) is None


# --- the proof ---------------------------------------------------------------------------------

KEPT = Recording(
    id="r1",
    conversation_id="c1",
    segment=1,
    folder="2026/11/23",
    name="a.wav",
    state=RecordingState.CLOSED,
    started_at=NOON,
    ended_at=NOON + 10,
)
FILE = "2026/11/23/a.wav"
CALL = row(0, 10, A.channel, B.channel)


def test_a_clean_period_is_proven() -> None:
    proof = reconcile([FIRST], [CALL], [KEPT], {FILE})
    assert proof.proven
    assert proof.outcomes == {Outcome.RECORDED: 1}
    assert (proof.talked_ms, proof.wanted_ms, proof.missing_ms) == (9800, 9800, 0)


@pytest.mark.parametrize(
    ("intervals", "cdrs", "recordings", "files", "what"),
    [
        ([], [CALL], [], set(), "unaccounted"),
        ([FIRST], [CALL], [KEPT], {FILE, "2026/11/23/b.wav"}, "orphans"),
        ([FIRST], [CALL], [], {FILE}, "orphans"),
        ([FIRST], [CALL], [KEPT], set(), "lost"),
        ([replace(FIRST, outcome=Outcome.PARTIAL, missing_ms=900)], [CALL], [KEPT], {FILE}, "faults"),
        ([replace(FIRST, outcome=Outcome.NOT_RECORDED)], [CALL], [KEPT], {FILE}, "faults"),
        ([replace(FIRST, outcome=Outcome.RECORDED_IN_ERROR)], [CALL], [KEPT], {FILE}, "faults"),
    ],
)
def test_whatever_is_left_over_spoils_the_proof_and_is_named(
    intervals: list[Interval], cdrs: list[Cdr], recordings: list[Recording], files: set[str], what: str
) -> None:
    proof = reconcile(intervals, cdrs, recordings, files)
    assert not proof.proven
    assert len(getattr(proof, what)) == 1


def test_an_interval_that_is_not_judged_yet_is_pending() -> None:
    proof = reconcile([replace(FIRST, outcome=None)], [CALL], [KEPT], {FILE})
    assert len(proof.pending) == 1


def test_an_ivr_row_is_explained_by_its_account() -> None:
    ivr = row(0, 9, A.channel, "")
    found = account(ivr, [], policy(), Names(), deaf=False)
    assert found is not None
    assert reconcile([found], [ivr], [], set()).proven


# --- what the archive made of it ----------------------------------------------------------------------


def archived(**changed: object) -> Kept:
    values = {"state": KeepState.KEPT, "started_at": KEPT.started_at, "folder": KEPT.folder, "name": "x.opus"}
    return Kept(**{"recording_id": KEPT.id, **values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "there", "lost", "orphans"),
    [
        (archived(), ["x.opus"], 0, 0),
        (archived(), [], 1, 0),
        (archived(), ["x.opus", KEPT.name], 0, 1),
        (archived(mix=KEPT.name), ["x.opus", KEPT.name], 0, 0),
        (archived(mix=KEPT.name), ["x.opus"], 1, 0),
        (archived(state=KeepState.LINKED, mix=KEPT.name), ["x.opus"], 0, 0),
        (archived(state=KeepState.TAKEN, name=""), [KEPT.name], 0, 0),
        (archived(state=KeepState.DELETED), [], 0, 0),
        (archived(state=KeepState.DELETED), ["x.opus"], 0, 1),
    ],
    ids=[
        "encoded", "encoded and gone", "its mix came back", "with its mix beside", "that mix gone",
        "its mix about to go", "being encoded", "deleted", "deleted and back again",
    ],
)  # fmt: skip
def test_the_proof_knows_what_the_archive_made(row: Kept, there: list[str], lost: int, orphans: int) -> None:
    files = {f"{KEPT.folder}/{name}" for name in there}
    proof = reconcile([FIRST], [CALL], [KEPT], files, {KEPT.id: row})
    assert (len(proof.lost), len(proof.orphans)) == (lost, orphans)
