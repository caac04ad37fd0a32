"""docs/operations.md: every alarm that the code can raise is there, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from recorderd.core import judging
from recorderd.daemon import archivist, water

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "daemon", "clerk")
# Names of methods that raise an alarm, and which of their arguments is its kind.
RAISING = {"alarm": 1, "say": 0, "tell": 0, "_tell": 0, "_complain": 0, "_say": 0}
# Said by the journal to be told as news, not as an alarm: see Service._journal_says.
GOOD_NEWS = ("-back", "-on-disk")


def literal_kinds() -> Iterator[str]:
    """The kinds that stand in the code as they are."""
    files = [file for room in ROOMS for file in (ROOT / "recorderd" / room).glob("*.py")]
    for file in [*files, ROOT / "recorderd/store/journal.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            place = RAISING.get(node.func.attr)
            if place is None or len(node.args) < place + 2:
                continue
            kind = node.args[place]
            if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                yield kind.value


def test_every_alarm_of_the_code_is_explained_and_no_other() -> None:
    raised = {*literal_kinds(), *archivist.KINDS, water.KIND, *map(str, judging.FAULTS)}
    raised = {kind for kind in raised if not kind.endswith(GOOD_NEWS)}
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Alarms")[2]
    explained = re.findall(r"^\| `([\w-]+)` \|", table, re.M)
    assert sorted(explained) == sorted(raised)
