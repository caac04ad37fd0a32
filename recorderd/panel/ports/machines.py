"""What other machines get: keys for the API, and webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from recorderd.panel.ports.people import Viewer


class Tokens(Protocol):
    """Keys for machines. A token never has more rights than its owner has at that moment."""

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        """His own: `id`, `name`, `scopes`, `created_at`, `expires_at`, `used_at`."""

    async def add(self, viewer: Viewer, name: str, scopes: Sequence[str], days: int | None) -> str:
        """The token itself, shown once. `scopes` are words of `Right`. FaultyInput."""

    async def revoke(self, viewer: Viewer, id: str) -> None:
        """It ends at once. NotFound."""


class Webhooks(Protocol):
    """Whom to tell of finished recordings and alarms. Right ADMINISTER."""

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        """`id`, `url`, `events`, `enabled`, `created_at`, `last_at`, `last_error`."""

    async def add(self, viewer: Viewer, url: str, events: Sequence[str]) -> Mapping[str, Any]:
        """`events` of `recording.finished`, `alarm`. The webhook with its `secret`, shown once.
        FaultyInput.
        """

    async def remove(self, viewer: Viewer, id: str) -> None:
        """NotFound."""
