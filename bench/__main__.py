"""Runs benches, each in a process of its own, and shows what they found.

Owns the command's options and the order. Must not know what is measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence

from bench import page
from bench.registry import BENCHES
from bench.row import Row, of_plain


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every bench ran and every goal was met, 1 when a goal was missed, 70 when a bench broke."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What recorderd costs, as ratios.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[*BENCHES], help="only these benches")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--no-page", action="store_true", help="leave docs/bench.md as it is")
    parser.add_argument("--list", action="store_true", help="which benches there are")
    parser.add_argument("--child", metavar="NAME", choices=[*BENCHES], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        rows = importlib.import_module(BENCHES[args.child]).run(args.quick)
        print(json.dumps([row.plain() for row in rows]))
        return 0
    if args.list:
        print("\n".join(f"{name:12} {_title(name)}" for name in BENCHES))
        return 0
    return _run(args.only or [*BENCHES], quick=args.quick, as_json=args.json, keep=not args.no_page)


def _run(names: Sequence[str], *, quick: bool, as_json: bool, keep: bool) -> int:
    found: dict[str, list[Row]] = {}
    broken = []
    for name in names:
        where = page.machine()
        print(f"bench: {name}: {_title(name)}", file=sys.stderr, flush=True)
        rows = _one(name, quick)
        if rows is None:
            broken.append(name)
            continue
        found[name] = rows
        if keep:
            page.write_section(name, _title(name), rows, where, quick=quick)
        if not as_json:
            print(f"\n{_title(name)}\n\n{page.table(rows)}\n", flush=True)
    if as_json:
        benches = {name: [row.plain() for row in rows] for name, rows in found.items()}
        print(json.dumps({"machine": page.machine(), "benches": benches, "broken": broken}, indent=2))
    if broken:
        print(f"bench: broken: {', '.join(broken)}", file=sys.stderr)
        return 70
    missed = [row for rows in found.values() for row in rows if row.met is False]
    return 1 if missed else 0


def _one(name: str, quick: bool) -> list[Row] | None:
    """The rows that the bench's own process printed last, None if it ended badly."""
    command = [sys.executable, "-m", "bench", "--child", name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return None
    return [of_plain(data) for data in json.loads(lines[-1])]


def _title(name: str) -> str:
    """The first sentence of the module's docstring, read without loading it."""
    path = page.ROOT.joinpath(*BENCHES[name].split(".")).with_suffix(".py")
    return path.read_text().partition('"""')[2].partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
