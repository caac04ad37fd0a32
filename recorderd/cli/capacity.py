"""capacity: how much a disk holds, and how long this one will last.

Owns the command and its tables. Must not know how it is reckoned: `daemon.outlook` gathers it.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import show, table
from recorderd.cli.storing import with_store
from recorderd.config import Config

if TYPE_CHECKING:
    from recorderd.daemon.outlook import Outlook
    from recorderd.store.abc import Store

_UNITS = {"GB": 10**9, "TB": 10**12, "GiB": 2**30, "TiB": 2**40}


def _capacity(args: argparse.Namespace, config: Config) -> int:
    size = None if args.disk is None else _size(args.disk)

    async def ask(store: Store) -> Outlook:
        from recorderd.daemon import outlook
        from recorderd.daemon.ids import new_id
        from recorderd.daemon.keeper import Keeper

        now = time.time()
        keeper = Keeper(store, config.spool.monitor, config.state, time.time, new_id)
        return await outlook.look(store, keeper, config, now, size=size)

    found = with_store(config, ask)
    if args.plot is not None:
        _draw(args.plot, found.picture)
    show(args, report(found, args.disk, size), _text)
    return Exit.OK


def report(found: Outlook, disk: str | None, size: int | None) -> dict[str, Any]:
    """The outlook as plain data."""
    from recorderd.daemon.outlook import DISKS

    disks = {**DISKS, **({disk: size} if disk and size else {})}
    return {
        "sentence": found.sentence,
        "disk": {
            "total": found.disk.total,
            "used": found.disk.used,
            "free": found.disk.free,
            "percent": round(found.disk.percent, 1),
        },
        "recordings": {"count": found.recordings, "hours": found.seconds / 3600, "bytes": found.bytes},
        "bytes_per_hour": found.bytes_per_hour,
        "hours_left": found.hours_left,
        "full_on": None if found.full_on is None else found.full_on.isoformat(),
        "full_in_days": found.forecast.full_in,
        "full_between_days": found.forecast.between,
        "growth_percent_per_week": found.forecast.rate.growth_percent,
        "formats": [
            {
                "name": each.name,
                "bytes_per_hour": round(each.bytes_per_hour),
                "measured": each.measured,
                "hours": {name: round(each.hours(size)) for name, size in disks.items()},
            }
            for each in found.formats
        ],
    }


def _text(data: Mapping[str, Any]) -> str:
    from recorderd.archive.plot import size

    disks = list(data["formats"][0]["hours"])
    headings = ("format", "MB per hour", "minutes per MB", *(f"hours in {name}" for name in disks), "")
    rows = [
        (
            each["name"],
            round(each["bytes_per_hour"] / 1e6, 1),
            round(60e6 / each["bytes_per_hour"], 1),
            *(each["hours"][name] for name in disks),
            "measured here" if each["measured"] else "by the book",
        )
        for each in data["formats"]
    ]
    disk, kept = data["disk"], data["recordings"]
    facts = [
        ("disk", f"{size(disk['total'])}, {disk['percent']:g} % used, {size(disk['free'])} free"),
        ("recordings", f"{kept['count']}: {kept['hours']:,.1f} hours in {size(kept['bytes'])}"),
        ("hours left", f"{data['hours_left']:,.0f}, at {size(data['bytes_per_hour'])} an hour"),
        ("full", data["full_on"] or "never"),
    ]
    return "\n\n".join([table(headings, rows), table(("this machine", ""), facts), data["sentence"]])


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(GB|TB|GiB|TiB)", text)
    if not found or float(found[1]) == 0:
        raise Wrong(f"{text!r} is not the size of a disk such as 250GB or 1TB")
    return round(float(found[1]) * _UNITS[found[2]])


def _draw(path: str, picture: str) -> None:
    try:
        Path(path).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Wrong(f"{path} cannot be written: {error.strerror}", Exit.CANT_CREATE) from error


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--disk", metavar="SIZE", help="of another disk: 250GB, 1TB")
    parser.add_argument("--plot", metavar="FILE", help="draw the forecast as an SVG")


CAPACITY = Command("how much a disk holds, and when this one will be full", _capacity, _arguments)
