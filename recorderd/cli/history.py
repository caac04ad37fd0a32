"""recordings, and the past calls: what the store remembers.

Owns how rows of the past are listed. Must not know what made them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit
from recorderd.cli.output import show, table
from recorderd.cli.storing import with_store
from recorderd.config import Config
from recorderd.core.rows import Interval, Party, Recording, RecordingState

if TYPE_CHECKING:
    from recorderd.store.abc import Store

# --- calls --since -------------------------------------------------------------------------------


def past_calls(args: argparse.Namespace, config: Config) -> int:
    """Every interval of talk since a time, with what became of it."""
    start = moments.since(args.since, time.time(), config.zone)

    async def ask(store: Store) -> list[Interval]:
        return await store.intervals(start, extension=args.extension)

    found = with_store(config, ask)
    show(args, [_interval(i) for i in found], lambda data: _intervals_text(data, config))
    return Exit.OK


def _interval(row: Interval) -> dict[str, Any]:
    return {
        "conversation": row.conversation_id,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "parties": [_party(p) for p in row.parties],
        "mode": row.mode,
        "outcome": None if row.outcome is None else str(row.outcome),
        "missing_ms": row.missing_ms,
        "recording": row.recording_id,
        "reason": row.reason,
        "note": row.note,
    }


def _party(party: Party) -> dict[str, str]:
    return {"extension": party.extension, "number": party.number, "direction": str(party.direction)}


def _intervals_text(data: Sequence[dict[str, Any]], config: Config) -> str:
    headings = ("started", "length", "parties", "mode", "outcome", "missing ms", "reason")
    rows = [
        (
            moments.written(i["started_at"], config.zone),
            _length(i),
            " - ".join(p["extension"] or p["number"] or "?" for p in i["parties"]),
            i["mode"],
            i["outcome"] or ("open" if i["ended_at"] is None else "not judged yet"),
            i["missing_ms"],
            i["note"] or i["reason"],
        )
        for i in data
    ]
    return table(headings, rows, "nobody talked")


def _length(row: dict[str, Any]) -> str:
    ended = row["ended_at"]
    return moments.length(None if ended is None else ended - row["started_at"])


# --- recordings ----------------------------------------------------------------------------------


def _recordings(args: argparse.Namespace, config: Config) -> int:
    now = time.time()
    start = moments.since(args.since, now, config.zone)
    end = None if args.until is None else moments.since(args.until, now, config.zone)

    async def ask(store: Store) -> list[Recording]:
        state = None if args.state is None else RecordingState(args.state)
        found = await store.recordings(start, end, conversation_id=args.conversation, state=state)
        if args.extension is None:
            return found
        spoken = await store.intervals(start - 86400, end, extension=args.extension)
        wanted = {i.recording_id for i in spoken}
        return [r for r in found if r.id in wanted]

    found = with_store(config, ask)
    show(args, [_recording(r, config) for r in found], lambda data: _recordings_text(data, config))
    return Exit.OK


def _recording(row: Recording, config: Config) -> dict[str, Any]:
    return {
        "id": row.id,
        "conversation": row.conversation_id,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "state": str(row.state),
        "duration_ms": row.duration_ms,
        "size": row.size,
        "path": str(config.spool.monitor / row.folder / row.name),
        "reason": row.reason,
    }


def _recordings_text(data: Sequence[dict[str, Any]], config: Config) -> str:
    headings = ("started", "length", "state", "bytes", "file", "reason")
    rows = [
        (
            moments.written(r["started_at"], config.zone),
            moments.length(r["duration_ms"] / 1000 if r["size"] else None),
            r["state"],
            r["size"],
            r["path"],
            r["reason"],
        )
        for r in data
    ]
    return table(headings, rows, "no recordings")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", default="24h", metavar="TIME", help="24h (default), 7d, today, 2026-11-23")
    parser.add_argument("--until", metavar="TIME")
    parser.add_argument("--extension", metavar="EXT", help="only those in which this extension talks")
    parser.add_argument("--state", choices=[s.value for s in RecordingState])
    parser.add_argument("--conversation", metavar="ID")


RECORDINGS = Command("the recordings of the past day", _recordings, _arguments)
