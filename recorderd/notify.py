"""The service manager: ready, reloading, stopping, and proof of life. One datagram each, sd_notify(3).

Owns these words and the period of the watchdog. Must not know what being alive means: whoever runs says so.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable


def notify(*lines: str) -> None:
    """Tell the service manager, where there is one. Never blocks and never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        try:
            out.connect(address)
            out.send("\n".join(lines).encode("utf-8", "replace"))
        except OSError:
            return


def status(sentence: str) -> None:
    """What `systemctl status` shows: one line, whatever is in it."""
    notify("STATUS=" + " ".join(sentence.split()))


def reloading() -> None:
    """A reload begins; READY=1 ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


async def watchdog(alive: Callable[[], bool] = lambda: True) -> None:
    """Say that we live, twice in each period of the watchdog, as long as `alive` says so.

    Without `alive` it proves that this event loop turns, and no more.
    """
    period = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    if not period:
        return
    while True:
        if alive():
            notify("WATCHDOG=1")
        await asyncio.sleep(period / 2)
