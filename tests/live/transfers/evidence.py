"""What all scenarios of a house left behind: files, Asterisk's own CDR rows, and our tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorderd.core import rows
from tests.live.transfers.scenario import Cast

# By file, and by party, the numbers of the frames that are in it, in order.
Inside = Mapping[Path, Mapping[str, Sequence[int]]]


@dataclass(frozen=True)
class Evidence:
    """What was left behind by all scenarios of a house, once everything is quiet."""

    files: Sequence[Path]
    cdrs: Sequence[Mapping[str, str]]
    recordings: Sequence[rows.Recording]
    links: Sequence[rows.CdrLink]
    conversations: Sequence[rows.Conversation]
    intervals: Sequence[rows.Interval]
    monitor: Path


def belongs(file: Path, cast: Cast) -> bool:
    """Whether one of the numbers in the file's name is of this scenario: nobody else has it."""
    return not set(cast.numbers.values()).isdisjoint(file.name.split("-")[1:3])
