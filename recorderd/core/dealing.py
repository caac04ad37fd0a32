"""What becomes of other people's recorders in a conversation: `leave`, `link` or `replace`.

Owns that choice. Must not know how a recorder is named or stopped. Wherever policy says *never* one is stopped,
whatever was chosen. A file is taken for the recording (`link`) only where it can be answered for:

* its recorder was heard to begin, has an id by which it can be stopped, and writes a WAV below our own folder;
* its channel has talked with nobody else: Asterisk 22 loses the voice of a peer who comes later (asterisk-facts,
  trap 28), and two voices in one file cannot be cut apart where one of them may not be kept;
* nothing is masked, and nobody asked only for what may be thrown away again.

Else our own recorders run, as they do without it. One that was taken and is so no longer is stopped, as soon as
ours have their files: nothing is recorded twice, and nothing is lost in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from recorderd.core.conversations import Talk
from recorderd.core.foreign import ForeignRecorder, ForeignRecorders
from recorderd.core.lanes import Lanes
from recorderd.core.policy import Decision, Mode, Situation
from recorderd.core.recorder import Recorder


class Foreign(StrEnum):
    """What becomes of others' recorders where policy says that a conversation is to be recorded."""

    LEAVE = "leave"
    LINK = "link"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Postponed:
    """A first interval that is not begun yet; `ended_at`: they heard each other until then."""

    situation: Situation
    decision: Decision
    ended_at: float | None = None

    @property
    def members(self) -> frozenset[str]:
        return frozenset(party.uniqueid for party in self.situation.parties)


class Dealing:
    """Asked by the engine with every plan; of no account while nobody else records anything."""

    def __init__(self, choice: Foreign, lanes: Lanes, recorder: Recorder, foreign: ForeignRecorders) -> None:
        self._choice = choice
        self._lanes = lanes
        self._recorder = recorder
        self._foreign = foreign
        self._company: dict[str, frozenset[str] | None] = {}
        self._postponed: dict[str, tuple[Postponed, ...]] = {}

    @property
    def links(self) -> bool:
        """Others' files may be taken for recordings."""
        return self._choice is Foreign.LINK

    def meet(self, talk: Talk) -> None:
        """These talk with each other now; None for a channel that has talked with others before."""
        if self._choice is Foreign.LINK:
            for uniqueid in talk.members:
                if self._company.setdefault(uniqueid, talk.members) != talk.members:
                    self._company[uniqueid] = None

    def forget(self, uniqueid: str) -> None:
        """The channel is gone."""
        self._company.pop(uniqueid, None)

    def link(
        self, talk: Talk, decision: Decision, members: frozenset[str] | None = None
    ) -> ForeignRecorder | None:
        """The recorder whose file is to be the recording of this talk; None: ours. `members`: when they talked."""
        members = talk.members if members is None else members
        if self._choice is not Foreign.LINK or not decision.wanted or talk.masked:
            return None
        source = talk.recording.source if talk.recording else None
        if source is not None:
            goes_on = source.ended_at is None and not source.failed and source.uniqueid in members
            return source if goes_on and self._same_company(members, source.uniqueid) else None
        begun = talk.interval is not None or talk.interval_end
        if begun and any(self._lanes.on(uniqueid) for uniqueid in members):
            return None  # else ours are only armed, and nothing of any talk is in them
        for uniqueid in sorted(members):
            for recorder in self._foreign.on(uniqueid):
                if self._same_company(members, uniqueid) and self._foreign.can_be_linked(recorder):
                    return recorder
        return None

    def postpones(self, talk: Talk, situation: Situation, decision: Decision) -> bool:
        """Whose file this talk is in will be known in a moment: its first interval is begun then, as of now.

        Its bridges may change meanwhile (Local channels are taken out): each time its people heard each other is kept.
        """
        if self._choice is not Foreign.LINK or not self._foreign or not decision.wanted or talk.masked:
            return False
        if talk.interval is not None or talk.interval_end:
            return False
        if not any(self._foreign.unknown(u) and self._same_company(talk.members, u) for u in talk.members):
            return False
        held = self._postponed.get(talk.id, ())
        if not held or held[-1].ended_at is not None:
            self._postponed[talk.id] = (*held, Postponed(situation, decision))
        return True

    def has_postponed(self, talk: Talk, at: float) -> bool:
        """Whether anything of this talk is; from `at` on other people hear each other than before, or nobody."""
        held = self._postponed.get(talk.id, ())
        if held and held[-1].ended_at is None and held[-1].members != talk.members:
            self._postponed[talk.id] = (*held[:-1], replace(held[-1], ended_at=at))
        return bool(held)

    def goes_on_postponing(self, talk: Talk) -> bool:
        """Nobody talks for the moment, and whose file it is in is not known yet."""
        held = self._postponed.get(talk.id, ())
        return talk.ended_at is None and any(self._foreign.unknown(u) for one in held for u in one.members)

    def take_postponed(self, talk: Talk) -> tuple[Postponed, ...]:
        """What is to be begun now, oldest first."""
        return self._postponed.pop(talk.id, ())

    def holds_back(self, uniqueid: str, talk: Talk | None) -> bool:
        """Ours is not begun here: the talk is in another's file, or will be, or that will be known in a moment."""
        if self._choice is not Foreign.LINK or not self._foreign:
            return False
        if talk is not None and uniqueid in talk.members:
            linked = talk.recording is not None and talk.recording.source is not None
            return linked or any(
                self._foreign.unknown(u) for u in talk.members if self._same_company(talk.members, u)
            )
        if self._company.get(uniqueid, frozenset()) != frozenset():
            return False
        there = self._foreign.on(uniqueid)
        return self._foreign.unknown(uniqueid) or any(self._foreign.can_be_linked(r) for r in there)

    def act(self, talk: Talk, at: float) -> None:
        """Stop what is not to run on in this talk."""
        if not self._foreign or talk.decision is None or not talk.members:
            return
        current = talk.recording.source if talk.recording else None
        for uniqueid in self._around(talk):
            for recorder in self._foreign.on(uniqueid):
                if recorder is not current and self._has_to_go(talk, talk.decision, recorder):
                    ours = self._recorder.ids_on(uniqueid)
                    newest = talk.decision.mode is Mode.NEVER and not ours
                    self._foreign.stop(recorder, at, newest=newest, ours=ours)

    def _has_to_go(self, talk: Talk, decision: Decision, recorder: ForeignRecorder) -> bool:
        if decision.mode is Mode.NEVER:
            return True
        if self._choice is Foreign.LEAVE:
            return False
        if recorder.linked and (not decision.wanted or talk.masked):
            return True
        ours = decision.taken and all(self._recorder.secured(u) for u in talk.members)
        return ours and (recorder.linked or self._choice is Foreign.REPLACE)

    def _around(self, talk: Talk) -> list[str]:
        """Every channel on which somebody could be recording this talk."""
        between = {b for uniqueid in talk.members for b in self._foreign.between(uniqueid)}
        return sorted(talk.members | between)

    def _same_company(self, members: frozenset[str], uniqueid: str) -> bool:
        return self._company.get(uniqueid, members) == members
