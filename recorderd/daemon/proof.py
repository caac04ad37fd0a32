"""`recorderd verify`: whether chain, heads, files and rows are what they were when they were entered.

Owns the walk over the store and the spool. Must not know how entries come to be, nor mend anything. What seems
wrong with a recording is looked at twice, since the archive may be at work on it this very moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import sealed, signing
from recorderd.clerk import entries
from recorderd.core import chain
from recorderd.core.chain import OPENING, ChainEntry, ChainHead
from recorderd.core.chain_walk import Fault, Walk, check_heads
from recorderd.core.rows import Recording, Row
from recorderd.daemon import proof_of_one
from recorderd.daemon.place import Place
from recorderd.daemon.proof_of_one import Known
from recorderd.store.abc import Store
from recorderd.store.digests import digests

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket

_PAGE = 500
_IDS = 200


@dataclass(slots=True)
class Report:
    """What was looked at, what is wrong, and what one should know."""

    entries: int = 0
    heads: int = 0
    recordings: int = 0
    files: int = 0
    elsewhere: int = 0
    rows: int = 0
    public_key: str = ""
    unsigned: int = 0
    unsettled: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Proof:
    """One walk. `filed` are the heads outside the database, `published` those from elsewhere.

    `public_key` is the one that must have signed; empty: whichever signed the first head.
    """

    def __init__(
        self, store: Store, monitor: Path, *, public_key: str, filed: Sequence[ChainHead] = (),
        published: Sequence[ChainHead] = (), patience: float = 2.0,
        keys: sealed.Keys = entries.NO_KEYS, node: str = "", bucket: Bucket | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._place = Place(monitor=monitor, keys=keys, node=node, bucket=bucket)
        self._key = public_key
        self._filed = filed
        self._published = published
        self._patience = patience
        self._hashes: dict[str, str] = {}
        self.report = Report(public_key=public_key)

    async def run(self, since: float | None = None) -> Report:
        """The whole chain and all heads; files and rows of recordings entered at `since` or later."""
        report, heads = self.report, await self._store.chain.heads()
        report.heads = len(heads)
        report.faults += self._heads(heads)
        walk, last, doubtful = Walk(heads), 0, set[str]()
        while page := await self._store.chain.entries(last, _PAGE):
            for entry in page:
                report.faults += walk.feed(entry)
                self._note(entry)
            last = page[-1].sequence
            asked = [e for e in page if since is None or e.at >= since]
            ids = dict.fromkeys(e.recording_id for e in asked if e.recording_id and e.kind in OPENING)
            doubtful |= {id for id, _ in await self._recordings(list(ids), count=True)}
        report.faults += walk.end()
        report.entries = walk.count
        report.unsigned = last - (heads[-1].sequence if heads else 0)
        found = await self._recordings(sorted(doubtful), count=False)
        report.faults += await self._whose([fault for _, fault in found])
        report.faults += await self._unopened(since or 0.0)
        report.faults += await self._people()
        return report

    def _note(self, entry: ChainEntry) -> None:
        if late := entry.detail.get("late"):
            of = f" of {entry.recording_id}" if entry.recording_id else ""
            self.report.notes.append(f"entry {entry.sequence}{of} came late: {late}")

    # --- heads -------------------------------------------------------------------------------------

    def _heads(self, heads: Sequence[ChainHead]) -> Iterator[Fault]:
        yield from check_heads(heads)
        stored = {head.number: head for head in heads}
        self._key = self._key or (heads[0].public_key if heads else "")
        self.report.public_key = self._key
        for head in heads:
            what = f"head {head.number}"
            if head.public_key != self._key:
                sentence = f"{what} is signed with another key: {head.public_key}"
                yield Fault(kind="another-key", what=what, sentence=sentence)
            elif not signing.verifies(self._key, chain.signed_bytes(head), head.signature):
                yield Fault(
                    kind="head-forged", what=what, sentence=f"{what} of {head.day} has a wrong signature"
                )
        for place, copies in (("heads.jsonl", self._filed), ("the published heads", self._published)):
            for copy in copies:
                head_there, what = stored.get(copy.number), f"head {copy.number}"
                if head_there is None:
                    sentence = f"{what} of {copy.day} is in {place} and gone from the database"
                    yield Fault(kind="head-gone", what=what, sentence=sentence)
                elif chain.published(head_there) != chain.published(copy):
                    sentence = f"{what} is another one in {place} than in the database"
                    yield Fault(kind="head-changed", what=what, sentence=sentence)
        numbers = {head.number for head in self._filed}
        for head in heads if numbers else ():
            if head.number not in numbers:
                what = f"head {head.number}"
                yield Fault(kind="head-gone", what=what, sentence=f"{what} is not in heads.jsonl")
        if heads and not self._filed:
            yield Fault(kind="head-gone", what="heads.jsonl", sentence="heads.jsonl is gone or empty")

    # --- recordings ----------------------------------------------------------------------------------

    async def _recordings(self, ids: Sequence[str], *, count: bool) -> list[tuple[str, Fault]]:
        found: list[tuple[str, Fault]] = []
        for first in range(0, len(ids), _IDS):
            some = ids[first : first + _IDS]
            chains = await self._store.chain.entries_of(some)
            recordings = await self._store.keeping.recordings_of(some)
            kept = await self._store.keeping.kept(some)
            for id in some:
                recording = recordings.get(id)
                known = Known(id, tuple(chains.get(id, ())), recording, kept.get(id))
                rows = await self._rows(known, recording)
                looked = await asyncio.to_thread(proof_of_one.files, known, self._place)
                self._hashes |= looked.strange
                faults = [*proof_of_one.rows(known, digests(rows)), *proof_of_one.life(known), *looked.faults]
                found += [(id, fault) for fault in faults]
                if count:
                    self.report.recordings += 1
                    self.report.files += looked.count
                    self.report.elsewhere += looked.elsewhere
                    self.report.rows += len(rows)
                    self.report.unsettled += not known.settled
        return found

    async def _rows(self, known: Known, recording: Recording | None) -> list[Row]:
        if recording is not None and known.settled:
            return await entries.ledger(self._store, recording)
        intervals = await self._store.intervals(recording_id=known.id)
        return [*([recording] if recording else []), *intervals]

    async def _whose(self, faults: list[Fault]) -> list[Fault]:
        """Where a file holds another recording's audio, say so."""
        owners: dict[str, str] = {}
        last = 0
        wanted = set(self._hashes.values())
        while wanted and (page := await self._store.chain.entries(last, _PAGE)):
            last = page[-1].sequence
            for entry in page:
                for name, file in entry.detail.get("files", {}).items():
                    if file["sha256"] in wanted:
                        owners.setdefault(file["sha256"], f"{name} of {entry.recording_id}")
        told = []
        for fault in faults:
            owner = owners.get(self._hashes.get(fault.what, ""))
            if owner is not None and fault.kind.startswith("file-"):
                fault = replace(
                    fault, kind="file-swapped", sentence=f"{fault.what} holds what was entered as {owner}"
                )
            told.append(fault)
        return told

    async def _unopened(self, since: float) -> list[Fault]:
        """Rows that nobody entered: put in afterwards, unless they are of this minute."""
        found = await self._store.chain.unopened(since, limit=_PAGE)
        if found and self._patience:
            await asyncio.sleep(self._patience)
            found = await self._store.chain.unopened(since, limit=_PAGE)
        return [
            Fault(
                kind="not-entered",
                what=f"Recording:{r.id}",
                sentence=f"recording {r.id} ({r.folder}/{r.name}) is in the database and not in the chain",
            )
            for r in found
        ]

    # --- holds and erasures ----------------------------------------------------------------------------

    async def _people(self) -> list[Fault]:
        known = entries.named((await self._store.chain.entries_of([""])).get("", []))
        keeping = self._store.keeping
        rows: list[Row] = [*await keeping.holds(released=True), *await keeping.erasures()]
        self.report.rows += len(rows)
        return list(proof_of_one.compare(known, digests(rows), "the chain"))
