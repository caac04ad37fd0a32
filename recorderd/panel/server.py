"""The process: owns listening, signals and the end. Must not know any path.

uvicorn serves; its own handling of signals would fight with ours, so it is told to stop instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn

from recorderd import __version__, notify
from recorderd.config import Config
from recorderd.control.server import listen
from recorderd.errors import ConfigError, ControlError
from recorderd.panel.app import make_app
from recorderd.store import open_store

log = logging.getLogger("recorderd.panel")

_LAST_ANSWERS_SECONDS = 5


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours are set already."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """The service manager hears of it only once somebody would be answered."""
        await super().startup(sockets)
        if self.started:
            notify.notify("READY=1")


async def run(config: Config) -> None:
    """Serve until SIGTERM. Raises RecorderdError when it cannot begin."""
    store = open_store(config.store.url)
    try:
        await store.migrate()
        server = _Server(_settings(config, make_app(config, store)))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        log.info("the panel of recorderd %s listens on %s", __version__, address(config))
        listening = _listening(config)
        living = asyncio.create_task(notify.watchdog())
        try:
            await server.serve(sockets=listening)
        except SystemExit:
            raise ConfigError(f"The panel cannot listen on {address(config)}: its log says why") from None
        finally:
            notify.notify("STOPPING=1")
            living.cancel()
    finally:
        await store.close()


def address(config: Config) -> str:
    """Where a browser, or a proxy before it, finds it."""
    panel = config.panel
    if panel.socket:
        return f"unix:{panel.socket}"
    scheme = "https" if panel.certificate else "http"
    host = f"[{panel.host}]" if ":" in panel.host else panel.host
    return f"{scheme}://{host}:{panel.port}/"


def _listening(config: Config) -> list[socket.socket] | None:
    """Its socket for a proxy on this machine, where it has one, which only the group's proxy may use."""
    panel = config.panel
    try:
        return [listen(panel.socket, panel.group)] if panel.socket else None
    except ControlError as error:
        raise ConfigError(f"The panel cannot listen on {address(config)}: {error}") from error


def _settings(config: Config, app: object) -> uvicorn.Config:
    panel = config.panel
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=panel.host,
        port=panel.port,
        ssl_certfile=panel.certificate,
        ssl_keyfile=panel.private_key,
        # The app does it itself: it must know who really stood there.
        proxy_headers=False,
        server_header=False,
        date_header=True,
        # Addresses of recordings and callers' numbers have no place in a log of requests.
        access_log=False,
        log_config=None,
        lifespan="on",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        limit_concurrency=500,
        h11_max_incomplete_event_size=32 * 1024,
    )
