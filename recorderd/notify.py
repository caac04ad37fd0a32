"""The service manager: ready, reloading, stopping, and proof of life. One datagram each, sd_notify(3)."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable


def notify(*lines: str) -> None:
    """Tell the service manager, where there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        try:
            out.connect(address)
            out.send("\n".join(lines).encode())
        except OSError:
            return


def reloading() -> None:
    """A reload begins; READY=1 ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


async def watchdog(alive: Callable[[], bool]) -> None:
    """Say that we live, twice in each period of the watchdog, as long as `alive` says so."""
    period = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    if not period:
        return
    while True:
        if alive():
            notify("WATCHDOG=1")
        await asyncio.sleep(period / 2)
