"""Has every finished recording entered into the chain of evidence, and the chain signed once a day.

Owns when. Must not know what an entry says (`entries`) nor how a head is signed (`heads`). It looks at the store and
not at the rows that pass by, so a crash between a recording's end and its entry only makes the entry late, and
the entry says so. Files are read in a thread; nobody who records waits for any of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from recorderd.archive import sealed, signing
from recorderd.clerk import entries, heads
from recorderd.core.chain import Draft
from recorderd.core.rows import Cdr, Recording, RecordingState, Row
from recorderd.errors import AudioError, EvidenceError, StoreError
from recorderd.store.abc import RECORDING_ENDS, Store

log = logging.getLogger("recorderd.evidence")

ON_START = "made on start"
# After a call its CDRs come and find their recordings; then its rows are final.
SETTLE = 300.0
_LOOK_BACK = 2 * 86_400.0
_LINKS_BACK = 7 * 86_400.0
# Rows come nearly in the order in which their recordings began. What came later than this is found the next day.
_DISORDER = 600.0
_SETTLE_EVERY = 10.0
_EVERY = 30.0
_SOON = 1.0
_GATHER = 1.0
_AGAIN = 60.0
_AT_ONCE = 50


class Notary:
    """`hear` each row and `matched` each CDR; `run` makes the entries. `tell(kind, sentence)` hears of trouble."""

    def __init__(
        self,
        store: Store,
        monitor: Path,
        state: Path,
        key: Path,
        clock: Callable[[], float],
        tell: Callable[[str, str], object],
        keys: sealed.Keys = entries.NO_KEYS,
        *,
        node: str = "",
    ) -> None:
        self._store = store
        self._monitor = monitor
        self._state = state
        self._key_path = key
        self._clock = clock
        self._tell = tell
        self._keys = keys
        # Other nodes' files are on other disks: their own notaries enter them.
        self._node = node or None
        self._key: signing.Key | None = None
        self._wake = asyncio.Event()
        self._heard: dict[str, None] = {}
        self._uniqueids: dict[str, float] = {}
        # Recordings whose disk does not give their file, and when it is tried again.
        self._stuck: dict[str, float] = {}
        # Of what began before, everything is entered: it is not looked at again.
        self._whole_until = 0.0
        self._settled_at = 0.0
        self._signed = ""
        self._troubled = False

    # --- what the daemon tells ---------------------------------------------------------------------

    def hear(self, row: Row) -> None:
        """A row is stored."""
        if isinstance(row, Recording) and row.state in RECORDING_ENDS:
            self._heard[row.id] = None
            self._wake.set()

    def matched(self, cdr: Cdr) -> None:
        """A CDR was held against the ledger: its links are stored."""
        self._uniqueids[cdr.uniqueid] = self._clock() + SETTLE

    # --- work --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever; first what a daemon before us left undone."""
        started = False
        while True:
            self._wake.clear()
            try:
                if not started:
                    await self.catch_up()
                    started = True
                await self.turn()
                self._troubled = False
            except StoreError as error:
                # The store's own alarm is told by those who cannot do without it.
                log.warning("%s", error)
            except EvidenceError as error:
                if not self._troubled:
                    self._tell("evidence", str(error))
                self._troubled = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SOON if self._heard else _EVERY):
                    await self._wake.wait()
            # Those that end close together are entered together.
            await asyncio.sleep(_GATHER)

    async def catch_up(self) -> None:
        """Enter what has no entry though it should: its entry says that it was made on start."""
        while await self._open(0.0, note=ON_START):
            pass
        now = self._clock()
        while await self._settle(0.0, now):
            pass
        holds = [entries.held(hold) for hold in await self._store.keeping.holds(released=True)]
        erased = [entries.erased(erasure) for erasure in await self._store.keeping.erasures()]
        late = [
            Draft(kind=d.kind, object=d.object, detail={**d.detail, "late": ON_START})
            for d in (*holds, *erased)
        ]
        await self._store.chain.append(late, now)
        await self._late_links(
            {cdr.uniqueid for cdr in await self._store.cdrs(now - _LINKS_BACK)}, now, ON_START
        )

    async def turn(self) -> None:
        """Whatever is due now. Raises StoreError, EvidenceError."""
        now = self._clock()
        while await self._open(max(now - _LOOK_BACK, self._whole_until), note=""):
            pass
        if abs(now - self._settled_at) >= _SETTLE_EVERY:
            await self._settle_due(now)
            self._settled_at = now
        due = [key for key, at in self._uniqueids.items() if at <= now]
        await self._late_links(due, now)
        for uniqueid in due:
            if self._uniqueids[uniqueid] <= now:  # it may have been matched again meanwhile
                del self._uniqueids[uniqueid]
        if self._signed != heads.day_of(now):
            await self._sign(now)
            self._whole_until = 0.0
        if self._node is not None:
            # Another node may have signed.
            await heads.keep_apart(self._store, self._state)

    async def _open(self, since: float, *, note: str) -> bool:
        """The oldest of those that have no entry; whether there may be more."""
        now = self._clock()
        stuck = {id for id, at in self._stuck.items() if at > now}
        limit = len(stuck) + _AT_ONCE
        found = await self._store.chain.unopened(since, limit=limit, node=self._node)
        for recording in found:
            self._heard.pop(recording.id, None)
        ready = [recording for recording in found if recording.id not in stuck]
        made = await entries.openings(self._store, self._monitor, ready, now, note, self._keys)
        opened: list[tuple[Recording, list[Draft]]] = []
        for recording in ready:
            drafts = made[recording.id]
            if isinstance(drafts, AudioError):
                self._stuck[recording.id] = now + _AGAIN
                log.warning("%s has no entry yet: %s", recording.name, drafts)
                continue
            self._stuck.pop(recording.id, None)
            opened.append((recording, drafts))
        # One transaction, and one flush to the disk, for all of them.
        whole = [draft for _, theirs in opened for draft in theirs]
        entered = await self._store.chain.append(whole, self._clock()) if whole else []
        for recording, drafts in opened:
            if recording.state is RecordingState.CLOSED and "missing" in drafts[0].detail and not note:
                self._tell("evidence", f"{recording.name} was gone before it was hashed")
        if note and entered:
            late = len({entry.recording_id for entry in entered})
            log.warning("%d recordings had no entry in the chain of evidence: made now", late)
        more = len(found) == limit
        if not more:
            await self._forget_entered()
        return more

    async def _forget_entered(self) -> None:
        """Rows that were heard of, are stored so and are not among those without an entry have theirs."""
        heard = list(self._heard)
        stored = await self._store.keeping.recordings_of(heard) if heard else {}
        for id in heard:
            if id in stored and stored[id].state in RECORDING_ENDS:
                self._heard.pop(id, None)

    async def _settle_due(self, now: float) -> None:
        since = max(now - _LINKS_BACK, self._whole_until)
        while await self._settle(since, now):
            pass
        oldest = await self._store.chain.oldest_unsettled(since, node=self._node)
        if oldest is not None:
            self._whole_until = max(self._whole_until, oldest - _DISORDER)

    async def _settle(self, since: float, now: float) -> int:
        found = await self._store.chain.unsettled(since, now - SETTLE, limit=_AT_ONCE, node=self._node)
        await self._store.chain.append(await entries.settled(self._store, found), self._clock())
        return len(found)

    async def _late_links(self, uniqueids: Iterable[str], now: float, note: str = "") -> None:
        rest = sorted(uniqueids)
        while rest:
            some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
            links = await self._store.links(uniqueid=tuple(some))
            if late := await entries.late_links(self._store, links, note):
                await self._store.chain.append(late, now)

    async def _sign(self, now: float) -> None:
        if self._key is None:
            self._key = await asyncio.to_thread(signing.load, self._key_path)
        stored = await self._store.chain.heads()
        if not stored or stored[-1].day != heads.day_of(now):
            await heads.sign(self._store, self._state, self._key, now)
        self._signed = heads.day_of(now)
