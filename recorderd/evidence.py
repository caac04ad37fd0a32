"""What is brought to the proof: rows of the store, CDRs, and the files of the spool.

Owns their gathering, for the command line and the panel alike. Must not judge: `core.coverage` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.archive.formats import FORMATS
from recorderd.config import Config
from recorderd.core.coverage import Coverage
from recorderd.core.keeping import IN_PLACE, Kept
from recorderd.core.rows import Cdr, Interval, Recording

if TYPE_CHECKING:
    from recorderd.store.abc import Store

_DAY = 86_400.0
# Databases bound how many values a question may name.
_IDS = 1000
_SOUNDS = frozenset(form.suffix for form in FORMATS.values())
# Seconds after a call within which the daemon may still be judging and linking it.
_SETTLES = 5.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a period. `settling` CDRs are so young that nobody need have looked at them yet."""

    intervals: Sequence[Interval]
    cdrs: Sequence[Cdr]
    settling: int
    recordings: Sequence[Recording]
    files: frozenset[str]
    kept: Mapping[str, Kept] = field(default_factory=dict)


async def gather(store: Store, config: Config, start: float, now: float) -> Evidence:
    """Everything that `reconcile` holds against each other, from `start` on; files by whole days."""
    days = day_folders(start, now, config.zone)
    # Files first: one that appears afterwards has no chance to look like an orphan.
    files = await asyncio.to_thread(spool_files, config.spool.monitor, days)
    intervals = [i for i in await store.intervals(start - _DAY) if i.ended_at is None or i.ended_at >= start]
    recordings = [r for r in await store.recordings(start - 2 * _DAY) if r.folder in days]
    cdrs = await _cdrs(store, config, start)
    settled = [c for c in cdrs if c.end <= now - _SETTLES]
    kept = await _kept(store, recordings)
    files |= {f"{k.folder}/{k.name}" for k in kept.values() if k.object and k.state in IN_PLACE}
    recordings = [r for r in recordings if _is_here(config, r, kept.get(r.id))]
    return Evidence(intervals, settled, len(cdrs) - len(settled), recordings, files, kept)


def _is_here(config: Config, recording: Recording, kept: Kept | None) -> bool:
    """Whether its file can be looked for: not one that is on another node's disk alone."""
    return config.node in ("", recording.node) or (kept is not None and bool(kept.object))


async def _kept(store: Store, recordings: Sequence[Recording]) -> dict[str, Kept]:
    """What the archive has made of them."""
    ids = [recording.id for recording in recordings]
    found: dict[str, Kept] = {}
    for first in range(0, len(ids), _IDS):
        found |= await store.keeping.kept(ids[first : first + _IDS])
    return found


async def _cdrs(store: Store, config: Config, start: float) -> list[Cdr]:
    """Those the daemon heard of, and those in Asterisk's own table where there is one."""
    found = {(c.uniqueid, c.sequence): c for c in await store.cdrs(start)}
    if config.cdr.source != "ami":
        from recorderd.store.asterisk_cdr import AsteriskCdrTable

        asterisk = AsteriskCdrTable(config.cdr.source, zone=config.zone, table=config.cdr.table)
        try:
            found |= {(c.uniqueid, c.sequence): c for c in await asterisk.since(start)}
        finally:
            await asterisk.close()
    return list(found.values())


def day_folders(start: float, now: float, zone: tzinfo) -> frozenset[str]:
    """`YYYY/MM/DD` of every day from the one of `start` to today."""
    day, last = (datetime.fromtimestamp(at, zone).date() for at in (start, now))
    days = []
    while day <= last:
        days.append(day.strftime("%Y/%m/%d"))
        day += timedelta(days=1)
    return frozenset(days)


def spool_files(monitor: Path, days: frozenset[str]) -> frozenset[str]:
    """Every sound file of these days, by its path below the spool."""
    return frozenset(
        f"{day}/{file.name}"
        for day in days
        for file in (monitor / day).glob("*.*")
        if file.suffix in _SOUNDS and file.is_file()
    )


def report(found: Coverage, seen: Evidence) -> dict[str, Any]:
    """The coverage as plain data."""
    return {
        "proven": found.proven,
        "intervals": len(seen.intervals),
        "cdrs": len(seen.cdrs),
        "cdrs_settling": seen.settling,
        "recordings": len(seen.recordings),
        "files": len(seen.files),
        "outcomes": {str(outcome): count for outcome, count in sorted(found.outcomes.items())},
        "talked_ms": found.talked_ms,
        "wanted_ms": found.wanted_ms,
        "missing_ms": found.missing_ms,
        "pending": len(found.pending),
        "faults": [asdict(i) for i in found.faults],
        "unaccounted": [asdict(c) for c in found.unaccounted],
        "orphans": list(found.orphans),
        "lost": [asdict(r) for r in found.lost],
    }
