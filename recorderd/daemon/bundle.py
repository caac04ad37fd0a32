"""`recorderd export`: recordings, all that is known of them, and the proof of it, in one file for others.

Owns what goes into a bundle and how it comes to be. Must not know who asks for it. A `Copy` row stands for the file
before its first byte is written, so that an erasure finds it; a recording that is deleted meanwhile takes the
bundle with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.archive import files, sealed, signing, verify_bundle
from recorderd.clerk import entries, heads
from recorderd.core import chain
from recorderd.core.chain import ChainEntry, ChainHead, Draft, Kind
from recorderd.core.keeping import Copy, holds
from recorderd.core.rows import Recording, Row
from recorderd.daemon import bundle_readme
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.place import Place, Source
from recorderd.daemon.proof_of_one import Known
from recorderd.errors import EvidenceError
from recorderd.store.abc import AuditRow, Store
from recorderd.store.digests import digests, spelled

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket

FORMAT = "recorderd-bundle-1"
_PAGE = 1000
# What a zip without its 64-bit form holds.
_MOST_BYTES = (1 << 32) - (64 << 20)
_MOST_FILES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to export and for whom. `scope` says it in words."""

    recordings: Sequence[Recording]
    scope: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle that was made."""

    path: str
    recordings: int
    files: int
    size: int
    missing: tuple[str, ...]
    public_key: str


class Exporter:
    """`make` writes a bundle. Raises StoreError, EvidenceError, AudioError."""

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        monitor: Path,
        state: Path,
        key: signing.Key,
        keys: sealed.Keys = entries.NO_KEYS,
        bucket: Bucket | None = None,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._monitor = monitor
        self._place = Place(monitor=monitor, keys=keys, node=keeper.node or "", bucket=bucket)
        self._state = state
        self._key = key
        self._keys = keys

    async def make(self, wish: Wish, path: Path, now: float) -> Made:
        """The bundle is at `path`, which must be absolute and new; or nothing is."""
        part = path.with_name(path.name + ".part")
        ids = [recording.id for recording in wish.recordings]
        copies = [
            Copy(recording_id=id, path=str(p), at=now, kind="export", node=self._place.node)
            for id in ids
            for p in (path, part)
        ]
        if await asyncio.to_thread(os.path.lexists, path):
            raise EvidenceError(f"{path} is there already: an export never overwrites")
        await self._store.save(copies)
        done = False
        try:
            for recording in wish.recordings:
                if not self._place.has(recording.node):
                    # Its files are on another disk: its own node's daemon enters them.
                    continue
                drafts = await entries.opening(
                    self._store, self._monitor, recording, now, "made by an export"
                )
                await self._store.chain.append(drafts, now)
            words = {"who": wish.who, "scope": wish.scope, "path": str(path)}
            mark = f"{path}@{chain.micros(now)}"
            exported = [Draft(kind=Kind.EXPORTED, recording_id=id, object=mark, detail=words) for id in ids]
            await self._store.chain.append(exported, now)
            if await heads.sign(self._store, self._state, self._key, now) is None:
                raise EvidenceError("There is nothing in the chain of evidence to be exported")
            made = await self._write(wish, path, part, now)
            await self._still_there(ids, path)
            done = True
            return made
        finally:
            for copy in copies:
                if not done or copy.path == str(part):
                    await self._keeper.keeping.forget_copy(copy)

    async def _write(self, wish: Wish, path: Path, part: Path, now: float) -> Made:
        texts, sounds, gaps = await self._contents(wish, now)
        manifest = {
            "format": FORMAT,
            "made_at": chain.micros(now),
            "made_by": wish.who,
            "scope": wish.scope,
            "gaps": gaps,
        }
        return await asyncio.to_thread(
            self._write_file, texts, sounds, manifest, path, part, len(wish.recordings)
        )

    async def _still_there(self, ids: Sequence[str], path: Path) -> None:
        """A deletion that came meanwhile has forgotten our copies, or will find them."""
        for id in ids:
            if str(path) not in {copy.path for copy in await self._keeper.keeping.copies(id)}:
                await asyncio.to_thread(path.unlink, missing_ok=True)
                raise EvidenceError(f"Recording {id} was deleted while it was exported: nothing was exported")

    # --- what goes in --------------------------------------------------------------------------------

    async def _contents(
        self, wish: Wish, now: float
    ) -> tuple[dict[str, bytes], dict[str, Source], list[list[int]]]:
        ids = [recording.id for recording in wish.recordings]
        chains = await self._store.chain.entries_of(ids)
        kept = await self._keeper.keeping.kept(ids)
        ledger: dict[bytes, None] = {}
        more: dict[bytes, None] = {}
        sounds: dict[str, Source] = {}
        for recording in wish.recordings:
            known = Known(recording.id, tuple(chains[recording.id]), recording, kept.get(recording.id))
            named = entries.named(known.chain)
            for row in [*await entries.ledger(self._store, recording), *await self._beside(recording)]:
                [name] = digests([row])
                (ledger if name in named else more)[chain.canonical(spelled(row))] = None
            if known.last(Kind.DELETED) is None:
                newest = known.last(Kind.KEPT, Kind.CLOSED)
                wanted = newest.detail.get("files", {}) if newest else {}
                object = known.kept.object if known.kept is not None else ""
                sounds |= {
                    f"audio/{name.lstrip('/')}": Source(self._place, recording.node, name, object)
                    for name in wanted
                }
        found_heads = await self._store.chain.heads()
        shown, links, gaps = await self._links([e for mine in chains.values() for e in mine], found_heads)
        versions = {
            i.policy_version for r in wish.recordings for i in await self._store.intervals(recording_id=r.id)
        }
        policy = [row for row in await self._store.policy_log() if row.version in versions]
        texts = {
            "README.txt": bundle_readme.text(wish.scope, wish.who, len(ids), now, self._key.public).encode(),
            "public_key.txt": f"{self._key.public}\n".encode(),
            "ledger.jsonl": _lines(ledger),
            "more.jsonl": _lines(more),
            "listeners.jsonl": _lines([chain.canonical(spelled(row)) async for row in self._listeners(ids)]),
            "policy.jsonl": _lines(chain.canonical(spelled(row)) for row in policy),
            "chain.jsonl": _lines(links),
            "heads.jsonl": _lines(chain.published(head).encode() for head in shown),
            "verify.py": await asyncio.to_thread(Path(verify_bundle.__file__).read_bytes),
        }
        return texts, sounds, gaps

    async def _beside(self, recording: Recording) -> list[Row]:
        """What the chain does not name and a reader wants to know."""
        subject = (await self._keeper.subjects([recording.id]))[recording.id]
        keeping = self._keeper.keeping
        kept = (await keeping.kept([recording.id])).values()
        tags = (await keeping.tags_of([recording.id])).get(recording.id, [])
        held = [hold for hold in await keeping.holds() if holds(hold, subject)]
        return [*kept, *tags, *held, *await self._store.marks(recording.conversation_id)]

    async def _listeners(self, ids: Iterable[str]) -> AsyncIterator[AuditRow]:
        """Every line of the audit trail about these recordings: played, downloaded, heard, deleted."""
        for id in ids:
            before = None
            while page := await self._store.panel.audit_page({"object": id}, before=before, limit=_PAGE):
                for row in page:
                    yield row
                before = (page[-1].at, page[-1].id)

    async def _links(
        self, mine: Sequence[ChainEntry], found: Sequence[ChainHead]
    ) -> tuple[list[ChainHead], list[bytes], list[list[int]]]:
        """The heads; the chain from each entry to the head that signed it, other people's entries sealed; where
        it leaps.
        """
        told = {entry.sequence for entry in mine}
        spans: list[tuple[int, int]] = []
        for sequence in sorted(told):
            last = next(head.sequence for head in found if head.sequence >= sequence)
            if not spans or spans[-1][1] < sequence:
                spans.append((sequence, last))
        shown = [head for head in found if head.sequence >= spans[0][0]]
        lines = []
        for first, last in spans:
            async for entry in self._between(first, last):
                says = (
                    {"body": chain.body(entry)}
                    if entry.sequence in told
                    else {"sealed": chain.digest(chain.body(entry))}
                )
                link = {"sequence": entry.sequence, "previous": entry.previous, "hash": entry.hash}
                lines.append(chain.canonical({**link, **says}))
        ends = [0, *(last for _, last in spans)]
        return shown, lines, [[end, first] for end, (first, _) in zip(ends, spans, strict=False)]

    async def _between(self, first: int, last: int) -> AsyncIterator[ChainEntry]:
        after = first - 1
        while after < last and (page := await self._store.chain.entries(after, min(_PAGE, last - after))):
            for entry in page:
                yield entry
            after = page[-1].sequence

    # --- the file ------------------------------------------------------------------------------------

    def _write_file(
        self, texts: dict[str, bytes], sounds: dict[str, Source], manifest: dict[str, Any], path: Path,
        part: Path, recordings: int,
    ) -> Made:  # fmt: skip
        sizes = {name: size for name, sound in sorted(sounds.items()) if (size := sound.size()) is not None}
        there = {name: sounds[name] for name in sizes}
        size = sum(sizes.values()) + sum(map(len, texts.values()))
        if size > _MOST_BYTES or len(there) > _MOST_FILES:
            raise EvidenceError(
                f"{size} bytes in {len(there)} files are too much for one bundle: choose less"
            )
        try:
            fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._fill(_Zip(fd), texts, there, manifest)
                os.fsync(fd)
                size = os.fstat(fd).st_size
                # Not a rename: that would overwrite.
                os.link(part, path)
            finally:
                os.close(fd)
                part.unlink()
            files.sync_folder(path.parent)
        except OSError as error:
            raise EvidenceError(f"The bundle {path} cannot be written: {error.strerror}") from error
        return Made(
            path=str(path), recordings=recordings, files=len(there), size=size, public_key=self._key.public,
            missing=tuple(sounds.keys() - there.keys()),
        )  # fmt: skip

    def _fill(
        self, zip: _Zip, texts: dict[str, bytes], sounds: dict[str, Source], manifest: dict[str, Any]
    ) -> None:
        listed = {name: zip.put(name, [text]) for name, text in texts.items()}
        listed |= {name: zip.put(name, sound.blocks()) for name, sound in sounds.items()}
        signed = chain.canonical({**manifest, "public_key": self._key.public, "files": listed})
        zip.put("manifest.json", [signed])
        zip.put(
            "manifest.sig", [f"{self._key.sign(b'recorderd bundle 1' + bytes([10]) + signed)}\n".encode()]
        )
        zip.finish()


class _Zip:
    """Writes a zip in the one shape that `verify_bundle` takes: stored, in order, nothing that could vary."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._central = b""
        self._count = 0

    def put(self, name: str, blocks: Iterable[bytes]) -> dict[str, int | str]:
        """Its hash and size. Raises OSError."""
        offset = os.lseek(self._fd, 0, os.SEEK_CUR)
        word = name.encode()
        files.write_all(self._fd, verify_bundle.local_header(word, 0, 0))
        sha, crc, size = hashlib.sha256(), 0, 0
        for block in blocks:
            files.write_all(self._fd, block)
            sha.update(block)
            crc, size = zlib.crc32(block, crc), size + len(block)
        os.pwrite(self._fd, verify_bundle.local_header(word, crc, size), offset)
        self._central += verify_bundle.central_header(word, crc, size, offset)
        self._count += 1
        return {"sha256": sha.hexdigest(), "size": size}

    def finish(self) -> None:
        """The list of files at the end."""
        offset = os.lseek(self._fd, 0, os.SEEK_CUR)
        end = verify_bundle.end_record(self._count, len(self._central), offset)
        files.write_all(self._fd, self._central + end)


def _lines(found: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in found)
