"""The daemon's log: one record is one line, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from recorderd.cli import logs
from recorderd.config.sections import Log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The root logger belongs to pytest again afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # `force` closes what is there, and these are pytest's
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(settings: Log) -> str:
    out = io.StringIO()
    logs.start(settings, out)
    log = logging.getLogger("recorderd.test")
    log.info("a name: %s", "\x1b[2J\nforged line", extra={"keys": {"kind": "x"}})
    log.debug("unheard")
    return out.getvalue()


def test_a_hostile_name_makes_no_second_line() -> None:
    text = logged(Log())
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert " INFO    a name: \ufffd[2J forged line" in text


def test_json_lines_carry_the_keys() -> None:
    line = json.loads(logged(Log(json=True)))
    assert (line["level"], line["logger"], line["keys"]) == ("info", "recorderd.test", {"kind": "x"})
    assert line["sentence"] == "a name: \x1b[2J\nforged line"


@pytest.mark.parametrize(
    ("form", "first", "several"), [(logs.JournalText(), "<3>a", True), (logs.JsonLine(), '<3>{"at": ', False)]
)
def test_the_journal_gets_a_priority_before_each_line(
    form: logging.Formatter, first: str, several: bool
) -> None:
    try:
        {}["x"]
    except KeyError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "%s", ("a",), None)
        import sys

        record.exc_info = sys.exc_info()
    lines = logs.JournalLine(form).format(record).split("\n")
    assert lines[0].startswith(first)
    assert (len(lines) > 2) is several
    assert all(line.startswith("<3>") for line in lines)


def test_the_level_is_the_configurations() -> None:
    assert logged(Log(level="warning")) == ""
