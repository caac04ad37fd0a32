"""Stories out of the store, and their entries into it.

Owns how far one has to look for everything that hangs together with one linkedid, or for all of a period.
Must not know what an entry says: `core.entries` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

from recorderd.core import rows
from recorderd.core.channels import Names
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
# A story may last so long: what began earlier, or goes on later, belongs to others.
_LONGEST = _DAY / 4
_AT_ONCE = 500
_DELETED = (KeepState.DELETING, KeepState.DELETED)


async def load(store: Store, linkedid: str) -> Story:
    """The whole story of this linkedid; empty when nothing has it."""
    return next(iter(await load_all(store, [linkedid])), Story())


async def load_all(store: Store, linkedids: Iterable[str]) -> list[Story]:
    """Every story that one of these linkedids belongs to, read in a few questions."""
    conversations: dict[str, rows.Conversation] = {}
    cdrs: list[rows.Cdr] = []
    seen: set[str] = set()
    todo = set(linkedids)
    most = _MOST_LINKEDIDS + len(todo)
    while todo and len(seen) < most:
        seen |= todo
        cdrs += await store.cdrs(linkedid=tuple(todo))
        found = await store.conversations(linkedid=tuple(todo))
        todo = await _take(store, found, conversations) - seen
    return [story async for story in _filled(store, list(conversations.values()), cdrs)]


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
    store: Store, found: Iterable[rows.Conversation], conversations: dict[str, rows.Conversation]
) -> set[str]:
    """Keep conversations and those that they were joined to; the linkedids that they lead to."""
    linkedids: set[str] = set()
    for each in found:
        following: rows.Conversation | None = each
        while following is not None and following.id not in conversations:
            conversations[following.id] = following
            linkedids.update(following.linkedids)
            following = await store.conversation(following.joined) if following.joined else None
    return linkedids


async def _filled(store: Store, talks: list[rows.Conversation], cdrs: list[rows.Cdr]) -> AsyncIterator[Story]:
    ids, uniqueids = tuple(talk.id for talk in talks), tuple({cdr.uniqueid for cdr in cdrs})
    spoken = await store.intervals(conversation_id=ids) + await store.intervals(cdr_uniqueid=uniqueids)
    recordings = await store.recordings(conversation_id=ids)
    gone = await _gone(store, (recording.id for recording in recordings))
    for story in _grouped(
        sorted(talks, key=lambda c: (c.started_at, c.id)),
        sorted(cdrs, key=lambda c: (c.start, c.uniqueid, c.sequence)),
        sorted({i.id: i for i in spoken}.values(), key=lambda i: (i.started_at, i.id)),
        sorted(recordings, key=lambda r: (r.started_at, r.segment)),
    ):
        yield replace(story, gone=gone.intersection(recording.id for recording in story.recordings))


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
) -> int:
    """Make the entries of every story that began in the period anew; how many stories.

    In steps, each a transaction of its own: it may be broken off and begun again.
    """
    count = 0
    while since < until:
        end = min(since + _STEP, until)
        found = [replaced(story, names, tell=tell) for story in await of_period(store, since, end)]
        for first in range(0, len(found), _AT_ONCE):
            await store.panel.replace_entries(found[first : first + _AT_ONCE], until)
        count += len(found)
        since = end
    return count


async def of_period(store: Store, since: float, until: float) -> list[Story]:
    """Every story that began in the period, read in a few questions."""
    low, high = since - _LONGEST, until + _LONGEST
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
