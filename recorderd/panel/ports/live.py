"""The calls of this moment, and the button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorderd.core.rows import Party
from recorderd.panel.ports.people import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call of this moment. `presses` are the actions that this viewer may take now: `start`, `stop`,
    `pause`, `resume`. `recording` is whether it is being recorded, `paused` whether that is paused. `buffered`:
    it is taken in case somebody presses `start`, which keeps it from its answer on, and destroyed otherwise.
    """

    id: str
    since: float
    talking: bool
    parties: tuple[Party, ...]
    mode: str
    recording: bool
    paused: bool
    buffered: bool
    reason: str
    presses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What a press came to: `started`, `stopped`, `paused`, `resumed`, `unchanged` or `denied`, and why."""

    outcome: str
    reason: str


class Live(Protocol):
    """The calls of this moment, asked of the daemon."""

    async def calls(self, viewer: Viewer) -> Sequence[LiveCall]:
        """Those in his scope, oldest first. Unavailable daemon: ControlError, one sentence."""

    async def press(self, viewer: Viewer, id: str, action: str) -> Press:
        """Press for him; audited. NotFound when that call is over or not his."""
