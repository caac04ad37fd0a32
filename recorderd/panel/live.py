"""The calls of this moment, and the button.

Owns which of them somebody sees and which presses are offered. Must not decide what comes of a press: the
daemon does, by policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recorderd.control.ports import NotFound as GoneNow
from recorderd.core.policy import Mode
from recorderd.core.rows import Direction, Party
from recorderd.panel.audit import AuditTrail
from recorderd.panel.daemon import Daemon
from recorderd.panel.language import _
from recorderd.panel.ports import FaultyInput, LiveCall, NotFound, Press, Right, Viewer

ACTIONS = ("start", "stop", "pause", "resume")
# What may be pressed, by mode and by whether it is recorded and paused; as core.presses answers it. To start
# what is buffered is to keep it.
_OFFERED: Mapping[tuple[str, bool, bool], tuple[str, ...]] = {
    (Mode.ON_DEMAND, False, False): ("start",),
    (Mode.ON_DEMAND, True, False): ("stop", "pause"),
    (Mode.ON_DEMAND, True, True): ("stop", "resume"),
    (Mode.ALWAYS, True, False): ("pause",),
    (Mode.ALWAYS, True, True): ("resume",),
}


class LiveCalls:
    """See `ports.Live`."""

    def __init__(self, daemon: Daemon, audit: AuditTrail) -> None:
        self._daemon = daemon
        self._audit = audit

    async def calls(self, viewer: Viewer) -> Sequence[LiveCall]:
        if not viewer.may(Right.LIST):
            raise await self._audit.refused(viewer, Right.LIST, "live")
        if viewer.scope is not None and not viewer.scope:
            return []
        calls = [_call(raw, viewer) for raw in await self._daemon.calls()]
        return [call for call in calls if call.parties and _is_his(viewer, call)]

    async def press(self, viewer: Viewer, id: str, action: str) -> Press:
        if action not in ACTIONS:
            raise FaultyInput({"action": _("There is no such button.")})
        if not viewer.may(Right.PRESS):
            raise await self._audit.refused(viewer, Right.PRESS, id)
        gone = NotFound(_("That call is over."))
        call = next((call for call in await self.calls(viewer) if call.id == id), None)
        if call is None:
            raise gone
        # His own channel if he takes part: the ledger says who pressed.
        party = max(call.parties, key=lambda p: (p.extension == viewer.extension, viewer.sees(p.extension)))
        await self._audit.note(viewer, "press", id, {"action": action, "channel": party.channel})
        try:
            told = await self._daemon.press(action, party.uniqueid, viewer.login)
        except GoneNow:
            raise gone from None
        return Press(outcome=str(told.get("outcome", "")), reason=str(told.get("reason", "")))


def _is_his(viewer: Viewer, call: LiveCall) -> bool:
    return viewer.scope is None or any(viewer.sees(party.extension) for party in call.parties)


def _call(raw: Mapping[str, Any], viewer: Viewer) -> LiveCall:
    state = (str(raw["mode"]), bool(raw["recording"]), bool(raw["paused"]))
    offered = _OFFERED.get(state, ()) if raw["talking"] and viewer.may(Right.PRESS) else ()
    return LiveCall(
        id=str(raw["conversation"]),
        since=float(raw["since"]),
        talking=bool(raw["talking"]),
        parties=tuple(_party(party) for party in raw["parties"]),
        mode=state[0],
        recording=state[1],
        paused=state[2],
        buffered=bool(raw.get("buffered")),
        reason=str(raw["reason"]),
        presses=offered,
    )


def _party(raw: Mapping[str, Any]) -> Party:
    texts = {name: str(raw[name]) for name in ("uniqueid", "channel", "extension", "number", "name")}
    return Party(**texts, direction=Direction(raw["direction"]))
