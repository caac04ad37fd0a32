"""The chain of evidence: what an entry and a head are, and how each is spelled before it is hashed.

Owns the two rows, the one canonical spelling and every hash that is made of it. Must not know a file, a key or a
database. A stand-alone verifier, `archive/verify_bundle.py`, says all of this a second time on purpose.

    entry hash  = SHA-256 of [sequence, previous hash, SHA-256 of the body]
    body        = kind, recording, object, time, detail, digest of the ledger's rows

The body is hashed apart, so that a bundle can show the chain between two entries without telling what the
entries of other people's calls say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from enum import StrEnum
from typing import Any

from recorderd.core.facts import dataclass
from recorderd.core.rows import Row

# What stands before the first entry and the first head.
BEGINNING = "0" * 64
# Seconds by which a clock may step back without a word about it.
CLOCK_STEP = 5.0


class Kind(StrEnum):
    """What an entry tells of."""

    CLOSED = "closed"  # a recording's file was made: the mix, or the lanes where that failed
    CUT = "cut"  # something was cut off, or destroyed, before there was a file
    SETTLED = "settled"  # the call is over, and so are its rows
    LINKED = "linked"  # a CDR row found its recording after that
    KEPT = "kept"  # the archive's file took the place of the mix
    DELETED = "deleted"  # its audio is gone, and who wanted that
    HELD = "held"
    RELEASED = "released"
    ERASED = "erased"
    EXPORTED = "exported"


# A recording whose files and rows the chain knows has one of these.
OPENING = (Kind.CLOSED, Kind.CUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry that somebody wants made. Two with one kind, recording and object are one."""

    kind: Kind
    recording_id: str = ""
    object: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEntry(Row):
    """One link of the chain. Key: `sequence`, from 1 without a gap. Never changed once it is there.

    `object` is what it is about beside the recording: a file's hash, a hold. `detail` may hold `files`
    (name: sha256 and size) and `rows` (type:key: digest), of which `digest` is the hash; the rest is words.
    """

    sequence: int
    at: float
    kind: str
    recording_id: str
    object: str
    detail: Mapping[str, Any]
    digest: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead(Row):
    """The chain as it was at one moment, signed. Key: `number`, from 1 without a gap. Never changed.

    `hash` is that of the entry `sequence`, `previous` that of the head before. `day` is in UTC.
    `public_key` and `signature` are Ed25519's, in hexadecimal.
    """

    number: int
    day: str
    at: float
    sequence: int
    hash: str
    previous: str
    public_key: str
    signature: str = ""


# --- spelling and hashing ----------------------------------------------------------------------------


def canonical(thing: Any) -> bytes:
    """The one spelling of plain data: keys sorted, no blanks, ASCII. ValueError for a NaN."""
    text = json.dumps(thing, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def digest(thing: Any) -> str:
    """SHA-256 of the canonical spelling."""
    return hashlib.sha256(canonical(thing)).hexdigest()


def trimmed(plain: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A row's plain data without what is as by default: a field that comes later changes no old digest."""
    return {name: value for name, value in plain.items() if defaults.get(name, MISSING) != value}


def has_default(cls: type[Row]) -> dict[str, Any]:
    """Each field of a row that has a default, and that default."""
    return {f.name: f.default for f in fields(cls) if f.default is not MISSING}


def micros(at: float) -> int:
    """Whole microseconds since the epoch, as every database keeps them."""
    return round(at * 1_000_000)


def body(entry: ChainEntry) -> dict[str, Any]:
    """What an entry says, but for its place in the chain."""
    return {
        "at": micros(entry.at),
        "detail": dict(entry.detail),
        "digest": entry.digest,
        "kind": entry.kind,
        "object": entry.object,
        "recording_id": entry.recording_id,
    }


def rows_digest(detail: Mapping[str, Any]) -> str:
    """The hash over the digests of all rows that an entry names; empty where it names none."""
    rows = detail.get("rows")
    return digest(rows) if rows else ""


def entry_hash(entry: ChainEntry) -> str:
    """What its `hash` must be."""
    return link_hash(entry.sequence, entry.previous, digest(body(entry)))


def link_hash(sequence: int, previous: str, body_hash: str) -> str:
    """The same, by one who may not see the body."""
    return digest([sequence, previous, body_hash])


def statement(head: ChainHead) -> dict[str, Any]:
    """What a head says."""
    return {
        "at": micros(head.at),
        "day": head.day,
        "hash": head.hash,
        "number": head.number,
        "previous": head.previous,
        "public_key": head.public_key,
        "sequence": head.sequence,
    }


def signed_bytes(head: ChainHead) -> bytes:
    """What is signed of it."""
    return b"recorderd head 1\n" + canonical(statement(head))


def head_hash(head: ChainHead) -> str:
    """What the next head names as `previous`: the signature is part of it."""
    return digest({**statement(head), "signature": head.signature})


def published(head: ChainHead) -> str:
    """One line, to be kept where nobody who can change the database can change it."""
    return canonical({**statement(head), "signature": head.signature}).decode("ascii")
