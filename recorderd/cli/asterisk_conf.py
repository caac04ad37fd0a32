"""Asterisk's configuration files, as far as a check needs them: owns sections, keys and includes.

Must not know what a key means. Read only; what it does not understand it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

Sections = dict[str, dict[str, str]]

TRUE = ("yes", "true", "y", "t", "1", "on")
_MOST_BYTES = 1 << 20
_DEEPEST = 8
_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[\"<]?([^\">]+)[\">]?")


def read(path: Path) -> Sections:
    """Sections with their keys, lower case, the last of each; templates are seen through. Raises OSError."""
    found: Sections = {}
    current: dict[str, str] = {}
    for line in _lines(path, 0):
        section = _SECTION.match(line)
        if section:
            name, options = section[1], (section[2] or "").split(",")
            current = found.setdefault(name, {})
            for template in options:
                current |= found.get(template.strip(), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current[key.strip().lower()] = value.removeprefix(">").strip()
    return found


def _lines(path: Path, depth: int) -> Iterator[str]:
    """Every line that says something, of the file and of what it includes."""
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    for raw in re.sub(r";--.*?--;", "", text, flags=re.DOTALL).splitlines():
        line = re.sub(r"(?<!\\);.*", "", raw).strip()
        include = _INCLUDE.match(line)
        if include is None:
            if line:
                yield line
        elif depth < _DEEPEST:
            for one in sorted(path.parent.glob(include[1].strip().lstrip("/"))) or [Path(include[1].strip())]:
                try:
                    yield from _lines(one, depth + 1)
                except OSError:
                    continue
