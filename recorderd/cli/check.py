"""check: the configuration, and with --online all that it stands on.

Owns the list of what is tried and how it is told. Must not know how each thing is tried (the probes).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recorderd.cli.command import Command, Exit
from recorderd.cli.findings import Finding, Level
from recorderd.cli.output import printable, show, table
from recorderd.config import Config

Probe = Callable[[Config], list[Finding]]


def probes(etc: Path) -> tuple[Probe, ...]:
    """What is tried, in the order in which it is told; `etc` holds Asterisk's own files."""
    # Only here: they bring the libraries of all that they try.
    from recorderd.cli import probe_asterisk, probe_host, probe_panel

    return (
        probe_asterisk.manager,
        lambda config: probe_asterisk.files(config, etc),
        probe_host.database,
        probe_host.cdr_table,
        probe_host.policy,
        probe_host.spool,
        probe_host.ffmpeg,
        probe_host.encryption,
        probe_host.bucket,
        probe_host.node,
        probe_panel.provider,
        probe_host.daemon,
    )


def _check(args: argparse.Namespace, config: Config) -> int:
    findings = [Finding("configuration", Level.OK, f"{config.path} is well")]
    findings += [Finding("configuration", Level.WARNING, warning) for warning in config.warnings]
    if args.online:
        findings += [found for probe in probes(Path(args.asterisk_etc)) for found in probe(config)]
    worst = next((f for f in findings if f.level is Level.PROBLEM), None)
    data = {
        "ok": worst is None,
        "findings": [{"about": f.about, "level": str(f.level), "sentence": f.sentence} for f in findings],
    }
    show(args, data, _text)
    return Exit.OK if worst is None else worst.code


def _text(data: Mapping[str, Any]) -> str:
    rows = [(f["level"], f["about"], printable(f["sentence"])) for f in data["findings"]]
    return table(("", "about", "found"), rows)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--online", action="store_true", help="try Asterisk, database, disk, ffmpeg too")
    parser.add_argument(
        "--asterisk-etc", metavar="DIR", default="/etc/asterisk", help="with --online: Asterisk's own files"
    )


CHECK = Command("check the configuration, and with --online all that it stands on", _check, _arguments)
