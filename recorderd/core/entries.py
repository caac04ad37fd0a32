"""One story of calls as rows of people's lists: who called whom, for how long, recorded or not.

Owns how CDR rows, intervals and recordings become the entries that a person sees. Must not know where any of
them is kept.

A story is everything that hangs together: the conversations of one call, those that an attended transfer
joined to it, and the CDR rows with any of their linkedids. Everybody who took part has one entry of it in
his list, and there is one more, with an empty `owner`, in the list of everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from recorderd.core.channels import Names
from recorderd.core.facts import dataclass
from recorderd.core.rows import (
    Cdr,
    Conversation,
    Direction,
    Interval,
    Outcome,
    Recording,
    RecordingState,
    Row,
)


class Way(StrEnum):
    """What a call was to the owner of the list; `internal` only stands in the list of everything."""

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class Result(StrEnum):
    """What became of a call for the owner of the list.

    `missed`: he was called and nobody answered. `elsewhere`: he was called, and somebody else answered.
    `unanswered`: he called, and nobody answered.
    """

    ANSWERED = "answered"
    MISSED = "missed"
    ELSEWHERE = "elsewhere"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEntry(Row):
    """A row of a list of calls. Key: `(owner, story_id)`.

    `caller_number` is what the other side saw of the caller, `caller_extension` his internal number, empty
    for the world outside. `source` and `destination` are the internal number if there is one, else the
    telephone number. `talk_s` are whole seconds in which the owner talked (anybody, in the list of
    everything). `mode`, `wanted` and `reason` are the decision that weighs most, `outcome` the worst that
    became of it. `recordings` are those with something of the owner's talk in it, first one first, and
    `recorded` says whether there is one. `search` is everything that the call mentions, in lower case.
    """

    owner: str
    story_id: str
    started_at: float
    ended_at: float | None
    way: Way
    result: Result
    caller_number: str
    caller_name: str
    caller_extension: str
    source: str
    destination: str
    talk_s: int
    mode: str
    wanted: bool
    reason: str
    outcome: str
    recordings: tuple[str, ...]
    recorded: bool
    parts: int
    search: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that hangs together, in the order of time; `gone` are recordings without audio by now."""

    conversations: tuple[Conversation, ...] = ()
    intervals: tuple[Interval, ...] = ()
    recordings: tuple[Recording, ...] = ()
    cdrs: tuple[Cdr, ...] = ()
    gone: frozenset[str] = frozenset()

    @property
    def linkedids(self) -> frozenset[str]:
        """Every linkedid that its channels ever had."""
        known = {linkedid for c in self.conversations for linkedid in c.linkedids}
        return frozenset(known | {cdr.linkedid for cdr in self.cdrs}) - {""}

    @property
    def id(self) -> str:
        """The oldest linkedid: the same, whenever and from whichever end the story is read."""
        return min(self.linkedids, key=_age, default=self.conversations[0].id if self.conversations else "")


# What became of an interval, worst first: an entry shows the worst of its own.
_WORST = (
    Outcome.RECORDED_IN_ERROR,
    Outcome.NOT_RECORDED,
    Outcome.PARTIAL,
    Outcome.RECORDED,
    Outcome.NOT_BY_POLICY,
    Outcome.NO_CONVERSATION,
)
# An index entry of PostgreSQL holds 2,704 bytes, and `search` stands in one.
_SEARCH_BYTES = 1500
_CLID = re.compile(r'\s*(?:"(?P<quoted>.*)"|(?P<bare>[^<]*?))\s*<(?P<number>[^>]*)>\s*')
_NUMBER = re.compile(r"[0-9*#+]{2,80}")


def entries(story: Story, names: Names) -> list[CallEntry]:
    """The entry of everybody who took part, by extension; first the one for the list of everything.

    Empty for a story without a CDR or an interval: nobody has called yet.
    """
    if not story.cdrs and not story.intervals:
        return []
    view = _View(story, names)
    return [view.entry(owner) for owner in ("", *sorted(view.owners))]


class _View:
    """One story, looked at from the side of each owner."""

    def __init__(self, story: Story, names: Names) -> None:
        self.story = story
        self.names = names
        self.talk = sorted((i for i in story.intervals if len(i.parties) > 1), key=lambda i: i.started_at)
        self.cdrs = sorted(story.cdrs, key=lambda c: (c.start, _age(c.uniqueid), c.sequence))
        self.ends = {id(cdr): self._ends(cdr) for cdr in self.cdrs}
        self.playable = {
            r.id: r
            for r in story.recordings
            if r.state is RecordingState.CLOSED and r.size > 0 and r.id not in story.gone
        }
        self.caller = next(
            (p for i in self.talk for p in i.parties if p.direction is Direction.OUTBOUND), None
        )
        self.caller_extension = self._caller_extension()
        self.caller_name, self.caller_number = self._caller_names()

    @property
    def owners(self) -> set[str]:
        """Every extension that took part, or was meant to."""
        talked = {p.extension for i in self.story.intervals for p in i.parties}
        return (talked | {end for ends in self.ends.values() for end in ends}) - {""}

    def _ends(self, cdr: Cdr) -> tuple[str, str]:
        """The extensions that called and were called in this row, empty for the world outside.

        A telephone that is not registered has no channel: there the number dialled tells whom it was for.
        """
        called = self.names.extension(cdr.dstchannel)
        if not cdr.dstchannel and cdr.lastapp == "Dial" and cdr.disposition != "ANSWERED":
            called = self.names.extension(f"PJSIP/{cdr.dst}-0")
        return self.names.extension(cdr.channel), called

    def _caller_extension(self) -> str:
        if self.cdrs and not self.cdrs[0].channel.startswith("Local/"):
            return self.ends[id(self.cdrs[0])][0]
        return self.caller.extension if self.caller else ""

    def _caller_names(self) -> tuple[str, str]:
        """Name and number that the caller showed: the oldest CDR knows them best, an interval at all."""
        name, number = (self.caller.name, self.caller.number) if self.caller else ("", "")
        for cdr in self.cdrs[:1]:
            shown = _CLID.fullmatch(cdr.clid)
            number = (shown["number"] if shown else "") or cdr.src or number
            name = ((shown["quoted"] or shown["bare"] or "") if shown else "") or name
        return ("" if name == number else name), number

    # --- one owner's side -----------------------------------------------------------------------

    def entry(self, owner: str) -> CallEntry:
        mine = [i for i in self.talk if not owner or _takes_part(owner, i)]
        rows = [c for c in self.cdrs if not owner or owner in self.ends[id(c)]]
        alone = [
            i for i in self.story.intervals if len(i.parties) < 2 and (not owner or _takes_part(owner, i))
        ]
        way = self._way(owner, mine, rows)
        result = self._result(way, mine, rows)
        weighty = max(mine, key=lambda i: (i.wanted, _seconds(i)), default=None)
        times = [c.start for c in rows] + [i.started_at for i in (*mine, *alone)]
        recordings = dict.fromkeys(i.recording_id for i in mine if i.recording_id in self.playable)
        return CallEntry(
            owner=owner,
            story_id=self.story.id,
            started_at=min(times),
            ended_at=_last([c.end for c in rows], [i.ended_at for i in (*mine, *alone)]),
            way=way,
            result=result,
            caller_number=self.caller_number,
            caller_name=self.caller_name,
            caller_extension=self.caller_extension,
            source=self.caller_extension or self.caller_number,
            destination=self._destination(owner, way, result),
            talk_s=self._talk_s(mine, rows, result),
            mode=weighty.mode if weighty else "",
            wanted=weighty.wanted if weighty else False,
            reason=weighty.reason if weighty else "",
            outcome=_worst(mine or alone),
            recordings=tuple(r for r in recordings if r),
            recorded=bool(recordings),
            parts=len(mine),
            search=self._search(owner, mine, rows),
        )

    def _way(self, owner: str, mine: Sequence[Interval], rows: Sequence[Cdr]) -> Way:
        if not owner:
            called = {p.extension for i in mine for p in i.parties} | {self.ends[id(c)][1] for c in rows}
            inside = self.caller_extension and "" not in called - self._undialled(rows)
            return (Way.INTERNAL if inside else Way.OUT) if self.caller_extension else Way.IN
        if rows:
            return Way.OUT if self.ends[id(rows[0])][0] == owner else Way.IN
        first = next(p for i in (*mine, *self.story.intervals) for p in i.parties if p.extension == owner)
        return Way.OUT if first.direction is Direction.OUTBOUND else Way.IN

    def _undialled(self, rows: Sequence[Cdr]) -> set[str]:
        """An empty extension that stands for nobody: rows in which no other channel took part."""
        dialled = any(c.dstchannel and not c.dstchannel.startswith("Local/") for c in rows)
        outside = any(not self.ends[id(c)][1] and c.dstchannel[:6] not in ("", "Local/") for c in rows)
        talked = any(not p.extension for i in self.talk for p in i.parties)
        return set() if talked or outside or not (dialled or self.talk) else {""}

    def _result(self, way: Way, mine: Sequence[Interval], rows: Sequence[Cdr]) -> Result:
        if mine or any(c.disposition == "ANSWERED" and c.dstchannel for c in rows):
            return Result.ANSWERED
        # A queue or an IVR has answered, and those whom it rang have not.
        rang = any(c.dstchannel and c.disposition != "ANSWERED" for c in self.cdrs)
        if any(c.disposition == "ANSWERED" for c in rows) and not rang:
            return Result.ANSWERED
        if way is not Way.IN:
            return Result.UNANSWERED
        return Result.ELSEWHERE if self.talk else Result.MISSED

    def _talk_s(self, mine: Sequence[Interval], rows: Sequence[Cdr], result: Result) -> int:
        if mine:
            return round(_union_s(mine))
        answered = (c.billsec for c in rows if c.disposition == "ANSWERED")
        return max(answered, default=0) if result is Result.ANSWERED else 0

    def _destination(self, owner: str, way: Way, result: Result) -> str:
        """Whom it reached; whom it was meant for where it reached nobody."""
        if owner and way is Way.IN and result in (Result.MISSED, Result.ELSEWHERE):
            return owner
        for interval in self.talk:
            for party in interval.parties:
                if party.direction is Direction.INBOUND:
                    return party.extension or party.number
        dialled = dict.fromkeys(called for _, called in self.ends.values() if called)
        if len(dialled) == 1:
            return next(iter(dialled))
        return next(
            (c.dst for c in self.cdrs if _NUMBER.fullmatch(c.dst)), self.cdrs[0].dst if self.cdrs else ""
        )

    def _search(self, owner: str, mine: Iterable[Interval], rows: Iterable[Cdr]) -> str:
        words = [self.caller_number, self.caller_extension, self.caller_name, owner]
        for interval in mine:
            for party in interval.parties:
                words += (party.extension, party.number, party.name)
        for cdr in rows:
            words += (cdr.src, cdr.dst, *self.ends[id(cdr)])
        unique = dict.fromkeys(" ".join(w.lower().split()) for w in words)
        return _cut(" ".join(w for w in unique if w))


def _takes_part(owner: str, interval: Interval) -> bool:
    return any(p.extension == owner for p in interval.parties)


def _seconds(interval: Interval) -> float:
    return (interval.ended_at or interval.started_at) - interval.started_at


def _union_s(intervals: Iterable[Interval]) -> float:
    """Seconds covered by any of them, in their order of start."""
    total, until = 0.0, 0.0
    for interval in intervals:
        end = interval.ended_at or interval.started_at
        total += max(0.0, end - max(interval.started_at, until))
        until = max(until, end)
    return total


def _worst(intervals: Sequence[Interval]) -> str:
    found = {i.outcome for i in intervals}
    return next((str(outcome) for outcome in _WORST if outcome in found), "")


def _last(sure: Iterable[float], open_ended: Iterable[float | None]) -> float | None:
    """The latest of these times; None when something is still going on."""
    known = [*sure]
    for end in open_ended:
        if end is None:
            return None
        known.append(end)
    return max(known)


def _age(linkedid: str) -> tuple[float, float, str]:
    """What puts Asterisk's ids, `[name-]seconds.count`, in the order in which they were made."""
    seconds, _dot, count = linkedid.rpartition("-")[2].partition(".")
    try:
        return float(seconds), float(count or 0), linkedid
    except ValueError:
        return float("inf"), 0.0, linkedid


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_SEARCH_BYTES].decode("utf-8", "ignore")
