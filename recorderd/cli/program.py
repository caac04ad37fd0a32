"""From argv to an exit code: owns the parser, and what a person sees when something goes wrong.

A person sees a sentence, never a traceback (RECORDERD_DEBUG=1 shows it). Must not know any one command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from recorderd import __version__
from recorderd.cli.command import Exit, exit_code
from recorderd.cli.output import printable
from recorderd.cli.registry import COMMANDS
from recorderd.config import FaultyConfig, load

CONFIG = "/etc/recorderd/recorderd.yaml"


class Parser(argparse.ArgumentParser):
    """argparse with the exit code for usage that sysexits.h gives."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="recorderd", description="Enforces call-recording policy beside Asterisk, and proves it."
    )
    whole.add_argument("--version", action="version", version=f"recorderd {__version__}")
    whole.set_defaults(config=os.environ.get("RECORDERD_CONFIG", CONFIG), json=False)
    common = Parser(add_help=False)
    # SUPPRESS, so that what stands before the command is not overwritten behind it.
    for where in (whole, common):
        where.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=f"default {CONFIG}")
        where.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="JSON, for a machine"
        )
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help, description=command.help, parents=[common])
        command.arguments(one)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Do one command; its exit code, see `command.Exit`."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows an escape rather than ending us.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        args = parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        code = COMMANDS[args.command].run(args, load(args.config))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read us has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except (KeyboardInterrupt, Exception) as error:
        return _failed(args, error)


def _failed(args: argparse.Namespace, error: BaseException) -> int:
    """Tell it in a sentence, or as JSON when that was asked for."""
    code = exit_code(error)
    if os.environ.get("RECORDERD_DEBUG"):
        traceback.print_exception(error)
    if code is Exit.INTERRUPTED:
        return code
    sentence = str(error)
    if code is Exit.SOFTWARE:
        sentence = (
            f"a fault of recorderd itself: {type(error).__name__}: {error} (RECORDERD_DEBUG=1 shows where)"
        )
    if args.json:
        faults = error.faults if isinstance(error, FaultyConfig) else ()
        places = [
            {key: getattr(f, key) for key in ("file", "line", "column", "key", "sentence")} for f in faults
        ]
        print(json.dumps({"error": sentence} | ({"faults": places} if places else {}), indent=2))
        return code
    for line in sentence.splitlines():
        prefix = "" if isinstance(error, FaultyConfig) else "recorderd: "
        print(prefix + printable(line), file=sys.stderr)
    return code
