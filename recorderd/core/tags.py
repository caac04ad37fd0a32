"""CDR(recordingfile): which file's name each channel's CDR carries.

Owns when the name is written and when it is taken out again. Must not know CDR rows: over AMI only what a channel's
running CDR says can be set, and after the hang-up nothing can.

A CDR belongs to a channel (its party A) and one peer. Asterisk begins the channel's next one when it dials, enters
another bridge or gets another peer, and that inherits the name (main/cdr.c forks the variables); rows that are over
keep theirs. A row whose party A has no name takes its peer's, at the moment when the two come together: then it is too
late, and an empty name is none. So one who was called is given a name only if nobody who called is in his bridge;
else he would carry it, after an attended transfer, into the row of somebody who must not be recorded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.channels import Channel
from recorderd.core.outbox import Outbox

RECORDING_FILE = "CDR(recordingfile)"


@dataclass(frozen=True, slots=True)
class _Tag:
    """A name, the conversation it was written for, and the bridge (with all in it) in which that was.

    `talk_id` is empty for a name that somebody else wrote: that is never taken out.
    """

    name: str
    talk_id: str = ""
    bridge: str | None = None
    company: tuple[str, ...] = ()


class Tags:
    """The names that live channels carry."""

    def __init__(self, calls: Calls, out: Outbox) -> None:
        self._calls = calls
        self._out = out
        self._tags: dict[str, _Tag] = {}

    def write(self, members: Collection[str], talk_id: str, name: str) -> None:
        """The talk of these channels is in the file of this name."""
        for channel in [self._calls.channels[uniqueid] for uniqueid in sorted(members)]:
            company, tag = self._company(channel), self._tags.get(channel.uniqueid)
            if tag and (tag.name, tag.talk_id, tag.bridge, tag.company) == (
                name,
                talk_id,
                channel.bridge,
                company,
            ):
                continue
            others = [self._calls.channels[u] for u in company]
            nobody_called = all(other.called or not other.real for other in others)
            if not channel.called or nobody_called or (tag and tag.name):
                self._write(channel, talk_id, name)

    def _write(self, channel: Channel, talk_id: str, name: str) -> None:
        """Give it this name.

        One who stays in his bridge while his conversation becomes another (the third of an attended transfer) keeps
        the name that he has: what is set on him now would still go into his last row, and the new row is the other's.
        """
        before = self._tags.get(channel.uniqueid)
        if before and before.name and before.bridge == channel.bridge and before.talk_id not in ("", talk_id):
            return
        self._set(channel, self._tag(channel, talk_id, name))

    def take_out(self, channel: Channel, talk_id: str | None) -> None:
        """This channel's talk (None: it talks with nobody) is not recorded: a CDR begun for it names no file."""
        tag = self._tags.get(channel.uniqueid)
        if tag is None or not tag.name or not tag.talk_id:
            return
        now = self._tag(channel, talk_id or tag.talk_id, "")
        dials = channel.bridge is None and bool(channel.ringing)
        moved = channel.bridge is not None and channel.bridge != tag.bridge
        other_peer = talk_id is None and len(now.company) > 1 and set(now.company) != set(tag.company)
        if dials or moved or other_peer or talk_id not in (None, tag.talk_id):
            self._set(channel, now)

    def adopt(self, live: events.LiveChannel, talk_id: str) -> None:
        """What a channel carried before a restart; `talk_id` is empty if we did not write it."""
        if live.recording_file:
            tag = _Tag(live.recording_file, talk_id, live.bridge_uniqueid or None)
            self._tags.setdefault(live.uniqueid, tag)

    def forget(self, uniqueid: str) -> None:
        """The channel is gone."""
        self._tags.pop(uniqueid, None)

    def _tag(self, channel: Channel, talk_id: str, name: str) -> _Tag:
        return _Tag(name, talk_id, channel.bridge, self._company(channel))

    def _company(self, channel: Channel) -> tuple[str, ...]:
        bridge = self._calls.bridges.get(channel.bridge or "")
        return bridge.members if bridge else ()

    def _set(self, channel: Channel, tag: _Tag) -> None:
        before = self._tags.get(channel.uniqueid)
        self._tags[channel.uniqueid] = tag
        if (before.name if before else "") != tag.name:
            self._out.do(commands.Setvar(uniqueid=channel.uniqueid, variable=RECORDING_FILE, value=tag.name))
