"""What a person sees: owns plain aligned tables and the JSON beside them. Must not know what is shown.

Names of callers are hostile: nothing that is not printable reaches a terminal.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def show(args: argparse.Namespace, data: T, render: Callable[[T], str]) -> None:
    """Print `data`: as JSON when asked, otherwise as `render` has it."""
    if args.json:
        print(json.dumps(data, indent=2, default=str, ensure_ascii=True))
    else:
        print(render(data))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], nothing: str = "none") -> str:
    """Columns two blanks apart; numbers to the right. `nothing` where there is no row."""
    given = [list(row) for row in rows]
    if not given:
        return nothing
    numeric = [all(isinstance(row[i], int | float) for row in given) for i in range(len(headings))]
    cells = [[*headings], *([cell(value) for value in row] for row in given)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(headings))]
    lines = []
    for row in cells:
        padded = [
            " " * (widths[i] - _width(text)) + text if numeric[i] else text + " " * (widths[i] - _width(text))
            for i, text in enumerate(row)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def cell(value: object) -> str:
    """One value on one line; nothing is a dash, what cannot be printed a replacement character."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def printable(text: str) -> str:
    """The text without anything a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
