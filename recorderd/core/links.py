"""Which audio belongs to which CDR row, and what an answered CDR was.

Owns the matching of CDR rows to intervals. Must not know where either is stored. A CDR's times have one
second's grain, its channel names are exact; rows of Local legs, of consultation calls and of blind transfers
by the caller carry no file name of Asterisk's, and are matched all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recorderd.core.channels import Names, device_of
from recorderd.core.intervals import overlap
from recorderd.core.policy import Mode, Policy, Situation, decide
from recorderd.core.rows import Cdr, CdrLink, Direction, Interval, Outcome, Party

# A CDR's second is cut off, not rounded; and its end is written a moment after the bridge's.
_GRAIN = 1.0
# The context that func_periodic_hook makes for itself.
_BEEPS = "__func_periodic_hook_context__"


def is_talk(cdr: Cdr) -> bool:
    """Somebody answered: there may be an interval for it, and there must be an account of it."""
    return cdr.answer is not None and cdr.disposition == "ANSWERED"


def of_cdr(cdr: Cdr, intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals of talk that this answered CDR row stands for, oldest first.

    Those with both its channels, else those with either; where a Local channel hides a party, its other will
    do. Empty for an unanswered row.
    """
    if cdr.answer is None or not is_talk(cdr):
        return []
    span = (cdr.answer - _GRAIN, cdr.end + _GRAIN)
    near = [i for i in intervals if overlap(span, (i.started_at, i.ended_at or cdr.end)) is not None]
    either = [i for i in near if _takes_part(cdr, i)]
    both = [i for i in either if _has_channel(i, cdr.channel) and _has_channel(i, cdr.dstchannel)]
    inside = [i for i in both or either if _mostly_inside(cdr, i)]
    # A row of an application alone (Park) has no talk but what lies in it; its neighbours' only touch it.
    touching = (both or either) if cdr.dstchannel else []
    return sorted(inside or touching, key=lambda i: i.started_at)


def of_beep(cdr: Cdr) -> bool:
    """A row of Asterisk's own: its periodic beep (MixMonitor's B) runs on two Local channels that nobody called."""
    return cdr.dcontext == _BEEPS or cdr.channel.startswith(f"Local/hook@{_BEEPS}-")


def links(cdr: Cdr, intervals: Iterable[Interval]) -> list[CdrLink]:
    """The recordings that hold this row's audio."""
    held = dict.fromkeys(i.recording_id for i in of_cdr(cdr, intervals) if i.recording_id)
    return [CdrLink(uniqueid=cdr.uniqueid, sequence=cdr.sequence, recording_id=r) for r in held]


def account(
    cdr: Cdr, intervals: Iterable[Interval], policy: Policy, names: Names, *, deaf: bool
) -> Interval | None:
    """What an answered CDR without an interval was; None for one that has its intervals.

    With one party it is `no-conversation` (an IVR, voicemail, an abandoned queue). With two, people talked
    while nobody told us (`deaf`): a fault if policy wanted it recorded.
    """
    if cdr.answer is None or not is_talk(cdr) or of_beep(cdr) or of_cdr(cdr, intervals):
        return None
    parties = tuple(_parties(cdr, names))
    trace: tuple[str, ...] = ()
    mode, wanted, reason = Mode.NEVER, False, "one party only"
    outcome = Outcome.NO_CONVERSATION
    if len(parties) > 1 and deaf:
        situation = Situation(at=cdr.answer, parties=parties, dialled=(cdr.dst,), zone=policy.zone)
        decision = decide(policy, situation)
        mode, wanted, reason, trace = decision.mode, decision.wanted, decision.reason, decision.trace
        outcome = Outcome.NOT_RECORDED if wanted else Outcome.NOT_BY_POLICY
    elif len(parties) > 1:
        reason = "the two were never in a bridge together"
    return Interval(
        id=f"cdr-{cdr.uniqueid}-{cdr.sequence}",
        conversation_id="",
        started_at=cdr.answer,
        ended_at=max(cdr.answer, cdr.end),
        parties=parties,
        mode=mode,
        wanted=wanted,
        masked=False,
        reason=reason,
        trace=trace,
        policy_version=policy.version,
        outcome=outcome,
        missing_ms=cdr.billsec * 1000 if outcome is Outcome.NOT_RECORDED else 0,
        note="recorderd was not connected to Asterisk then" if deaf and len(parties) > 1 else "",
        cdr_uniqueid=cdr.uniqueid,
    )


def _takes_part(cdr: Cdr, interval: Interval) -> bool:
    return any(
        p.uniqueid == cdr.uniqueid or p.channel in (cdr.channel, cdr.dstchannel) for p in interval.parties
    )


def _has_channel(interval: Interval, channel: str) -> bool:
    """A Local channel is in no interval: it stands for whoever is behind it."""
    return channel.startswith("Local/") or any(p.channel == channel for p in interval.parties)


def _mostly_inside(cdr: Cdr, interval: Interval) -> bool:
    """More than the grain of a CDR's clock is common: the neighbour's interval only touches."""
    end = interval.ended_at or cdr.end
    common = overlap((cdr.answer or cdr.start, cdr.end + _GRAIN), (interval.started_at, end))
    return common is not None and common[1] - common[0] > min(_GRAIN, (end - interval.started_at) / 2)


def _parties(cdr: Cdr, names: Names) -> Sequence[Party]:
    sides = (
        (cdr.channel, cdr.uniqueid, cdr.src, Direction.OUTBOUND),
        (cdr.dstchannel, "", cdr.dst, Direction.INBOUND),
    )
    found = []
    for channel, uniqueid, number, direction in sides:
        if not channel or channel.startswith("Local/"):
            continue
        extension = names.extension(channel)
        found.append(
            Party(
                uniqueid=uniqueid or device_of(channel),
                channel=channel,
                extension=extension,
                number=extension or number,
                name="",
                direction=direction,
            )
        )
    return found
