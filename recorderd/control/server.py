"""The control socket and its life: owns where it stands, who may use it, and when it is answered.

Must not know what is answered. Runs in the daemon's event loop. What answers (`serving`) is a quarter of all that the
daemon loads, and nobody's call waits for it: it is loaded when Asterisk is sought already.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import importlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.control.ports import Daemon
from recorderd.errors import ControlError

if TYPE_CHECKING:
    from recorderd.control.serving import Serving

MODE = 0o660


class ControlServer:
    """Serves a daemon on a unix socket, mode 0660.

    `group` (a name, empty for our own) may use it. `claim` makes the socket, and raises ControlError, one sentence,
    when it cannot be made or another daemon answers there; who asks, waits. `start` returns once requests are
    answered (and claims, where nobody has); `close` ends it and removes the socket.
    """

    def __init__(
        self, daemon: Daemon, path: Path, group: str = "", *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._group = group
        self._daemon, self._clock = daemon, clock
        self._listener: socket.socket | None = None
        self._serving: Serving | None = None
        self._task: asyncio.Task[None] | None = None
        self._inode = 0

    def claim(self) -> None:
        """Open the socket."""
        self._listener = listen(self.path, self._group)
        self._inode = self.path.stat().st_ino

    async def start(self) -> None:
        """Answer on it."""
        if self._listener is None:
            self.claim()
        assert self._listener is not None
        # In a thread: it takes a tenth of a second of a quiet machine, and calls go on.
        module = await asyncio.to_thread(importlib.import_module, "recorderd.control.serving")
        self._serving = serving = module.serving(self._daemon, self._clock)
        self._task = asyncio.create_task(serving.serve(sockets=[self._listener]), name="control")
        while not serving.started:
            if self._task.done():
                await self._task
                raise ControlError(f"the control socket {self.path} could not be served")
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop answering. Idempotent."""
        if self._listener is None:
            return
        if self._serving is not None and self._task is not None:
            self._serving.should_exit = True
            await self._task
        self._listener.close()
        self._listener = self._serving = self._task = None
        # Only our own: another daemon may stand there by now.
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()


def listen(path: Path, group: str = "") -> socket.socket:
    """A listening socket at `path`, in place of one that nobody answers on, mode 0660. Raises ControlError."""
    gid = _gid(group)
    if _answers(path):
        raise ControlError(f"another recorderd is running: somebody answers at {path}")
    # Made aside and renamed, so that it never stands there with other rights than it should have.
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        aside.unlink(missing_ok=True)
        listener.bind(str(aside))
        if gid is not None:
            os.chown(aside, -1, gid)
        os.chmod(aside, MODE)
        listener.listen(128)
        listener.setblocking(False)
        aside.rename(path)
    except OSError as error:
        listener.close()
        with contextlib.suppress(OSError):
            aside.unlink()
        why = error.strerror or str(error)
        raise ControlError(f"the socket {path} cannot be made: {why}") from error
    return listener


def _gid(group: str) -> int | None:
    if not group:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ControlError(f"this machine has no group {group!r}") from error


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True  # its queue is full, so somebody has it open
        except OSError:
            return False
    return True
