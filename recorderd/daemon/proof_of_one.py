"""One recording held against its entries: its rows, its life and its files.

Owns the comparison. Must not know where rows and entries come from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from recorderd.archive import fingerprints, sealed
from recorderd.clerk.entries import LATE, named
from recorderd.core.chain import OPENING, ChainEntry, Kind
from recorderd.core.chain_walk import Fault
from recorderd.core.keeping import IN_PLACE, KeepState, Kept
from recorderd.core.rows import Recording
from recorderd.daemon.place import Place
from recorderd.errors import AudioError

S = KeepState


@dataclass(frozen=True, slots=True)
class Known:
    """A recording as the chain and the database have it."""

    id: str
    chain: tuple[ChainEntry, ...]
    recording: Recording | None
    kept: Kept | None

    def last(self, *kinds: Kind) -> ChainEntry | None:
        """The newest entry of such a kind that is about the recording as a whole."""
        mine = [e for e in self.chain if e.kind in kinds and (e.kind != Kind.CUT or not e.object)]
        return mine[-1] if mine else None

    @property
    def settled(self) -> bool:
        """Whether all its rows are entered."""
        return self.last(Kind.SETTLED) is not None


@dataclass(slots=True)
class Looked:
    """What was found on the disk and in the bucket. `strange` are the hashes of files that are not what they were;
    `elsewhere` are files on other nodes' disks alone.
    """

    count: int = 0
    elsewhere: int = 0
    faults: list[Fault] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)


# --- rows ------------------------------------------------------------------------------------------


def rows(known: Known, found: Mapping[str, str]) -> Iterator[Fault]:
    """The rows' digests against those that were entered."""
    yield from compare(named(known.chain), found, f"recording {known.id}")


def compare(known: Mapping[str, str], found: Mapping[str, str], of: str) -> Iterator[Fault]:
    """Every row that is gone, was changed, or came from elsewhere."""
    for name, digest in known.items():
        if name not in found:
            yield Fault(kind="row-gone", what=name, sentence=f"{name}, entered by {of}, is gone")
        elif found[name] != digest:
            yield Fault(kind="row-changed", what=name, sentence=f"{name} is not as it was entered by {of}")
    for name in found.keys() - known.keys():
        yield Fault(kind="row-added", what=name, sentence=f"{name} was put in: {of} did not enter it")


# --- its life ----------------------------------------------------------------------------------------


def life(known: Known) -> Iterator[Fault]:
    """Whether what was done with it, as the database has it, was entered."""
    opening, recording = known.last(*OPENING), known.recording
    if opening is not None and recording is not None and not opening.detail.get("late"):
        age = opening.at - (recording.ended_at or recording.started_at)
        if age > 2 * LATE:
            sentence = f"entry {opening.sequence} of recording {known.id} is {age:.0f} s younger than its end"
            yield Fault(kind="back-dated", what=f"entry {opening.sequence}", sentence=sentence)
    what, row = f"Kept:{known.id}", known.kept
    kept, deleted = known.last(Kind.KEPT), known.last(Kind.DELETED)
    if deleted is not None:
        # While it is being deleted the entry comes before the row's last step.
        gone = row is not None and row.state in (S.DELETED, S.DELETING)
        if row is None or not gone or _words(row) != (deleted.detail.get("who"), deleted.detail.get("why")):
            sentence = f"{what} does not say who deleted it and why, as entry {deleted.sequence} does"
            yield Fault(kind="row-changed", what=what, sentence=sentence)
    elif row is not None and row.state is S.DELETED:
        yield Fault(
            kind="row-changed", what=what, sentence=f"{what} says that it was deleted; the chain does not"
        )
    elif kept is not None and (row is None or row.state in (S.WAITING, S.TAKEN) or _file(row) != _kept(kept)):
        sentence = f"{what} does not name the file that entry {kept.sequence} does"
        yield Fault(kind="row-changed" if row else "row-gone", what=what, sentence=sentence)
    elif kept is None and row is not None and row.name and row.state in (S.LINKED, S.STORED, S.KEPT):
        yield Fault(kind="row-added", what=what, sentence=f"{what} names a file that nobody entered")


def _words(row: Kept) -> tuple[str, str]:
    return row.deleted_by, row.deleted_why


def _file(row: Kept) -> tuple[str, Any, Any]:
    return f"{row.folder}/{row.name}", row.sha256, row.size if row.state in IN_PLACE else None


def _kept(entry: ChainEntry) -> tuple[str, Any, Any]:
    [(name, file)] = entry.detail["files"].items()
    return name, file["sha256"], file["size"]


# --- files -------------------------------------------------------------------------------------------


def files(known: Known, place: Place) -> Looked:
    """Every file and object that must be there, and those that must not."""
    looked = Looked()
    row = known.kept
    if row is not None and row.state is S.DELETING:
        return looked
    if known.last(Kind.DELETED) is not None:
        _nothing_left(known, place, looked)
        return looked
    elsewhere = known.recording is not None and not place.has(known.recording.node)
    for name, file in expected(known).items():
        object = row.object if row is not None and name == f"{row.folder}/{row.name}" else ""
        if object:
            _look(looked, known.id, object, file, partial(place.object, object))
        # The file here is what must be, unless there is an object: then it may have made room.
        if elsewhere:
            looked.elsewhere += not object
        elif not object or os.path.lexists(place.monitor / name):
            _look(looked, known.id, name, file, partial(place.file, name))
    return looked


def _look(
    looked: Looked, id: str, name: str, file: Mapping[str, Any], read: Callable[[], Mapping[str, Any]]
) -> None:
    looked.count += 1
    try:
        found = read()
    except fingerprints.NotThere:
        sentence = f"{name} of recording {id} is gone"
        looked.faults.append(Fault(kind="file-gone", what=name, sentence=sentence))
    except sealed.Tampered as error:
        looked.faults.append(Fault(kind="file-changed", what=name, sentence=str(error)))
    except AudioError as error:
        looked.faults.append(Fault(kind="file-unread", what=name, sentence=str(error)))
    else:
        if found != file:
            looked.strange[name] = str(found["sha256"])
            looked.faults.append(_different(name, id, found, file))


def expected(known: Known) -> dict[str, Any]:
    """The files that must be there now, by name."""
    opening, kept, row = known.last(*OPENING), known.last(Kind.KEPT), known.kept
    made = dict(opening.detail.get("files", {})) if opening else {}
    if kept is None:
        # The archive's file may have the mix's own name, and its entry comes a moment later.
        under_way = row is not None and row.state is S.ENCODED and f"{row.folder}/{row.name}" in made
        return {} if under_way else made
    beside = f"{row.folder}/{row.mix}" if row is not None and row.mix else ""
    at_work = row is not None and row.state in (S.ENCODED, S.LINKED, S.STORED)
    mixes = {name: file for name, file in made.items() if name == beside and not at_work}
    return {**mixes, **kept.detail["files"]}


def _different(name: str, id: str, found: Mapping[str, Any], file: Mapping[str, Any]) -> Fault:
    if found["size"] < file["size"]:
        sentence = f"{name} of recording {id} has {found['size']} of its {file['size']} bytes"
        return Fault(kind="file-truncated", what=name, sentence=sentence)
    return Fault(kind="file-changed", what=name, sentence=f"{name} of recording {id} is not what was entered")


def _nothing_left(known: Known, place: Place, looked: Looked) -> None:
    names = {name for entry in known.chain for name in entry.detail.get("files", {})}
    back = [name for name in sorted(names) if os.path.lexists(place.monitor / name)]
    object = known.kept.object if known.kept is not None else ""
    try:
        if object and place.bucket is not None and place.object(object):
            back.append(object)
    except fingerprints.NotThere:
        pass
    except AudioError as error:
        looked.faults.append(Fault(kind="file-unread", what=object, sentence=str(error)))
    for name in back:
        sentence = f"{name} of recording {known.id} is there, though it was deleted"
        looked.faults.append(Fault(kind="file-back", what=name, sentence=sentence))
