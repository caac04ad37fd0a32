"""Whom to tell that something is wrong, and how: log, store, metrics, webhook, command.

Owns the ways out. Must not know what may go wrong. A way that is stuck or broken holds up nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from recorderd.config import sections
from recorderd.core import commands
from recorderd.core.rows import Row
from recorderd.daemon.ids import new_id
from recorderd.store.abc import AlarmRow

log = logging.getLogger("recorderd.alarm")

_PATIENCE = 10.0
_WAITING = 1000
_REMEMBERED = 200


class Alarms:
    """`raise_` returns at once; webhook and command follow in the order of the alarms. `node` is told with each."""

    def __init__(self, settings: sections.Alarms, save: Callable[[Row], None], *, node: str = "") -> None:
        self.settings = settings
        self.node = node
        self.recent: OrderedDict[str, AlarmRow] = OrderedDict()
        self.counts: dict[str, int] = {}
        self._save = save
        self._queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_WAITING)

    def raise_(self, alarm: commands.Alarm) -> None:
        """Tell people."""
        keys = {**alarm.keys, **({"node": self.node} if self.node else {})}
        row = AlarmRow(id=new_id(), at=alarm.at, kind=alarm.kind, sentence=alarm.sentence, keys=keys)
        log.error("%s", alarm.sentence, extra={"keys": {"kind": alarm.kind, **keys}})
        self.counts[alarm.kind] = self.counts.get(alarm.kind, 0) + 1
        self.recent[row.id] = row
        while len(self.recent) > _REMEMBERED:
            self.recent.popitem(last=False)
        self._save(row)
        if self.settings.webhook or self.settings.command:
            told = {"at": row.at, "kind": row.kind, "sentence": row.sentence, "keys": dict(row.keys)}
            with contextlib.suppress(asyncio.QueueFull):
                self._queue.put_nowait(told)

    def say(self, kind: str, sentence: str) -> None:
        """An alarm of the daemon's own, now."""
        self.raise_(commands.Alarm(at=time.time(), kind=kind, sentence=sentence))

    async def run(self) -> None:
        """Carry alarms out of the house, one after the other, until cancelled."""
        while True:
            told = await self._queue.get()
            text = json.dumps(told, ensure_ascii=False)
            await asyncio.gather(self._post(text), self._pipe(text))

    async def _post(self, text: str) -> None:
        if not self.settings.webhook:
            return
        # A tenth of a second's work: neither at the daemon's start nor in its loop.
        await asyncio.to_thread(import_module, "httpx")
        import httpx

        headers = {"Content-Type": "application/json"}
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE) as client:
                answer = await client.post(self.settings.webhook, content=text.encode(), headers=headers)
                answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("the alarm webhook did not take an alarm: %s", error)

    async def _pipe(self, text: str) -> None:
        if not self.settings.command:
            return
        try:
            process = await asyncio.create_subprocess_exec(
                *self.settings.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            log.warning("the alarm command cannot be run: %s", error)
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.communicate(text.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            log.warning("the alarm command took more than %d s and was ended", _PATIENCE)
