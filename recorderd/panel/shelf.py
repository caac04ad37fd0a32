"""Where recordings lie, and who may take one down: from a row to an open file, never from a name in a
request.

Owns the walk from a recording's row to its file below the spool, and the rule of who may hear it. Must not
know HTTP. A row was made from Asterisk's words, and a spool is a place where others write: so the path is
checked, no link is followed, and what is opened must be a plain file below the spool's folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
import unicodedata
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from recorderd.archive import sealed
from recorderd.archive.fingerprints import NotThere
from recorderd.archive.keyring import Keyring
from recorderd.archive.peaks import SUFFIX
from recorderd.core.keeping import IN_PLACE, KeepState, Kept, files_of
from recorderd.core.rows import Interval, Recording, RecordingState
from recorderd.errors import AudioError, BucketFault
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import _
from recorderd.panel.ports import Entry, NeedsReason, NotFound, Right, Sound, Viewer
from recorderd.panel.sessions import SessionKeeper
from recorderd.store.abc import Store

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket

T = TypeVar("T")
log = logging.getLogger("recorderd.panel")

# So many wait for the bucket at once; the rest stand in line, and a bucket that hangs is soon left alone.
_AT_THE_BUCKET = 8
MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
}
_FOLDER = re.compile(r"[0-9A-Za-z_-]+(?:/[0-9A-Za-z_-]+){0,7}")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+@-]{0,250}")
_DELETED = (KeepState.DELETING, KeepState.DELETED)
_STATES = {
    RecordingState.ARMED: "recording",
    RecordingState.RECORDING: "recording",
    RecordingState.CLOSING: "making",
    RecordingState.CLOSED: "ready",
    RecordingState.FAILED: "failed",
    RecordingState.DISCARDED: "gone",
}


@dataclass(frozen=True, slots=True)
class OpenSound:
    """A recording's file or object, open; whoever has it closes `file`. `size` is the sound's, encrypted or not.

    It is read in `pool`'s threads: those who wait for a bucket hold up nobody else's.
    """

    recording: Recording
    path: Path
    file: sealed.Sound
    size: int
    modified: float
    media_type: str
    pool: Executor | None = None


class Shelf:
    """The recordings, as far as a viewer may have them."""

    def __init__(
        self,
        store: Store,
        sessions: SessionKeeper,
        audit: AuditTrail,
        root: Path,
        lanes: Path,
        zone: tzinfo,
        keyring: Keyring | None = None,
        *,
        node: str = "",
        bucket: Bucket | None = None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._audit = audit
        self.root = root
        self.keyring = keyring or Keyring()
        self._lanes = lanes
        self._zone = zone
        self.node = node
        self._bucket = bucket
        self._pool = ThreadPoolExecutor(_AT_THE_BUCKET, thread_name_prefix="bucket")

    async def find(self, viewer: Viewer, id: str, right: Right) -> tuple[Recording, list[Interval]]:
        """The recording and his part of its talk. NotFound when there is none that he may know of; Refused
        when he may not do this with it. Both refusals are written down.
        """
        found = await self._store.recordings(id=id) if len(id) <= 64 else []
        spoken = await self._store.intervals(recording_id=id) if found else []
        mine = [i for i in spoken if viewer.scope is None or any(viewer.sees(p.extension) for p in i.parties)]
        if not found or not (mine or viewer.scope is None):
            if found:
                await self._audit.note(viewer, "refused", id, {"right": str(right)})
            raise NotFound(_("There is no such recording."))
        if not viewer.may(right):
            raise await self._audit.refused(viewer, right, id)
        return found[0], mine

    async def reason(self, viewer: Viewer, id: str, given: str = "") -> str:
        """Why he listens, where he must say so. NeedsReason when he has not."""
        if not viewer.needs_reason:
            return ""
        reason = given.strip()[:200] or (await self._sessions.reasons(viewer)).get(id, "")
        if not reason:
            raise NeedsReason(_("Say why you listen to this recording."))
        return reason

    async def kept(self, recording: Recording) -> Kept | None:
        """What the archive has made of it."""
        return (await self._store.keeping.kept([recording.id])).get(recording.id)

    async def open(self, recording: Recording, kept: Kept | None) -> OpenSound:
        """Open its file here, else its object. NotFound when there is neither, BucketFault."""
        path = self._path(recording, kept)
        if path is None:
            raise NotFound(_gone())
        found = await asyncio.to_thread(self._open_here, path) if self._is_mine(recording) else None
        if found is not None:
            file, modified = found
            return OpenSound(recording, path, file, file.size, modified, MEDIA_TYPES[path.suffix])
        if kept is None or not self._in_bucket(kept):
            raise NotFound(self._elsewhere(recording) or _gone())
        file = await self.at_bucket(lambda: self._opened(lambda: self._object(kept.object), path))
        modified = kept.archived_at or recording.started_at
        return OpenSound(
            recording, path, file, file.size, modified, MEDIA_TYPES[path.suffix], pool=self._pool
        )

    async def at_bucket(self, work: Callable[[], T]) -> T:
        """Do what waits for the bucket, in a thread where nobody else waits."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _open_here(self, path: Path) -> tuple[sealed.Sound, float] | None:
        try:
            # A symlink in the last place is refused here, one on the way by `_below`.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or not self._below(path):
            os.close(fd)
            return None
        return self._opened(lambda: sealed.sound_in(fd, path, self.keyring), path), about.st_mtime

    def _opened(self, open: Callable[[], sealed.Sound], path: Path) -> sealed.Sound:
        try:
            return open()
        except BucketFault:
            raise
        except NotThere as error:
            log.error("%s cannot be played: %s", path, error)
            raise NotFound(_gone()) from None
        except sealed.KeyMissing as error:
            log.error("%s cannot be played: %s", path, error)
            raise NotFound(_("This recording is encrypted, and its key is not there.")) from None
        except AudioError as error:
            log.error("%s cannot be played: %s", path, error)
            raise NotFound(_("The file of this recording was changed or is broken.")) from None

    def peaks_object(self, kept: Kept | None) -> str:
        """The key of its waveform in the bucket, empty where there is none."""
        return kept.object + SUFFIX if kept is not None and self._in_bucket(kept) else ""

    def _object(self, key: str) -> sealed.Sound:
        assert self._bucket is not None
        return self._bucket.opened(key, self.keyring)

    def open_object(self, key: str) -> sealed.Sound:
        """What lies in the bucket; blocking, and so for `at_bucket`. Raises AudioError."""
        return self._object(key)

    def _in_bucket(self, kept: Kept | None) -> bool:
        return self._bucket is not None and kept is not None and bool(kept.object) and kept.state in IN_PLACE

    def _is_mine(self, recording: Recording) -> bool:
        """Whether its file would be here: a file of that name may be another node's recording."""
        return self.node in ("", recording.node)

    def _is_here(self, recording: Recording, path: Path | None) -> bool:
        return self._is_mine(recording) and _is_there(path)

    def _elsewhere(self, recording: Recording) -> str:
        """What is said of a file that is on another machine's disk alone, empty for ours."""
        if self._is_mine(recording):
            return ""
        return _("It is on {node} and not in the bucket yet.").format(node=recording.node)

    def path(self, recording: Recording, kept: Kept | None) -> Path | None:
        """Where its file is, None where none of ours can be."""
        found = self._path(recording, kept) if self._is_mine(recording) else None
        return found if found is not None and self._below(found) else None

    def stereo(self, recording: Recording) -> Path | None:
        """Where the mixer's two-channel file of it is, None where there is none that is ours."""
        path = Path(recording.stereo)
        inside = os.path.realpath(path).startswith(os.path.realpath(self._lanes) + os.sep)
        return path if recording.stereo and inside else None

    def _path(self, recording: Recording, kept: Kept | None) -> Path | None:
        for file in files_of(recording, kept)[:1]:
            folder, _slash, name = file.rpartition("/")
            path = self.root / folder / name
            if _FOLDER.fullmatch(folder) and _NAME.fullmatch(name) and path.suffix in MEDIA_TYPES:
                return path
        return None

    def _below(self, path: Path) -> bool:
        return os.path.realpath(path.parent).startswith(os.path.realpath(self.root) + os.sep)

    # --- what is told of one ---------------------------------------------------------------------

    async def sound(
        self, viewer: Viewer, recording: Recording, entry: Entry | None = None, number: int = 0
    ) -> Sound:
        """What is known of one, with what he may do. It is his to know of: the caller has seen to that."""
        kept = await self.kept(recording)
        path = self._path(recording, kept)
        state, note = _STATES[recording.state], recording.reason
        if kept is not None and kept.state in _DELETED:
            state, note = "gone", self._end_of(kept)
        elif state == "ready" and not self._is_here(recording, path) and not self._in_bucket(kept):
            elsewhere = self._elsewhere(recording)
            state = "elsewhere" if elsewhere else "gone"
            note = elsewhere or note or _("The file is not there.")
        ready = state == "ready"
        may_play = ready and viewer.may(Right.PLAY)
        return Sound(
            id=recording.id,
            segment=recording.segment,
            started_at=recording.started_at,
            duration_ms=recording.duration_ms,
            size=kept.size if kept is not None and kept.name else recording.size,
            state=state if may_play or not ready else "withheld",
            media_type=MEDIA_TYPES[path.suffix] if path else "application/octet-stream",
            file_name=self.file_name(recording, path, entry, number),
            may_play=may_play,
            may_download=ready and viewer.may(Right.DOWNLOAD),
            may_delete=ready and viewer.may(Right.DELETE),
            needs_reason=viewer.needs_reason and recording.id not in await self._sessions.reasons(viewer),
            note=note,
        )

    def _end_of(self, kept: Kept) -> str:
        """Who deleted it, when and why."""
        when = "" if kept.deleted_at is None else self._day(kept.deleted_at)
        return _("Deleted by {who} on {when}: {why}").format(
            who=kept.deleted_by, when=when, why=kept.deleted_why
        )

    def _day(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone).strftime("%Y-%m-%d %H:%M")

    def file_name(self, recording: Recording, path: Path | None, entry: Entry | None, number: int = 0) -> str:
        """What to call it on somebody's disk: `2026-11-23 10-30 101 - 102.wav`."""
        when = datetime.fromtimestamp(recording.started_at, self._zone).strftime("%Y-%m-%d %H-%M-%S")
        who = f"{entry.source} - {entry.destination}" if entry else recording.name.rpartition(".")[0]
        which = f" ({number})" if number else ""
        stem = unicodedata.normalize("NFC", f"{when} {who}{which}")
        safe = "".join(c if c.isalnum() or c in " +-_()#" else "_" for c in stem)
        return f"{safe[:120].strip()}{(path or Path(recording.name)).suffix}"


def _gone() -> str:
    return _("The sound of this recording is not there (any more).")


def _is_there(path: Path | None) -> bool:
    try:
        return path is not None and stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
