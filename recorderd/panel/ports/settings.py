"""One's own policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recorderd.core.policy import Mode
from recorderd.panel.ports.people import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """An extension's own choice. The `internal_` ones are None where internal calls follow the others.

    `locked`: greyed, with `lock_reason` (the administrator's words). `by_default`: he never chose, and the
    default holds. `in_force`: the daemon has taken the last change.
    """

    extension: str
    name: str
    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None
    internal_outbound: Mode | None
    locked: bool
    lock_reason: str
    by_default: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody chose; None in an `internal_` field lets internal calls follow the others."""

    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None = None
    internal_outbound: Mode | None = None


class Settings(Protocol):
    """One's own policy: "call monitor settings"."""

    async def own(self, viewer: Viewer) -> OwnPolicy:
        """His own. NotFound when he has no extension."""

    async def choose(self, viewer: Viewer, choice: Choice) -> OwnPolicy:
        """Change it; in force within a second, audited. Conflict, with the reason, where it is locked."""
