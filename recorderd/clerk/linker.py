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
from collections.abc import Awaitable, Callable
from itertools import chain, islice

from recorderd.core import links
from recorderd.core.channels import Names
from recorderd.core.keeping import files_of
from recorderd.core.policy import Policy
from recorderd.core.rows import Cdr, CdrLink, Interval, Row
from recorderd.errors import StoreError
from recorderd.store.abc import Store
from recorderd.store.asterisk_cdr import AsteriskCdrTable

log = logging.getLogger("recorderd.linker")

_SETTLE = 1.0
_TABLE_EVERY = 60.0
_LOOK_BACK = 3600.0
# A CDR is matched seconds after it is stored: what a clerk left is no older than the time that we were away.
_LEFT_SECONDS = 600.0
_AT_ONCE = 100
_AGAIN = 0.5

# From when to when nobody told us anything.
Spans = tuple[tuple[float, float], ...]


class Linker:
    """`hear` each CDR that is stored; `run` matches them, and tells `matched`.

    `caught_up` waits until all rows written until now are stored. `table` is Asterisk's own, if there is one.
    """

    def __init__(
        self,
        store: Store,
        caught_up: Callable[[], Awaitable[object]],
        policy: Callable[[], Policy],
        names: Callable[[], Names],
        clock: Callable[[], float],
        table: AsteriskCdrTable | None = None,
        *,
        writable: bool = False,
        matched: Callable[[Cdr], None] = lambda _cdr: None,
    ) -> None:
        self._store = store
        self._caught_up = caught_up
        self._policy = policy
        self._names = names
        self._clock = clock
        self._table = table
        self._writable = writable
        self._matched = matched
        self._due: deque[tuple[float, Cdr]] = deque()
        self._more = asyncio.Event()
        self._deaf: Spans = ((0.0, float("inf")),)
        self._missed = asyncio.Event()
        # Asterisk's own table is still to be read.
        self._behind = table is not None

    # --- what the daemon tells -----------------------------------------------------------------

    def hear(self, row: Row) -> None:
        """A row is stored; CDRs among them are matched soon."""
        if isinstance(row, Cdr):
            self._due.append((time.monotonic() + _SETTLE, row))
            self._more.set()

    def deaf(self, spans: Spans) -> None:
        """When nobody told us anything, until now."""
        self._deaf = spans
        self._behind = self._table is not None
        self._missed.set()

    @property
    def waiting(self) -> int:
        """CDRs not matched yet; those in a table that is still to be read count as one."""
        return len(self._due) + self._behind

    # --- matching ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Match CDRs as they fall due, until cancelled; first those that a clerk before us left."""
        await self._take_up()
        while True:
            if not self._due:
                self._more.clear()
                await self._more.wait()
            wait = self._due[0][0] - time.monotonic()
            if wait > 0:
                await asyncio.sleep(min(wait, 1.0))
                continue
            # All that are due wait once for the rows written until now; not each for itself.
            due = time.monotonic()
            try:
                await self._caught_up()
                while batch := [cdr for at, cdr in islice(self._due, _AT_ONCE) if at <= due]:
                    await self._match(batch)
                    for _ in batch:
                        self._due.popleft()
            except StoreError as error:
                log.warning("%s", error)
                await asyncio.sleep(_AGAIN)

    async def _take_up(self) -> None:
        """A clerk that died may have stored a CDR and not matched it."""
        while True:
            try:
                for cdr in await self._store.cdrs_without_link(self._clock() - _LEFT_SECONDS):
                    self.hear(cdr)
                return
            except StoreError as error:
                log.warning("%s", error)
                await asyncio.sleep(_AGAIN)

    async def _match(self, cdrs: list[Cdr]) -> None:
        """Hold each against the ledger, and store what comes of it in one go."""
        found: dict[Cdr, list[CdrLink]] = {}
        accounted: list[Interval] = []
        for cdr, intervals in (await self._intervals(cdrs)).items():
            found[cdr] = links.links(cdr, intervals)
            deaf = any(start < cdr.end and end > (cdr.answer or cdr.start) for start, end in self._deaf)
            if one := links.account(cdr, intervals, self._policy(), self._names(), deaf=deaf):
                accounted.append(one)
        await self._store.save([*chain.from_iterable(found.values()), *accounted])
        for cdr, theirs in found.items():
            if theirs and self._writable and not cdr.recordingfile:
                await self._name(cdr, theirs[0].recording_id)
            self._matched(cdr)

    async def _name(self, cdr: Cdr, recording_id: str) -> None:
        """Have Asterisk's own row name the file."""
        recordings = await self._store.recordings(id=recording_id)
        if recordings:
            kept = await self._store.keeping.kept([recording_id])
            files = files_of(recordings[0], kept.get(recording_id))
            await self._complete(cdr, files[0].rpartition("/")[2] if files else recordings[0].name)

    async def _complete(self, cdr: Cdr, name: str) -> None:
        """Put the name into Asterisk's own row, which it left empty. Our tables know it either way."""
        if self._table is None:
            return
        try:
            await self._table.complete(cdr.uniqueid, cdr.sequence, name)
        except StoreError as error:
            log.warning("%s", error)

    async def _intervals(self, cdrs: list[Cdr]) -> dict[Cdr, list[Interval]]:
        """Those of each row's own channel; of its conversation's other channels where that has none."""
        talked = [cdr for cdr in cdrs if links.is_talk(cdr)]
        of_channel: dict[str, list[Interval]] = {cdr.uniqueid: [] for cdr in talked}
        for interval in await self._store.intervals(uniqueid=tuple(of_channel)) if talked else ():
            for uniqueid in {party.uniqueid for party in interval.parties} & of_channel.keys():
                of_channel[uniqueid].append(interval)
        found: dict[Cdr, list[Interval]] = {cdr: [] for cdr in cdrs}
        for cdr in talked:
            found[cdr] = of_channel[cdr.uniqueid] or (await self._of_others(cdr) if cdr.dstchannel else [])
        return found

    async def _of_others(self, cdr: Cdr) -> list[Interval]:
        ids = tuple(talk.id for talk in await self._store.conversations(linkedid=cdr.linkedid))
        return await self._store.intervals(conversation_id=ids) if ids else []

    # --- catching up ---------------------------------------------------------------------------

    async def follow_table(self) -> None:
        """Read Asterisk's own table when we were deaf, and now and then: it has what nobody told us of."""
        if self._table is None:
            return
        since = self._clock() - 7 * 86_400
        while True:
            try:
                known = {(c.uniqueid, c.sequence) for c in await self._store.cdrs(since)}
                there = await self._table.since(since)
                missed = [cdr for cdr in there if (cdr.uniqueid, cdr.sequence) not in known]
                await self._store.save(missed)
                for cdr in missed:
                    self.hear(cdr)
                since = self._clock() - _LOOK_BACK
                self._behind = self._missed.is_set()
            except StoreError as error:
                log.warning("%s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TABLE_EVERY):
                    await self._missed.wait()
                await asyncio.sleep(_AGAIN)
            self._missed.clear()
