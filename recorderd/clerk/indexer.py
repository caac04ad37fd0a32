"""The lists of calls: made anew for every story in which something changed.

Owns when a story's entries are made. Must not know what they say: `core.entries` does. They are made from
the store, not from the rows that pass by, so that a daemon that was killed half-way makes them right the
next time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from recorderd.core.channels import Names
from recorderd.core.rows import Cdr, Conversation, Interval, Recording, Row
from recorderd.errors import StoreError
from recorderd.store import stories
from recorderd.store.abc import Store
from recorderd.store.panel import Replaced

log = logging.getLogger("recorderd.indexer")

# The last rows of a call come close together: one look at the end of them instead of one for each.
_SETTLE = 0.8
# A long call is shown while it lasts, and its row is made new no more often than this.
_SLOWEST = 2.0
_AGAIN = 1.0
_AT_ONCE = 50
# Reading fifty stories takes as many questions as reading one: those that fall due meanwhile go together. And the
# lists never take more than a third of the clerk's time.
_BREATH = 0.5
_BREATHS = 2
_REMEMBERED = 5000
_LOOK_BACK = 2 * 3600.0


class Indexer:
    """`hear` each row that is stored; `run` makes the entries."""

    def __init__(self, store: Store, names: Callable[[], Names], clock: Callable[[], float]) -> None:
        self._store = store
        self._names = names
        self._clock = clock
        # The story's key, and from when to when it may be made: oldest first.
        self._due: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        # Of conversations heard of: saves a question for each of their rows.
        self._linkedid_of: dict[str, str] = {}
        self._more = asyncio.Event()

    def hear(self, row: Row) -> None:
        """A row is stored: its story is to be looked at soon."""
        match row:
            case Conversation() if row.linkedids:
                self._linkedid_of[row.id] = row.linkedids[0]
                while len(self._linkedid_of) > _REMEMBERED:
                    del self._linkedid_of[next(iter(self._linkedid_of))]
                self._soon("linkedid", row.linkedids[0])
            case Interval() | Recording() if linkedid := self._linkedid_of.get(row.conversation_id):
                self._soon("linkedid", linkedid)
            case Interval() | Recording() if row.conversation_id:
                self._soon("conversation", row.conversation_id)

    def matched(self, cdr: Cdr) -> None:
        """A CDR was held against the ledger, and what came of it is stored."""
        self._soon("linkedid", cdr.linkedid)

    @property
    def waiting(self) -> int:
        """Stories whose entries are not made yet."""
        return len(self._due)

    def _soon(self, kind: str, id: str) -> None:
        now = self._clock()
        _earliest, latest = self._due.get((kind, id), (0.0, now + _SLOWEST))
        self._due[kind, id] = (min(now + _SETTLE, latest), latest)
        self._more.set()

    async def run(self) -> None:
        """Make what is due, until cancelled; first what a daemon before us may have left undone."""
        await self._catch_up()
        while True:
            if not self._due:
                self._more.clear()
                await self._more.wait()
            now = self._clock()
            ready = [key for key, (at, _latest) in self._due.items() if at <= now][:_AT_ONCE]
            if not ready:
                await asyncio.sleep(0.1)
                continue
            began = time.monotonic()
            await self._make(ready)
            await asyncio.sleep(max(_BREATH, _BREATHS * (time.monotonic() - began)))

    async def _make(self, keys: list[tuple[str, str]]) -> None:
        taken = {key: self._due.pop(key) for key in keys}
        try:
            made: dict[str, Replaced] = {}
            linkedids = dict.fromkeys([each for key in taken for each in await self._linkedids(*key)])
            for story in await stories.load_all(self._store, linkedids):
                made[story.id] = stories.replaced(story, self._names())
            await self._store.panel.replace_entries(list(made.values()), self._clock())
        except StoreError as error:
            log.warning("%s", error)
            again = self._clock() + _AGAIN
            self._due |= {key: (again, again) for key in taken if key not in self._due}
            await asyncio.sleep(_AGAIN)

    async def _linkedids(self, kind: str, id: str) -> tuple[str, ...]:
        if kind == "linkedid":
            return (id,)
        talk = await self._store.conversation(id)
        return talk.linkedids[:1] if talk else ()

    async def _catch_up(self) -> None:
        """What began since a little before the newest entry; all older ones are for `db reindex`."""
        while True:
            try:
                newest = await self._store.panel.newest_entry()
                now = self._clock()
                if newest is not None:
                    since = max(newest, now - 86_400.0) - _LOOK_BACK
                    await stories.reindex(self._store, self._names(), since, now)
                return
            except StoreError as error:
                log.warning("%s", error)
                await asyncio.sleep(_AGAIN)
