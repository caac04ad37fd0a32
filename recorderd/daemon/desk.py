"""What the control socket is answered from: the daemon as a person or a panel sees it.

Owns the shapes of status, calls and explain. Must not decide or change anything but by a press.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from recorderd import __version__
from recorderd.agi.advice import Advice
from recorderd.config import Question, explain
from recorderd.control.ports import NotFound
from recorderd.core import events
from recorderd.core.conversations import Talk
from recorderd.daemon.ids import new_id

if TYPE_CHECKING:
    from recorderd.daemon.service import Service

_ANSWER_SECONDS = 2.0


class Desk:
    """The control room's `Daemon`."""

    def __init__(self, service: Service, reload: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._service = service
        self._reload = reload

    def status(self) -> Mapping[str, Any]:
        """How the daemon is, part by part."""
        s = self._service
        engine = s.board.engine
        trouble = s.link.trouble
        return {
            "version": __version__,
            "since": s.started_at,
            "healthy": not self.troubles(),
            "asterisk": {
                "connected": s.link.connected,
                "version": s.link.version,
                "trouble": str(trouble) if trouble else "",
            },
            "store": {"away": s.journal_away, "journal": s.journal.lag, "cdrs_waiting": s.clerk.waiting},
            "policy": {
                "version": engine.policy.version,
                "extensions": len(engine.policy.extensions),
                "rules": len(engine.policy.rules),
            },
            "calls": {
                "channels": len(engine.calls.channels),
                "conversations": sum(1 for t in engine.talks.talks.values() if t.members),
                "recording": sum(1 for t in engine.talks.talks.values() if t.wanted),
                "lanes": len(engine.lanes.by_id),
                "closing": s.archive.waiting,
            },
            "outcomes": dict(s.board.outcomes),
            "presses": dict(s.board.presses),
            "alarms": [
                {"at": a.at, "kind": a.kind, "sentence": a.sentence}
                for a in list(s.alarms.recent.values())[-20:]
            ],
        }

    def troubles(self) -> Sequence[str]:
        """Without Asterisk nothing is decided; without the database everything waits on disk."""
        s = self._service
        found = []
        if not s.link.connected:
            found.append(str(s.link.trouble or "Asterisk's picture is not whole yet"))
        if s.journal_away:
            found.append(f"the database is away, {s.journal.lag} rows wait")
        return found

    def calls(self) -> Sequence[Mapping[str, Any]]:
        """The conversations of this moment, oldest first."""
        talks = self._service.board.engine.talks.talks.values()
        return [self._call(talk) for talk in sorted(talks, key=lambda t: t.started_at)]

    def _call(self, talk: Talk) -> Mapping[str, Any]:
        engine = self._service.board.engine
        channels = [engine.calls.channels[u] for u in sorted(talk.members) if u in engine.calls.channels]
        decision = talk.decision
        return {
            "conversation": talk.id,
            "since": talk.started_at,
            "talking": bool(talk.members),
            "parties": [
                {
                    "uniqueid": p.uniqueid,
                    "channel": p.channel,
                    "extension": p.extension,
                    "number": p.number,
                    "name": p.name,
                    "direction": str(p.direction),
                }
                for p in (channel.party() for channel in channels)
            ],
            "mode": str(decision.mode) if decision else "",
            "recording": talk.wanted,
            "buffered": talk.taken and not talk.wanted,
            "paused": talk.masked,
            "reason": decision.reason if decision else "",
            "trace": list(decision.trace) if decision else [],
            "file": talk.recording.name if talk.recording else "",
        }

    async def press(self, action: str, target: str, by: str, source: str, reason: str) -> Mapping[str, str]:
        """Press for somebody: a uniqueid, a channel's name, or an extension that talks now."""
        s = self._service
        press = events.Press(
            at=s.link.now(),
            id=new_id(),
            action=action,
            uniqueid=self._find(target),
            by=by,
            source=source,
            reason=reason,
        )
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await asyncio.wrap_future(s.board.press(press))
        return {"outcome": answer.outcome, "reason": answer.reason}

    def _find(self, target: str) -> str:
        engine = self._service.board.engine
        if target in engine.calls.channels:
            return target
        if channel := engine.calls.named(target):
            return channel.uniqueid
        mine = [c.uniqueid for c in engine.calls.channels.values() if c.extension == target and c.real]
        talking = [u for u in mine if (t := engine.talks.of(u)) and u in t.members]
        if not talking:
            raise NotFound(f"{target} takes part in no call now")
        return talking[0]

    def consult(self, question: events.Consult) -> Mapping[str, Any]:
        """The advice for a call about to be dialled."""
        advice: Advice = self._service.brain.consult(question)
        return asdict(advice)

    async def armed(self, uniqueid: str) -> bool:
        """Whether the caller's file is there, waiting for it a little."""
        return await asyncio.wrap_future(self._service.board.armed(uniqueid))

    def explain(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What would be decided now, and why."""
        engine = self._service.board.engine
        return explain(Question(**asked), engine.policy, engine.settings.names)

    async def reload(self) -> Mapping[str, Any]:
        """Read the configuration again."""
        return await self._reload()

    def policy_version(self) -> int:
        """The version in force."""
        return self._service.board.engine.policy.version

    def metrics(self) -> bytes:
        """Prometheus."""
        return self._service.metrics.text()
