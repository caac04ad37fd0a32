"""Names that readers of FreePBX find, built from a safe alphabet only.

Owns how files are called. Must not know folders' roots or whether a file exists. The caller's number is
hostile input, a comma would end MixMonitor's file name, and FreePBX takes the date from the fourth part
between dashes (cdr/Cdr.class.php, processPath): so neither number may hold a dash.
"""

from __future__ import annotations

import re
from datetime import tzinfo

from recorderd.core.localtime import local
from recorderd.core.policy import Mode, Situation
from recorderd.core.rows import Direction

_UNSAFE = re.compile(r"[^0-9A-Za-z+]")
_UNSAFE_ID = re.compile(r"[^0-9A-Za-z.-]")
_LONGEST = 40
# A uniqueid may have 149 characters, a file's name 255; the end of it is what tells two calls apart.
_LONGEST_ID = 100


def day_folder(at: float, zone: tzinfo) -> str:
    """`2026/11/23`, by the PBX's own clock."""
    return local(at, zone).date().isoformat().replace("-", "/")


def safe(number: str) -> str:
    """A number (or name) with nothing but letters, digits and `+`; never empty."""
    return _UNSAFE.sub("", number)[:_LONGEST] or "unknown"


def recording_name(situation: Situation, mode: Mode, uniqueid: str, segment: int) -> str:
    """`in-101-0612345678-20261123-101500-1700000000.4.wav`; a second segment ends in `.2.wav`.

    The uniqueid keeps the two hours apart that a clock set back makes equal.
    """
    caller = next((p.number for p in situation.callers), "")
    callee = next((p.number for p in situation.callees), "") or next(iter(situation.dialled), "")
    if not caller and situation.parties:
        # A consultation by feature code: both were called, the one who asks before the one who is asked.
        caller, callee = situation.parties[0].number, situation.parties[-1].number
    suffix = f".{segment}" if segment > 1 else ""
    kind, ident = _kind(situation, mode), _UNSAFE_ID.sub("", uniqueid)[-_LONGEST_ID:]
    return f"{kind}-{safe(callee)}-{safe(caller)}-{_stamp(situation.at, situation.zone)}-{ident}{suffix}.wav"


def _stamp(at: float, zone: tzinfo) -> str:
    """`20261123-101500`."""
    written = local(at, zone).isoformat("-", "seconds")
    return written[:4] + written[5:7] + written[8:13] + written[14:16] + written[17:19]


def _kind(situation: Situation, mode: Mode) -> str:
    """FreePBX's words for it."""
    if mode is Mode.ON_DEMAND:
        return "ondemand"
    if situation.internal:
        return "internal"
    outside_called = any(p.direction is Direction.OUTBOUND for p in situation.parties if not p.extension)
    return "in" if outside_called else "out"
