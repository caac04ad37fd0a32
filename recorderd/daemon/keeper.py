"""Who may delete audio, and how it is done: the worker, the command line and the panel all come here.

Owns deletion, holds and erasure. Must not know when anything expires. A deletion is written down before the
first file goes and finished after a crash; a legal hold stops everybody, whatever came first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recorderd.archive import disposal
from recorderd.clerk import entries
from recorderd.core import keeping, retention
from recorderd.core.keeping import Erasure, Hold, KeepState, Kept, Subject, Tag
from recorderd.core.retention import Verdict
from recorderd.core.rows import Recording, RecordingState
from recorderd.daemon import erasures as memory
from recorderd.daemon.stock import Stock
from recorderd.errors import AudioError
from recorderd.store.abc import RECORDING_ENDS, AuditRow, Store
from recorderd.store.keeping import KeepingStore

_BATCH = 200
_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure came to: recordings deleted by it, those of other nodes that go when their archive does it,
    those that a hold still keeps, those that failed.
    """

    deleted: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Keeper:
    """`monitor` is the spool's folder, `state` ours. `clock` gives seconds since the epoch.

    With a `node` only what is that node's is taken away here: a deletion of another's recording is written down,
    and that node's archive carries it out. `stock` is what is in the bucket, None without one.

    Every method raises StoreError, and AudioError where a file, a folder or the bucket does not obey.
    """

    def __init__(
        self,
        store: Store,
        monitor: Path,
        state: Path,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        *,
        node: str = "",
        stock: Stock | None = None,
    ) -> None:
        self._store = store
        self._keeping = store.keeping
        self._monitor = monitor
        self._state = state
        self._clock = clock
        self._new_id = new_id
        self._node = node or None
        self._stock = stock

    @property
    def node(self) -> str | None:
        """Whose files these are; None: everybody's, there is but one machine."""
        return self._node

    @property
    def keeping(self) -> KeepingStore:
        """The archive's part of the store."""
        return self._keeping

    # --- what a recording is ---------------------------------------------------------------------

    async def subjects(self, ids: Sequence[str]) -> dict[str, Subject]:
        """These recordings as holds and retention see them; an unknown one is not in it."""
        recordings = await self._keeping.recordings_of(ids)
        talk = await self._keeping.intervals_of(ids)
        tags = await self._keeping.tags_of(ids)
        return {
            id: Subject(
                recording=recording,
                intervals=tuple(talk.get(id, ())),
                tags=frozenset(tag.tag for tag in tags.get(id, ())),
            )
            for id, recording in recordings.items()
        }

    # --- deletion ----------------------------------------------------------------------------------

    async def delete(self, recording_id: str, who: str, why: str) -> Verdict:
        """Delete a recording's audio, peaks and copies for good; its row stays, and says why, who and when.

        Not what is held, is still being made, or is gone already: the verdict's sentence says so.
        """
        subject = (await self.subjects([recording_id])).get(recording_id)
        if subject is None:
            return Verdict(goes=False, why=f"there is no recording {recording_id}")
        kept = (await self._keeping.kept([recording_id])).get(recording_id)
        if kept is not None and kept.state is KeepState.DELETED:
            return Verdict(goes=False, why=f"deleted already: {kept.deleted_why}")
        if kept is not None and kept.state is KeepState.DELETING:
            return await self.finish(kept)
        if subject.recording.state not in RECORDING_ENDS:
            return Verdict(goes=False, why="it is still being made")
        if hold := retention.held(await self._keeping.holds(), subject):
            return _held(hold)
        doomed = replace(
            kept or new_row(subject.recording),
            state=KeepState.DELETING,
            was=kept.state if kept else None,
            deleted_at=self._clock(),
            deleted_by=who,
            deleted_why=why,
            not_before=0.0,
        )
        if not await self._keeping.advance(doomed, kept.state if kept else None):
            # The worker was quicker by a step: look again.
            return await self.delete(recording_id, who, why)
        return await self.finish(doomed)

    async def finish(self, doomed: Kept) -> Verdict:
        """Carry out a deletion that is written down, unless a hold came meanwhile."""
        if not self._is_mine(doomed.node):
            return Verdict(goes=True, why=doomed.deleted_why)
        subject = (await self.subjects([doomed.recording_id])).get(doomed.recording_id)
        if subject is not None and (hold := retention.held(await self._keeping.holds(), subject)):
            back = replace(
                doomed,
                state=doomed.was if doomed.was not in (None, KeepState.TAKEN) else KeepState.WAITING,
                was=None, deleted_at=None, deleted_by="", deleted_why="",
            )  # fmt: skip
            await self._keeping.advance(back, KeepState.DELETING)
            return _held(hold)
        try:
            await self._remove(doomed, subject)
        except AudioError as error:
            later = replace(doomed, error=str(error), not_before=self._clock() + _AGAIN_SECONDS)
            await self._keeping.advance(later, KeepState.DELETING)
            raise
        await self._store.chain.append([entries.deleted(doomed)], self._clock())
        gone = replace(doomed, state=KeepState.DELETED, was=None, mix="", size=0, error="")
        if await self._keeping.advance(gone, KeepState.DELETING):
            await self._audit(gone.deleted_by, "delete", gone.recording_id, gone.deleted_why)
        return Verdict(goes=True, why=gone.deleted_why)

    async def remove_again(self, gone: Kept) -> bool:
        """Remove the files of a recording that was deleted: a restored backup has them. Whether any was."""
        if not self._is_mine(gone.node):
            return False
        subject = (await self.subjects([gone.recording_id])).get(gone.recording_id)
        count = await self._remove(gone, subject)
        if count:
            await self._audit("archive", "delete again", gone.recording_id, gone.deleted_why)
        return bool(count)

    def _is_mine(self, node: str) -> bool:
        return self._node in (None, node)

    async def _remove(self, kept: Kept, subject: Subject | None) -> int:
        # A bucket that does not answer keeps no file here.
        return await self._remove_files(kept, subject) + await self._remove_objects(kept, subject)

    async def _remove_objects(self, kept: Kept, subject: Subject | None) -> int:
        if self._stock is not None:
            return await self._stock.remove(kept, subject.recording if subject else None)
        if kept.object:
            raise AudioError(f"{kept.object} is in a bucket, and archive.objects.url does not say in which")
        return 0

    async def _remove_files(self, kept: Kept, subject: Subject | None) -> int:
        if subject is None:
            paths = [self._monitor / kept.folder / name for name in (kept.name, kept.mix) if name]
            return await asyncio.to_thread(disposal.remove, paths)
        recording = subject.recording
        lanes = await self._store.lanes(recording.id)
        copies = [copy for copy in await self._keeping.copies(recording.id) if self._is_mine(copy.node)]
        paths = disposal.all_files(recording, kept, lanes, copies, self._monitor)
        count = await asyncio.to_thread(disposal.remove, paths)
        for copy in copies:
            await self._keeping.forget_copy(copy)
        return count

    async def remove_copies(self) -> int:
        """Files here that were made of other nodes' recordings go when those do; how many went."""
        count = 0
        for copy in await self._keeping.copies_left(self._node) if self._node else ():
            count += await asyncio.to_thread(disposal.remove, [Path(copy.path)])
            await self._keeping.forget_copy(copy)
        return count

    # --- holds and tags ------------------------------------------------------------------------------

    async def hold(self, hold: Hold) -> int:
        """Put a hold in force; how many recordings are deleted already, which it comes too late for."""
        await self._store.save([hold])
        await self._enter_holds(hold.id)
        await self._audit(hold.who, "hold", hold.id, hold.reason)
        late = 0
        async for page in self._pages([KeepState.DELETING, KeepState.DELETED]):
            subjects = await self.subjects([kept.recording_id for kept in page])
            late += sum(keeping.holds(hold, subject) for subject in subjects.values())
        return late

    async def release(self, id: str, who: str, reason: str) -> Hold | None:
        """End a hold; None when there is none of this id in force."""
        hold = next((hold for hold in await self._keeping.holds() if hold.id == id), None)
        if hold is None:
            return None
        over = replace(hold, released_at=self._clock(), released_by=who, release_reason=reason)
        await self._store.save([over])
        await self._enter_holds(id)
        await self._audit(who, "release", id, reason)
        return over

    async def _enter_holds(self, id: str) -> None:
        """Into the chain of evidence, as the store has it now."""
        holds = await self._keeping.holds(released=True)
        drafts = [entries.held(hold) for hold in holds if hold.id == id]
        await self._store.chain.append(drafts, self._clock())

    async def tag(self, recording_id: str, tag: str, who: str, *, remove: bool = False) -> None:
        """Put a word on a recording, or take it off."""
        now = self._clock()
        row = Tag(recording_id=recording_id, tag=tag, at=now, who=who, removed_at=now if remove else None)
        await self._store.save([row])
        await self._audit(who, "untag" if remove else "tag", recording_id, tag)

    # --- erasure -------------------------------------------------------------------------------------

    async def erase(self, person: str, who: str, reason: str) -> Erased:
        """Delete the audio of every conversation with this person until now, and remember it for ever."""
        erasure = Erasure(id=self._new_id(), at=self._clock(), who=who, reason=reason, person=person)
        # The file first: a crash in between is put right by the next `apply_erasures`.
        await asyncio.to_thread(memory.remember, self._state, erasure)
        await self._store.save([erasure])
        stored = [entries.erased(e) for e in await self._keeping.erasures() if e.id == erasure.id]
        await self._store.chain.append(stored, self._clock())
        await self._audit(who, "erase", erasure.id, reason)
        return await self._apply([erasure])

    async def apply_erasures(self) -> Erased:
        """Apply every erasure again: audio may have come back with a backup, or a hold may be over."""
        stored = {erasure.id: erasure for erasure in await self._keeping.erasures()}
        filed = {e.id: e for e in await asyncio.to_thread(memory.remembered, self._state)}
        await self._store.save([filed[id] for id in filed.keys() - stored.keys()])
        for id in stored.keys() - filed.keys():
            await asyncio.to_thread(memory.remember, self._state, stored[id])
        everyone = list({**stored, **filed}.values())
        return await self._apply(everyone) if everyone else Erased()

    async def _apply(self, erasures: Sequence[Erasure]) -> Erased:
        deleted: list[str] = []
        elsewhere: list[str] = []
        held: list[str] = []
        failed: list[str] = []
        people = {erasure.person for erasure in erasures}
        async for id in self._recordings_with(people):
            subject = (await self.subjects([id])).get(id)
            mine = [e for e in erasures if subject is not None and keeping.erases(e, subject)]
            kept = (await self._keeping.kept([id])).get(id)
            if not mine or (kept is not None and kept.state is KeepState.DELETED):
                continue
            try:
                verdict = await self.delete(id, mine[0].who, f"erasure {mine[0].id}: {mine[0].reason}")
            except AudioError:
                failed.append(id)
                continue
            mine_too = subject is not None and self._is_mine(subject.recording.node)
            (held if not verdict.goes else deleted if mine_too else elsewhere).append(id)
        return Erased(
            deleted=tuple(deleted), elsewhere=tuple(elsewhere), held=tuple(held), failed=tuple(failed)
        )

    async def _recordings_with(self, people: Iterable[str]) -> AsyncIterator[str]:
        """Every recording in which one of these took part, once."""
        wanted, seen = frozenset(people), set[str]()
        after = None
        while page := await self._keeping.walk_intervals(after):
            after = (page[-1].started_at, page[-1].id)
            for interval in page:
                here = {name for party in interval.parties for name in (party.extension, party.number)}
                if interval.recording_id and interval.recording_id not in seen and wanted & here:
                    seen.add(interval.recording_id)
                    yield interval.recording_id

    async def sweep_deleted(self) -> int:
        """Remove whatever deleted audio is on the disk again; how many recordings had some."""
        count = 0
        async for page in self._pages([KeepState.DELETED], self._node):
            recordings = await self._keeping.recordings_of([kept.recording_id for kept in page])
            back = await asyncio.to_thread(self._there, page, recordings)
            for kept in back:
                count += await self.remove_again(kept)
        return count

    def _there(self, page: Sequence[Kept], recordings: Mapping[str, Recording]) -> list[Kept]:
        """Those of which some file is on the disk."""
        return [
            kept
            for kept in page
            if (recording := recordings.get(kept.recording_id)) is not None
            and disposal.there(disposal.all_files(recording, kept, (), (), self._monitor))
        ]

    # --- walking -------------------------------------------------------------------------------------

    async def _pages(self, states: Sequence[KeepState], node: str | None = None) -> AsyncIterator[list[Kept]]:
        after = None
        while page := await self._keeping.walk(states, after=after, limit=_BATCH, node=node):
            after = (page[-1].started_at, page[-1].recording_id)
            yield page

    async def _audit(self, who: str, action: str, object: str, why: str) -> None:
        row = AuditRow(
            id=self._new_id(), at=self._clock(), who=who, action=action, object=object, detail={"why": why}
        )
        await self._store.audit_append(row)


def new_row(recording: Recording) -> Kept:
    """The archive's row of a recording that it never looked at."""
    return Kept(
        recording_id=recording.id,
        state=KeepState.WAITING,
        started_at=recording.started_at,
        folder=recording.folder,
        mix=recording.name if recording.state is RecordingState.CLOSED else "",
        size=recording.size,
        duration_ms=recording.duration_ms,
        node=recording.node,
    )


def _held(hold: Hold) -> Verdict:
    return Verdict(goes=False, why=f"held by {hold.who}: {hold.reason}")
