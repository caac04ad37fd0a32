"""The list of calls, one call opened, and the list as CSV.

Owns which entries somebody sees and how a page of them is asked for. Must not know SQL or HTML. The rule of
sight: an entry is seen by whoever's scope has its owner; of an opened call one sees the parts in which
somebody of one's scope took part, and of its recordings those with such a part.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import tzinfo
from itertools import pairwise

from recorderd.core.channels import Names
from recorderd.core.entries import Result, Story
from recorderd.core.rows import Cdr, Interval, Mark, Party
from recorderd.panel import call_columns, filter_form
from recorderd.panel.audit import AuditTrail, read_place, write_place
from recorderd.panel.filters import Language
from recorderd.panel.language import _
from recorderd.panel.ports import (
    CallDetail,
    Entry,
    Filter,
    Leg,
    NotFound,
    Page,
    Part,
    Right,
    Sound,
    TimeMark,
    Viewer,
)
from recorderd.panel.shelf import Shelf
from recorderd.store import stories
from recorderd.store.abc import Store
from recorderd.store.panel import Found, Place, Wanted

MOST_ROWS = 200
_MOST_CSV = 100_000
_CSV_PAGE = 1000
# Entries of one list that a rare filter may look at for one page: what takes a tenth of a second.
_BUDGET = 50_000
_LEAST_BUDGET = 2_000
# Names are asked for with each page that has a word in its filter.
_MOST_NAMED = 200
_NAMED_SECONDS = 5.0
_OLDER, _NEWER = "o", "n"


class CallList:
    """See `ports.Calls`."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        audit: AuditTrail,
        names: Callable[[], Names],
        zone: tzinfo,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._audit = audit
        self._names = names
        self._zone = zone
        self._clock = clock
        self._named: Mapping[str, str] = {}
        self._named_at = float("-inf")

    # --- filters ---------------------------------------------------------------------------------

    def parse(self, line: str) -> Filter:
        return self._language().parse(line)

    def from_form(self, form: Mapping[str, str]) -> Filter:
        return filter_form.read(self._language(), form)

    def form(self, filter: Filter) -> dict[str, str]:
        return filter_form.fields(self._language(), filter)

    def _language(self) -> Language:
        return Language(self._clock(), self._zone)

    # --- the list --------------------------------------------------------------------------------

    async def page(
        self,
        viewer: Viewer,
        filter: Filter,
        *,
        extension: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Entry]:
        owners = await self._owners(viewer, extension)
        wanted = await self._wanted(filter)
        limit = max(1, min(limit, MOST_ROWS))
        way, place = _read_cursor(cursor)
        if way == _NEWER and place is not None:
            found = await self._find(owners, wanted, limit + 1, after=place)
            if len(found.entries) > limit:
                rows = found.entries[:limit][::-1]
                return Page(
                    rows=rows, older=_cursor(_OLDER, _place(rows[-1])), newer=_cursor(_NEWER, _place(rows[0]))
                )
            # That was the top: show it as whoever comes anew sees it.
            place = None
        found = await self._find(owners, wanted, limit + 1, before=place)
        rows = found.entries[:limit]
        more = len(found.entries) > limit
        older = _place(rows[-1]) if more else found.stopped
        return Page(
            rows=rows,
            older=_cursor(_OLDER, older) if older else None,
            newer=_cursor(_NEWER, _place(rows[0]) if rows else place) if place else None,
            searched_to=found.stopped[0] if found.stopped and not more else None,
        )

    async def _find(
        self,
        owners: Sequence[str],
        wanted: Wanted,
        limit: int,
        *,
        before: Place | None = None,
        after: Place | None = None,
    ) -> Found:
        budget = max(_BUDGET // max(1, len(owners)), _LEAST_BUDGET)
        return await self._store.panel.entries(
            owners, wanted, before=before, after=after, limit=limit, budget=budget
        )

    async def _owners(self, viewer: Viewer, extension: str | None) -> Sequence[str]:
        """The lists to be shown: one's, or everything in scope."""
        if not viewer.may(Right.LIST):
            raise await self._audit.refused(viewer, Right.LIST, extension or "calls")
        if extension is not None and extension != "":
            if not viewer.sees(extension):
                raise await self._audit.refused(viewer, Right.LIST, extension)
            return [extension]
        return [""] if viewer.scope is None else sorted(viewer.scope)

    async def _wanted(self, filter: Filter) -> Wanted:
        names = await self.names() if filter.words else {}
        return Wanted(
            words=tuple(_alternatives(word, names) for word in filter.words),
            since=filter.since,
            until=filter.until,
            min_s=filter.min_s,
            max_s=filter.max_s,
            way=filter.direction,
            result=Result.MISSED if filter.missed else "",
            recorded=filter.recorded,
        )

    async def names(self) -> Mapping[str, str]:
        # A filter is typed letter by letter, and people change their names once a year.
        if self._clock() - self._named_at > _NAMED_SECONDS:
            policy = await self._store.load_policy()
            self._named = {extension: name for extension, name in policy.names.items() if name}
            self._named_at = self._clock()
        return self._named

    # --- one call --------------------------------------------------------------------------------

    async def detail(self, viewer: Viewer, id: str) -> CallDetail:
        if not viewer.may(Right.LIST):
            raise await self._audit.refused(viewer, Right.LIST, id)
        entry = await self._store.panel.entry(id, _first_own(viewer))
        if entry is None:
            if await self._store.panel.owners(id):
                await self._audit.note(viewer, "refused", id, {"right": str(Right.LIST)})
            raise NotFound(_("There is no such call."))
        story = await stories.load(self._store, entry.story_id)
        spoken = [i for i in story.intervals if len(i.parties) > 1 and seen(viewer, i)]
        sounds = await self._sounds(viewer, entry, story, spoken)
        audible = {sound.id for sound in sounds}
        return CallDetail(
            entry=entry,
            parts=tuple(_part(i, audible) for i in spoken),
            sounds=tuple(sounds),
            marks=tuple(await self._marks(spoken, audible)),
            legs=tuple(_leg(cdr) for cdr in story.cdrs if self._is_seen(viewer, cdr)),
        )

    async def _sounds(
        self, viewer: Viewer, entry: Entry, story: Story, spoken: Sequence[Interval]
    ) -> list[Sound]:
        theirs = {i.recording_id for i in spoken}
        recordings = [r for r in story.recordings if r.id in theirs]
        return [
            await self._shelf.sound(viewer, recording, entry, number if len(recordings) > 1 else 0)
            for number, recording in enumerate(recordings, start=1)
        ]

    async def _marks(self, spoken: Sequence[Interval], audible: set[str]) -> list[TimeMark]:
        found = []
        for conversation_id in dict.fromkeys(i.conversation_id for i in spoken):
            own = [i for i in spoken if i.conversation_id == conversation_id]
            for mark in await self._store.marks(conversation_id):
                # What happened while nobody of his scope was there is not his to see.
                inside = [i for i in own if _around(i, mark.at)]
                if inside:
                    found.append(_time_mark(mark, inside[-1], audible))
            found += [
                _change(before, after, audible) for before, after in pairwise(own) if _others(before, after)
            ]
        return sorted(found, key=lambda mark: mark.at)

    def _is_seen(self, viewer: Viewer, cdr: Cdr) -> bool:
        if viewer.scope is None:
            return True
        names = self._names()
        return any(viewer.sees(names.extension(channel)) for channel in (cdr.channel, cdr.dstchannel))

    # --- the list as a file ----------------------------------------------------------------------

    async def csv(
        self, viewer: Viewer, filter: Filter, *, extension: str | None = None
    ) -> AsyncIterator[str]:
        owners = await self._owners(viewer, extension)
        wanted = await self._wanted(filter)
        await self._audit.note(viewer, "export", extension or "calls", {"filter": filter.line})
        yield "\ufeff" + call_columns.titles()
        left, before = _MOST_CSV, None
        while left > 0:
            found = await self._find(owners, wanted, min(left, _CSV_PAGE), before=before)
            yield "".join(call_columns.row(entry, self._zone) for entry in found.entries)
            left -= len(found.entries)
            full = len(found.entries) == _CSV_PAGE
            before = _place(found.entries[-1]) if full else found.stopped
            if before is None:
                return


def seen(viewer: Viewer, interval: Interval) -> bool:
    """Whether somebody of his scope took part in it."""
    return viewer.scope is None or any(viewer.sees(party.extension) for party in interval.parties)


def _first_own(viewer: Viewer) -> list[str]:
    """The lists in which he may find a call, his own first."""
    if viewer.scope is None:
        return [""]
    return sorted(viewer.scope, key=lambda extension: (extension != viewer.extension, extension))


def _alternatives(word: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The word, or the extension of anybody whose display name has it."""
    named = [extension for extension, name in names.items() if word in name.lower()]
    return (word, *named[:_MOST_NAMED])


def _place(entry: Entry) -> Place:
    return entry.started_at, entry.story_id


def _cursor(way: str, place: Place) -> str:
    return way + write_place(place)


def _read_cursor(cursor: str | None) -> tuple[str, Place | None]:
    """Which way to go, and from where; the first page for anything that is no cursor."""
    if not cursor or cursor[0] not in (_OLDER, _NEWER):
        return _OLDER, None
    return cursor[0], read_place(cursor[1:])


def _part(interval: Interval, audible: set[str]) -> Part:
    has_sound = interval.recording_id in audible and interval.offset_ms is not None
    return Part(
        started_at=interval.started_at,
        ended_at=interval.ended_at,
        parties=interval.parties,
        mode=interval.mode,
        wanted=interval.wanted,
        paused=interval.masked,
        reason=interval.reason,
        trace=interval.trace,
        outcome=str(interval.outcome or ""),
        missing_ms=interval.missing_ms,
        note=interval.note,
        sound_id=interval.recording_id if has_sound else None,
        offset_ms=interval.offset_ms if has_sound else None,
    )


def _around(interval: Interval, at: float) -> bool:
    """A mark is written a moment before or after the change that it tells of."""
    return interval.started_at - 1.0 <= at and (interval.ended_at is None or at <= interval.ended_at + 1.0)


def _time_mark(mark: Mark, interval: Interval, audible: set[str]) -> TimeMark:
    offset = None
    if interval.recording_id in audible and interval.offset_ms is not None:
        offset = max(0, interval.offset_ms + round((mark.at - interval.started_at) * 1000))
    return TimeMark(
        at=mark.at,
        kind=mark.kind,
        who=mark.who,
        text=mark.text,
        sound_id=interval.recording_id if offset is not None else None,
        offset_ms=offset,
    )


def _others(before: Interval, after: Interval) -> bool:
    """Other people talk now."""
    return {_who(party) for party in before.parties} != {_who(party) for party in after.parties}


def _change(before: Interval, after: Interval, audible: set[str]) -> TimeMark:
    """Who came or went in the middle of a talk: its intervals say so, nobody writes it down besides."""
    was, now = {_who(party) for party in before.parties}, {_who(party) for party in after.parties}
    came = [party for party in after.parties if _who(party) not in was]
    went = [party for party in before.parties if _who(party) not in now]
    kind = "transfer" if came and went else "join" if came else "leave"
    # Where what follows is not recorded, it is the end of what is.
    interval = after if after.recording_id in audible else before
    end = before.ended_at if before.ended_at is not None else after.started_at
    mark = Mark(
        id="",
        conversation_id=after.conversation_id,
        at=after.started_at if interval is after else end,
        kind=kind,
        who=", ".join(_who(party) for party in came or went),
        text="",
    )
    return _time_mark(mark, interval, audible)


def _who(party: Party) -> str:
    return party.extension or party.number or party.channel


def _leg(cdr: Cdr) -> Leg:
    return Leg(
        started_at=cdr.start,
        answered_at=cdr.answer,
        ended_at=cdr.end,
        source=cdr.src,
        destination=cdr.dst,
        caller=cdr.clid,
        disposition=cdr.disposition,
        talk_s=cdr.billsec,
        application=cdr.lastapp,
    )
