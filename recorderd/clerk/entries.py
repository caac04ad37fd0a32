"""What goes into the chain of evidence about a recording: owns the drafts, and the reading that they need.

Must not know when they are made. Rows are read back from the store before they are hashed, since that rounds
their times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recorderd.archive import fingerprints, sealed
from recorderd.archive.keyring import Keyring
from recorderd.config import Config
from recorderd.core.chain import ChainEntry, Draft, Kind
from recorderd.core.keeping import IN_PLACE, Erasure, Hold, Kept
from recorderd.core.recordings import CUT_BACK
from recorderd.core.rows import Cdr, CdrLink, Interval, Recording, RecordingState, Row
from recorderd.errors import AudioError
from recorderd.store.abc import Store
from recorderd.store.digests import digests, name_of

# So many seconds after a recording's end an entry about it is late, and says so.
LATE = 120.0
NO_KEYS: sealed.Keys = Keyring()


def keyring_of(config: Config) -> Keyring:
    """The archive's keys."""
    return Keyring(config.archive.encryption.keys, config.archive.encryption.key_id)


async def opening(
    store: Store,
    monitor: Path,
    recording: Recording,
    now: float,
    note: str = "",
    keys: sealed.Keys = NO_KEYS,
) -> list[Draft]:
    """The first entries of a finished recording: its files, its rows, and what was cut off.

    `note` says why they come late. Raises StoreError, AudioError.
    """
    made = (await openings(store, monitor, [recording], now, note, keys))[recording.id]
    if isinstance(made, AudioError):
        raise made
    return made


async def openings(
    store: Store,
    monitor: Path,
    recordings: Sequence[Recording],
    now: float,
    note: str = "",
    keys: sealed.Keys = NO_KEYS,
) -> dict[str, list[Draft] | AudioError]:
    """The same of many, read together; of one whose file cannot be read, why. Raises StoreError."""
    ids = [recording.id for recording in recordings]
    spoken: dict[str | None, list[Interval]] = {id: [] for id in ids}
    for interval in await store.intervals(recording_id=tuple(ids)):
        spoken[interval.recording_id].append(interval)
    kept = await store.keeping.kept(ids)
    made: dict[str, list[Draft] | AudioError] = {}
    for recording in recordings:
        failed = recording.state is RecordingState.FAILED
        lanes = await store.lanes(recording.id) if failed else []
        paths = {lane.path: Path(lane.path) for lane in lanes if lane.recording_id == recording.id}
        if recording.state is RecordingState.CLOSED:
            paths = {f"{recording.folder}/{recording.name}": monitor / recording.folder / recording.name}
        try:
            files = await asyncio.to_thread(_hashed, paths, keys) if paths else ({}, [])
        except AudioError as error:
            made[recording.id] = error
            continue
        made[recording.id] = _opening(
            recording, spoken[recording.id], files, kept.get(recording.id), now, note
        )
    return made


def _opening(
    recording: Recording,
    intervals: list[Interval],
    files: tuple[dict[str, Any], list[str]],
    kept: Kept | None,
    now: float,
    note: str,
) -> list[Draft]:
    detail: dict[str, Any] = {"rows": digests([recording, *intervals])}
    age = now - (recording.ended_at or recording.started_at)
    late = note or (f"{age:.0f} s after its end" if age > LATE else "")
    if late:
        detail["late"] = late
    if recording.state is RecordingState.DISCARDED:
        return [Draft(kind=Kind.CUT, recording_id=recording.id, detail={"why": recording.reason, **detail})]
    detail["files"], missing = files
    if missing:
        gone = "the archive's file was in its place already" if kept and kept.state in IN_PLACE else "missing"
        detail["missing"] = dict.fromkeys(missing, gone)
    closed = Draft(kind=Kind.CLOSED, recording_id=recording.id, detail=detail)
    cuts = [
        Draft(kind=Kind.CUT, recording_id=recording.id, object=interval.id, detail={"why": interval.note})
        for interval in intervals
        if interval.note == CUT_BACK
    ]
    return [closed, *cuts]


def _hashed(paths: dict[str, Path], keys: sealed.Keys) -> tuple[dict[str, Any], list[str]]:
    """What each file is known by, and which are not there. Raises AudioError: another try may read it."""
    found: dict[str, Any] = {}
    missing = []
    for name, path in paths.items():
        try:
            found[name] = fingerprints.of(path, keys)
        except fingerprints.NotThere:
            missing.append(name)
    return found, missing


async def settled(store: Store, recordings: Sequence[Recording]) -> list[Draft]:
    """The entries of recordings whose calls are over: everything in the ledger that belongs to each, read together."""
    found = await _ledgers(store, recordings)
    return [
        Draft(kind=Kind.SETTLED, recording_id=id, detail={"rows": digests(theirs)})
        for id, theirs in found.items()
    ]


async def ledger(store: Store, recording: Recording) -> list[Row]:
    """The recording, its conversation with every interval of it, its CDR links and their CDRs."""
    return (await _ledgers(store, [recording]))[recording.id]


async def _ledgers(store: Store, recordings: Sequence[Recording]) -> dict[str, list[Row]]:
    if not recordings:
        return {}
    ids = tuple(recording.id for recording in recordings)
    talks = {
        talk.id: talk for talk in await store.conversations(id=tuple(r.conversation_id for r in recordings))
    }
    spoken = [
        *await store.intervals(conversation_id=tuple(talks)),
        *await store.intervals(recording_id=ids),
    ]
    links = await store.links(recording_id=ids)
    known = await _cdrs(store, links)
    ledgers: dict[str, list[Row]] = {}
    for recording in recordings:
        talk = talks.get(recording.conversation_id)
        theirs = [link for link in links if link.recording_id == recording.id]
        found: list[Row] = [
            recording,
            *([talk] if talk else []),
            *(i for i in spoken if talk and i.conversation_id == talk.id),
            *(i for i in spoken if i.recording_id == recording.id),
            *theirs,
            *_of(known, theirs),
        ]
        ledgers[recording.id] = list({name_of(row): row for row in found}.values())
    return ledgers


async def _cdrs(store: Store, links: Iterable[CdrLink]) -> dict[tuple[str, int], Cdr]:
    """The CDRs that these links point at, as far as we have them."""
    uniqueids = tuple(dict.fromkeys(link.uniqueid for link in links))
    found = await store.cdrs(uniqueid=uniqueids) if uniqueids else []
    return {(cdr.uniqueid, cdr.sequence): cdr for cdr in found}


def _of(known: Mapping[tuple[str, int], Cdr], links: Iterable[CdrLink]) -> list[Cdr]:
    keys = [(link.uniqueid, link.sequence) for link in links]
    return [known[key] for key in keys if key in known]


async def late_links(store: Store, links: Sequence[CdrLink], note: str = "") -> list[Draft]:
    """Entries for those links whose recording was settled without them."""
    entries = await store.chain.entries_of(sorted({link.recording_id for link in links}))
    late = []
    for link in links:
        theirs = entries.get(link.recording_id, [])
        known = any(name_of(link) in entry.detail.get("rows", {}) for entry in theirs)
        if not known and any(entry.kind == Kind.SETTLED for entry in theirs):
            late.append(link)
    pointed_at = await _cdrs(store, late)
    drafts = []
    for link in late:
        detail: dict[str, Any] = {"rows": digests([link, *_of(pointed_at, [link])])}
        if note:
            detail["late"] = note
        drafts.append(
            Draft(kind=Kind.LINKED, recording_id=link.recording_id, object=name_of(link), detail=detail)
        )
    return drafts


# --- what the archive and people do ----------------------------------------------------------------


def kept(row: Kept) -> Draft:
    """The archive's file took the place of the mix."""
    files = {f"{row.folder}/{row.name}": {"sha256": row.sha256, "size": row.size}}
    return Draft(kind=Kind.KEPT, recording_id=row.recording_id, object=row.sha256, detail={"files": files})


def deleted(row: Kept) -> Draft:
    """Its audio is gone."""
    detail = {"who": row.deleted_by, "why": row.deleted_why}
    return Draft(kind=Kind.DELETED, recording_id=row.recording_id, detail=detail)


def held(hold: Hold) -> Draft:
    """A hold came into force, or is over. It is given as it came from the store."""
    over = hold.released_at is not None
    who, why = (hold.released_by, hold.release_reason) if over else (hold.who, hold.reason)
    detail = {"who": who, "why": why, "rows": digests([hold])}
    return Draft(kind=Kind.RELEASED if over else Kind.HELD, object=hold.id, detail=detail)


def erased(erasure: Erasure) -> Draft:
    """A person is to be forgotten. It is given as it came from the store."""
    detail = {"who": erasure.who, "why": erasure.reason, "rows": digests([erasure])}
    return Draft(kind=Kind.ERASED, object=erasure.id, detail=detail)


def named(entries: Iterable[ChainEntry]) -> dict[str, str]:
    """The digest of every row that these entries name; of two the later."""
    return {name: str(value) for entry in entries for name, value in entry.detail.get("rows", {}).items()}
