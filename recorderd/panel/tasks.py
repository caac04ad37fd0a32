"""What the panel does beside answering: sweeps what is over, tells webhooks. Owns their life and nothing of
them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from recorderd.errors import StoreError

log = logging.getLogger("recorderd.panel")

_SWEEP_SECONDS = 300.0


@asynccontextmanager
async def running(
    sweeps: Sequence[Callable[[], Awaitable[int]]], *works: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Run them while the block lasts. One that fails is told of, and the panel answers on."""
    going = [asyncio.create_task(_sweeping(sweeps)), *(asyncio.create_task(work()) for work in works)]
    for task in going:
        task.add_done_callback(_say)
    try:
        yield
    finally:
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


async def _sweeping(sweeps: Sequence[Callable[[], Awaitable[int]]]) -> None:
    while True:
        for sweep in sweeps:
            try:
                await sweep()
            except StoreError as error:
                log.warning("%s", error)
        await asyncio.sleep(_SWEEP_SECONDS)


def _say(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part of the panel failed", exc_info=error)
