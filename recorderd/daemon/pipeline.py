"""One recording's way through the archive, step by step, each of which a crash may interrupt.

Owns the order: encode beside the source, remember it, point the CDR rows at it, bring it into the bucket where
there is one, only then remove the source.
Must not know when a recording is taken, nor what is done about a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from recorderd.archive import disposal, encode, peaks, sealed, sources
from recorderd.archive.formats import FORMATS
from recorderd.archive.keyring import Keyring
from recorderd.clerk import entries
from recorderd.config import sections
from recorderd.core import keeping, retention, sides
from recorderd.core.keeping import KeepState, Kept, Subject
from recorderd.core.rows import Lane, Recording, RecordingState
from recorderd.daemon.keeper import Keeper, new_row
from recorderd.daemon.stock import Stock
from recorderd.errors import AudioError
from recorderd.store.abc import Store
from recorderd.store.asterisk_cdr import AsteriskCdrTable

# A CDR begins before its recording does, and a call may ring and queue for long.
_CDR_BEFORE_SECONDS = 86_400.0
# After one, two, … failures of one recording.
WAITS = (10.0, 60.0, 600.0, 3600.0)


class Overtaken(Exception):
    """Somebody else (a deletion) has the recording now; what was made of it meanwhile is gone again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps are done with. `table` is Asterisk's own, where its rows may be written."""

    store: Store
    keeper: Keeper
    monitor: Path
    settings: sections.Archive
    clock: Callable[[], float]
    table: AsteriskCdrTable | None
    stopping: threading.Event
    keyring: Keyring = Keyring()  # noqa: RUF009 - frozen
    stock: Stock | None = None


class Pipeline:
    """`run` brings one recording as far as it goes. Raises AudioError, MachineFault, StoreError, Overtaken."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._keeping = tools.store.keeping
        self._steps = {
            None: self._take,
            KeepState.WAITING: self._take,
            KeepState.TAKEN: self._take,
            KeepState.ENCODED: self._link,
            KeepState.LINKED: self._store,
            KeepState.STORED: self._clean,
        }

    async def run(self, recording: Recording, kept: Kept | None) -> Kept:
        """The recording's row when all is done."""
        row = kept or new_row(recording)
        state = kept.state if kept else None
        while state in self._steps:
            row = await self._steps[state](recording, row, state)
            state = row.state
        return row

    async def failed(self, recording: Recording, error: str, *, counts: bool, seconds: float = 0.0) -> bool:
        """Have it tried again later; `counts`: it is this recording's own fault; else so many `seconds` from now.

        False when there is nothing to try again: somebody deleted it, and that is why it failed.
        """
        row = (await self._keeping.kept([recording.id])).get(recording.id)
        if row is None or row.state not in keeping.UNFINISHED:
            return False
        attempts = row.attempts if counts else max(0, row.attempts - 1)
        wait = WAITS[min(max(attempts, 1), len(WAITS)) - 1]
        state = KeepState.WAITING if row.state is KeepState.TAKEN else row.state
        later = self._tools.clock() + (wait if counts else seconds)
        waiting = replace(row, state=state, error=error, attempts=attempts, not_before=later)
        return await self._keeping.advance(waiting, row.state)

    # --- the steps -------------------------------------------------------------------------------

    async def _take(self, recording: Recording, row: Kept, state: KeepState | None) -> Kept:
        """Encode it. A worker that dies of it comes back later and later."""
        wait = WAITS[min(row.attempts, len(WAITS) - 1)]
        taken = replace(
            row,
            state=KeepState.TAKEN,
            attempts=row.attempts + 1,
            not_before=self._tools.clock() + wait,
        )
        await self._advance(taken, state)
        await self._enter(recording)
        if recording.state is not RecordingState.CLOSED:
            # Its mix failed, and its lanes are kept as they are.
            lanes = await self._tools.store.lanes(recording.id)
            size = await asyncio.to_thread(_size_of, lanes)
            return await self._advance(self._done(taken, name="", mix="", size=size), KeepState.TAKEN)
        subject = (await self._tools.keeper.subjects([recording.id]))[recording.id]
        made, name = await asyncio.to_thread(self._encode, subject)
        done = self._done(
            taken,
            name=name,
            mix=recording.name,
            format=made.form,
            channels=made.sound.channels,
            rate=made.sound.rate,
            size=made.sound.size,
            duration_ms=made.sound.duration_ms,
            sha256=made.sound.sha256,
            levels=made.sound.levels,
            findings=made.findings,
        )
        try:
            return await self._advance(done, KeepState.TAKEN)
        except Overtaken:
            await self._undo(recording)
            raise

    async def _enter(self, recording: Recording) -> None:
        """What its mix was is in the chain before it goes, though the daemon never lived to enter it."""
        store = self._tools.store
        if not await store.chain.entries_of([recording.id]):
            now = self._tools.clock()
            drafts = await entries.opening(
                store, self._tools.monitor, recording, now, "made by the archive", self._tools.keyring
            )
            await store.chain.append(drafts, now)

    def _done(self, row: Kept, **found: object) -> Kept:
        return replace(
            row,
            state=KeepState.ENCODED,
            archived_at=self._tools.clock(),
            attempts=0,
            not_before=0.0,
            error="",
            **found,  # type: ignore[arg-type]
        )

    def _encode(self, subject: Subject) -> tuple[_Made, str]:
        recording, talk = subject.recording, list(subject.intervals)
        settings, monitor = self._tools.settings, self._tools.monitor
        form_name = retention.keep_of(settings.rules, settings.default, subject).format
        names = sides.labels(talk)
        labels = {2: names, 1: (", ".join(filter(None, names)),)}
        common = {
            "kbits": settings.bitrate,
            "ffmpeg": settings.ffmpeg,
            "stopping": self._tools.stopping,
            "key": self._key(),
            "keys": self._tools.keyring,
        }
        try:
            source = sources.choose(recording, talk, monitor, form_name)
        except AudioError:
            adopted = self._adopt(recording, FORMATS[form_name].name, common)
            if adopted is None:
                raise
            return adopted
        target = disposal.target_of(recording, monitor, source.form.suffix)
        sound = encode.run(
            encode.Job(
                source=source.path,
                channels=source.channels,
                target=target,
                form=source.form,
                labels=labels[source.channels],
                **common,  # type: ignore[arg-type]
            )
        )
        return _Made(source.form.name, sound, (*source.findings, *sound.findings)), target.name

    def _key(self) -> sealed.Key | None:
        """Without it nothing is kept: in the clear it must not be."""
        try:
            return self._tools.keyring.current()
        except sealed.KeyMissing as error:
            raise encode.MachineFault(str(error), "key") from error

    def _adopt(
        self, recording: Recording, form_name: str, common: dict[str, object]
    ) -> tuple[_Made, str] | None:
        """The kept file that is there though nothing says so: the database was restored from before it."""
        for form in (FORMATS[form_name], *FORMATS.values()):
            target = disposal.target_of(recording, self._tools.monitor, form.suffix)
            if not disposal.there([target, peaks.path_of(target)])[1:] and not self._fetched(target):
                continue
            job = encode.Job(
                source=target, channels=form.channels, target=target, form=form,
                labels=("",) * form.channels, **common,  # type: ignore[arg-type]
            )  # fmt: skip
            with contextlib.suppress(encode.NotThat):
                sound = encode.adopt(job, recording.duration_ms)
                return _Made(form.name, sound, sound.findings), target.name
        return None

    def _fetched(self, target: Path) -> bool:
        """Whether it was in the bucket, and is here again."""
        return self._tools.stock is not None and self._tools.stock.fetch(target)

    async def _link(self, recording: Recording, row: Kept, state: KeepState | None) -> Kept:
        """Our row names the new file from the step before on; now Asterisk's rows do, where we may write.

        And the chain of evidence has its hash before anything is removed.
        """
        if row.name:
            await self._tools.store.chain.append([entries.kept(row)], self._tools.clock())
        table = self._tools.table
        if table is not None and row.name and row.name != recording.name:
            since = recording.started_at - _CDR_BEFORE_SECONDS
            await table.rename(recording.name, row.name, since)
        return await self._advance(replace(row, state=KeepState.LINKED), state)

    async def _store(self, recording: Recording, row: Kept, state: KeepState | None) -> Kept:
        """Into the bucket, and read back."""
        stock = self._tools.stock
        if stock is None or not row.name:
            return await self._clean(recording, row, state)
        brought = await stock.bring(row)
        done = replace(brought, state=KeepState.STORED, attempts=0, not_before=0.0, error="")
        try:
            return await self._advance(done, state)
        except Overtaken:
            await stock.overtaken(row)
            raise

    async def _clean(self, recording: Recording, row: Kept, state: KeepState | None) -> Kept:
        """The source goes last of all."""
        named = {"keep": True, "remove": False, "auto": self._tools.table is None}
        # What is encrypted must not lie beside itself in the clear.
        keep_mix = named[self._tools.settings.named] and not self._tools.keyring.active
        if row.name:
            paths = disposal.sources(recording, row, self._tools.monitor, keep_mix=keep_mix)
            await asyncio.to_thread(disposal.remove, paths)
        mix = recording.name if keep_mix and row.name and row.name != recording.name else ""
        return await self._advance(replace(row, state=KeepState.KEPT, mix=mix), state)

    # --- taking a step ---------------------------------------------------------------------------

    async def _advance(self, row: Kept, expected: KeepState | None) -> Kept:
        assert row.state in keeping.STEPS[expected], (expected, row.state)
        if not await self._keeping.advance(row, expected):
            raise Overtaken(row.recording_id)
        return row

    async def _undo(self, recording: Recording) -> None:
        """Somebody deletes it: what was just made must not outlive that."""
        row = (await self._keeping.kept([recording.id])).get(recording.id)
        if row is not None and row.state is KeepState.DELETED:
            await self._tools.keeper.remove_again(row)


@dataclass(frozen=True, slots=True)
class _Made:
    form: str
    sound: encode.Encoded
    findings: tuple[str, ...]


def _size_of(lanes: list[Lane]) -> int:
    return sum(path.stat().st_size for path in disposal.there(Path(lane.path) for lane in lanes))
