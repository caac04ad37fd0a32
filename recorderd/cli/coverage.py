"""coverage: the proof, or what is missing from it.

Owns what is brought to `core.coverage`: rows of the store, CDRs, and the files of the spool. Must not judge.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit
from recorderd.cli.output import show, table
from recorderd.cli.storing import with_store
from recorderd.config import Config
from recorderd.core.coverage import Coverage, reconcile
from recorderd.core.rows import Cdr, Interval, Recording

if TYPE_CHECKING:
    from recorderd.store.abc import Store

_DAY = 86_400.0
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


def _coverage(args: argparse.Namespace, config: Config) -> int:
    now = time.time()
    start = moments.since(args.since, now, config.zone)

    async def ask(store: Store) -> Evidence:
        return await gather(store, config, start, now)

    seen = with_store(config, ask)
    found = reconcile(seen.intervals, seen.cdrs, seen.recordings, seen.files)
    data = report(found, seen) | {"since": start, "until": now}
    show(args, data, lambda d: _text(d, config))
    return Exit.OK if found.proven else Exit.NO


async def gather(store: Store, config: Config, start: float, now: float) -> Evidence:
    """Everything that `reconcile` holds against each other, from `start` on; files by whole days."""
    days = day_folders(start, now, config.zone)
    # Files first: one that appears afterwards has no chance to look like an orphan.
    files = spool_files(config.spool.monitor, days)
    intervals = [i for i in await store.intervals(start - _DAY) if i.ended_at is None or i.ended_at >= start]
    recordings = [r for r in await store.recordings(start - 2 * _DAY) if r.folder in days]
    cdrs = await _cdrs(store, config, start)
    settled = [c for c in cdrs if c.end <= now - _SETTLES]
    return Evidence(intervals, settled, len(cdrs) - len(settled), recordings, files)


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
        f"{day}/{file.name}" for day in days for file in (monitor / day).glob("*.wav") if file.is_file()
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


def _text(data: Mapping[str, Any], config: Config) -> str:
    counts = [
        ("intervals", data["intervals"]),
        *((f"  {outcome}", count) for outcome, count in data["outcomes"].items()),
        ("  not judged yet", data["pending"]),
        ("answered CDRs unaccounted for", len(data["unaccounted"])),
        ("files without a row", len(data["orphans"])),
        ("recordings without their file", len(data["lost"])),
    ]
    wanted, missing = data["wanted_ms"] / 1000, data["missing_ms"]
    parts = [
        table(("since " + moments.written(data["since"], config.zone), "number"), counts),
        f"to be recorded: {moments.length(wanted)}; missing of it: {missing} ms",
        *_faults(data, config),
        "everything was recorded as policy says" if data["proven"] else "NOT PROVEN",
    ]
    return "\n\n".join(parts)


def _faults(data: Mapping[str, Any], config: Config) -> list[str]:
    """What stands against the proof, each in a table of its own."""
    faults = [
        (
            moments.written(i["started_at"], config.zone),
            " - ".join(p["extension"] or p["number"] for p in i["parties"]),
            i["outcome"],
            i["missing_ms"],
            i["note"] or i["reason"],
        )
        for i in data["faults"]
    ]
    cdrs = [
        (moments.written(c["start"], config.zone), c["src"], c["dst"], c["uniqueid"], c["sequence"])
        for c in data["unaccounted"]
    ]
    lost = [
        (moments.written(r["started_at"], config.zone), f"{r['folder']}/{r['name']}") for r in data["lost"]
    ]
    tables = (
        (("fault", "parties", "outcome", "missing ms", "note"), faults),
        (("unaccounted CDR", "src", "dst", "uniqueid", "sequence"), cdrs),
        (("file without a row",), [(name,) for name in data["orphans"]]),
        (("recording without its file", "file"), lost),
    )
    return [table(headings, rows) for headings, rows in tables if rows]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", default="24h", metavar="TIME", help="24h (default), 7d, today, 2026-11-23")


COVERAGE = Command("the proof that everything was recorded as policy says", _coverage, _arguments)
