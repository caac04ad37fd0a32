"""Who hears whom now, who rings for whom, and what policy is asked about them: bridges and Local pairs seen through.

Owns what is asked of the picture of what lives (`core.calls`), and changes nothing. Must not know policy's rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo

from recorderd.core.calls import Calls
from recorderd.core.channels import Channel, device_of
from recorderd.core.policy import Situation
from recorderd.core.rows import Party

_NOBODY_HEARS = "holding_bridge"


def each_other(calls: Calls, uniqueid: str) -> frozenset[str]:
    """The real channels that hear each other through this channel's bridge, itself included.

    Empty for a channel in no bridge or in one where nobody hears anybody. Local pairs join bridges.
    """
    start = calls.channels.get(uniqueid)
    if start is None or start.bridge is None:
        return frozenset()
    parties: set[str] = set()
    seen = {start.bridge}
    todo = [start.bridge]
    while todo:
        bridge = calls.bridges.get(todo.pop())
        if bridge is None or bridge.technology == _NOBODY_HEARS:
            continue
        for member in bridge.members:
            channel = calls.channels[member]
            if channel.real:
                parties.add(member)
                continue
            other = calls.other_half(channel)
            if other and other.bridge and other.bridge not in seen:
                seen.add(other.bridge)
                todo.append(other.bridge)
    return frozenset(parties)


def ringing_for(calls: Calls, uniqueid: str) -> Iterator[Channel | None]:
    """The real channels now ringing for a caller, Local pairs seen through.

    Yields None for a Local pair behind which nobody rings yet.
    """
    todo, seen = [uniqueid], {uniqueid}
    while todo:
        caller = calls.channels.get(todo.pop())
        for dest in caller.ringing if caller else ():
            channel = calls.channels.get(dest)
            other = calls.other_half(channel) if channel else None
            if channel and channel.real:
                yield channel
            elif channel and (other is None or not other.ringing):
                yield None
            elif other and other.uniqueid not in seen:
                seen.add(other.uniqueid)
                todo.append(other.uniqueid)


def callers_of(calls: Calls, uniqueid: str) -> Iterator[Channel]:
    """The real channels that wait for this ringing channel, Local pairs seen through."""
    ringing, seen = calls.channels.get(uniqueid), {uniqueid}
    while ringing and (caller := calls.channels.get(ringing.rung_by or "")):
        if caller.real:
            yield caller
            return
        ringing = calls.other_half(caller)
        if ringing is None or ringing.uniqueid in seen:
            return
        seen.add(ringing.uniqueid)


def situation(
    calls: Calls, members: frozenset[str], at: float, expected: tuple[Party, ...] = (), zone: tzinfo = UTC
) -> Situation:
    """These channels (and parties not yet there) as policy sees them, at `at` where it is `zone`."""
    found = [channel for u in members if (channel := calls.channels.get(u))]
    channels = sorted(found, key=_callers_first)
    return Situation(
        at=at,
        parties=tuple(c.party() for c in channels) + expected,
        dialled=tuple(dict.fromkeys(n for c in channels for n in c.dialled)),
        contexts=tuple(dict.fromkeys(c.context for c in channels if c.context)),
        trunks=tuple(dict.fromkeys(_peer(c.name) for c in channels if not c.extension)),
        zone=zone,
    )


def _peer(channel: str) -> str:
    """`trunk` of `PJSIP/trunk-00000004`."""
    return device_of(channel).partition("/")[2]


def _callers_first(channel: Channel) -> tuple[bool, str]:
    """And among them by age."""
    return channel.called, channel.uniqueid
