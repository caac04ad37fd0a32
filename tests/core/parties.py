"""People for the tables: short ways to say who takes part."""

from __future__ import annotations

from recorderd.core.policy import ExtensionPolicy, FailMode, Mode, Policy, Rule, Situation
from recorderd.core.rows import Direction, Party

NOON = 1_795_435_200.0  # Monday, 23 November 2026, 12:00 UTC


def party(who: str, direction: str = "inbound", uniqueid: str = "") -> Party:
    """`101` is an extension, anything longer is somebody outside."""
    inside = len(who) == 3
    return Party(
        uniqueid=uniqueid or f"u{who}",
        channel=f"PJSIP/{who if inside else 'trunk'}-0000000{who[-1]}",
        extension=who if inside else "",
        number=who,
        name="",
        direction=Direction(direction),
    )


def call(caller: str, callee: str, **more: object) -> Situation:
    """The caller calls the callee at noon."""
    parties = (party(caller, "outbound"), party(callee, "inbound"))
    given = {"at": NOON, "parties": parties, "dialled": (callee,), **more}
    return Situation(**given)  # type: ignore[arg-type]


def chose(extension: str, inbound: str, outbound: str | None = None, **more: object) -> ExtensionPolicy:
    """What an extension chose, both ways alike unless said otherwise."""
    return ExtensionPolicy(
        extension=extension,
        inbound=Mode(inbound),
        outbound=Mode(outbound or inbound),
        **more,  # type: ignore[arg-type]
    )


def policy(*extensions: ExtensionPolicy, rules: tuple[Rule, ...] = (), **more: object) -> Policy:
    """A policy of these extensions and rules."""
    return Policy(version=7, rules=rules, extensions={e.extension: e for e in extensions}, **more)  # type: ignore[arg-type]


OPEN, ANNOUNCE, BEFORE, DURING = FailMode
