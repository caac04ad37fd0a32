"""Entries and heads of the chain of evidence to keep, whole and valid."""

from __future__ import annotations

from typing import Any

from recorderd.core import rows
from recorderd.core.chain import ChainEntry, ChainHead, Draft, Kind
from tests.store.sample import T


def draft(recording_id: str = "r1", object: str = "", **changed: Any) -> Draft:
    values: dict[str, Any] = {
        "kind": Kind.CLOSED,
        "detail": {"files": {"a.wav": {"sha256": "ab", "size": 4}}},
    }
    return Draft(**{"recording_id": recording_id, "object": object, **values, **changed})


def entry(sequence: int = 1, **changed: Any) -> ChainEntry:
    values: dict[str, Any] = {
        "at": T,
        "kind": "closed",
        "recording_id": "r1",
        "object": "ab" * 32,
        "detail": {
            "files": {"2026/11/24/a.wav": {"sha256": "ab" * 32, "size": 44}},
            "rows": {"Mark:m1": "cd"},
        },
        "digest": "ef" * 32,
        "previous": "0" * 64,
        "hash": "12" * 32,
    }
    return ChainEntry(**{"sequence": sequence, **values, **changed})


def head(number: int = 1, **changed: Any) -> ChainHead:
    values: dict[str, Any] = {
        "day": "2026-11-24",
        "at": T,
        "sequence": 1,
        "hash": "12" * 32,
        "previous": "0" * 64,
        "public_key": "34" * 32,
        "signature": "56" * 64,
    }
    return ChainHead(**{"number": number, **values, **changed})


def one_of_each() -> tuple[rows.Row, ...]:
    return entry(), head()
