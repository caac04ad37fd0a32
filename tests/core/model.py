"""A small Asterisk that only ever does what a real one does: valid sequences of events for people's doings.

Each method of `Pbx` is one thing that people do; it returns the events in an order that was measured
(asterisk-facts section 1). At the end of a call Asterisk has no fixed order either: `order` chooses one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recorderd.core import events

GAP = 0.001
"""Seconds between two events of one doing."""


@dataclass(eq=False)
class Line:
    """A channel as Asterisk's own code knows it."""

    name: str
    uniqueid: str
    linkedid: str
    bridge: Room | None = None
    called: bool = False

    @property
    def person(self) -> bool:
        return not self.name.startswith("Local/")


@dataclass(eq=False)
class Room:
    """A bridge: `kind` is talk, conference or parking."""

    uniqueid: str
    kind: str = "talk"
    lines: list[Line] = field(default_factory=list)

    @property
    def technology(self) -> str:
        return {"talk": "simple_bridge", "conference": "softmix", "parking": "holding_bridge"}[self.kind]


@dataclass(eq=False)
class Ringing:
    """`caller` (None: an Originate) dials `dests`; `through` is the Local pair in between, if any."""

    caller: Line | None
    dests: list[Line]
    through: tuple[Line, Line] | None = None
    optimise: bool = True
    then: str = ""


class Pbx:
    """Its own picture of what lives, apart from the engine's and apart from `Truth`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counter = itertools.count()
        self._bridges = itertools.count(1)
        self._at = 0.0
        self.lines: list[Line] = []
        self.ringing: list[Ringing] = []
        self.rooms: list[Room] = []
        self.conference: Room | None = None

    def begin(self) -> None:
        """One thing begins to happen now."""
        self._at = self._now()

    # --- who is there to do something ----------------------------------------------------------

    def rooms_of_two(self) -> list[Room]:
        """Plain calls between two people."""
        return [
            r for r in self.rooms if r.kind == "talk" and len(r.lines) == 2 and all(x.person for x in r.lines)
        ]

    def talking(self) -> list[Line]:
        """Everybody who is in a bridge."""
        return [x for x in self.lines if x.bridge and x.person]

    def parked(self) -> list[Line]:
        return [x for x in self.lines if x.bridge and x.bridge.kind == "parking"]

    # --- events --------------------------------------------------------------------------------

    def _tick(self) -> float:
        self._at = round(max(self._at + GAP, self._now()), 6)
        return self._at

    def _new(self, device: str, linked: Line | None = None, exten: str = "s") -> Iterator[events.Event]:
        number = next(self._counter)
        uniqueid = f"1700000000.{number}"
        line = Line(f"{device}-{number:08x}", uniqueid, linked.linkedid if linked else uniqueid)
        self._made = line
        self.lines.append(line)
        yield events.Newchannel(
            at=self._tick(),
            channel=line.name,
            uniqueid=uniqueid,
            linkedid=line.linkedid,
            caller_id_num="0612345678" if "trunk" in device else "",
            exten=exten,
            context="from-trunk" if "trunk" in device else "from-phones",
        )

    def _dial(self, caller: Line | None, dest: Line, exten: str) -> Iterator[events.Event]:
        dest.called = True
        yield events.DialBegin(
            at=self._tick(),
            channel=caller.name if caller else None,
            uniqueid=caller.uniqueid if caller else None,
            linkedid=(caller or dest).linkedid,
            exten=exten,
            context="from-phones",
            dest_channel=dest.name,
            dest_uniqueid=dest.uniqueid,
            dest_linkedid=dest.linkedid,
        )

    def _dial_end(self, caller: Line | None, dest: Line, status: str) -> Iterator[events.Event]:
        yield events.DialEnd(
            at=self._tick(),
            uniqueid=caller.uniqueid if caller else None,
            dest_channel=dest.name,
            dest_uniqueid=dest.uniqueid,
            dial_status=status,
        )

    def _enter(self, line: Line, room: Room, swap: Line | None = None) -> Iterator[events.Event]:
        if room not in self.rooms:
            self.rooms.append(room)
        room.lines.append(line)
        line.bridge = room
        line.linkedid = room.lines[0].linkedid
        yield events.BridgeEnter(
            at=self._tick(),
            bridge_uniqueid=room.uniqueid,
            bridge_technology=room.technology,
            channel=line.name,
            uniqueid=line.uniqueid,
            linkedid=line.linkedid,
            swap_uniqueid=swap.uniqueid if swap else None,
        )

    def _leave(self, line: Line) -> Iterator[events.Event]:
        room = line.bridge
        assert room is not None
        room.lines.remove(line)
        line.bridge = None
        yield events.BridgeLeave(
            at=self._tick(),
            bridge_uniqueid=room.uniqueid,
            channel=line.name,
            uniqueid=line.uniqueid,
            linkedid=line.linkedid,
        )
        if not room.lines:
            self.rooms.remove(room)
            if room is self.conference:
                self.conference = None
            yield events.BridgeDestroy(at=self._tick(), bridge_uniqueid=room.uniqueid)

    def _hangup(self, line: Line) -> Iterator[events.Event]:
        self.lines.remove(line)
        yield events.Hangup(
            at=self._tick(), channel=line.name, uniqueid=line.uniqueid, linkedid=line.linkedid
        )

    def _room(self, kind: str = "talk") -> Room:
        return Room(f"bridge-{next(self._bridges)}", kind)

    # --- calls ---------------------------------------------------------------------------------

    def call(self, caller: str, callees: list[str]) -> Iterator[events.Event]:
        """Dial(A&B): an internal, inbound or outbound call, or a ring group."""
        yield from self._new(caller, exten=callees[0].partition("/")[2])
        yield from self._ring(self._made, callees)

    def _ring(self, line: Line, callees: list[str]) -> Iterator[events.Event]:
        ringing = Ringing(line, [])
        self.ringing.append(ringing)
        for callee in callees:
            yield from self._new(callee, line)
            ringing.dests.append(self._made)
            yield from self._dial(line, ringing.dests[-1], callee.partition("/")[2])

    def call_through_local(self, caller: str, callee: str, optimise: bool) -> Iterator[events.Event]:
        """Dial(Local/102@ctx), with or without /n."""
        yield from self._new(caller, exten=callee.partition("/")[2])
        line, pair = self._made, []
        for half in (";1", ";2"):
            yield from self._new("Local/x@from-phones", line)
            self._made.name = f"{pair[0].name[:-2] if pair else self._made.name}{half}"
            pair.append(self._made)
        yield from self._dial(line, pair[0], "602")
        yield from self._new(callee, line)
        dest = self._made
        yield from self._dial(pair[1], dest, callee.partition("/")[2])
        self.ringing.append(Ringing(line, [dest], (pair[0], pair[1]), optimise))

    def originate(self, first: str, then: str) -> Iterator[events.Event]:
        """Click to call: the first phone rings, then dials the other."""
        yield from self._new(first)
        line = self._made
        yield from self._dial(None, line, "")
        self.ringing.append(Ringing(None, [line], then=then))

    def answer(self, ringing: Ringing, who: int) -> Iterator[events.Event]:
        """One of them lifts the handset; the losers are cancelled first."""
        self.ringing.remove(ringing)
        winner = ringing.dests[who % len(ringing.dests)]
        for loser in ringing.dests:
            if loser is not winner:
                yield from self._dial_end(ringing.caller, loser, "CANCEL")
        yield from self._dial_end(ringing.through[1] if ringing.through else ringing.caller, winner, "ANSWER")
        for loser in ringing.dests:
            if loser is not winner:
                yield from self._hangup(loser)
        if ringing.caller is None:
            yield from self._ring(winner, [ringing.then])
        elif ringing.through:
            yield from self._join_through(ringing, winner)
        else:
            room = self._room()
            yield from self._enter(winner, room)
            yield from self._enter(ringing.caller, room)

    def _join_through(self, ringing: Ringing, winner: Line) -> Iterator[events.Event]:
        assert ringing.through
        assert ringing.caller
        first, second = ringing.through
        far, near = self._room(), self._room()
        yield from self._enter(winner, far)
        yield from self._enter(second, far)
        yield from self._dial_end(ringing.caller, first, "ANSWER")
        yield from self._enter(first, near)
        yield from self._enter(ringing.caller, near)
        if not ringing.optimise:
            return
        yield from self._leave(winner)
        yield from self._leave(first)
        yield from self._enter(winner, near, swap=first)
        yield from self._leave(second)
        yield from self._hangup(first)
        yield from self._hangup(second)

    def give_up(self, ringing: Ringing, status: str, order: int) -> Iterator[events.Event]:
        """CANCEL, BUSY or NOANSWER: nobody talks, all go."""
        self.ringing.remove(ringing)
        inner = ringing.through[1] if ringing.through else ringing.caller
        for dest in ringing.dests:
            yield from self._dial_end(inner, dest, status)
        if ringing.through:
            yield from self._dial_end(ringing.caller, ringing.through[0], status)
        ends = [*ringing.dests, *(ringing.through or ()), *([ringing.caller] if ringing.caller else [])]
        for line in ends if order % 2 else reversed(ends):
            yield from self._hangup(line)

    def vanish(self, ringing: Ringing) -> Iterator[events.Event]:
        """The caller is gone with no DialEnd at all: the Hangup tells."""
        self.ringing.remove(ringing)
        ends = [*([ringing.caller] if ringing.caller else []), *(ringing.through or ()), *ringing.dests]
        for line in ends:
            yield from self._hangup(line)

    def pickup(self, ringing: Ringing, winner: str) -> Iterator[events.Event]:
        """`*8`: another phone takes the call of the one that rings."""
        assert ringing.caller
        self.ringing.remove(ringing)
        yield from self._new(winner, exten="*8")
        line, target = self._made, ringing.dests[0]
        yield events.Pickup(
            at=self._tick(), channel=line.name, uniqueid=line.uniqueid, target_uniqueid=target.uniqueid
        )
        yield from self._dial_end(ringing.caller, line, "ANSWER")
        room = self._room()
        yield from self._enter(line, room)
        yield from self._hangup(target)
        yield from self._enter(ringing.caller, room)

    # --- what happens in a call ----------------------------------------------------------------

    def blind(self, room: Room, by: int, target: str, order: int) -> Iterator[events.Event]:
        """One party sends the other to a third."""
        sender, sent = room.lines[by % 2], room.lines[1 - by % 2]
        number = target.partition("/")[2]
        yield events.BlindTransfer(
            at=self._tick(),
            transferer_uniqueid=sender.uniqueid,
            extension=number,
        )
        yield from self._leave(sent)
        yield from self._leave(sender)
        if order % 2:
            yield from self._hangup(sender)
        yield from self._ring(sent, [target])
        if not order % 2:
            yield from self._hangup(sender)

    def redirect(self, room: Room, who: int, target: str) -> Iterator[events.Event]:
        """AMI Redirect: the other one is hung up."""
        sent, other = room.lines[who % 2], room.lines[1 - who % 2]
        yield from self._leave(sent)
        yield from self._leave(other)
        yield from self._hangup(other)
        yield from self._ring(sent, [target])

    def attended(self, first: Room, by: int, second: Room) -> Iterator[events.Event]:
        """REFER with Replaces: a party of `first` joins its other party with the callee of `second`."""
        mine, other = first.lines[by % 2], first.lines[1 - by % 2]
        callee, consulting = second.lines
        yield from self._leave(other)
        yield from self._leave(consulting)
        yield from self._enter(other, second, swap=consulting)
        callee.linkedid = other.linkedid
        yield from self._leave(mine)
        yield from self._hangup(mine)
        yield from self._hangup(consulting)

    def merge(self, first: Room, second: Room) -> Iterator[events.Event]:
        """BridgeMerge: all of one bridge walk into the other."""
        for line in list(first.lines):
            yield from self._leave(line)
            yield from self._enter(line, second)

    def join_conference(self, who: str) -> Iterator[events.Event]:
        """ConfBridge: no dial, a linkedid of its own."""
        yield from self._new(who, exten="800")
        line = self._made
        self.conference = self.conference or self._room("conference")
        yield from self._enter(line, self.conference)

    def walk_into_conference(self, line: Line) -> Iterator[events.Event]:
        """One of a call is sent into the conference; the other stays behind alone."""
        self.conference = self.conference or self._room("conference")
        yield from self._leave(line)
        yield from self._enter(line, self.conference)

    def park(self, room: Room, by: int) -> Iterator[events.Event]:
        """One party parks the other."""
        parker, parked = room.lines[by % 2], room.lines[1 - by % 2]
        lot = next((r for r in self.rooms if r.kind == "parking"), None) or self._room("parking")
        yield from self._leave(parked)
        yield from self._enter(parked, lot)
        yield from self._leave(parker)
        yield from self._hangup(parker)

    def retrieve(self, parked: Line, who: str) -> Iterator[events.Event]:
        """A phone dials the parked one's number."""
        yield from self._new(who, exten="701")
        line, room = self._made, self._room()
        yield from self._leave(parked)
        yield from self._enter(parked, room)
        yield from self._enter(line, room)

    def leave_call(self, line: Line, order: int) -> Iterator[events.Event]:
        """A party hangs up: a plain call ends with it, in one of Asterisk's orders; a conference goes on."""
        room = line.bridge
        assert room is not None
        if room.kind != "talk" or len(room.lines) > 2:
            yield from self._leave(line)
            yield from self._hangup(line)
            return
        ends = self._all_ends(room, line)
        if order % 3 == 0:  # 22: leave, leave, hangup, hangup
            for end in ends:
                yield from self._leave(end)
            for end in ends if order % 2 else reversed(ends):
                yield from self._hangup(end)
        else:  # leave, hangup, leave, hangup
            for end in ends if order % 2 else list(reversed(ends)):
                yield from self._leave(end)
                yield from self._hangup(end)

    def _all_ends(self, room: Room, line: Line) -> list[Line]:
        """Everybody whom this hang-up takes down, Local pairs followed."""
        ends, todo = [line], list(room.lines)
        while todo:
            end = todo.pop()
            if end in ends:
                continue
            ends.append(end)
            if not end.person:
                half = {"1": "2", "2": "1"}[end.name[-1]]
                other = next(x for x in self.lines if x.name == end.name[:-1] + half)
                if other not in ends:
                    ends.append(other)
                    todo.extend(other.bridge.lines if other.bridge else [])
        return ends

    def hang_up_everything(self) -> Iterator[events.Event]:
        """The day is over."""
        for ringing in list(self.ringing):
            yield from self.vanish(ringing)
        for line in list(self.lines):
            if line.bridge:
                yield from self._leave(line)
            yield from self._hangup(line)
