"""How results look: a table for a person, and the sections of docs/bench.md.

Owns the layout and what is said of the machine. Must not know a bench. A section lies between two markers and
is replaced whole when its bench runs again; what a person wrote around the sections stays.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.row import Row

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "bench.md"


def figure(value: float) -> str:
    """Three digits that count, no exponent."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:.{digits}f}"


def cells(row: Row) -> tuple[str, str, str, str, str]:
    goal = f"{row.goal[0]} {figure(row.goal[1])}" if row.goal else ""
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return row.what, f"{figure(row.value)} {row.unit}".strip(), goal, met, row.detail


HEAD = ("what", "found", "goal", "met", "figures")


def table(rows: Sequence[Row]) -> str:
    """For a terminal: columns as wide as they need."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(c.replace("|", "\\|") for c in cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """One line: when, on what, with which versions, how loaded."""
    parts = [
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"{os.cpu_count()} cores {_model()}".strip(),
        f"Python {platform.python_version()}",
        *(v for v in (_asterisk(), _said("postgres", "--version")) if v),
        f"load before {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts)


def write_section(name: str, title: str, rows: Sequence[Row], where: str, *, quick: bool) -> None:
    """Put a bench's results into docs/bench.md in place of its last ones."""
    begin, end = f"<!-- bench {name} -->", f"<!-- /bench {name} -->"
    how = f"`scripts/bench --only {name}{' --quick' if quick else ''}`"
    section = f"{begin}\n{how}: {where}\n\n{markdown(rows)}\n{end}"
    text = PAGE.read_text()
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if found.search(text):
        text = found.sub(lambda _: section, text, count=1)
    else:
        text = f"{text.rstrip()}\n\n## {title}\n\n{section}\n"
    PAGE.write_text(text)


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def _asterisk() -> str:
    """What the rig's Asterisk 22 calls itself; empty where it was not fetched yet."""
    cache = Path(os.environ.get("RECORDERD_CACHE", ROOT / ".cache"))
    if not (cache / "asterisk-22").exists():
        return ""
    from tests.live.asterisk import _binary  # unpacked, not installed: it needs its own loader

    return subprocess.run([*_binary(22)[0], "-V"], capture_output=True, text=True, check=False).stdout.strip()


def _said(program: str, option: str) -> str:
    found = shutil.which(program) or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        return ""
    done = subprocess.run([found, option], capture_output=True, text=True, check=False)
    return done.stdout.strip().replace("postgres (PostgreSQL)", "PostgreSQL")
