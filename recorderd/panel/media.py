"""Listening: plays, downloads, waveforms, and what is written down of each.

Owns the answers of /media and the trail that they leave. Must not know where a file lies (`shelf`) or what
a Range means (`ranges`). Nothing is sent before it is in the trail: what was asked for first, and
afterwards what really went out, where that is less.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from recorderd.archive.wav import HEADER_BYTES
from recorderd.core import sides
from recorderd.core.channels import Names
from recorderd.core.rows import Recording
from recorderd.errors import AudioError
from recorderd.panel.audit import AuditTrail, new_id
from recorderd.panel.language import _
from recorderd.panel.peaks import Peaks
from recorderd.panel.ports import Conflict, Entry, FaultyInput, NotFound, Right, Sound, Viewer
from recorderd.panel.ranges import Answer, Validators, answer
from recorderd.panel.sessions import SessionKeeper
from recorderd.panel.shelf import OpenSound, Shelf
from recorderd.store import stories
from recorderd.store.abc import Store

if TYPE_CHECKING:
    from recorderd.daemon.stock import Stock

log = logging.getLogger("recorderd.panel")

CHUNK = 64 * 1024
_MOST_RANGES = 200
_LONGEST_REASON = 200


class Listening:
    """See `ports.Media`; `play` makes the answers of the paths below /media."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        sessions: SessionKeeper,
        audit: AuditTrail,
        names: Callable[[], Names],
        state: Path,
        clock: Callable[[], float],
        stock: Stock | None = None,
    ) -> None:
        self._store = store
        self._state = state
        self._stock = stock
        self._shelf = shelf
        self._sessions = sessions
        self._audit = audit
        self._names = names
        self._clock = clock
        self._peaks = Peaks(shelf.keyring)

    async def sound(self, viewer: Viewer, id: str) -> Sound:
        recording, _mine = await self._shelf.find(viewer, id, Right.LIST)
        return await self._shelf.sound(viewer, recording, await self._entry(viewer, recording))

    async def give_reason(self, viewer: Viewer, id: str, reason: str) -> None:
        await self._shelf.find(viewer, id, Right.PLAY)
        why = " ".join(reason.split())[:_LONGEST_REASON]
        if not why:
            raise FaultyInput({"reason": _("Say why you listen to this recording.")})
        await self._audit.note(viewer, "reason", id, {"reason": why})
        if viewer.session_id:
            await self._store.panel.give_reason(viewer.session_id, id, why)

    async def peaks(self, viewer: Viewer, id: str, reason: str = "") -> Mapping[str, Any]:
        recording, _mine = await self._shelf.find(viewer, id, Right.PLAY)
        await self._shelf.reason(viewer, id, reason)
        kept = await self._shelf.kept(recording)
        path = self._shelf.path(recording, kept)
        here = path is not None and await asyncio.to_thread(path.exists)
        key = "" if here else self._shelf.peaks_object(kept)
        try:
            if key:
                opened = partial(self._shelf.open_object, key)
                return await self._shelf.at_bucket(partial(self._peaks.of_object, key, opened))
            if path is None:
                raise AudioError
            labels = sides.labels(await self._store.intervals(recording_id=id))
            return await asyncio.to_thread(self._peaks.of, path, self._shelf.stereo(recording), labels)
        except AudioError:
            raise NotFound(_("There is no waveform of this recording.")) from None

    async def heard(self, viewer: Viewer, id: str, ranges: Sequence[tuple[int, int]]) -> None:
        recording, _mine = await self._shelf.find(viewer, id, Right.PLAY)
        longest = recording.duration_ms + 1000
        told = [(int(a), int(b)) for a, b in ranges[:_MOST_RANGES]]
        if not told or any(not 0 <= a <= b <= longest for a, b in told):
            raise FaultyInput({"ranges": _("Ranges are pairs of milliseconds within the recording.")})
        await self._audit.note(viewer, "heard", id, {"ms": [list(pair) for pair in told]})

    async def delete(self, viewer: Viewer, id: str, reason: str) -> None:
        recording, mine = await self._shelf.find(viewer, id, Right.DELETE)
        why = " ".join(reason.split())[:_LONGEST_REASON]
        if not why:
            raise FaultyInput({"reason": _("Say why you delete this recording.")})
        await self._audit.note(viewer, "delete", id, {"reason": why, "name": recording.name})
        # Only here: with the keeper comes the whole daemon, and nothing else of the panel needs it.
        from recorderd.daemon.keeper import Keeper

        keeper = Keeper(
            self._store, self._shelf.root, self._state, self._clock, lambda: new_id(self._clock()),
            node=self._shelf.node, stock=self._stock,
        )  # fmt: skip
        try:
            verdict = await keeper.delete(id, viewer.login, why)
        except AudioError as error:
            # It is written down and cannot be played any more: the archive goes on until all of it is gone.
            log.warning("%s", error)
            return
        if not verdict.goes:
            raise Conflict(_("This recording is not deleted: {why}.").format(why=verdict.why))
        uniqueids = [p.uniqueid for i in mine for p in i.parties]
        await self._index(recording.conversation_id, uniqueids)

    async def _index(self, conversation_id: str, uniqueids: Sequence[str]) -> None:
        talk = await self._store.conversation(conversation_id)
        linkedids = [*(talk.linkedids if talk else ()), *uniqueids]
        if linkedids:
            story = await stories.load(self._store, linkedids[0])
            told = stories.replaced(story, self._names(), tell=False)
            await self._store.panel.replace_entries([told], self._clock())

    # --- the answers of /media -------------------------------------------------------------------

    async def play(
        self, viewer: Viewer, id: str, headers: Mapping[str, str], *, save: bool, reason: str = ""
    ) -> Response:
        """The audio, or the part of it that `headers` ask for; `save` as a file to be kept."""
        right = Right.DOWNLOAD if save else Right.PLAY
        recording, _mine = await self._shelf.find(viewer, id, right)
        why = await self._shelf.reason(viewer, id, reason)
        # Who spoke with whom makes the name of a file that is kept: to listen it is not looked up.
        entry = await self._entry(viewer, recording) if save else None
        kept = await self._shelf.kept(recording)
        sound = await self._shelf.open(recording, kept)
        try:
            validators = Validators(_etag(sound), sound.modified)
            found = answer(headers, sound.size, validators)
            detail = {"ms": _milliseconds(sound, found.start, found.end)} | ({"reason": why} if why else {})
            if found.status in (200, 206):
                await self._audit.note(viewer, "download" if save else "play", id, detail)
            name = self._shelf.file_name(recording, sound.path, entry)
            return _SoundAnswer(
                sound, found, validators, name, save=save, sent=self._sent(viewer, id, sound, found)
            )
        except BaseException:
            sound.file.close()
            raise

    def _sent(self, viewer: Viewer, id: str, sound: OpenSound, asked: Answer) -> Callable[[int], Any]:
        """What to do when the answer is out, `count` bytes of it."""

        async def note(count: int) -> None:
            if count < asked.end - asked.start:
                ms = _milliseconds(sound, asked.start, asked.start + count)
                await self._audit.note(viewer, "sent", id, {"ms": ms})

        return note

    async def _entry(self, viewer: Viewer, recording: Recording) -> Entry | None:
        talk = await self._store.conversation(recording.conversation_id)
        owners = [""] if viewer.scope is None else sorted(viewer.scope)
        for linkedid in sorted(talk.linkedids) if talk else ():
            if (entry := await self._store.panel.entry(linkedid, owners)) is not None:
                return entry
        return None


def _etag(sound: OpenSound) -> str:
    """Of the row as well: a file that takes another's name and time is still another."""
    text = f"{sound.recording.id} {sound.size} {sound.modified!r}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def _milliseconds(sound: OpenSound, start: int, end: int) -> list[int]:
    """The stretch of talk in these bytes: exact for a WAV, in proportion for what is encoded."""
    body = max(1, sound.size - HEADER_BYTES)
    length = sound.recording.duration_ms
    return [round(length * min(1.0, max(0, place - HEADER_BYTES) / body)) for place in (start, end)]


class _SoundAnswer(Response):
    """Sends an open file's bytes, or only tells of them; closes it in any case."""

    def __init__(
        self,
        sound: OpenSound,
        found: Answer,
        validators: Validators,
        name: str,
        *,
        save: bool,
        sent: Callable[[int], Any],
    ) -> None:
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": validators.etag,
            "Last-Modified": validators.last_modified,
            "Cache-Control": "private, no-cache",
            "Content-Disposition": _disposition(name, save=save),
        }
        if found.status in (200, 206):
            headers["Content-Length"] = str(found.end - found.start)
        if found.status == 206:
            headers["Content-Range"] = f"bytes {found.start}-{found.end - 1}/{sound.size}"
        if found.status == 416:
            headers |= {"Content-Range": f"bytes */{sound.size}", "Content-Length": "0"}
        super().__init__(None, found.status, headers, sound.media_type)
        if found.status == 304:
            del self.headers["content-type"]
        self._sound = sound
        self._found = found
        self._note = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if scope["method"] == "HEAD" or self._found.start == self._found.end:
                await send({"type": "http.response.body", "body": b""})
                return
            await self._send_bytes(receive, send)
        finally:
            self._sound.file.close()

    async def _send_bytes(self, receive: Receive, send: Send) -> None:
        """Chunk by chunk until the end, or until nobody takes them any more."""
        at, end = self._found.start, self._found.end
        gone = asyncio.ensure_future(_gone(receive))
        try:
            while at < end and not gone.done():
                chunk = await asyncio.get_running_loop().run_in_executor(
                    self._sound.pool, self._read, min(CHUNK, end - at), at
                )
                if not chunk:
                    # Cut short under us: to end the connection is the only honest answer left.
                    raise OSError("the file became shorter while it was sent")
                at += len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": at < end})
        finally:
            gone.cancel()
            await self._note(at - self._found.start)

    def _read(self, count: int, at: int) -> bytes:
        """What cannot be trusted does not go out: there is no answer left but to end the connection."""
        try:
            return self._sound.file.pread(count, at)
        except AudioError as error:
            log.error("%s", error)
            raise OSError(str(error)) from error


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _disposition(name: str, *, save: bool) -> str:
    """RFC 6266: a plain name for old clients, the true one in UTF-8 (RFC 5987) where it is another."""
    kind = "attachment" if save else "inline"
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{kind}; filename="{plain}"{exact}'
