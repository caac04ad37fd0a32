"""What becomes of a recording's audio once its file is made: the rows of the archive.

Owns their shape, the life of a kept file and the question where a recording's file is now. Must not know a
file system. The daemon never writes these rows, and the archive never writes a `rows.Recording`: so a row
that waited in the daemon's journal can come late without undoing what the archive did.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from recorderd.core.facts import dataclass
from recorderd.core.rows import Interval, Recording, RecordingState, Row


class KeepState(StrEnum):
    """How far the archive is with one recording."""

    WAITING = "waiting"
    TAKEN = "taken"
    ENCODED = "encoded"
    LINKED = "linked"
    STORED = "stored"
    KEPT = "kept"
    DELETING = "deleting"
    DELETED = "deleted"


S = KeepState

# What may follow what; None is a recording that the archive has not looked at. A step that is not here is
# refused by the store, so two hands (the worker, somebody who deletes) can never undo each other's.
STEPS: Mapping[KeepState | None, tuple[KeepState, ...]] = {
    None: (S.TAKEN, S.DELETING),
    S.WAITING: (S.TAKEN, S.DELETING),
    S.TAKEN: (S.TAKEN, S.WAITING, S.ENCODED, S.DELETING),
    S.ENCODED: (S.LINKED, S.DELETING),
    S.LINKED: (S.STORED, S.KEPT, S.DELETING),
    S.STORED: (S.KEPT, S.DELETING),
    # Kept again: in the bucket too, or without its file here.
    S.KEPT: (S.KEPT, S.DELETING),
    # Back again, when a hold came while it was about to be deleted.
    S.DELETING: (S.WAITING, S.ENCODED, S.LINKED, S.STORED, S.KEPT, S.DELETED),
    S.DELETED: (),
}
# The archive still has work with these.
UNFINISHED = (S.WAITING, S.TAKEN, S.ENCODED, S.LINKED, S.STORED)
# The encoded file is in its place.
IN_PLACE = (S.ENCODED, S.LINKED, S.STORED, S.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Row):
    """One recording's audio in the archive. Key: `recording_id`.

    `folder` and `name` are below the spool, as a recording's; the name is empty until the file is in place,
    and for ever where there was no sound to keep. `mix` is the name of the mix while it is kept beside.
    `levels` are each channel's loudness of speech in dBFS, left first. `findings` are what `verify` saw.
    `attempts` failed since the last success, the last one with `error`; `not_before` is the next.
    `deleted_why` and its sisters stay for ever; `was` is the state before, while it is being deleted.
    `node` is whose archive has it, as the recording's. `object` is its key in the bucket, empty while it is not
    there; `local` is false where the file here has made room, so that the object alone is left.
    """

    recording_id: str
    state: KeepState
    started_at: float
    folder: str = ""
    name: str = ""
    mix: str = ""
    format: str = ""
    channels: int = 0
    rate: int = 0
    size: int = 0
    duration_ms: int = 0
    sha256: str = ""
    levels: tuple[float, ...] = ()
    findings: tuple[str, ...] = ()
    archived_at: float | None = None
    attempts: int = 0
    not_before: float = 0.0
    error: str = ""
    deleted_at: float | None = None
    deleted_by: str = ""
    deleted_why: str = ""
    was: KeepState | None = None
    node: str = ""
    object: str = ""
    local: bool = True

    def __str__(self) -> str:
        return f"{self.recording_id}: {self.state}" + (f", {self.error}" if self.error else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Row):
    """A legal hold: what it covers is not deleted by anything or anybody. Key: `id`.

    It covers a recording that agrees with everything that is given; `person` is any party's extension or
    number. One that gives nothing covers everything. It is over at `released_at`, and its row stays.
    """

    id: str
    at: float
    who: str
    reason: str
    recording_id: str = ""
    conversation_id: str = ""
    person: str = ""
    since: float | None = None
    until: float | None = None
    released_at: float | None = None
    released_by: str = ""
    release_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure(Row):
    """A person's right to be forgotten: the audio of every conversation with him up to `at`. Key: `id`.

    `person` is an extension or a number. It is applied again whenever audio might have come back.
    """

    id: str
    at: float
    who: str
    reason: str
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Row):
    """A word that somebody put on a recording; retention can ask for it. Key: `recording_id`, `tag`.

    One that was taken off again has `removed_at`.
    """

    recording_id: str
    tag: str
    at: float
    who: str
    removed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Row):
    """A file with a recording's audio that somebody made (an export, say), by its absolute path. Key: both.

    Whoever makes one saves this row first, so that an erasure finds it. `node` is the machine it is on, which need
    not be the recording's.
    """

    recording_id: str
    path: str
    at: float
    kind: str
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A recording as holds and retention see it."""

    recording: Recording
    intervals: tuple[Interval, ...] = ()
    tags: frozenset[str] = frozenset()

    @property
    def people(self) -> frozenset[str]:
        """Every extension and number of anybody who took part."""
        parties = [party for interval in self.intervals for party in interval.parties]
        return frozenset(name for party in parties for name in (party.extension, party.number) if name)


def holds(hold: Hold, subject: Subject) -> bool:
    """Whether this hold is in force and covers this recording."""
    recording = subject.recording
    return (
        hold.released_at is None
        and hold.recording_id in ("", recording.id)
        and hold.conversation_id in ("", recording.conversation_id)
        and (not hold.person or hold.person in subject.people)
        and (hold.since is None or (recording.ended_at or recording.started_at) >= hold.since)
        and (hold.until is None or recording.started_at < hold.until)
    )


def erases(erasure: Erasure, subject: Subject) -> bool:
    """Whether this erasure means this recording: later conversations with the person are new ones."""
    return subject.recording.started_at <= erasure.at and erasure.person in subject.people


def object_key(kept: Kept) -> str:
    """Where its object is, or would be, in the bucket: no two nodes' files have one key."""
    return kept.object or "/".join(filter(None, (kept.node, kept.folder, kept.name)))


def files_of(recording: Recording, kept: Kept | None) -> tuple[str, ...]:
    """Where its audio must be now, below the spool, the one to play first; empty where there is none."""
    mix = f"{recording.folder}/{recording.name}"
    if kept is None or kept.state in (S.WAITING, S.TAKEN):
        return (mix,) if recording.state is RecordingState.CLOSED else ()
    if kept.state not in IN_PLACE or not kept.name:
        return ()
    beside = (f"{kept.folder}/{kept.mix}",) if kept.mix and kept.mix != kept.name else ()
    return (f"{kept.folder}/{kept.name}", *beside)
