"""Stories out of the store, and their entries into it.

Owns how far one has to look for everything that hangs together with one linkedid, or for all of a period.
Must not know what an entry says: `core.entries` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from recorderd.core import rows
from recorderd.core.calls import Names
from recorderd.core.entries import Story, entries
from recorderd.core.keeping import KeepState
from recorderd.store.abc import Store
from recorderd.store.panel import Replaced

# What the outbox calls a recording that can be played.
FINISHED = "recording.finished"

# A call that is transferred on and on, or a conference, may hang together with many; no further than this.
_MOST_LINKEDIDS = 500
_DAY = 86_400.0
_STEP = _DAY / 4
_AT_ONCE = 500
_DELETED = (KeepState.DELETING, KeepState.DELETED)


async def load(store: Store, linkedid: str) -> Story:
    """The whole story of this linkedid; empty when nothing has it."""
    conversations: dict[str, rows.Conversation] = {}
    cdrs: dict[tuple[str, int], rows.Cdr] = {}
    seen: set[str] = set()
    todo = [linkedid]
    while todo and len(seen) < _MOST_LINKEDIDS:
        next_id = todo.pop()
        if next_id in seen:
            continue
        seen.add(next_id)
        for cdr in await store.cdrs(linkedid=next_id):
            cdrs[cdr.uniqueid, cdr.sequence] = cdr
        for found in await store.conversations(linkedid=next_id):
            todo += await _take(store, found, conversations)
    return await _filled(store, conversations.values(), cdrs.values())


def replaced(story: Story, names: Names, *, tell: bool = True) -> Replaced:
    """The story's entries, to take the place of whatever was known of it. `tell`: the outbox hears of its
    recordings that are finished.
    """
    made = entries(story, names)
    finished = made[0].recordings if made and tell else ()
    return Replaced(
        stories=story.linkedids | {c.id for c in story.conversations},
        entries=tuple(made),
        told=tuple((FINISHED, recording) for recording in finished),
    )


async def _take(
    store: Store, found: rows.Conversation, conversations: dict[str, rows.Conversation]
) -> list[str]:
    """Keep a conversation and those that it was joined to; the linkedids that they lead to."""
    linkedids: list[str] = []
    following: rows.Conversation | None = found
    while following is not None and following.id not in conversations:
        conversations[following.id] = following
        linkedids += following.linkedids
        following = await store.conversation(following.joined) if following.joined else None
    return linkedids


async def _filled(
    store: Store, conversations: Iterable[rows.Conversation], cdrs: Iterable[rows.Cdr]
) -> Story:
    talks = sorted(conversations, key=lambda c: (c.started_at, c.id))
    written = sorted(cdrs, key=lambda c: (c.start, c.uniqueid, c.sequence))
    intervals: dict[str, rows.Interval] = {}
    recordings: dict[str, rows.Recording] = {}
    for talk in talks:
        intervals |= {i.id: i for i in await store.intervals(conversation_id=talk.id)}
        recordings |= {r.id: r for r in await store.recordings(conversation_id=talk.id)}
    for uniqueid in {cdr.uniqueid for cdr in written}:
        intervals |= {i.id: i for i in await store.intervals(cdr_uniqueid=uniqueid)}
    return Story(
        conversations=tuple(talks),
        intervals=tuple(sorted(intervals.values(), key=lambda i: (i.started_at, i.id))),
        recordings=tuple(sorted(recordings.values(), key=lambda r: (r.started_at, r.segment))),
        cdrs=tuple(written),
        gone=await _gone(store, recordings),
    )


async def _gone(store: Store, ids: Iterable[str]) -> frozenset[str]:
    """The recordings whose audio was deleted."""
    wanted, found = list(ids), set()
    for first in range(0, len(wanted), _AT_ONCE):
        kept = await store.keeping.kept(wanted[first : first + _AT_ONCE])
        found |= {id for id, row in kept.items() if row.state in _DELETED}
    return frozenset(found)


async def reindex(
    store: Store,
    names: Names,
    since: float,
    until: float,
    *,
    tell: bool = True,
    progress: Callable[[float, int], None] = lambda _at, _count: None,
) -> int:
    """Make the entries of every story that began in the period anew; how many stories.

    In steps, each a transaction of its own: it may be broken off and begun again. `progress` hears how far
    it is.
    """
    count = 0
    while since < until:
        end = min(since + _STEP, until)
        found = [replaced(story, names, tell=tell) for story in await of_period(store, since, end)]
        for first in range(0, len(found), _AT_ONCE):
            await store.panel.replace_entries(found[first : first + _AT_ONCE], until)
        count += len(found)
        since = end
        progress(since, count)
    return count


async def of_period(store: Store, since: float, until: float, margin: float = _DAY / 4) -> list[Story]:
    """Every story that began in the period, read in a few questions.

    `margin` in seconds is how long a story may last: what began earlier, or goes on later, belongs to others.
    """
    low, high = since - margin, until + margin
    talks = await store.conversations(low, high)
    written = await store.cdrs(low, high)
    intervals = await store.intervals(low, high)
    recordings = await store.recordings(low, high)
    gone = await _gone(store, (recording.id for recording in recordings))
    stories = [replace(story, gone=gone) for story in _grouped(talks, written, intervals, recordings)]
    return [story for story in stories if since <= _began(story) < until]


def _began(story: Story) -> float:
    times = [c.start for c in story.cdrs] + [c.started_at for c in story.conversations]
    return min(times, default=0.0)


def _grouped(
    talks: Iterable[rows.Conversation],
    written: Iterable[rows.Cdr],
    intervals: Iterable[rows.Interval],
    recordings: Iterable[rows.Recording],
) -> Iterator[Story]:
    """What has a linkedid in common, directly or through others, is one story."""
    group = _Groups()
    talks, written = list(talks), list(written)
    for talk in talks:
        group.join(f"c {talk.id}", *(f"l {linkedid}" for linkedid in talk.linkedids))
        if talk.joined:
            group.join(f"c {talk.id}", f"c {talk.joined}")
    for cdr in written:
        group.join(f"u {cdr.uniqueid}", f"l {cdr.linkedid}")
    parts: dict[
        str, tuple[list[rows.Conversation], list[rows.Interval], list[rows.Recording], list[rows.Cdr]]
    ]
    parts = {}
    for talk in talks:
        parts.setdefault(group.of(f"c {talk.id}"), ([], [], [], []))[0].append(talk)
    for cdr in written:
        parts.setdefault(group.of(f"u {cdr.uniqueid}"), ([], [], [], []))[3].append(cdr)
    for interval in intervals:
        key = f"c {interval.conversation_id}" if interval.conversation_id else f"u {interval.cdr_uniqueid}"
        if (place := parts.get(group.of(key))) is not None:
            place[1].append(interval)
    for recording in recordings:
        if (place := parts.get(group.of(f"c {recording.conversation_id}"))) is not None:
            place[2].append(recording)
    for conversations, spoken, recorded, cdrs in parts.values():
        yield Story(
            conversations=tuple(conversations),
            intervals=tuple(spoken),
            recordings=tuple(recorded),
            cdrs=tuple(cdrs),
        )


class _Groups:
    """Union-find with halved paths."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, key: str) -> str:
        above = self._above
        while (parent := above.setdefault(key, key)) != key:
            above[key] = above[parent]
            key = above[key]
        return key

    def join(self, first: str, *others: str) -> None:
        for other in others:
            self._above[self.of(other)] = self.of(first)
