"""Commands that speak with the running daemon, and the one that is it: run, status, calls.

Owns how a call is shown, and the watching; `glance` has the page of a status. Must not know how the daemon finds them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from recorderd.cli import glance, history, logs, moments
from recorderd.cli.command import Command, Exit
from recorderd.cli.output import show, table
from recorderd.config import Config
from recorderd.control.client import ControlClient

WATCH_SECONDS = 2.0
_CLEAR = "\x1b[H\x1b[2J"


def _run(_args: argparse.Namespace, config: Config) -> int:
    # Only here: the daemon brings many libraries, and the other commands should start at once. Its clerk brings more:
    # they load at the same time.
    from recorderd.clerk.birth import spawn

    clerk = spawn()
    from recorderd import daemon
    from recorderd.loop import new_loop

    logs.start(config.log)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(daemon.run(config, clerk))
    return Exit.OK


def _status(args: argparse.Namespace, config: Config) -> int:
    client = ControlClient(config.control.socket)
    if not args.watch:
        show(args, client.status(), lambda status: glance.page(status, config.zone))
        return Exit.OK
    while True:
        status = client.status()
        # One line each: whoever reads JSON reads a stream.
        print(
            json.dumps(status, default=str) if args.json else _CLEAR + glance.page(status, config.zone),
            flush=True,
        )
        time.sleep(WATCH_SECONDS)


def _calls(args: argparse.Namespace, config: Config) -> int:
    if args.since:
        return history.past_calls(args, config)
    calls = ControlClient(config.control.socket).calls()
    if args.extension:
        calls = [c for c in calls if any(p["extension"] == args.extension for p in c["parties"])]
    show(args, calls, lambda data: _calls_text(data, config))
    return Exit.OK


def _calls_text(calls: Sequence[Mapping[str, Any]], config: Config) -> str:
    headings = ("since", "parties", "mode", "recording", "reason", "file")
    rows = [
        (
            moments.written(call["since"], config.zone),
            " - ".join(p["extension"] or p["number"] or p["channel"] for p in call["parties"]),
            call["mode"],
            _state(call),
            call["reason"],
            call["file"],
        )
        for call in calls
    ]
    return table(headings, rows, "nobody talks")


def _state(call: Mapping[str, Any]) -> str:
    """In a word. What is buffered is destroyed unless somebody asks for it."""
    if call["recording"]:
        return "paused" if call["paused"] else "yes"
    return "buffered" if call.get("buffered") else "no"


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="again every 2 s until interrupted")


def _calls_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", help="past calls instead: 24h, 7d, today, 2026-11-23")
    parser.add_argument("--extension", metavar="EXT", help="only this extension's")


RUN = Command("run the daemon in the foreground", _run)
STATUS = Command("how the running daemon is", _status, _status_arguments)
CALLS = Command("the calls of this moment, or past ones", _calls, _calls_arguments)
