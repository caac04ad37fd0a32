"""CDR rows to recordings: the link that is written afterwards, and what nobody told us of.

Owns when a CDR is matched. Must not know how: `core.links` does. A CDR comes before or after the last event
of its call, so it is looked at a moment later, and again until the ledger's rows are in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable

from recorderd.core import links
from recorderd.core.calls import Names
from recorderd.core.keeping import files_of
from recorderd.core.policy import Policy
from recorderd.core.rows import Cdr, Interval, Row
from recorderd.errors import StoreError
from recorderd.store.abc import Store
from recorderd.store.asterisk_cdr import AsteriskCdrTable
from recorderd.store.journal import Journal

log = logging.getLogger("recorderd.linker")

_SETTLE = 1.0
_TABLE_EVERY = 60.0
_LOOK_BACK = 3600.0
_AGAIN = 0.5


class Linker:
    """`hear` each CDR; `run` matches them, and tells `matched`. `table` is Asterisk's own, if there is one."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        policy: Callable[[], Policy],
        names: Callable[[], Names],
        clock: Callable[[], float],
        table: AsteriskCdrTable | None = None,
        *,
        writable: bool = False,
        matched: Callable[[Cdr], None] = lambda _cdr: None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._policy = policy
        self._names = names
        self._clock = clock
        self._table = table
        self._writable = writable
        self._matched = matched
        self._due: deque[tuple[float, Cdr]] = deque()
        self._more = asyncio.Event()
        self._deaf: list[list[float]] = [[0.0, float("inf")]]
        self._missed = asyncio.Event()

    # --- what the daemon tells -----------------------------------------------------------------

    def hear(self, row: Row) -> None:
        """A row was saved; CDRs among them are matched soon."""
        if isinstance(row, Cdr):
            self._due.append((time.monotonic() + _SETTLE, row))
            self._more.set()

    def deaf(self, since: float) -> None:
        """From now on nobody tells us anything."""
        if self._deaf[-1][1] != float("inf"):
            self._deaf.append([since, float("inf")])

    def hearing(self, since: float) -> None:
        """From now on we are told everything."""
        if self._deaf[-1][1] == float("inf"):
            self._deaf[-1][1] = since
        del self._deaf[1:-50]
        self._missed.set()

    @property
    def waiting(self) -> int:
        """CDRs not matched yet."""
        return len(self._due)

    # --- matching ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Match CDRs as they fall due, until cancelled."""
        while True:
            if not self._due:
                self._more.clear()
                await self._more.wait()
            wait = self._due[0][0] - time.monotonic()
            if wait > 0:
                await asyncio.sleep(min(wait, 1.0))
                continue
            # All that are due wait once for the rows written until now; not each for the links of the one before it.
            due = time.monotonic()
            await self._journal.catch_up()
            while self._due and self._due[0][0] <= due:
                try:
                    await self._match(self._due[0][1])
                except StoreError as error:
                    log.warning("%s", error)
                    await asyncio.sleep(_AGAIN)
                    break
                self._due.popleft()

    async def _match(self, cdr: Cdr) -> None:
        intervals = await self._intervals(cdr)
        found = links.links(cdr, intervals)
        for link in found:
            self._journal.write(link)
        deaf = any(start < cdr.end and end > (cdr.answer or cdr.start) for start, end in self._deaf)
        accounted = links.account(cdr, intervals, self._policy(), self._names(), deaf=deaf)
        if accounted:
            self._journal.write(accounted)
        if found and self._writable and not cdr.recordingfile:
            recordings = await self._store.recordings(id=found[0].recording_id)
            if recordings:
                kept = await self._store.keeping.kept([recordings[0].id])
                files = files_of(recordings[0], kept.get(recordings[0].id))
                await self._complete(cdr, files[0].rpartition("/")[2] if files else recordings[0].name)
        self._matched(cdr)

    async def _complete(self, cdr: Cdr, name: str) -> None:
        """Put the name into Asterisk's own row, which it left empty. Our tables know it either way."""
        if self._table is None:
            return
        try:
            await self._table.complete(cdr.uniqueid, cdr.sequence, name)
        except StoreError as error:
            log.warning("%s", error)

    async def _intervals(self, cdr: Cdr) -> list[Interval]:
        """Those of the row's own channel; of its conversation's other channels where that has none."""
        found = await self._store.intervals(uniqueid=cdr.uniqueid)
        if cdr.dstchannel and not found:
            for other in await self._store.conversations(linkedid=cdr.linkedid):
                found += await self._store.intervals(conversation_id=other.id)
        return found

    # --- catching up ---------------------------------------------------------------------------

    async def follow_table(self) -> None:
        """Read Asterisk's own table when we were deaf, and now and then: it has what nobody told us of."""
        if self._table is None:
            return
        since = self._clock() - 7 * 86_400
        while True:
            try:
                known = {(c.uniqueid, c.sequence) for c in await self._store.cdrs(since)}
                for cdr in await self._table.since(since):
                    if (cdr.uniqueid, cdr.sequence) not in known:
                        self._journal.write(cdr)
                        self.hear(cdr)
                since = self._clock() - _LOOK_BACK
            except StoreError as error:
                log.warning("%s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._missed.wait(), _TABLE_EVERY)
                await asyncio.sleep(_AGAIN)
            self._missed.clear()
