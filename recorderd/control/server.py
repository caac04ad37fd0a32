"""The control socket and its life: owns where it stands, who may use it, and uvicorn behind it.

Must not know what is answered. Runs in the daemon's event loop and leaves its signals alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from recorderd.control.app import make_app
from recorderd.control.ports import Daemon
from recorderd.errors import ControlError

MODE = 0o660
HEAD_SECONDS = 5.0


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The daemon has its own handlers; uvicorn would take them and exit."""
        yield


class _Impatient(H11Protocol):
    """A client that does not finish the head of its first request in time makes room for another.

    uvicorn waits for it for ever, and refuses everybody once enough of them are waiting.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._late)

    def _late(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class ControlServer:
    """Serves a daemon on a unix socket, mode 0660.

    `group` (a name, empty for our own) may use it. `start` returns once requests are answered and raises
    ControlError, one sentence, when the socket cannot be made; `close` ends it and removes the socket.
    """

    def __init__(
        self, daemon: Daemon, path: Path, group: str = "", *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._group = group
        app = make_app(daemon, clock)
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                http=_Impatient,
                server_header=False,
                limit_concurrency=200,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=2,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self._inode = 0

    async def start(self) -> None:
        """Open the socket and answer on it."""
        listener = listen(self.path, self._group)
        self._inode = self.path.stat().st_ino
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=[listener]), name="control")
        while not self._uvicorn.started:
            if self._task.done():
                await self._task
                raise ControlError(f"the control socket {self.path} could not be served")
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop answering. Idempotent."""
        if self._task is None:
            return
        self._uvicorn.should_exit = True
        await self._task
        self._task = None
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
