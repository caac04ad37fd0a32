"""coverage: the proof, or what is missing from it.

Owns how the proof is asked for and shown. Must not judge, nor know where the evidence lies.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit
from recorderd.cli.output import show, table
from recorderd.cli.storing import with_store
from recorderd.config import Config
from recorderd.core.coverage import reconcile
from recorderd.evidence import Evidence, gather, report

if TYPE_CHECKING:
    from recorderd.store.abc import Store


def _coverage(args: argparse.Namespace, config: Config) -> int:
    now = time.time()
    start = moments.since(args.since, now, config.zone)

    async def ask(store: Store) -> Evidence:
        return await gather(store, config, start, now)

    seen = with_store(config, ask)
    found = reconcile(seen.intervals, seen.cdrs, seen.recordings, seen.files, seen.kept)
    data = report(found, seen) | {"since": start, "until": now}
    show(args, data, lambda d: _text(d, config))
    return Exit.OK if found.proven else Exit.NO


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
