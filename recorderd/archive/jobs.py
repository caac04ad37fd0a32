"""The lines between the daemon and its worker: a Mix or a Measure one way, a Mixed the other, one JSON object each.

Owns their spelling. Parses at the door: whatever is not exactly such a line raises AudioError.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from recorderd.core import commands, events
from recorderd.errors import AudioError

Job = commands.Mix | commands.Measure


def dump(command: Job) -> bytes:
    """One line for the worker."""
    if isinstance(command, commands.Mix):
        return dump_mix(command)
    return _line({"measure": command.path, "recording_id": command.recording_id, "cut_ms": command.cut_ms})


def load(line: bytes) -> Job:
    """The job of a line. Raises AudioError."""
    try:
        job = json.loads(line)
        if not isinstance(job, dict) or "measure" not in job:
            return load_mix(line)
        return commands.Measure(
            recording_id=str(job["recording_id"]), path=str(job["measure"]), cut_ms=int(job["cut_ms"])
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AudioError(f"A job cannot be read: {error!r}") from error


def dump_mix(command: commands.Mix) -> bytes:
    """One line, ASCII: a path that is no UTF-8 travels as the lone surrogates Python holds it in."""
    return _line(
        {
            "recording_id": command.recording_id,
            "path": command.path,
            "timeline": _pairs(command.timeline),
            "lanes": [
                {
                    "lane_id": lane.lane_id,
                    "path": lane.path,
                    "outside": lane.outside,
                    "left": lane.left,
                    "stretches": _pairs(lane.stretches),
                    "keep": _pairs(lane.keep),
                    "forbidden": None if lane.forbidden is None else _pairs(lane.forbidden),
                    "alone": _pairs(lane.alone),
                    "thawed_at": lane.thawed_at,
                    "seen": lane.seen,
                }
                for lane in command.lanes
            ],
            "stereo": command.stereo,
            "patient": command.patient,
        }
    )


def load_mix(line: bytes) -> commands.Mix:
    """The Mix of a line. Raises AudioError."""
    try:
        job = json.loads(line)
        return commands.Mix(
            recording_id=str(job["recording_id"]),
            path=str(job["path"]),
            timeline=_stretches(job["timeline"]),
            lanes=tuple(
                commands.MixLane(
                    lane_id=str(lane["lane_id"]),
                    path=str(lane["path"]),
                    outside=bool(lane["outside"]),
                    left=bool(lane["left"]),
                    stretches=_stretches(lane["stretches"]),
                    keep=_stretches(lane["keep"]),
                    forbidden=None if lane["forbidden"] is None else _stretches(lane["forbidden"]),
                    alone=_stretches(lane["alone"]),
                    thawed_at=None if lane["thawed_at"] is None else float(lane["thawed_at"]),
                    seen=bool(lane["seen"]),
                )
                for lane in job["lanes"]
            ),
            stereo=str(job["stereo"]),
            patient=bool(job["patient"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AudioError(f"A mixing job cannot be read: {error!r}") from error


def dump_mixed(event: events.Mixed) -> bytes:
    """One line."""
    return _line(
        {
            "at": event.at,
            "recording_id": event.recording_id,
            "duration_ms": event.duration_ms,
            "size": event.size,
            "audio": dict(event.audio),
            "error": event.error,
            "again": event.again,
            "silent": event.silent,
            "stereo": event.stereo,
            "whole": list(event.whole),
        }
    )


def load_mixed(line: bytes) -> events.Mixed:
    """The Mixed of a line. Raises AudioError."""
    try:
        answer = json.loads(line)
        return events.Mixed(
            at=float(answer["at"]),
            recording_id=str(answer["recording_id"]),
            duration_ms=int(answer["duration_ms"]),
            size=int(answer["size"]),
            audio={str(lane): int(found) for lane, found in answer["audio"].items()},
            error=str(answer["error"]),
            again=bool(answer["again"]),
            silent=tuple(str(lane) for lane in answer["silent"]),
            stereo=str(answer["stereo"]),
            whole=tuple(str(lane) for lane in answer["whole"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AudioError(f"The mixing worker's answer cannot be read: {error!r}") from error


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, allow_nan=False).encode("ascii") + b"\n"


def _pairs(stretches: Sequence[commands.Stretch]) -> list[tuple[float, float]]:
    return [(stretch.start, stretch.end) for stretch in stretches]


def _stretches(pairs: Sequence[Sequence[float]]) -> tuple[commands.Stretch, ...]:
    return tuple(commands.Stretch(start=float(start), end=float(end)) for start, end in pairs)
