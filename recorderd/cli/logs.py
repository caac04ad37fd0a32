"""What the daemon's log looks like: owns the two forms of a line. Must not know who logs what.

A record's `keys` (a mapping, by `extra`) are what a machine wants; a person reads the sentence.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import TextIO

from recorderd.cli.output import printable
from recorderd.config.sections import Log

# syslog's numbers, which systemd takes from the head of a line (sd-daemon.3).
_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


def start(settings: Log, stream: TextIO | None = None) -> None:
    """Everything that is logged from now on goes to `stream` (standard error), one line each."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    journal = out is sys.stderr and "JOURNAL_STREAM" in os.environ
    form = JsonLine() if settings.json else JournalText() if journal else Line()
    handler.setFormatter(JournalLine(form) if journal else form)
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    # Libraries say much that is of no use at an administrator's level.
    for library in ("uvicorn", "httpx", "httpcore", "aiosqlite", "asyncio", "alembic", "panoramisk"):
        logging.getLogger(library).setLevel(logging.WARNING)


class Line(logging.Formatter):
    """`2026-11-23T10:30:00.123Z WARNING sentence`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, with nothing in it that a terminal or a log reader would obey."""
        return f"{_stamp(record)} {record.levelname:7} {self._sentence(record)}"

    def _sentence(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage().replace("\n", " "))
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class JournalText(Line):
    """The sentence alone: the journal has time and priority itself."""

    def format(self, record: logging.LogRecord) -> str:
        return self._sentence(record)


class JournalLine(logging.Formatter):
    """For the journal: another form, with the priority in angle brackets before each of its lines."""

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """The journal takes the brackets off."""
        priority = f"<{_PRIORITIES.get(record.levelname, 6)}>"
        return "\n".join(priority + line for line in self._form.format(record).split("\n"))


class JsonLine(logging.Formatter):
    """An object on each line: `at`, `level`, `logger`, `sentence`, and the record's keys."""

    def format(self, record: logging.LogRecord) -> str:
        """ASCII, so that no byte of a hostile name breaks a reader."""
        line: dict[str, object] = {
            "at": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "sentence": record.getMessage(),
        }
        keys = getattr(record, "keys", None)
        if isinstance(keys, dict):
            line |= {"keys": keys}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _stamp(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03}Z"
