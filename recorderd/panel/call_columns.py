"""The columns of the list of calls as a CSV file.

Owns their titles, their values, and that no cell becomes a formula. Must not know which calls somebody sees.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo

from recorderd.panel.language import _
from recorderd.panel.ports import Entry


def _when(form: str) -> Callable[[Entry, tzinfo], str]:
    return lambda entry, zone: datetime.fromtimestamp(entry.started_at, zone).strftime(form)


# A title is made when it is written: it is in the reader's language.
_COLUMNS: tuple[tuple[Callable[[], str], Callable[[Entry, tzinfo], object]], ...] = (
    (lambda: _("Date"), _when("%Y-%m-%d")),
    (lambda: _("Time"), _when("%H:%M:%S")),
    (lambda: _("Caller's number"), lambda entry, _zone: entry.caller_number),
    (lambda: _("Internal number"), lambda entry, _zone: entry.caller_extension),
    (lambda: _("Caller's name"), lambda entry, _zone: entry.caller_name),
    (lambda: _("Source"), lambda entry, _zone: entry.source),
    (lambda: _("Destination"), lambda entry, _zone: entry.destination),
    (lambda: _("Talk, s"), lambda entry, _zone: entry.talk_s),
    (lambda: _("Direction"), lambda entry, _zone: str(entry.way)),
    (lambda: _("Result"), lambda entry, _zone: str(entry.result)),
    (lambda: _("Decision"), lambda entry, _zone: entry.mode),
    (lambda: _("Why"), lambda entry, _zone: entry.reason),
    (lambda: _("Outcome"), lambda entry, _zone: entry.outcome),
    (lambda: _("Recordings"), lambda entry, _zone: len(entry.recordings)),
)


def titles() -> str:
    """The first line, in the reader's language."""
    return _line(title() for title, _value in _COLUMNS)


def row(entry: Entry, zone: tzinfo) -> str:
    """The line of one entry."""
    return _line(value(entry, zone) for _title, value in _COLUMNS)


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """A caller's name must not become a formula in somebody's spreadsheet; a number with a plus is none."""
    if not isinstance(cell, str) or not cell:
        return cell
    if cell[0] in "=@\t\r" or (cell[0] in "+-" and not cell[1:].isdigit()):
        return "'" + cell
    return cell
