"""The past calls: the filter, the list, and one call opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from recorderd.core.entries import CallEntry as Entry
from recorderd.core.rows import Party
from recorderd.panel.ports.media import Sound
from recorderd.panel.ports.paging import Page
from recorderd.panel.ports.people import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What narrows a list of calls; every criterion must hold. See `filters` for the one-line language.

    `words` must each be mentioned: part of a number or a name. Talk lasts from `min_s` to `max_s` seconds,
    both included. `when` is the date as it was typed (`today`, `2026-11-01..2026-11-23`), `since`
    (included) and `until` (not) are what it means. `direction` is `in`, `out` or empty. `line` is the whole
    in one line, which `filters.parse` reads back to the same.
    """

    words: tuple[str, ...] = ()
    min_s: int | None = None
    max_s: int | None = None
    when: str = ""
    since: float | None = None
    until: float | None = None
    direction: str = ""
    missed: bool = False
    recorded: bool | None = None
    line: str = ""

    def __bool__(self) -> bool:
        return bool(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a call in which nobody came or went: its people, its decision and its place in the audio.

    `sound_id` and `offset_ms` tell where it lies in which recording, None where there is none. `outcome` is
    empty while it is not judged yet, else one of `rows.Outcome`. `trace` is why, line by line.
    """

    started_at: float
    ended_at: float | None
    parties: tuple[Party, ...]
    mode: str
    wanted: bool
    paused: bool
    reason: str
    trace: tuple[str, ...]
    outcome: str
    missing_ms: int
    note: str
    sound_id: str | None
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMark:
    """Something on the time line: `kind` is `transfer`, `join` or `leave` (of `who`), what a press did (`started`,
    `paused`, `denied`, ...), `resumed`, `ended` or `destroyed`.

    `sound_id` and `offset_ms` place it in a recording, None where it lies outside all of them.
    """

    at: float
    kind: str
    who: str
    text: str
    sound_id: str | None
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One of Asterisk's own CDR rows of the call; `talk_s` is its billsec."""

    started_at: float
    answered_at: float | None
    ended_at: float
    source: str
    destination: str
    caller: str
    disposition: str
    talk_s: int
    application: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """One entry opened. `sounds` in the order in which they are played one after the other."""

    entry: Entry
    parts: tuple[Part, ...]
    sounds: tuple[Sound, ...]
    marks: tuple[TimeMark, ...]
    legs: tuple[Leg, ...]


class Calls(Protocol):
    """The past calls."""

    def parse(self, line: str) -> Filter:
        """The filter of one line. Raises FaultyFilter."""

    def from_form(self, form: Mapping[str, str]) -> Filter:
        """The filter of a form with the fields `words`, `longer` (seconds), `shorter`, `from`, `to` (dates),
        `direction` (``, in, out, missed) and `recorded` (``, yes, no); each may be missing. FaultyFilter.
        """

    def form(self, filter: Filter) -> dict[str, str]:
        """The reverse: the same fields, to fill the form with."""

    async def page(
        self,
        viewer: Viewer,
        filter: Filter,
        *,
        extension: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Entry]:
        """Calls, newest first. `extension`: that one's (Refused if it is not his to see); None: his own if he
        sees no others, else everything in his scope. A stale or forged cursor is the first page.
        """

    async def detail(self, viewer: Viewer, id: str) -> CallDetail:
        """One entry opened. NotFound."""

    def csv(self, viewer: Viewer, filter: Filter, *, extension: str | None = None) -> AsyncIterator[str]:
        """The list as CSV (RFC 4180, UTF-8 with BOM), the newest 100,000 at most; audited."""

    async def names(self) -> Mapping[str, str]:
        """The display name of every extension that has one."""
