"""panel: the web panel, in the foreground, a process of its own.

Owns its start from the command line. Must not know what it shows.
"""

from __future__ import annotations

import argparse
import asyncio

from recorderd.cli import logs
from recorderd.cli.command import Command, Exit
from recorderd.config import Config


def _run(_args: argparse.Namespace, config: Config) -> int:
    # Only here: the panel brings every library, and the other commands should start at once.
    from recorderd.panel import server

    logs.start(config.log)
    asyncio.run(server.run(config))
    return Exit.OK


PANEL = Command("run the web panel in the foreground", _run)
