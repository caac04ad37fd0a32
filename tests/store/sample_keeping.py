"""Rows of the archive to keep: whole and valid, with what a test cares about changed by keyword."""

from __future__ import annotations

from typing import Any

from recorderd.core import rows
from recorderd.core.keeping import Copy, Erasure, Hold, KeepState, Kept, Tag
from tests.store.sample import T


def kept(recording_id: str = "r1", **changed: Any) -> Kept:
    values: dict[str, Any] = {
        "state": KeepState.KEPT,
        "started_at": T,
        "folder": "2026/11/24",
        "name": f"internal-102-101-20261124-060000-{recording_id}.opus",
        "format": "opus",
        "channels": 2,
        "rate": 8000,
        "size": 150_000,
        "duration_ms": 60_000,
        "sha256": "ab" * 32,
        "levels": (-21.5, -30.0),
        "findings": ("clipped: left",),
        "archived_at": T + 400,
    }
    return Kept(**{"recording_id": recording_id, **values, **changed})


def hold(id: str = "h1", **changed: Any) -> Hold:
    values: dict[str, Any] = {"at": T, "who": "cli:counsel", "reason": "case 7", "recording_id": "r1"}
    return Hold(**{"id": id, **values, **changed})


def erasure(id: str = "e1", **changed: Any) -> Erasure:
    values: dict[str, Any] = {"at": T, "who": "cli:dpo", "reason": "asked to", "person": "0612345678"}
    return Erasure(**{"id": id, **values, **changed})


def tag(recording_id: str = "r1", tag: str = "complaint", **changed: Any) -> Tag:
    return Tag(**{"recording_id": recording_id, "tag": tag, "at": T, "who": "101", **changed})


def copy(recording_id: str = "r1", path: str = "/exports/r1.zip", **changed: Any) -> Copy:
    return Copy(**{"recording_id": recording_id, "path": path, "at": T, "kind": "export", **changed})


def one_of_each() -> tuple[rows.Row, ...]:
    return kept(), hold(), erasure(), tag(), copy()
