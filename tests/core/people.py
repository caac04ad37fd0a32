"""Parties, situations and policies in few words."""

from __future__ import annotations

from datetime import UTC, tzinfo

from recorderd.core.policy import ExtensionPolicy, Mode, Policy, Situation
from recorderd.core.rows import Direction, Party
from tests.core.tape import T

A, D, N = Mode.ALWAYS, Mode.ON_DEMAND, Mode.NEVER


def caller(number: str, *, outside: bool = False) -> Party:
    """Somebody who called."""
    return _party(number, Direction.OUTBOUND, outside)


def callee(number: str, *, outside: bool = False) -> Party:
    """Somebody who was called."""
    return _party(number, Direction.INBOUND, outside)


def _party(number: str, direction: Direction, outside: bool) -> Party:
    device = "trunk" if outside else number
    return Party(
        uniqueid=f"u-{number}",
        channel=f"PJSIP/{device}-00000001",
        extension="" if outside else number,
        number=number,
        name="",
        direction=direction,
    )


def situation(
    *parties: Party,
    dialled: tuple[str, ...] = (),
    contexts: tuple[str, ...] = (),
    trunks: tuple[str, ...] = (),
    at: float = T,
    zone: tzinfo = UTC,
) -> Situation:
    """A conversation as policy sees it."""
    return Situation(at=at, parties=parties, dialled=dialled, contexts=contexts, trunks=trunks, zone=zone)


INTERNAL = situation(caller("101"), callee("102"), dialled=("102",), contexts=("from-phones",))
INBOUND = situation(
    caller("0612345678", outside=True),
    callee("101"),
    dialled=("5550101",),
    contexts=("from-trunk",),
    trunks=("trunk",),
)
OUTBOUND = situation(
    caller("101"),
    callee("0201234567", outside=True),
    dialled=("0201234567",),
    contexts=("from-phones",),
    trunks=("trunk",),
)


def chooses(extension: str, inbound: Mode, outbound: Mode | None = None, **more: object) -> ExtensionPolicy:
    """An extension's policy."""
    return ExtensionPolicy(extension=extension, inbound=inbound, outbound=outbound or inbound, **more)


def policy(*extensions: ExtensionPolicy, default: Mode = N, **more: object) -> Policy:
    """A policy of these extensions; everybody else has `default` for everything."""
    return Policy(
        version=7,
        extensions={e.extension: e for e in extensions},
        default=chooses("", default),
        **more,
    )
