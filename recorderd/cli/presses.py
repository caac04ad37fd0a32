"""toggle, start, stop, pause, resume: what the feature code does, from the command line.

Owns how a call is named here. Must not know what comes of it: the daemon decides, and says why.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from recorderd.cli.command import Command, Exit
from recorderd.cli.output import printable, show
from recorderd.cli.storing import who
from recorderd.config import Config
from recorderd.control.client import ControlClient

HELP = {
    "toggle": "start the recording of a call, or stop it",
    "start": "start the recording of a call",
    "stop": "stop the recording of a call",
    "pause": "leave a stretch of a recording out",
    "resume": "go on with a paused recording",
}


def _press(args: argparse.Namespace, config: Config) -> int:
    target = args.extension or args.channel
    answer = ControlClient(config.control.socket).press(
        args.command, target, by=who(), source="cli", reason=args.reason
    )
    show(args, answer, lambda a: _text(target, a))
    return Exit.NO if answer.get("outcome") == "denied" else Exit.OK


def _text(target: str, answer: Mapping[str, Any]) -> str:
    reason = f": {answer['reason']}" if answer.get("reason") else ""
    return printable(f"{target}: {answer.get('outcome')}{reason}")


def _arguments(parser: argparse.ArgumentParser) -> None:
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("extension", nargs="?", metavar="EXT", help="the call of this extension")
    whose.add_argument("--channel", metavar="CHANNEL", help="the call of this channel, by name or uniqueid")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for the ledger")


PRESSES: Mapping[str, Command] = {name: Command(help, _press, _arguments) for name, help in HELP.items()}
