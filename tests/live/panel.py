"""The panel's own process beside a rig's recorderd, as an administrator runs it.

Owns its life and its first users. Must not know its pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any, Self

from tests.live.asterisk import RigError
from tests.live.daemon import REPOSITORY, Recorderd, until


class PanelProcess:
    """`recorderd panel` with the configuration of this daemon, which says on which port."""

    def __init__(self, recorderd: Recorderd) -> None:
        self.recorderd = recorderd
        self.port = int(recorderd.overrides["panel"]["port"])
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = recorderd.folder / "panel.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> list[str]:
        """A command of recorderd with this configuration."""
        return [sys.executable, "-m", "recorderd", "--config", str(self.recorderd.config), *words]

    def add_user(self, login: str, *options: str) -> str:
        """Somebody who may sign in; his one-time code."""
        told = subprocess.run(
            self.command("user", "add", login, *options, "--json"),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
        if told.returncode:
            raise RigError(f"user add {login}: {told.stderr}")
        found: dict[str, Any] = json.loads(told.stdout)
        return str(found["code"])

    async def start(self) -> Self:
        """Run it, and return once it answers."""
        self._spawn()
        await until(lambda: asyncio.to_thread(self._answers), f"the panel answers; see {self.log}", 30)
        return self

    def _spawn(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command("panel"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ
            )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RigError(f"the panel ended: {self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise RigError("the panel did not end within 10 s") from None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(RigError):
            await self.stop()
