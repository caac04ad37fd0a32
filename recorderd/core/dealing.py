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

from enum import StrEnum

from recorderd.core.conversations import Talk
from recorderd.core.foreign import ForeignRecorder, ForeignRecorders
from recorderd.core.policy import Decision, Mode, Situation
from recorderd.core.recorder import Recorder


class Foreign(StrEnum):
    """What becomes of others' recorders where policy says that a conversation is to be recorded."""

    LEAVE = "leave"
    LINK = "link"
    REPLACE = "replace"


class Dealing:
    """Asked by the engine with every plan; of no account while nobody else records anything."""

    def __init__(self, choice: Foreign, recorder: Recorder, foreign: ForeignRecorders) -> None:
        self._choice = choice
        self._recorder = recorder
        self._foreign = foreign
        self._company: dict[str, frozenset[str] | None] = {}
        self.postponed: dict[str, tuple[Situation, Decision]] = {}
        """What begins the first interval of a talk, by the talk's id."""

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

    def link(self, talk: Talk, decision: Decision) -> ForeignRecorder | None:
        """The recorder whose file is to be the recording of this talk; None: ours."""
        if self._choice is not Foreign.LINK or not decision.wanted or talk.masked:
            return None
        source = talk.recording.source if talk.recording else None
        if source is not None:
            goes_on = source.ended_at is None and not source.failed and source.uniqueid in talk.members
            return source if goes_on and self._same_company(talk, source.uniqueid) else None
        begun = talk.interval is not None or talk.interval_end
        if begun and any(self._recorder.on(uniqueid) for uniqueid in talk.members):
            return None  # else ours are only armed, and nothing of any talk is in them
        for uniqueid in sorted(talk.members):
            for recorder in self._foreign.on(uniqueid):
                if self._same_company(talk, uniqueid) and self._foreign.can_be_linked(recorder):
                    return recorder
        return None

    def postpones(self, talk: Talk, decision: Decision) -> bool:
        """Whose file this talk is in will be known in a moment: its first interval is begun then, as of now."""
        if self._choice is not Foreign.LINK or not self._foreign or not decision.wanted or talk.masked:
            return False
        first = talk.interval is None and not talk.interval_end
        return first and any(self._foreign.unknown(u) and self._same_company(talk, u) for u in talk.members)

    def holds_back(self, uniqueid: str, talk: Talk | None) -> bool:
        """Ours is not begun here: the talk is in another's file, or will be, or that will be known in a moment."""
        if self._choice is not Foreign.LINK or not self._foreign:
            return False
        if talk is not None and uniqueid in talk.members:
            linked = talk.recording is not None and talk.recording.source is not None
            return linked or any(
                self._foreign.unknown(u) for u in talk.members if self._same_company(talk, u)
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
                    none_of_ours = self._recorder.on(uniqueid) is None
                    self._foreign.stop(recorder, at, newest=talk.decision.mode is Mode.NEVER and none_of_ours)

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

    def _same_company(self, talk: Talk, uniqueid: str) -> bool:
        return self._company.get(uniqueid, talk.members) == talk.members
