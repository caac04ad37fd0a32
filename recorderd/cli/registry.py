"""Every command, by its name. To add one, write its file and its line here; the manual has a test too."""

from __future__ import annotations

from collections.abc import Mapping

from recorderd.cli import (
    archive,
    capacity,
    check,
    coverage,
    database,
    evidence,
    explain,
    history,
    keys,
    live,
    panel,
    policy,
    presses,
    user,
)
from recorderd.cli.command import Command

COMMANDS: Mapping[str, Command] = {
    "run": live.RUN,
    "check": check.CHECK,
    "status": live.STATUS,
    "policy": policy.POLICY,
    "explain": explain.EXPLAIN,
    "calls": live.CALLS,
    "recordings": history.RECORDINGS,
    "coverage": coverage.COVERAGE,
    **presses.PRESSES,
    "panel": panel.PANEL,
    "user": user.USER,
    "capacity": capacity.CAPACITY,
    **archive.COMMANDS,
    "keys": keys.KEYS,
    **evidence.COMMANDS,
    "db": database.DB,
}
