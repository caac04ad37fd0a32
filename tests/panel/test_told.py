"""Every alarm and every line of the audit log has a word for people, in each language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from recorderd.panel.pages import told

ROOT = Path(__file__).resolve().parents[2]
# Who writes into the audit log, and which argument of it is the action.
WRITING = {"note": 1, "_audit": 1}


def actions() -> Iterator[str]:
    """The actions that stand in the code as they are."""
    for file in [*(ROOT / "recorderd/panel").rglob("*.py"), ROOT / "recorderd/daemon/keeper.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            place = WRITING.get(node.func.attr)
            if place is not None and len(node.args) > place:
                constants = [part for part in ast.walk(node.args[place]) if isinstance(part, ast.Constant)]
                yield from (str(part.value) for part in constants if isinstance(part.value, str))


def test_every_action_of_the_audit_log_has_a_word_and_no_word_is_left_over() -> None:
    assert set(actions()) == set(told.ACTIONS)


def test_every_alarm_has_a_word_and_no_word_is_left_over() -> None:
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Alarms")[2]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == set(told.ALARMS)
