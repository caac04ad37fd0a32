"""A daemon of a few lines, and a control server over it on a socket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from recorderd.control.client import ControlClient
from recorderd.control.ports import NotFound
from recorderd.control.server import ControlServer
from recorderd.core import events
from recorderd.errors import ConfigError


@dataclass
class SmallDaemon:
    """Answers as a daemon would whose only call is that of extension 101; keeps what it was asked."""

    asked: list[Any] = field(default_factory=list)
    version: int = 7
    broken: Exception | None = None
    stuck: float = 0.0
    wrong: list[str] = field(default_factory=list)
    outcome: Mapping[str, str] = field(default_factory=lambda: {"outcome": "started", "reason": "pressed"})

    def _kept(self, asked: Any) -> None:
        self.asked.append(asked)
        if self.broken:
            raise self.broken

    def status(self) -> Mapping[str, Any]:
        self._kept("status")
        return {"version": "0", "asterisk": {"connected": True}}

    def troubles(self) -> Sequence[str]:
        return self.wrong

    def calls(self) -> Sequence[Mapping[str, Any]]:
        return [{"id": "c1", "parties": [{"name": "Иван \udce9"}]}]

    async def press(self, action: str, target: str, by: str, source: str, reason: str) -> Mapping[str, str]:
        self._kept((action, target, by, source, reason))
        await asyncio.sleep(self.stuck)
        if target != "101":
            raise NotFound(f"{target} takes part in no call")
        return self.outcome

    def consult(self, question: events.Consult) -> Mapping[str, Any]:
        self._kept(question)
        return {"mode": "always", "record": True, "fail_mode": "open"}

    async def armed(self, uniqueid: str) -> bool:
        return uniqueid == "1.1"

    def explain(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self._kept(asked)
        return {"mode": "never"}

    async def reload(self) -> Mapping[str, Any]:
        self._kept("reload")
        raise ConfigError("recorderd.yaml:1:1: is empty")

    def policy_version(self) -> int:
        return self.version

    def metrics(self) -> bytes:
        return b"recorderd_calls 1\n"


@pytest.fixture
def daemon() -> SmallDaemon:
    return SmallDaemon()


@pytest.fixture
async def server(daemon: SmallDaemon, tmp_path: Path) -> AsyncIterator[ControlServer]:
    found = ControlServer(daemon, tmp_path / "control.sock", clock=lambda: 1000.0)
    await found.start()
    yield found
    await found.close()


@pytest.fixture
def client(server: ControlServer) -> ControlClient:
    return ControlClient(server.path)
