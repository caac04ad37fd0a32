"""The panel as its own process would have it: the real app, over each kind of store, without a socket."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from recorderd.config import Config
from recorderd.config.load import parse
from recorderd.core.rows import Recording
from recorderd.panel.app import make_app
from recorderd.panel.passwords import Passwords
from recorderd.store import open_store, stories
from recorderd.store.abc import Store
from recorderd.store.panel import UserRow

PASSWORD = "three quiet owls"
NOW = 1_795_510_000.0


@dataclass(slots=True)
class Clock:
    """Stands still until it is told."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Room:
    """A panel with its store, its spool and its clock."""

    config: Config
    store: Store
    clock: Clock
    app: Starlette
    hash: str = ""
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def user(self, login: str, role: str = "user", **changed: Any) -> UserRow:
        """Somebody with PASSWORD, by default of the extension that his login is."""
        if not self.hash:
            self.hash = _hash() or _hash(await Passwords().hash(PASSWORD))
        values: dict[str, Any] = {
            "name": f"N {login}",
            "extension": login if login.isdigit() else "",
            "password": self.hash,
            "created_at": NOW - 1000,
        }
        user = UserRow(**{"login": login, "role": role, **values, **changed})
        await self.store.save([user])
        return user

    def visitor(self, address: str = "192.0.2.1", scheme: str = "http") -> httpx.AsyncClient:
        """A browser that has never been here."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 40000), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=f"{scheme}://panel.test")
        self.clients.append(client)
        return client

    async def signed_in(self, login: str, password: str = PASSWORD) -> httpx.AsyncClient:
        """A browser in which somebody is signed in; it shows the CSRF token by itself."""
        client = self.visitor()
        csrf = (await client.get("/api/v1/session")).json()["csrf"]
        answer = await client.post(
            "/api/v1/session", json={"login": login, "secret": password}, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    async def keep(self, *rows: Any) -> None:
        """Save rows of calls and make their entries."""
        await self.store.save(rows)
        linkedids = {r.linkedid for r in rows if hasattr(r, "linkedid")}
        linkedids |= {i for r in rows for i in getattr(r, "linkedids", ())}
        for linkedid in linkedids:
            story = await stories.load(self.store, linkedid)
            made = stories.replaced(story, self.config.names())
            await self.store.panel.replace_entries([made], self.clock())

    def sound(self, recording: Recording, rate: int = 8000) -> Path:
        """A WAV in the recording's place, as long as it says: a saw, louder and louder."""
        path = self.config.spool.monitor / recording.folder / recording.name
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = recording.duration_ms * rate // 1000
        with wave.open(str(path), "wb") as out:
            out.setparams((1, 2, rate, frames, "NONE", ""))
            out.writeframes(b"".join((n % 32767).to_bytes(2, "little") for n in range(frames)))
        return path

    async def trail(self, action: str = "") -> list[Any]:
        """The audit trail, oldest first."""
        trail = await self.store.panel.audit_page({}, limit=10_000)
        return [row for row in reversed(trail) if not action or row.action == action]


_HASHES: list[str] = []


def _hash(made: str = "") -> str:
    """One hash for all tests: it is made to be slow."""
    if made:
        _HASHES.append(made)
    return _HASHES[-1] if _HASHES else ""


def configured(folder: Path, **sections: Any) -> Config:
    """A configuration whose folders lie below this one."""
    text = f"""
asterisk: {{username: x, secret: y, timezone: Europe/Moscow}}
control: {{socket: {folder}/control.sock}}
store: {{url: "memory:"}}
state: {folder}/state
spool: {{monitor: {folder}/monitor, lanes: {folder}/lanes}}
policy: {{lists: {{sales: ["102", "103"]}}}}
"""
    config = parse(text, folder / "recorderd.yaml", {})
    (folder / "monitor").mkdir(exist_ok=True)
    return replace(config, **sections)


@asynccontextmanager
async def panel_over(url: str, folder: Path, **sections: Any) -> AsyncIterator[Room]:
    """A panel over the store at this address; `sections` of its configuration in the place of the usual."""
    config, clock = configured(folder, **sections), Clock()
    store = open_store(url, clock)
    await store.migrate()
    room = Room(config, store, clock, make_app(config, store, clock))
    try:
        yield room
    finally:
        for client in room.clients:
            await client.aclose()
        await store.close()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A panel over a store in memory."""
    async with panel_over("memory:", tmp_path) as made:
        yield made
