"""A long list, some rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a long list, newest first, and how to ask for more.

    `older` and `newer` are cursors (text for a URL's query), None where there is nothing more. There is no
    total: it would cost a scan. `searched_to`: a rare filter was looked for no further back than this time;
    `older` goes on from there.
    """

    rows: Sequence[T]
    older: str | None = None
    newer: str | None = None
    searched_to: float | None = None
