"""The daemon, asked through its control socket in threads: the panel opens no AMI connection.

Owns the step from a blocking client to the panel's loop, and what is said when nobody answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recorderd.control.client import ControlClient

SECONDS = 3.0


class Daemon:
    """Every method raises ControlError, one sentence, when the daemon says no or nothing."""

    def __init__(self, socket: Path) -> None:
        self._client = ControlClient(socket, SECONDS)

    async def status(self) -> Mapping[str, Any]:
        """How it is."""
        return await asyncio.to_thread(self._client.status)

    async def calls(self) -> Sequence[Mapping[str, Any]]:
        """The conversations of this moment."""
        return await asyncio.to_thread(self._client.calls)

    async def press(self, action: str, uniqueid: str, by: str) -> Mapping[str, Any]:
        """Press for somebody. control.NotFound when that channel talks no more."""
        return await asyncio.to_thread(self._client.press, action, uniqueid, by=by, source="panel")
