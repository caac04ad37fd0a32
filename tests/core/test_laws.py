"""The laws of the engine, over whatever people, Asterisk, disks and administrators do.

A plan of doings is generated, played on the model Asterisk, and the engine's commands are carried out by a
world that answers late, refuses or says nothing. What is never allowed is asserted in `world`; here is what
must be true when all is quiet, and when all is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from recorderd.core import commands, events
from recorderd.core.agenda import AT_ONCE
from recorderd.core.company import FRAME_SECONDS
from recorderd.core.conversations import Talk
from recorderd.core.dealing import Foreign
from recorderd.core.foreign import ForeignRecorder
from recorderd.core.intervals import covered_ms, overlap
from recorderd.core.policy import ExtensionPolicy, Mode, Policy
from recorderd.core.rows import Conversation, Interval, Lane, Outcome, Recording, RecordingState
from tests.core.model import Line, Pbx
from tests.core.world import RECORDINGS_END, SETTINGS, World, lane_is_finished

PHONES = [f"PJSIP/{n}" for n in range(101, 107)]
TRUNK = "PJSIP/trunk"
ANY = [*PHONES, TRUNK]
QUIET = 20.0
SHARP = 0.02
"""Seconds by which our stamps may differ from what really happened."""

numbers = st.integers(0, 11)
NOWHERE = "(none)"


wishes = st.dictionaries(
    st.sampled_from(["default", "101", "102", "103", "104"]),
    st.sampled_from([f"{a}{b}{lock}" for a in "and" for b in "and" for lock in ("", "!")]),
    max_size=4,
)
"""Two letters for each extension: always, never or on-demand, for inbound and for outbound; `!` is a lock."""

LETTERS = {"a": Mode.ALWAYS, "n": Mode.NEVER, "d": Mode.ON_DEMAND}


def policy_of(wished: Mapping[str, str], version: int) -> Policy:
    """The policy that such letters stand for."""
    extensions = {
        name: ExtensionPolicy(
            extension=name,
            inbound=LETTERS[letters[0]],
            outbound=LETTERS[letters[1]],
            locked=letters.endswith("!"),
        )
        for name, letters in {"default": "aa", **wished}.items()
    }
    return Policy(version=version, default=extensions.pop("default"), extensions=extensions)


def pick(things: list[Line], which: int) -> Line:
    return things[which % len(things)]


REMEMBERED = {
    "Calls._departed",
    "Calls._texts",
    "Decider._known",
    "Ledger._names",
    "ForeignRecorders._files",
    "Places._shunned",
    "Places._faults",
    "Places._spells",
}
"""What is kept on purpose, and bounded."""


def _parts_of(engine: object) -> list[object]:
    """The engine, and every object of the core's that it is made of."""
    parts, todo = [], [engine]
    while todo:
        part = todo.pop()
        if part in parts or not type(part).__module__.startswith("recorderd.core") or is_dataclass(part):
            continue
        if hasattr(part, "__dict__"):
            parts.append(part)
            todo.extend(vars(part).values())
    return parts


class Life(RuleBasedStateMachine):
    """Days in the life of a telephone exchange."""

    @initialize(wished=wishes, reply_first=st.booleans(), foreign=st.sampled_from(list(Foreign)))
    def begin(self, wished: dict[str, str], reply_first: bool, foreign: Foreign) -> None:
        """The laws hold whether many channels are thought about together or lot by lot: every third life so."""
        at_once = (AT_ONCE, 0, 2)[len(wished) % 3]
        self.world = World(policy_of(wished, 1), replace(SETTINGS, foreign=foreign), at_once=at_once)
        self.world.event_before_reply = not reply_first
        self.pbx = Pbx(lambda: self.world.now)
        self.presses = 0
        self.killed = False
        self.sharp = True
        """Nothing has gone wrong yet: our stamps must be exact, and nothing may be missing."""

    # --- doings --------------------------------------------------------------------------------

    def _do(self, happening: Iterable[events.Event]) -> None:
        self.pbx.begin()
        for event in happening:
            if event.at > self.world.now:
                self.world.wait(event.at - self.world.now)
            self.world.emit(event)

    @rule(
        caller=st.sampled_from(ANY),
        callees=st.lists(st.sampled_from(ANY), min_size=1, max_size=3, unique=True),
    )
    def call(self, caller: str, callees: list[str]) -> None:
        self._do(self.pbx.call(caller, callees))

    @rule(caller=st.sampled_from(PHONES), callee=st.sampled_from(ANY), optimise=st.booleans())
    def call_through_local(self, caller: str, callee: str, optimise: bool) -> None:
        self._do(self.pbx.call_through_local(caller, callee, optimise))

    @rule(first=st.sampled_from(PHONES), then=st.sampled_from(ANY))
    def originate(self, first: str, then: str) -> None:
        self._do(self.pbx.originate(first, then))

    @precondition(lambda self: self.pbx.ringing)
    @rule(which=numbers, who=numbers)
    def answer(self, which: int, who: int) -> None:
        self._do(self.pbx.answer(pick(self.pbx.ringing, which), who))

    @precondition(lambda self: self.pbx.ringing)
    @rule(which=numbers, status=st.sampled_from(["CANCEL", "BUSY", "NOANSWER", ""]), order=numbers)
    def give_up(self, which: int, status: str, order: int) -> None:
        ringing = pick(self.pbx.ringing, which)
        self._do(self.pbx.give_up(ringing, status, order) if status else self.pbx.vanish(ringing))

    @precondition(lambda self: any(r.caller and not r.through for r in self.pbx.ringing))
    @rule(which=numbers, winner=st.sampled_from(PHONES))
    def pickup(self, which: int, winner: str) -> None:
        able = [r for r in self.pbx.ringing if r.caller and not r.through]
        ringing = pick(able, which)
        for loser in ringing.dests[1:]:
            self._do(self.pbx._dial_end(ringing.caller, loser, "CANCEL"))
            self._do(self.pbx._hangup(loser))
        del ringing.dests[1:]
        self._do(self.pbx.pickup(ringing, winner))

    @precondition(lambda self: self.pbx.rooms_of_two())
    @rule(which=numbers, by=numbers, third=st.sampled_from(ANY), order=numbers)
    def blind(self, which: int, by: int, third: str, order: int) -> None:
        self._do(self.pbx.blind(pick(self.pbx.rooms_of_two(), which), by, third, order))

    @precondition(lambda self: self.pbx.rooms_of_two())
    @rule(which=numbers, who=numbers, third=st.sampled_from(ANY))
    def redirect(self, which: int, who: int, third: str) -> None:
        self._do(self.pbx.redirect(pick(self.pbx.rooms_of_two(), which), who, third))

    @precondition(lambda self: len(self.pbx.rooms_of_two()) > 1)
    @rule(which=numbers, by=numbers)
    def attended(self, which: int, by: int) -> None:
        rooms = self.pbx.rooms_of_two()
        first = pick(rooms, which)
        second = pick([r for r in rooms if r is not first], which + by)
        self._do(self.pbx.attended(first, by, second))

    @precondition(lambda self: len(self.pbx.rooms_of_two()) > 1)
    @rule(which=numbers)
    def merge(self, which: int) -> None:
        rooms = self.pbx.rooms_of_two()
        first = pick(rooms, which)
        self._do(self.pbx.merge(first, pick([r for r in rooms if r is not first], which)))

    @rule(who=st.sampled_from(ANY))
    def join_conference(self, who: str) -> None:
        self._do(self.pbx.join_conference(who))

    @precondition(lambda self: self.pbx.rooms_of_two())
    @rule(which=numbers, by=numbers)
    def walk_into_conference(self, which: int, by: int) -> None:
        self._do(self.pbx.walk_into_conference(pick(self.pbx.rooms_of_two(), which).lines[by % 2]))

    @precondition(lambda self: self.pbx.rooms_of_two())
    @rule(which=numbers, by=numbers)
    def park(self, which: int, by: int) -> None:
        self._do(self.pbx.park(pick(self.pbx.rooms_of_two(), which), by))

    @precondition(lambda self: self.pbx.parked())
    @rule(which=numbers, who=st.sampled_from(PHONES))
    def retrieve(self, which: int, who: str) -> None:
        self._do(self.pbx.retrieve(pick(self.pbx.parked(), which), who))

    @precondition(lambda self: self.pbx.talking())
    @rule(which=numbers, order=numbers)
    def hang_up(self, which: int, order: int) -> None:
        self._do(self.pbx.leave_call(pick(self.pbx.talking(), which), order))

    # --- people and administrators -------------------------------------------------------------

    @precondition(lambda self: self.pbx.talking())
    @rule(which=numbers, action=st.sampled_from(["toggle", "toggle", "start", "stop", "pause", "resume"]))
    def press(self, which: int, action: str) -> None:
        line = pick(self.pbx.talking(), which)
        self.presses += 1
        self.world.hear(
            events.Press(
                id=f"p{self.presses}",
                at=self.world.now,
                action=action,
                uniqueid=line.uniqueid,
                by="x",
                source="cli",
            )
        )
        if self.world.dead:
            self.world.answers.setdefault(f"p{self.presses}", None)

    @rule(wished=wishes)
    def change_policy(self, wished: dict[str, str]) -> None:
        self.world.policy = policy_of(wished, self.world.policy.version + 1)
        self.world.hear(events.PolicyChanged(at=self.world.now, policy=self.world.policy))

    @precondition(lambda self: self.pbx.ringing)
    @rule(which=numbers, callee=st.sampled_from(PHONES))
    def consult(self, which: int, callee: str) -> None:
        caller = pick(self.pbx.ringing, which).caller
        if caller and self.world.link_up:
            self.world.hear(
                events.Consult(
                    at=self.world.now,
                    channel=caller.name,
                    uniqueid=caller.uniqueid,
                    linkedid=caller.linkedid,
                    caller_id_num="",
                    exten=callee.partition("/")[2],
                    context="from-phones",
                    callees=(callee.partition("/")[2],),
                    monitored=bool(self.world.truth.channels[caller.uniqueid].foreign_file),
                )
            )

    # --- what goes wrong -----------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0005, 0.003, 0.3, 1.2, 5.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(latency=st.sampled_from([0.0003, 0.003, 0.4]), lag=st.integers(0, 3))
    def be_slow(self, latency: float, lag: int) -> None:
        self.world.latency, self.world.lag = latency, lag
        self.sharp = False

    @rule(
        command=st.sampled_from([commands.MixMonitor, commands.StopMixMonitor]),
        fate=st.sampled_from(["refuse", "lost", "done-unanswered", "ghost", "stall"]),
    )
    def spoil(self, command: type[commands.Command], fate: str) -> None:
        self.world.fates.setdefault(command, deque()).append(fate)
        self.sharp = False

    @rule()
    def spoil_a_mix(self) -> None:
        self.world.fates.setdefault(commands.Mix, deque()).append("disk full")
        self.sharp = False

    @precondition(lambda self: self.pbx.talking())
    @rule(which=numbers, stop=st.booleans(), named=st.booleans())
    def somebody_else(self, which: int, stop: bool, named: bool) -> None:
        line = pick(self.pbx.talking(), which)
        if stop:
            self.world.stop_newest(line.uniqueid)
        else:
            self.world.foreign_monitor(line.uniqueid, named=named)
        self.sharp = False

    @precondition(lambda self: any(r.caller for r in self.pbx.ringing))
    @rule(which=numbers, grows=st.booleans())
    def freepbx_records_the_caller(self, which: int, grows: bool) -> None:
        """Before it dials, as its dialplan does; a file may fail to grow."""
        caller = pick([r for r in self.pbx.ringing if r.caller], which).caller
        self.world.foreign_monitor(caller.uniqueid, named=True, grows=grows)
        self.sharp = False

    @precondition(lambda self: self._lives() and self.world.frozen == NOWHERE)
    @rule()
    def freeze(self) -> None:
        self.world.freeze(SETTINGS.lanes[0])
        self.sharp = False

    @precondition(lambda self: self.world.frozen != NOWHERE)
    @rule()
    def thaw(self) -> None:
        self.world.thaw()

    def _lives(self) -> bool:
        return not self.world.dead and self.world.dies_after is None

    @precondition(lambda self: self.world.link_up)
    @rule()
    def lose_link(self) -> None:
        self.world.lose_link()
        self.sharp = False

    @precondition(lambda self: not self.world.link_up and not self.world.dead)
    @rule()
    def regain_link(self) -> None:
        self.world.regain_link()

    @precondition(lambda self: not self.world.dead)
    @rule(after=st.integers(0, 15))
    def kill(self, after: int) -> None:
        """kill -9, now or in the middle of what comes next."""
        self.world.dies_after = after
        self.killed = True
        if not after:
            self.world.die()
        self.sharp = False

    @precondition(lambda self: self.world.dead)
    @rule()
    def rise(self) -> None:
        self.world.rise()

    # --- what must hold when all is quiet ------------------------------------------------------

    @rule()
    def quiet(self) -> None:
        """Nobody does anything, every answer comes."""
        self._calm()
        world = self.world
        world.wait(QUIET)
        engine = world.engine
        names = {u: c.name for u, c in world.truth.channels.items()}
        groups = {frozenset(t.members) for t in engine.talks.talks.values() if t.members}
        assert groups == world.truth.groups(), "who talks with whom"
        for talk in engine.talks.talks.values():
            if talk.members and (source := talk.recording.source if talk.recording else None):
                self._is_rightly_linked(talk, source)
                continue
            for uniqueid in talk.members:
                ours = [m for m in world.truth.channels[uniqueid].monitors if m.lane_id]
                assert len(ours) == talk.wanted, f"{names[uniqueid]} in {talk}: {ours}"
                if talk.wanted:
                    assert ours[0].written[-1][1] is None, f"{names[uniqueid]} in {talk} is not written"
                    assert ours[0].path in world.files
                elif talk.decision.mode is Mode.NEVER:
                    chan = world.truth.channels[uniqueid]
                    theirs = [m for m in chan.monitors if m.told or m.mixmonitor_id == chan.foreign_id]
                    assert not theirs, f"{talk} is recorded by somebody"
                if talk.wanted and world.settings.foreign is Foreign.REPLACE:
                    chan = world.truth.channels[uniqueid]
                    theirs = [m for m in chan.monitors if m.named and m.mixmonitor_id == chan.foreign_id]
                    assert not theirs, f"{talk} is recorded twice"

    def _is_rightly_linked(self, talk: Talk, source: ForeignRecorder) -> None:
        """Another's file holds all of a talk between people who on that channel have talked with nobody else."""
        truth = self.world.truth
        assert self.world.settings.foreign is Foreign.LINK
        assert talk.wanted
        assert not talk.masked
        theirs = [m for m in truth.channels[source.uniqueid].monitors if m.path == source.path]
        assert theirs, f"{talk}: {source} is gone"
        assert theirs[0].healthy
        assert theirs[0].written[-1][1] is None
        assert not [m for u in talk.members for m in truth.channels[u].monitors if m.lane_id], "twice"
        heard = [
            a
            for a in truth.talks
            if source.uniqueid in a[2] and a[2] != talk.members and a[1] - a[0] > FRAME_SECONDS
        ]
        assert not heard, f"{talk}: {source} has heard others: {heard}"

    def _calm(self) -> None:
        self.world.fates.clear()
        self.world.latency, self.world.lag = 0.001, 0
        self.world.dies_after = None
        if self.world.dead:
            self.world.rise()
        if not self.world.link_up:
            self.world.regain_link()
        if self.world.frozen != NOWHERE:
            self.world.thaw()
        self.world.flush()

    def _nothing_of_a_never_is_kept(self) -> None:
        nevers = [i for i in self.world.saved(Interval) if i.mode == Mode.NEVER]
        for mix in self.world.mixes:
            for lane in mix.lanes:
                uniqueid = self.world.rows[Lane, lane.lane_id].uniqueid
                for never in nevers:
                    if any(p.uniqueid == uniqueid for p in never.parties):
                        span = (never.started_at, never.ended_at or self.world.now)
                        for keep in lane.keep:
                            assert overlap(span, (keep.start, keep.end)) is None, (keep, never)

    # --- what must hold when all is over -------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self._calm()
        self._do(self.pbx.hang_up_everything())
        self.world.flush()
        self.world.wait(QUIET)
        self._rows_are_closed()
        self._memory_is_empty()
        self._disk_is_tidy()
        self._intervals_are_sound()
        self._all_talk_is_accounted_for()
        self._nothing_of_a_never_is_kept()
        if self.sharp:
            self._stretches_are_exact()
            assert not self.world.alarms, self.world.alarms

    def _rows_are_closed(self) -> None:
        saved = self.world.saved
        assert not [c for c in saved(Conversation) if c.ended_at is None]
        assert not [i for i in saved(Interval) if i.ended_at is None or i.outcome is None]
        assert not [r for r in saved(Recording) if r.state not in RECORDINGS_END]
        assert not [x for x in saved(Lane) if not lane_is_finished(x)]
        outcomes: dict[str, set[Outcome]] = {}
        for row in self.world.history:
            if isinstance(row, Interval) and row.outcome:
                outcomes.setdefault(row.id, set()).add(row.outcome)
        changed = [found for found in outcomes.values() if len(found) > 1]
        # Killed between the rows of a mix that failed: the next daemon makes it, and what it says is the last word.
        assert not changed or (self.killed and all(Outcome.NOT_RECORDED in found for found in changed)), (
            outcomes
        )
        asked = {f"p{n + 1}" for n in range(self.presses)}
        assert self.world.answers.keys() == asked, "every press is answered"

    def _memory_is_empty(self) -> None:
        """No part of the engine holds anything any more, whatever parts it may get."""
        left = {
            f"{type(part).__name__}.{name}": held
            for part in _parts_of(self.world.engine)
            for name, held in vars(part).items()
            if isinstance(held, dict | set | list | deque) and held
        }
        kept = {name: held for name, held in left.items() if name not in REMEMBERED}
        assert not kept, kept
        assert not self.world._watched

    def _disk_is_tidy(self) -> None:
        """No file without a row that says why it is there."""
        mixes = {f"/spool/monitor/{r.folder}/{r.name}" for r in self.world.saved(Recording)}
        # Killed between a recording's last row and its lanes' removal, files stay; never the other way round.
        kept = {x.path for x in self.world.saved(Lane) if x.note or (self.killed and lane_is_finished(x))}
        assert not self.world.files - mixes - kept - self.world.foreign_files

    def _intervals_are_sound(self) -> None:
        by_talk: dict[str, list[Interval]] = {}
        for interval in self.world.saved(Interval):
            by_talk.setdefault(interval.conversation_id, []).append(interval)
        for held in by_talk.values():
            held.sort(key=lambda i: (i.started_at, i.ended_at))
            for before, after in pairwise(held):
                assert before.ended_at <= after.started_at, (before, after)
        made = [r for r in self.world.saved(Recording) if r.state is RecordingState.CLOSED]
        names = [(r.folder, r.name) for r in made]
        assert len(names) == len(set(names)), names

    def _all_talk_is_accounted_for(self) -> None:
        """Every moment of talk that we could hear of lies in an interval of just these people."""
        deaf = self.world.deaf_times
        for start, end, who in self.world.truth.talks:
            if any(overlap((start, end), (a, b)) for a, b in deaf) or end - start < 0.002:
                continue
            held = [i for i in self.world.saved(Interval) if {p.uniqueid for p in i.parties} == who]
            covered = sum(
                c[1] - c[0] for i in held if (c := overlap((start, end), (i.started_at, i.ended_at)))
            )
            assert end - start - covered < SHARP, (start, end, who, held)

    def _stretches_are_exact(self) -> None:
        """What we say a lane's file holds is what it holds, and so nothing is missing anywhere."""
        written = {m.lane_id: m.written for _, m in self.world.truth.monitors}
        for lane in self.world.saved(Lane):
            real = written.get(lane.id, [])
            common = sum(covered_ms((a, b), real) for a, b in lane.stretches)
            for spans in (lane.stretches, real):
                assert abs(sum(b - a for a, b in spans) * 1000 - common) < SHARP * 1000, (lane, real)
        faults = [
            i
            for i in self.world.saved(Interval)
            if i.outcome not in (Outcome.RECORDED, Outcome.NOT_BY_POLICY)
        ]
        assert not faults, faults


def _at_length(examples: int, steps: int, *, chance: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not chance,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


class TestLife(Life.TestCase):
    """The same lives every time, so that a red run is a change of ours."""

    settings = _at_length(400, 50, chance=False)


@pytest.mark.full
@pytest.mark.timeout(1200)
class TestManyLives(Life.TestCase):
    """Others every time."""

    settings = _at_length(6000, 70, chance=True)


# --- lives in which a law once did not hold --------------------------------------------------------

_Step = tuple[str, dict[str, Any]]
ONCE: dict[str, list[_Step]] = {
    "who hung up before it was known whose file his talk is in was kept for ever": [
        ("begin", {"wished": {}, "foreign": Foreign.LINK, "reply_first": False}),
        ("call", {"callees": ["PJSIP/101"], "caller": "PJSIP/101"}),
        ("answer", {"which": 0, "who": 0}),
        ("call", {"callees": ["PJSIP/101"], "caller": "PJSIP/101"}),
        ("be_slow", {"lag": 0, "latency": 0.4}),
        ("freepbx_records_the_caller", {"grows": False, "which": 2}),
        ("redirect", {"third": "PJSIP/101", "which": 0, "who": 0}),
        ("answer", {"which": 2, "who": 0}),
        ("blind", {"by": 0, "order": 0, "third": "PJSIP/101", "which": 0}),
        ("wait", {"seconds": 0.3}),
    ],
    "two of ours ran on a channel after links were lost beside a frozen disk": [
        ("begin", {"wished": {"default": "aa", "101": "aa"}, "foreign": Foreign.LEAVE, "reply_first": False}),
        ("join_conference", {"who": "PJSIP/101"}),
        ("lose_link", {}),
        ("join_conference", {"who": "PJSIP/101"}),
        ("regain_link", {}),
        ("freeze", {}),
        ("lose_link", {}),
        ("regain_link", {}),
        ("wait", {"seconds": 1.2}),
        ("lose_link", {}),
        ("quiet", {}),
    ],
}


@pytest.mark.parametrize("steps", ONCE.values(), ids=ONCE.keys())
def test_all_laws_hold_in_a_life_that_once_went_wrong(steps: list[_Step]) -> None:
    life = Life()
    for name, given in steps:
        getattr(life, name)(**given)
    life.teardown()
