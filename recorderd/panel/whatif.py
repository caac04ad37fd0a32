"""What if these rules had been in force? Real calls of the past, decided anew.

Owns the way from an interval of the ledger back to the situation that policy saw. Must not know how rules are
written. The dialled number and the context come from the call's CDR where there is one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recorderd.core.channels import device_of
from recorderd.core.policy import Mode, Policy, Situation, decide
from recorderd.core.rows import Cdr, Direction, Interval, Party
from recorderd.store.abc import Store

_HOUR, _DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class PastCall:
    """A stretch of talk and the CDR of its caller, None where there is none."""

    interval: Interval
    cdr: Cdr | None


async def past_calls(store: Store, now: float, days: int, limit: int) -> Sequence[PastCall]:
    """The newest of the past days, newest first: read backwards in ever longer steps."""
    found: list[PastCall] = []
    until, step, oldest = now, _HOUR, now - days * _DAY
    while until > oldest and len(found) < limit:
        since = max(oldest, until - step)
        spoken = [i for i in await store.intervals(since, until) if len(i.parties) > 1]
        cdrs = {c.uniqueid: c for c in reversed(await store.cdrs(since - _HOUR, until))} if spoken else {}
        found += [PastCall(i, _cdr_of(i, cdrs)) for i in reversed(spoken)]
        until, step = since, step * 2
    return found[:limit]


def _cdr_of(interval: Interval, cdrs: Mapping[str, Cdr]) -> Cdr | None:
    return next((cdrs[p.uniqueid] for p in interval.parties if p.uniqueid in cdrs), None)


async def compare(calls: Sequence[PastCall], policy: Policy) -> Mapping[str, Any]:
    """See `ports.Admin.what_if`."""
    return await asyncio.to_thread(_compare, calls, policy)


def _compare(calls: Sequence[PastCall], policy: Policy) -> Mapping[str, Any]:
    changed = []
    counts: Counter[str] = Counter()
    for call in calls:
        was = call.interval
        pressed = was.mode == Mode.ON_DEMAND and was.wanted
        now = decide(policy, situation(call, policy), pressed=pressed)
        counts[f"{was.mode} -> {now.mode}"] += 1
        if now.mode != was.mode:
            changed.append(
                {
                    "id": _story(call),
                    "started_at": was.started_at,
                    "source": _number(was, Direction.OUTBOUND),
                    "destination": _number(was, Direction.INBOUND),
                    "was": was.mode,
                    "would_be": str(now.mode),
                    "reason": now.reason,
                }
            )
    return {"checked": len(calls), "changed": changed, "counts": dict(counts)}


def situation(call: PastCall, policy: Policy) -> Situation:
    """What policy saw, as far as it was written down."""
    interval, cdr = call.interval, call.cdr
    callees = [p.number for p in interval.parties if p.direction is Direction.INBOUND]
    dialled = ([cdr.dst] if cdr and cdr.dst else []) + callees
    outside = [device_of(p.channel).partition("/")[2] for p in interval.parties if not p.extension]
    return Situation(
        at=interval.started_at,
        parties=interval.parties,
        dialled=tuple(dict.fromkeys(number for number in dialled if number)),
        contexts=(cdr.dcontext,) if cdr and cdr.dcontext else (),
        trunks=tuple(dict.fromkeys(trunk for trunk in outside if trunk)),
        zone=policy.zone,
    )


def _story(call: PastCall) -> str:
    return call.cdr.linkedid if call.cdr else ""


def _number(interval: Interval, direction: Direction) -> str:
    party: Party | None = next((p for p in interval.parties if p.direction is direction), None)
    return (party.extension or party.number) if party else ""
