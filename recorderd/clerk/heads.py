"""The chain's heads: when one is signed, and the copy of each outside the database.

Owns the file, one head on each line, only ever appended to. Must not know what the entries say. A database that
was exchanged or cut short does not agree with this file; nor with heads that were published from it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorderd.archive import files, signing
from recorderd.core import chain
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.errors import EvidenceError
from recorderd.store.abc import Store

NAME = "heads.jsonl"
_READ_LIMIT = 64 << 20


def day_of(at: float) -> str:
    """The day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


async def sign(store: Store, state: Path, key: signing.Key, now: float) -> ChainHead | None:
    """Sign the chain as it is now; the head that says so, an old one where nothing came since.

    None while there is no chain. Raises StoreError, EvidenceError.
    """
    await keep_apart(store, state)
    heads, last = await store.chain.heads(), await store.chain.last()
    newest = heads[-1] if heads else None
    same = last is not None and newest is not None and newest.sequence == last.sequence
    if same and newest is not None and (newest.day, newest.public_key) == (day_of(now), key.public):
        return newest
    head = await store.chain.sign(lambda entry, before: _signed(entry, before, key, now))
    if head is not None:
        _append(state, [head])
    return head


async def keep_apart(store: Store, state: Path) -> None:
    """The file has every head of the database, and the database every head of the file."""
    filed = {head.number: head for head in await asyncio.to_thread(read, state)}
    stored = {head.number: head for head in await store.chain.heads()}
    await store.save([filed[n] for n in sorted(filed.keys() - stored.keys())])
    await asyncio.to_thread(_append, state, [stored[n] for n in sorted(stored.keys() - filed.keys())])


def _signed(entry: ChainEntry, before: ChainHead | None, key: signing.Key, now: float) -> ChainHead:
    at = chain.micros(max(now, entry.at)) / 1_000_000
    head = ChainHead(
        number=before.number + 1 if before else 1,
        day=day_of(at),
        at=at,
        sequence=entry.sequence,
        hash=entry.hash,
        previous=chain.head_hash(before) if before else chain.BEGINNING,
        public_key=key.public,
    )
    return replace(head, signature=key.sign(chain.signed_bytes(head)))


# --- the file ----------------------------------------------------------------------------------------


def read(state: Path) -> list[ChainHead]:
    """Every head in the file; a torn line is passed over. Raises EvidenceError when it cannot be read."""
    path = state / NAME
    try:
        with path.open("rb") as file:
            return parse(file.read(_READ_LIMIT))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from error


def parse(text: bytes) -> list[ChainHead]:
    """The heads in these lines; what is none is passed over."""
    found = []
    for line in filter(None, text.splitlines()):
        try:
            found.append(_parsed(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            continue
    return found


def _parsed(plain: Mapping[str, Any]) -> ChainHead:
    words = {name: str(plain[name]) for name in ("day", "hash", "previous", "public_key", "signature")}
    return ChainHead(
        number=int(plain["number"]), at=int(plain["at"]) / 1_000_000, sequence=int(plain["sequence"]), **words
    )


def _append(state: Path, heads: list[ChainHead]) -> None:
    """They are in the file, on the disk, when this returns. Raises EvidenceError."""
    if not heads:
        return
    path = state / NAME
    text = "".join(f"{chain.published(head)}\n" for head in heads).encode("ascii")
    try:
        files.append_lines(path, text, mode=0o644)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be written: {error.strerror}") from error
