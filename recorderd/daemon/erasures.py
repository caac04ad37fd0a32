"""Who has been erased, remembered outside the database: a backup of it may be older than an erasure.

Owns the file, one JSON object on each line, only ever appended to. Must not know what an erasure does.
"""

from __future__ import annotations

import json
from pathlib import Path

from recorderd.archive import files
from recorderd.core.keeping import Erasure
from recorderd.errors import AudioError
from recorderd.store import codec

NAME = "erasures.jsonl"
_READ_LIMIT = 64 << 20


def remember(state: Path, erasure: Erasure) -> None:
    """It is in the file, on the disk, when this returns. Raises AudioError."""
    path = state / NAME
    line = json.dumps(codec.to_plain(erasure), ensure_ascii=True).encode() + b"\n"
    try:
        files.append_lines(path, line)
    except OSError as error:
        raise AudioError(f"{path} cannot be written: {error.strerror}") from error


def remembered(state: Path) -> list[Erasure]:
    """Every erasure in the file; a torn line is passed over. Raises AudioError when it cannot be read."""
    path = state / NAME
    try:
        with path.open("rb") as file:
            lines = file.read(_READ_LIMIT).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error
    found = {}
    for line in filter(None, lines):
        try:
            erasure: Erasure = codec.from_plain(Erasure, json.loads(line))
        except (ValueError, RecursionError):
            continue
        found[erasure.id] = erasure
    return list(found.values())
