"""uvicorn behind the control socket: owns how it is set up, and how long it waits for a client.

Leaves the daemon's signals alone. Must not know where the socket stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from recorderd.control.app import make_app
from recorderd.control.ports import Daemon

HEAD_SECONDS = 5.0


class Serving(uvicorn.Server):
    """Serves until `should_exit`; `started` says that it does."""

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


def serving(daemon: Daemon, clock: Callable[[], float]) -> Serving:
    """What answers for this daemon."""
    return Serving(
        uvicorn.Config(
            make_app(daemon, clock),
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
