"""The picture of what lives in Asterisk, kept up to date event by event.

Owns what each event changes about channels and bridges. Must not know policy or recorders, nor who hears whom:
`core.hearing` reads that from the picture.

Facts it rests on (measured on Asterisk 16 and 22): a linkedid changes without an event, so every event's is
believed. A pickup's winner never had a DialBegin, an Originate's DialBegin names no caller. No order at the end of a
call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from recorderd.core import events
from recorderd.core.channels import PLUMBING, Bridge, Channel, Names
from recorderd.core.rows import Direction, Party

# Channels that are gone are remembered for a while: an AGI request or a list may still speak of them.
_DEPARTED = 1000
_TEXTS = 4096
# Whoever can speak AGI to us can invent channels: so long, and so many, are held that Asterisk never spoke of.
_ASKED_SECONDS = 60.0
_ASKED = 1000
_DEPARTED_SECONDS = 60.0
_LISTED_AFTER_HANGUP = 1.0
# Events that do not show that Asterisk knows a channel: the dialplan asks of it, or we take it for gone ourselves.
_SPEAK_OF_NOBODY = frozenset((events.Consult, events.Hangup))
_DIALLED = re.compile(r"[0-9*#+A-Za-z_]{2,80}")


class Calls:
    """All channels and bridges. `apply` one event at a time, then read.

    Ten thousand calls are held at once: equal texts are one object, and what is empty or small is a tuple.
    """

    def __init__(self, names: Names | None = None) -> None:
        self.names = names or Names()
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self._by_name: dict[str, str] = {}
        self._departed: dict[str, float] = {}
        self._texts: dict[str, str] = {}
        self._only_asked: dict[str, float] = {}
        self._unheard_since = 0.0
        self._learn: Mapping[type[events.Event], Callable[[Any], set[str]]] = MappingProxyType(
            {
                events.Newchannel: self._newchannel,
                events.DialBegin: self._dial_begin,
                events.DialEnd: self._dial_ended,
                events.Pickup: self._pickup,
                events.BlindTransfer: self._blind_transfer,
                events.Consult: self._consult,
                events.BridgeEnter: self._enter,
                events.BridgeLeave: self._left,
                events.BridgeDestroy: self._bridge_destroy,
                events.Hangup: self._hangup,
                events.Resync: self._resync,
                events.ConnectionLost: self._connection_lost,
            }
        )

    def apply(self, event: events.Event) -> set[str]:
        """Take in one event; return the uniqueids of channels that it may have moved."""
        if self._is_late(event):
            return set()
        learn = self._learn.get(type(event))
        if self._only_asked and learn is not None and type(event) not in _SPEAK_OF_NOBODY:
            for named in ("uniqueid", "dest_uniqueid"):
                self._only_asked.pop(getattr(event, named, ""), None)
        return learn(event) if learn else set()

    def _is_late(self, event: events.Event) -> bool:
        """Told of a channel that is gone: a uniqueid is never used again."""
        departed = self._departed
        return (
            getattr(event, "uniqueid", None) in departed or getattr(event, "dest_uniqueid", None) in departed
        )

    # --- looking up ------------------------------------------------------------------------------

    def other_half(self, channel: Channel) -> Channel | None:
        """`;2` of a Local channel's `;1`, and the other way round."""
        half = channel.name[-2:]
        if half not in (";1", ";2"):
            return None
        uniqueid = self._by_name.get(channel.name[:-1] + ("2" if half == ";1" else "1"))
        return self.channels.get(uniqueid) if uniqueid else None

    def named(self, name: str) -> Channel | None:
        """A channel by its name."""
        uniqueid = self._by_name.get(name)
        return self.channels.get(uniqueid) if uniqueid else None

    def invented(self, at: float) -> list[str]:
        """Channels that the dialplan asked for and of which Asterisk never spoke, for so long or so many of them."""
        surplus = len(self._only_asked) - _ASKED
        asked = enumerate(self._only_asked.items())
        return [u for place, (u, since) in asked if place < surplus or at - since > _ASKED_SECONDS]

    def forget(self, at: float) -> None:
        """Nobody speaks any more of channels that have been gone for a minute."""
        while self._departed:
            eldest = next(iter(self._departed))
            if at - self._departed[eldest] < _DEPARTED_SECONDS:
                break
            del self._departed[eldest]

    # --- a restart -------------------------------------------------------------------------------

    def remember(self, party: Party, together: str | None) -> None:
        """A party of a conversation from before a restart; those with the same `together` hear each other.

        They do so in a bridge of our own making, until the next Resync tells where they really are.
        """
        channel = self.remember_channel(party.uniqueid, party.channel)
        channel.called = party.direction is Direction.INBOUND
        channel.number, channel.caller_name = party.number, party.name
        if together:
            if channel.bridge:
                self._leave(channel, channel.bridge)
            channel.bridge = together
            self._bridge(together, "remembered").add(channel.uniqueid)

    def remember_channel(self, uniqueid: str, name: str) -> Channel:
        """A channel from before a restart."""
        return self._see(uniqueid, name, "")

    # --- what an event tells ---------------------------------------------------------------------

    def _newchannel(self, event: events.Newchannel) -> set[str]:
        channel = self._see(event.uniqueid, event.channel, event.linkedid)
        channel.number = self._same(event.caller_id_num)
        channel.caller_name = event.caller_id_name
        channel.context = self._same(event.context)
        self._dials(channel, event.exten)
        return {channel.uniqueid}

    def _consult(self, event: events.Consult) -> set[str]:
        if event.uniqueid not in self.channels:
            self._only_asked[event.uniqueid] = event.at
        channel = self._see(event.uniqueid, event.channel, event.linkedid)
        channel.number = channel.number or self._same(event.caller_id_num)
        channel.consulted = event.callees
        self._dials(channel, event.exten)
        return {channel.uniqueid}

    def _dial_begin(self, event: events.DialBegin) -> set[str]:
        dest = self._see(event.dest_uniqueid, event.dest_channel, event.dest_linkedid)
        dest.called = True
        dest.dialled = ()
        if event.uniqueid is None or event.channel is None:
            dest.originated = True
            return {dest.uniqueid}
        caller = self._see(event.uniqueid, event.channel, event.linkedid)
        if caller.originated:
            caller.called = False
        caller.consulted = ()
        self._rings(caller, dest)
        caller.context = caller.context or self._same(event.context)
        self._dials(caller, event.exten)
        dest.number = dest.number or self._same(event.exten)
        return {caller.uniqueid, dest.uniqueid}

    def _dial_ended(self, event: events.DialEnd) -> set[str]:
        """An answered one rings on until it enters a bridge, or is gone: the arming must not blink."""
        return set() if event.dial_status == "ANSWER" else self._dial_end(event.dest_uniqueid)

    def _pickup(self, event: events.Pickup) -> set[str]:
        """The winner is called in the target's place: what it dialled was only the pickup code."""
        winner = self._see(event.uniqueid, event.channel, "")
        winner.called = True
        winner.dialled = ()
        target = self.channels.get(event.target_uniqueid)
        caller = self.channels.get(target.rung_by or "") if target else None
        moved = self._dial_end(event.target_uniqueid)
        if caller:
            self._rings(caller, winner)
        return {event.uniqueid, *moved}

    def _blind_transfer(self, event: events.BlindTransfer) -> set[str]:
        if transferer := self.channels.get(event.transferer_uniqueid):
            transferer.sent_away = True
        return set()

    def _enter(self, event: events.BridgeEnter) -> set[str]:
        channel = self._see(event.uniqueid, event.channel, event.linkedid)
        moved = {channel.uniqueid}
        if not channel.extension and channel.called and event.caller_id_num:
            channel.number = self._same(event.caller_id_num)
        channel.consulted = ()
        channel.sent_away = False
        if channel.bridge != event.bridge_uniqueid:
            channel.entered_at = event.at
        for dest in channel.ringing:
            self._dial_end(dest)
        if channel.bridge and channel.bridge != event.bridge_uniqueid:
            moved |= self._leave(channel, channel.bridge)
        bridge = self._bridge(event.bridge_uniqueid, event.bridge_technology)
        swapped = self.channels.get(event.swap_uniqueid or "")
        channel.took_place = bool(swapped and swapped.real)
        if swapped and swapped.bridge == bridge.uniqueid:
            moved |= self._leave(swapped, bridge.uniqueid)
        bridge.add(channel.uniqueid)
        channel.bridge = bridge.uniqueid
        return moved.union(bridge.members)

    def _left(self, event: events.BridgeLeave) -> set[str]:
        if event.uniqueid not in self.channels:
            return set()
        channel = self._see(event.uniqueid, event.channel, event.linkedid)
        return self._leave(channel, event.bridge_uniqueid)

    def _bridge_destroy(self, event: events.BridgeDestroy) -> set[str]:
        bridge = self.bridges.pop(event.bridge_uniqueid, None)
        moved = set(bridge.members) if bridge else set()
        for member in moved:
            self.channels[member].bridge = None
        return moved

    def _hangup(self, event: events.Hangup) -> set[str]:
        return self._gone(event.uniqueid, event.at)

    def _connection_lost(self, event: events.ConnectionLost) -> set[str]:
        self._unheard_since = self._unheard_since or event.at
        return set()

    def _resync(self, event: events.Resync) -> set[str]:
        return set().union(*self.resync(event))

    # --- the list of what lives ------------------------------------------------------------------

    def resync(self, event: events.Resync) -> Iterator[Iterable[str]]:
        """Believe the list, channel by channel: what is not in it is gone, what we knew of the others stays.

        Yields the channels that this moved, or nothing: most are where they were. No other event may come before
        the end.
        """
        unheard_since, self._unheard_since = self._unheard_since, 0.0
        self._only_asked.clear()
        listed = {live.uniqueid: live for live in event.channels}
        for uniqueid in [u for u in self.channels if u not in listed]:
            yield self._gone(uniqueid, event.at)
        before, self.bridges = self.bridges, {}
        for live in listed.values():
            if event.at - self._departed.pop(live.uniqueid, 0.0) < _LISTED_AFTER_HANGUP:
                self._departed[live.uniqueid] = event.at
                yield ()
            else:
                yield self._listed(live, before.get(live.bridge_uniqueid), event.at, unheard_since)
        yield self._guess_dials(event)

    def _listed(
        self, live: events.LiveChannel, was: Bridge | None, at: float, unheard_since: float
    ) -> Iterable[str]:
        """It lives, there. `was` is its bridge as we knew it; return whom this moved.

        One that came into its bridge while nobody told us did so when it was answered, as far as can be known.
        """
        known = self.channels.get(live.uniqueid)
        linkedid = known.linkedid if known else ""
        channel = self._see(live.uniqueid, live.channel, live.linkedid)
        moved = known is None or channel.linkedid != linkedid or bool(channel.ringing)
        if (channel.bridge or "") != live.bridge_uniqueid:
            moved = True
            answered = max(live.answered, unheard_since) if live.answered else at
            channel.entered_at = min(at, answered)
        channel.bridge = live.bridge_uniqueid or None
        channel.ringing = ()
        if known is None:
            channel.called = live.application in ("AppDial", "AppDial2", "AppQueue")
            channel.number = self._same(live.caller_id_num)
            channel.caller_name = live.caller_id_name
            channel.context = self._same(live.context)
            if not channel.called:
                self._dials(channel, live.exten)
        if channel.bridge:
            bridge = self.bridges.get(channel.bridge)
            if bridge is None and was is not None and was.technology == live.bridge_technology:
                was.members = ()
                bridge = self.bridges[was.uniqueid] = was
            elif bridge is None:
                moved = True
                bridge = self._bridge(channel.bridge, live.bridge_technology)
            bridge.add(channel.uniqueid)
            channel.bridge = bridge.uniqueid
        return (channel.uniqueid,) if moved else ()

    def _guess_dials(self, event: events.Resync) -> set[str]:
        """Who rings for whom is not listed: a ringing callee belongs to its linkedid's dialling channel."""
        dialling = {c.linkedid: c.uniqueid for c in event.channels if c.application in ("Dial", "Queue")}
        found = set()
        for live in event.channels:
            if live.bridge_uniqueid or live.application not in ("AppDial", "AppQueue"):
                continue
            caller = dialling.get(live.linkedid)
            if caller and caller in self.channels and live.uniqueid in self.channels:
                self._rings(self.channels[caller], self.channels[live.uniqueid])
                found |= {caller, live.uniqueid}
        return found

    # --- the steps that all these are made of ----------------------------------------------------

    def _see(self, uniqueid: str, name: str, linkedid: str) -> Channel:
        """The channel, made if it is new to us, with the linkedid it has now."""
        channel = self.channels.get(uniqueid)
        if channel is None:
            real = name.partition("/")[0] not in PLUMBING
            extension = self._same(self.names.extension(name)) if real else ""
            channel = self.channels[uniqueid] = Channel(uniqueid, name, "", extension, real)
            self._by_name[name] = uniqueid
        if linkedid and linkedid != channel.linkedid:
            eldest = self.channels.get(linkedid)
            channel.linkedid = eldest.uniqueid if eldest else linkedid
        return channel

    def _same(self, text: str) -> str:
        """This text, as the one object that it was when we met it lately.

        Whoever calls chooses texts, and `sys.intern` keeps them for ever on Python 3.12.
        """
        if len(self._texts) > _TEXTS:
            self._texts.clear()
        return self._texts.setdefault(text, text)

    def _dials(self, channel: Channel, exten: str) -> None:
        """Remember a number that this channel asked for; `s`, `h` and the like are none."""
        if exten not in channel.dialled and _DIALLED.fullmatch(exten):
            channel.dialled += (self._same(exten),)

    @staticmethod
    def _rings(caller: Channel, dest: Channel) -> None:
        if dest.uniqueid not in caller.ringing:
            caller.ringing += (dest.uniqueid,)
        dest.rung_by = caller.uniqueid

    def _dial_end(self, dest: str) -> set[str]:
        channel = self.channels.get(dest)
        caller = self.channels.get(channel.rung_by or "") if channel else None
        if channel is None or caller is None:
            return {dest}
        channel.rung_by = None
        caller.ringing = _without(caller.ringing, dest)
        return {dest, caller.uniqueid}

    def _bridge(self, uniqueid: str, technology: str) -> Bridge:
        bridge = self.bridges.get(uniqueid)
        if bridge is None:
            bridge = self.bridges[uniqueid] = Bridge(uniqueid, technology)
        bridge.technology = self._same(technology)
        return bridge

    def _leave(self, channel: Channel, bridge_uniqueid: str) -> set[str]:
        bridge = self.bridges.get(bridge_uniqueid)
        if bridge is None:
            return {channel.uniqueid}
        bridge.members = _without(bridge.members, channel.uniqueid)
        if channel.bridge == bridge_uniqueid:
            channel.bridge = None
        if not bridge.members:
            del self.bridges[bridge_uniqueid]
        return {channel.uniqueid, *bridge.members}

    def _gone(self, uniqueid: str, at: float) -> set[str]:
        channel = self.channels.get(uniqueid)
        if channel is None:
            return set()
        moved = self._leave(channel, channel.bridge) if channel.bridge else {uniqueid}
        moved |= self._dial_end(uniqueid)
        for dest in channel.ringing:
            moved |= self._dial_end(dest)
        del self.channels[uniqueid]
        if self._by_name.get(channel.name) == uniqueid:
            del self._by_name[channel.name]
        if self._only_asked.pop(uniqueid, None) is None:
            self._departed[uniqueid] = at
        if len(self._departed) > _DEPARTED:
            del self._departed[next(iter(self._departed))]
        return moved


def _without(those: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(each for each in those if each != one) if one in those else those
