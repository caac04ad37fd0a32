"""What a call does when nobody answers: the fail mode that the daemon mirrored into AstDB beforehand.

Owns the law, for the stdin script; `dialplan/recorderd.conf` spells the same law in dialplan, and one live
test table holds both to it. Must not know how AstDB is reached.

AstDB, family `recorderd`: `fail/<extension>` and `fail/default` hold a fail mode, `emergency/<number>`
holds 1. The daemon mirrors the mode of every extension it knows, so `default` speaks only for a call whose
parties are all unknown to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from recorderd.agi.advice import CLOSED_BEFORE, Advice

ANNOUNCE = "announce"
NOT_RECORDED = "not-recorded"
_NOT_A_KEY = re.compile(r"[^0-9A-Za-z_.+*#-]")

# Strictest first. `closed-during` needs a living daemon: before the call it is as good as `open`.
_STRICTNESS = (CLOSED_BEFORE, ANNOUNCE)


def without_daemon(
    lookup: Callable[[str], str], *, caller: str, callees: Sequence[str], dialled: str
) -> tuple[Advice, bool]:
    """The advice that stands in for the daemon's, and whether the call may go on.

    `lookup` gives an AstDB value below family `recorderd`, empty when there is none.
    """
    numbers = [_key(number) for number in (*callees, dialled)]
    if any(number and lookup(f"emergency/{number}") for number in numbers):
        return _advice("open", emergency=True, reason="emergency number"), True
    parties = [_key(party) for party in (caller, *callees)]
    modes = [mode for party in parties if party and (mode := lookup(f"fail/{party}"))]
    mode = strictest(modes or [lookup("fail/default")])
    return _advice(mode, reason="recorderd did not answer"), mode != CLOSED_BEFORE


def strictest(modes: Sequence[str]) -> str:
    """The strictest of these fail modes; whatever does not hold a call up counts as `open`."""
    return next((mode for mode in _STRICTNESS if mode in modes), "open")


def _key(text: str) -> str:
    return _NOT_A_KEY.sub("", text)


def _advice(fail_mode: str, *, reason: str, emergency: bool = False) -> Advice:
    return Advice(
        mode="",
        record=False,
        fail_mode=fail_mode,
        announce=NOT_RECORDED if fail_mode == ANNOUNCE else "",
        emergency=emergency,
        reason=reason,
    )
