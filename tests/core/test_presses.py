"""Presses as a table: mode, action, what was before, and what comes of it."""

from __future__ import annotations

from itertools import product

import pytest

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.conversations import Talk, Talks
from recorderd.core.outbox import Outbox
from recorderd.core.policy import Decision, FailMode, Mode
from recorderd.core.presses import overdue, press
from recorderd.core.rows import Mark


def talk(mode: str, *, pressed: bool = False, masked: bool = False) -> Talk:
    """Two people in a conversation."""
    found = Talk("t", 0.0, "1.0", members=frozenset(("1.0", "1.1")), pressed=pressed, masked=masked)
    found.decision = Decision(
        mode=Mode(mode),
        wanted=mode == "always" or (mode == "on-demand" and pressed),
        reason="because",
        trace=(),
        version=1,
        fail_mode=FailMode.OPEN,
    )
    return found


def ask(found: Talk | None, action: str, at: float = 100.0, who: str = "1.0") -> tuple[str, Outbox, set[str]]:
    """Press, and hear the answer."""
    out = Outbox()
    event = events.Press(at=at, id=f"p{at}", action=action, uniqueid=who, by="101", source="feature-code")
    touched = press(found, event, out)
    return out._waiting[0].outcome, out, touched  # type: ignore[attr-defined]


# mode, pressed before, action -> answer
TABLE = {
    ("always", False, "toggle"): "denied",
    ("always", False, "start"): "unchanged",
    ("always", False, "stop"): "denied",
    ("on-demand", False, "toggle"): "started",
    ("on-demand", True, "toggle"): "stopped",
    ("on-demand", False, "start"): "started",
    ("on-demand", True, "start"): "unchanged",
    ("on-demand", False, "stop"): "unchanged",
    ("on-demand", True, "stop"): "stopped",
    ("never", False, "toggle"): "denied",
    ("never", False, "start"): "denied",
    ("never", False, "stop"): "unchanged",
    ("always", False, "pause"): "paused",
    ("on-demand", True, "pause"): "paused",
    ("on-demand", False, "pause"): "denied",
    ("never", False, "pause"): "denied",
    ("always", False, "pausing"): "paused",
    ("never", False, "pausing"): "denied",
}


@pytest.mark.parametrize(("before", "answer"), TABLE.items())
def test_a_press_is_answered_as_the_table_says(before: tuple[str, bool, str], answer: str) -> None:
    mode, pressed, action = before
    found = talk(mode, pressed=pressed)
    told, out, touched = ask(found, action)
    assert told == answer
    assert bool(touched) is (answer not in ("denied", "unchanged"))
    assert [c.row.kind for c in out._waiting if isinstance(c, commands.Save) and isinstance(c.row, Mark)] == [
        answer
    ]


@pytest.mark.parametrize(("masked", "action"), [*product((True, False), ("pause", "resume"))])
def test_a_pause_and_its_end_are_idempotent(masked: bool, action: str) -> None:
    found = talk("always", masked=masked)
    told, _, _ = ask(found, action)
    changes = masked is (action == "resume")
    assert told == ({"pause": "paused", "resume": "resumed"}[action] if changes else "unchanged")
    assert found.masked is (action == "pause")


def test_a_code_sent_twice_within_a_second_by_one_telephone_is_one_press() -> None:
    found = talk("on-demand")
    assert ask(found, "toggle", 100.0)[0] == "started"
    assert ask(found, "toggle", 100.9)[0] == "unchanged"
    assert found.pressed


def test_both_telephones_may_press_in_the_same_second() -> None:
    found = talk("on-demand")
    assert ask(found, "toggle", 100.0, "1.0")[0] == "started"
    found.decision = talk("on-demand", pressed=True).decision
    assert ask(found, "toggle", 100.5, "1.1")[0] == "stopped"


@pytest.mark.parametrize("found", [None, Talk("t", 0.0, "1.0")])
def test_a_press_where_nobody_talks_is_denied(found: Talk | None) -> None:
    assert ask(found, "toggle")[0] == "denied"


def test_stopping_ends_a_pause() -> None:
    found = talk("on-demand", pressed=True, masked=True)
    ask(found, "stop")
    assert not found.masked


def test_one_code_pauses_and_goes_on() -> None:
    found = talk("always")
    assert [ask(found, "pausing", at)[0] for at in (1.0, 2.0, 3.0)] == ["paused", "resumed", "paused"]


def test_a_pause_ends_by_itself_and_the_ledger_says_who_ended_it() -> None:
    found, out = talk("always"), Outbox()
    event = events.Press(at=100.0, id="p", action="pause", uniqueid="1.0", by="101", source="feature-code")
    press(found, event, out, longest_pause=60.0)
    talks = Talks(Calls(), lambda: "id")
    talks.talks["t"] = found
    assert overdue(talks, 159.0, out) == set()
    assert overdue(talks, 160.0, out) == found.members
    assert not found.masked
    marks = [c.row for c in out.take() if isinstance(c, commands.Save) and isinstance(c.row, Mark)]
    assert [(mark.kind, mark.who) for mark in marks] == [("paused", "101"), ("resumed", "recorderd")]
