"""The funnel: every fact goes in here, every command comes out, and a recording is decided nowhere else.

It is level-triggered. An event updates what we know; then the plan compares what should be recorded with what
is being recorded and asks for the difference. One path serves an answered call, a transfer, a policy change,
a lost link and a restart.

Nothing is thought twice: what should be recorded (who talks with whom, what policy says of it) is kept with the
conversation, or with the caller who waits, and is found out again only around channels that an event about calls,
people or policy has touched. News of a recorder or its file only makes the comparison again.

What touches very many (the picture after a lost link, a new policy) is an agenda: `begin` an event, then `step` until
it is through. Nothing between two steps takes long, and most urgent is first: who talks and has no recorder.

Owns how the parts are joined, and which of them learns from which event. Must not know what a part does with it.

Guarantees, whatever comes in: at most one of our recorders on a channel; none on a Local channel or on a
ringing callee; a row for every lane before its file; every interval ends in exactly one outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from recorderd.core import commands, events, presses
from recorderd.core.adopting import Adopting
from recorderd.core.agenda import Agenda
from recorderd.core.arming import Arming
from recorderd.core.calls import Calls
from recorderd.core.catching_up import CatchingUp
from recorderd.core.channels import Names
from recorderd.core.conversations import LONGEST_PAUSE, Talks
from recorderd.core.dealing import Dealing, Foreign
from recorderd.core.deciding import Decider, by_the_clock
from recorderd.core.disks import Disks
from recorderd.core.failing import Failing
from recorderd.core.files import Files
from recorderd.core.following import Following
from recorderd.core.foreign import ForeignRecorders
from recorderd.core.hangups import Hangups
from recorderd.core.judging import Judge
from recorderd.core.lanes import Lanes
from recorderd.core.ledger import Ledger
from recorderd.core.mixing import Mixing
from recorderd.core.offering import Offering
from recorderd.core.outbox import Outbox
from recorderd.core.places import Places
from recorderd.core.plan import Plan
from recorderd.core.policy import Policy
from recorderd.core.recorder import LaneFact, Recorder
from recorderd.core.stops import Stops
from recorderd.core.tags import Tags

_Learner = Callable[[Any], set[str]]
_Learners = Mapping[type[events.Event], _Learner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the engine is told once. Paths are absolute, times are seconds.

    `lanes` are the folders for lanes: the first is used, the others when a file does not come or grow.
    `stereo` is the folder for the archive's two-channel files, empty for none. `foreign`: what becomes of others'
    recorders.
    """

    monitor: str
    lanes: tuple[str, ...]
    names: Names = Names()  # noqa: RUF009 - frozen
    offer_feature: bool = True
    longest_pause: float = LONGEST_PAUSE
    stereo: str = ""
    foreign: Foreign = Foreign.LEAVE


class Engine:
    """`handle` one event at a time, in order; or `begin` it and `step` while `busy`, which comes to the same.

    Ids come from `new_id`, time from the events.
    """

    def __init__(self, settings: Settings, policy: Policy, new_id: Callable[[], str]) -> None:
        self.settings = settings
        self.policy = policy
        self.out = Outbox()
        self.calls = Calls(settings.names)
        self.talks = Talks(self.calls, new_id, settings.longest_pause)
        self.tags = Tags(self.calls, self.out)
        self.foreign = ForeignRecorders(self.calls, self.out, settings.monitor)
        self.lanes = Lanes(self.out)
        self.places = Places(settings.lanes)
        self.stops = Stops(self.lanes, self.places, self.out)
        self.disks = Disks(self.calls, self.lanes, self.places, self.stops, self.out)
        self.files = Files(self.lanes, self.places, self.stops, self.out)
        self.recorder = Recorder(self.calls, self.out, self.lanes, self.places, self.stops, self.foreign)
        self.judge = Judge(self.out)
        self.ledger = Ledger(self.judge, self.lanes, self.foreign, self.out, new_id, settings.monitor)
        self.mixing = Mixing(
            self.ledger, self.judge, self.lanes, self.files, self.out, settings.monitor, settings.stereo
        )
        self.dealing = Dealing(settings.foreign, self.lanes, self.recorder, self.foreign)
        decider = Decider()
        self.following = Following(self.calls, self.talks, decider, self.dealing, self.ledger, self.out)
        self.offering = Offering(self.calls, self.out)
        self.hangups = Hangups(
            self.calls,
            self.recorder,
            self.ledger,
            self.tags,
            self.dealing,
            self.offering,
            self.following,
        )
        self.catching_up = CatchingUp(
            self.calls,
            self.talks,
            self.recorder,
            Adopting(self.calls, self.lanes, self.stops),
            self.foreign,
            self.tags,
            self.ledger,
            self.following,
            self.hangups,
        )
        arming = Arming(self.calls, self.talks, decider, settings.names)
        self.plan = Plan(
            self.calls,
            self.talks,
            arming,
            self.lanes,
            self.recorder,
            self.foreign,
            self.dealing,
            self.ledger,
            self.tags,
            new_id,
        )
        self.agenda = Agenda(self.calls, self.talks, self.lanes, self.following, arming, self.plan)
        self._minute = 0.0
        self.failing = Failing(self.calls, self.recorder, self.out)
        self._changes_what_is, self._changes_what_should_be = self._learners()
        self._at_length: Mapping[type[events.Event], Callable[[Any], Iterator[object]]] = MappingProxyType(
            {events.Resync: self._resync, events.Shutdown: self._shutdown}
        )

    @property
    def able(self) -> bool:
        """A call that begins now can be recorded, for all that is known."""
        return not self.agenda.deaf and not self.plan.no_room and self.places.hopeful

    def file_on(self, uniqueid: str) -> str:
        """The file that grows while this channel talks, ours or one that was taken from another; empty for none."""
        lane = self.lanes.on(uniqueid)
        return lane.path if lane else self.foreign.file_on(uniqueid)

    def grows_since(self, uniqueid: str) -> float:
        """Since when that file has grown without a break, for all that is known; 0 where it does not."""
        lane, talk = self.lanes.on(uniqueid), self.talks.of(uniqueid)
        if lane is not None and lane.stretches and lane.stretches[-1][1] is None:
            return lane.stretches[-1][0]
        talking = talk is not None and uniqueid in talk.members
        return talk.interval.started_at if talk and talking and talk.interval else 0.0

    # --- the funnel ----------------------------------------------------------------------------

    def handle(self, event: events.Event) -> list[commands.Command]:
        """Take in one fact, all of it; return what is to be done, in this order."""
        todo = self.begin(event)
        while self.busy:
            todo += self.step()
        return todo

    @property
    def busy(self) -> bool:
        """The last fact is not through: `step` before the next."""
        return bool(self.agenda.waiting)

    def begin(self, event: events.Event) -> list[commands.Command]:
        """Take in one fact; return what is to be done, in this order. See whether it leaves us `busy`.

        While we are, only a `ConnectionLost` may be taken in: what is thought then, is asked of nobody.
        """
        kind = type(event)
        if learn := self._changes_what_is.get(kind):
            self.agenda.replan(learn(event), event.at, self.policy)
        elif at_length := self._at_length.get(kind):
            self.agenda.waiting.append(at_length(event))
        else:
            learn = self._changes_what_should_be.get(kind, self._follow_calls)
            touched = learn(event)  # before the policy is read: it may be a new one
            self.agenda.think(touched, event.at, self.policy)
        if kind is events.Tick:
            self._strike(event.at)
            self.ledger.forget(event.at)
            self.mixing.sweep(event.at)
            self.files.sweep(event.at)
            self.calls.forget(event.at)
            if not self.agenda.deaf:
                self.failing.check(self.talks.talks.values(), event.at)
        return self.out.take()

    def step(self) -> list[commands.Command]:
        """Go on with it a little: about one conversation is thought about. What fails is over, the rest goes on."""
        self.agenda.step()
        return self.out.take()

    def _learners(self) -> tuple[_Learners, _Learners]:
        """Who learns from which event: what changes what is, and what changes what should be.

        Each returns the channels that it touched. What is in neither is about calls.
        """
        what_is: dict[type[events.Event], _Learner] = {
            events.LaneStarted: self._lane,
            events.LaneRefused: self._lane,
            events.LaneStopped: self._lane,
            events.LaneStopFailed: self._lane,
            events.FileSeen: self._lane,
            events.FileFault: self._lane,
            events.MixMonitorStart: self.recorder.monitor_started,
            events.MixMonitorStop: self._monitor_stopped,
            events.LaneSilent: self.files.silent,
            events.PlaceFault: self.disks.fault,
            events.PlaceWell: self.disks.well,
            events.NoRoom: self._room,
            events.Room: self._room,
            events.Mixed: self.mixing.mixed,
            events.PromptFailed: self.judge.unprompted,
            events.CdrWritten: self._cdr_written,
            events.ConnectionLost: self._lost,
        }
        what_should_be: dict[type[events.Event], _Learner] = {
            events.Tick: self._tick,
            events.Press: self._press,
            events.ForeignSeen: self.foreign.seen,
            events.ForeignGone: self.foreign.gone,
            events.PolicyChanged: self._policy_changed,
            events.Hangup: self.hangups.gone,
        }
        return MappingProxyType(what_is), MappingProxyType(what_should_be)

    # --- what is learnt ------------------------------------------------------------------------

    def _tick(self, event: events.Tick) -> set[str]:
        touched = self.recorder.due(event.at) | presses.overdue(self.talks, event.at, self.out)
        if not self.agenda.deaf and (invented := self.calls.invented(event.at)):
            touched.update(*self.hangups.unheard(dict.fromkeys(invented, event.at), self.policy))
        return touched

    def _monitor_stopped(self, event: events.MixMonitorStop) -> set[str]:
        touched = self.recorder.monitor_stopped(event)
        if self.dealing.links:  # what should be changes with another's recorder
            self.agenda.think_now(touched, event.at, self.policy)
            return set()
        return touched

    def _linked_file(self, event: events.FileSeen | events.FileFault) -> set[str]:
        """Of a recording that somebody else makes: its file is there, or ours must take over."""
        recording = self.ledger.recordings[event.lane_id]
        talk = self.talks.talks.get(recording.conversation_id)
        touched = set(talk.members) if talk else set()
        if isinstance(event, events.FileSeen):
            self.ledger.seen(recording)
            return touched
        recorder = self.foreign.file_failed(event.lane_id)
        why = f"{recorder}: its file is {event.kind}, ours takes over"
        self.out.alarm(event.at, "recorder-failed", why, recording=recording.id)
        self.agenda.think_now(touched, event.at, self.policy)
        return set()

    def _lane(self, event: LaneFact) -> set[str]:
        if isinstance(event, events.FileSeen | events.FileFault) and self.foreign.watched(event.lane_id):
            return self._linked_file(event)
        uniqueid = self.recorder.fact(event)
        return {uniqueid} if uniqueid else set()

    def _room(self, event: events.NoRoom | events.Room) -> set[str]:
        if isinstance(event, events.NoRoom):
            self.plan.no_room = event.why
            return set()
        self.plan.no_room = ""
        return set(self.calls.channels)

    def _cdr_written(self, event: events.CdrWritten) -> set[str]:
        self.out.do(commands.Save(row=event.cdr))
        return set()

    def _press(self, event: events.Press) -> set[str]:
        talk = self.talks.of(event.uniqueid)
        refusal = "" if self.plan.may_begin(talk) else self.plan.no_room
        return presses.press(talk, event, self.out, self.talks.longest_pause, refusal)

    def _policy_changed(self, event: events.PolicyChanged) -> set[str]:
        self.policy = event.policy
        return set(self.calls.channels)

    def _follow_calls(self, event: events.Event) -> set[str]:
        touched = self.calls.apply(event)
        self.recorder.follow_bridges(touched, event.at)
        if isinstance(event, events.Consult) and event.monitored:
            self.foreign.foretold(event)
        if self.settings.offer_feature and isinstance(
            event, events.DialBegin | events.Pickup | events.Consult
        ):
            self.offering.offer(event)
        return touched

    def _strike(self, at: float) -> None:
        """On the minute a rule about the time of day may begin or cease to hold: decided as of then."""
        minute = at // 60 * 60
        before, self._minute = self._minute, minute
        if before in (0.0, minute) or not by_the_clock(self.policy):
            return
        self.agenda.think(set(self.calls.channels), minute, self.policy)

    # --- the link to Asterisk ------------------------------------------------------------------

    def _lost(self, event: events.ConnectionLost) -> set[str]:
        self.agenda.deaf = True
        self.calls.apply(event)
        self.recorder.deaf()
        if any(talk.wanted for talk in self.talks.talks.values()):
            why = f"The link to Asterisk is lost while calls are to be recorded: {event.reason}"
            self.out.alarm(event.at, "link-lost", why)
        return set()

    def _resync(self, event: events.Resync) -> Iterator[object]:
        """Find out what has changed, and think about that.

        The plan is made again where a recorder is not as we believed, and for what could not be asked meanwhile.
        """
        unplanned = self.agenda.hears_again()
        touched, unlike = yield from self.catching_up.compare(event, self.policy)
        if not self.agenda.deaf:  # it may have been lost again meanwhile
            self.stops.hears_again()
        self.agenda.think(touched, event.at, self.policy, found=True)
        self.agenda.replan((unplanned | unlike) - touched, event.at, self.policy)

    def _shutdown(self, event: events.Shutdown) -> Iterator[object]:
        touched: set[str] = set()
        ended = {u: event.ended.get(u, event.at) for u in self.calls.channels}
        for more in self.hangups.unheard(ended, self.policy):
            touched |= more
            yield more
        self.agenda.think(touched, event.at, self.policy)
