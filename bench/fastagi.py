"""FastAGI: CPU time per decision of ours, panoramisk's and a plain asyncio server.

The same policy, the same question, the same one command back; the asking side is a process of its own.
"""

from __future__ import annotations

import contextlib
import sys

from bench import agi_load
from bench.agi_servers import SERVERS, Server, server
from bench.row import Row, at, median

NAME = "fastagi"
CONNECTIONS = (1, 50, 500)
GOAL = {50: (">=", 2.5), 500: (">=", 2.5)}


def run(quick: bool) -> list[Row]:
    rounds, requests = (3, 1000) if quick else (5, 6000)
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        servers = {kind: stack.enter_context(server(kind)) for kind in SERVERS}
        for kind in servers:
            agi_load.ask(servers[kind].port, 500, 20)
        for connections in CONNECTIONS:
            rows += _compare(servers, connections, rounds, requests)
        rows += _compare(servers, 50, rounds, requests, line_by_line=False)[:1]
    return rows


def _compare(
    servers: dict[str, Server], connections: int, rounds: int, requests: int, *, line_by_line: bool = True
) -> list[Row]:
    cpu: dict[str, list[float]] = {kind: [] for kind in servers}
    times: dict[str, list[float]] = {kind: [] for kind in servers}
    errors = 0
    for _ in range(rounds):
        for kind, each in servers.items():
            before = each.cpu()
            asked = agi_load.ask(each.port, requests, connections, line_by_line=line_by_line)
            cpu[kind].append((each.cpu() - before) / requests * 1e6)
            times[kind] += asked.times
            errors += asked.errors if kind == "ours" else 0
            print(f"  {connections:4} {kind:10} {cpu[kind][-1]:.0f} µs", file=sys.stderr, flush=True)
    us = {kind: median(found) for kind, found in cpu.items()}
    told = ", ".join(f"{kind} {us[kind]:.0f} µs" for kind in us)
    ours, theirs = times["ours"], times["panoramisk"]
    return [
        Row(
            what=f"CPU per request at {connections} connections, panoramisk ÷ ours"
            + ("" if line_by_line else ", where a block came in one piece"),
            value=us["panoramisk"] / us["ours"],
            unit="×",
            goal=GOAL.get(connections),
            detail=told,
        ),
        Row(
            what=f"… p50 from connect to close, ours ÷ panoramisk's, at {connections}",
            value=at(ours, 0.5) / at(theirs, 0.5),
            unit="×",
            detail=f"{at(ours, 0.5) * 1000:.2f} ms against {at(theirs, 0.5) * 1000:.2f} ms",
        ),
        Row(
            what=f"… p99, ours ÷ panoramisk's, at {connections}",
            value=at(ours, 0.99) / at(theirs, 0.99),
            unit="×",
            goal=("<=", 0.65) if connections == 500 else None,
            detail=f"{at(ours, 0.99) * 1000:.2f} ms against {at(theirs, 0.99) * 1000:.2f} ms",
        ),
        Row(what=f"… requests of ours without an answer, at {connections}", value=errors, goal=("=", 0)),
    ]
