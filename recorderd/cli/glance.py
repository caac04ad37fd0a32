"""What `recorderd status` shows a person: a line for each part, the worst first in each.

Owns this page and what it may leave out. Must not know how a status is found. A part that an older or newer
daemon does not tell is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from recorderd.cli import moments
from recorderd.cli.output import cell

_ALARMS = 5


def page(status: Mapping[str, Any], zone: tzinfo) -> str:
    """The status as lines, none longer than its sentences are."""
    lines = list(_lines(status, zone))
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name:{width}}  {cell(text)}".rstrip() for name, text in lines)


def _lines(status: Mapping[str, Any], zone: tzinfo) -> Iterator[tuple[str, str]]:
    well = "well" if status.get("healthy") else "NOT WELL"
    since = moments.written(status["since"], zone) if "since" in status else "?"
    yield "recorderd", f"{status.get('version', '?')}, {well}, since {since}"
    for name, sentence in _PARTS.items():
        if part := status.get(name):
            yield sentence(part)
    for name in ("outcomes", "presses"):
        if counts := status.get(name):
            yield name, ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    yield from _alarms(status.get("alarms", ()), zone)


def _asterisk(part: Mapping[str, Any]) -> tuple[str, str]:
    if part.get("connected"):
        return "Asterisk", f"{part.get('version') or 'of an unknown version'}, connected"
    return "Asterisk", f"AWAY: {part.get('trouble') or 'no word yet'}"


def _calls(part: Mapping[str, Any]) -> tuple[str, str]:
    said = f"{part['conversations']} conversations, {part['recording']} recorded with {part['lanes']} voices"
    return "calls", said + (f"; {part['closing']} files are being made" if part["closing"] else "")


def _policy(part: Mapping[str, Any]) -> tuple[str, str]:
    return "policy", f"version {part['version']}: {part['extensions']} extensions, {part['rules']} rules"


def _store(part: Mapping[str, Any]) -> tuple[str, str]:
    there = "AWAY, rows are kept on disk" if part["away"] else "there"
    waiting = {"rows wait": part["journal"], "CDRs wait": part["cdrs_waiting"]}
    return "database", "; ".join([there, *(f"{count} {what}" for what, count in waiting.items() if count)])


_PARTS = {"asterisk": _asterisk, "calls": _calls, "policy": _policy, "store": _store}


def _alarms(alarms: list[Mapping[str, Any]], zone: tzinfo) -> Iterator[tuple[str, str]]:
    """The newest first; the rest is in the journal and in the panel."""
    name = "alarms"
    for alarm in reversed(alarms[-_ALARMS:]):
        yield name, f"{moments.written(alarm['at'], zone)} {alarm['kind']}: {alarm['sentence']}"
        name = ""
    if len(alarms) > _ALARMS:
        yield "", f"and {len(alarms) - _ALARMS} more"
    if not alarms:
        yield name, "none since the start"
