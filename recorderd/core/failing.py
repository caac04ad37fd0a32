"""A talk that is to be recorded and is not, while people talk: fail mode `closed-during`.

Owns how long that is borne and what ends it. Must not know why a recorder fails. A talk counts as recorded while
every party's file has been seen, and lies on a disk of which nothing bad is known.
"""

from __future__ import annotations

from collections.abc import Iterable

from recorderd.core import commands
from recorderd.core.calls import Calls
from recorderd.core.conversations import Talk
from recorderd.core.outbox import Outbox
from recorderd.core.policy import FailMode
from recorderd.core.recorder import Recorder
from recorderd.core.rows import Mark

# The promise: told within three seconds. A recorder that starts needs milliseconds, its retry as long.
PATIENCE = 3.0


class Failing:
    """Looked at with every tick, but not while Asterisk cannot be told anything."""

    def __init__(self, calls: Calls, recorder: Recorder, out: Outbox) -> None:
        self._calls = calls
        self._recorder = recorder
        self._out = out
        self._since: dict[str, float] = {}
        self._ended: set[str] = set()

    def check(self, talks: Iterable[Talk], at: float) -> None:
        """End every talk whose policy wants it to end now."""
        failing = {talk.id: talk for talk in talks if self._fails(talk)}
        self._since = {i: self._since.get(i, at) for i in failing}
        self._ended &= failing.keys()
        for talk in failing.values():
            if at - self._since[talk.id] >= PATIENCE and talk.id not in self._ended:
                self._ended.add(talk.id)
                self._end(talk, at)

    def _fails(self, talk: Talk) -> bool:
        if talk.decision is None or talk.decision.fail_mode is not FailMode.CLOSED_DURING:
            return False
        if talk.recording is not None and talk.recording.source is not None and talk.recording.seen:
            return False
        return talk.wanted and any(not self._recorder.secured(uniqueid) for uniqueid in talk.members)

    def _end(self, talk: Talk, at: float) -> None:
        members = tuple(sorted(talk.members))
        self._out.do(commands.EndTalk(uniqueids=members))
        why = "it cannot be recorded, and its policy is closed-during"
        who = " and ".join(self._calls.channels[u].name for u in members)
        self._out.alarm(at, "call-ended", f"The talk of {who} is ended: {why}", conversation=talk.id)
        mark = Mark(
            id=f"{talk.id}-ended-{at:.3f}",
            conversation_id=talk.id,
            at=at,
            kind="ended",
            who="recorderd",
            text=why,
        )
        self._out.do(commands.Save(row=mark))
