"""Every alarm and every line of the audit log has a word for people, in each language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.panel import language
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


@pytest.mark.parametrize(
    ("detail", "english", "russian"),
    [
        (
            {"address": "127.0.0.1", "role": "auditor", "via": "session", "ms": [3000, 72500]},
            "address 127.0.0.1; role auditor; by a session; stretch 0:03–1:12",
            "адрес 127.0.0.1; роль аудитор; через сеанс; отрезок 0:03–1:12",
        ),
        (
            {"ms": [[0, 1000], [5000, 6000]]},
            "stretch 0:00–0:01, 0:05–0:06",
            "отрезок 0:00–0:01, 0:05–0:06",
        ),
        (
            {"inbound": {"was": "never", "is": "on-demand"}},
            "incoming never → on demand",
            "входящий никогда → по требованию",
        ),
        (
            {
                "before": {"role": "user", "scope": [], "rights": None},
                "after": {"role": "user", "scope": ["1"]},
            },
            "may see – → 1",
            "может видеть – → 1",
        ),
        ({"set": {"locked": "yes", "beep": "0"}}, "locked yes; seconds between beeps 0", None),
        ({"right": "policy", "locked": True}, "right change policy; locked yes", None),
        ({"reason": "yes", "name": "no"}, "why yes; name no", "причина yes; имя no"),
        ({"ms": [], "deleted": False, "invented": {"x": 1}}, "stretch –; follows the default again no", None),
    ],
)
def test_a_line_is_told_in_the_readers_words(
    detail: dict[str, object], english: str, russian: str | None
) -> None:
    for spoken, expected in (("ru", russian), ("en", english)):
        language.use(spoken)
        if expected is not None:
            assert expected in "; ".join(" ".join(pair) for pair in told.details(detail))


def test_what_the_services_write_down_has_a_name() -> None:
    """Every key that stands in the code as one."""
    keys = set()
    for file in (ROOT / "recorderd/panel").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "note"
            ):
                dicts = [
                    part
                    for argument in node.args
                    for part in ast.walk(argument)
                    if isinstance(part, ast.Dict)
                ]
                keys |= {key.value for one in dicts for key in one.keys if isinstance(key, ast.Constant)}
    assert keys - {"before", "after", "set"} <= set(told.DETAILS)
    assert len(keys) > 10
