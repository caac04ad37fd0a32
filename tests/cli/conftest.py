"""The program in this process, with a configuration of its own, and a daemon in a thread where wanted."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recorderd.cli import main
from recorderd.config import Config, load
from recorderd.control.server import ControlServer
from recorderd.store import open_store
from recorderd.store.abc import Store


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Program:
    """`program("policy", "list")`; its configuration is a file that a test may write anew."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def file(self) -> Path:
        return self.folder / "recorderd.yaml"

    @property
    def socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def config(self) -> Config:
        return load(self.file)

    def configure(self, more: str = "", *, url: str = "", asterisk: str = "username: u, secret: s") -> None:
        url = url or f"sqlite:///{self.folder}/recorderd.db"
        self.file.write_text(
            f"asterisk: {{{asterisk}}}\nstate: {self.folder}\ncontrol: {{socket: {self.socket}}}\n"
            f"store: {{url: '{url}'}}\n"
            f"spool: {{monitor: {self.folder}/monitor, lanes: {self.folder}/lanes}}\n" + more
        )
        self.file.chmod(0o600)

    def __call__(self, *argv: str) -> Said:
        self.capture.readouterr()
        code = main(["--config", str(self.file), *argv])
        out, err = self.capture.readouterr()
        return Said(code, out, err)

    def fill(self, work: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
        """Put rows into the store."""

        async def filling() -> None:
            store = open_store(self.config.store.url)
            await store.migrate()
            await work(store)
            await store.close()

        asyncio.run(filling())


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.delenv("RECORDERD_DEBUG", raising=False)
    made = Program(tmp_path, capsys)
    made.configure()
    return made


@pytest.fixture
def migrated(program: Program) -> Program:
    assert program("db", "migrate").code == 0
    return program


@contextmanager
def serving(daemon: Any, socket: Path) -> Iterator[None]:
    """The daemon answers on the socket, in a thread of its own: the commands block."""
    loop = asyncio.new_event_loop()
    server = ControlServer(daemon, socket)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
