"""The clerk: stores rows, and sets to work what waits for them to be stored.

Owns the store's writing side and the order of its work: first the row, then whoever reads it. Must not know a call.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from recorderd.clerk.entries import keyring_of
from recorderd.clerk.indexer import Indexer
from recorderd.clerk.line import Deed, Line
from recorderd.clerk.linker import Linker
from recorderd.clerk.notary import Notary
from recorderd.config import Config
from recorderd.core.policy import Policy
from recorderd.core.rows import Cdr, Row
from recorderd.errors import StoreError
from recorderd.loop import new_loop
from recorderd.store import open_store
from recorderd.store.asterisk_cdr import AsteriskCdrTable

log = logging.getLogger("recorderd.clerk")

# A call never waits for paper, not for the processor either.
_NICENESS = 5
_HURRY_SECONDS = 5.0
_SAY_SECONDS = 0.5
_AGAIN_SECONDS = 0.5
_LAST_WORDS_SECONDS = 0.2


class Clerk:
    """Made in a running loop.

    `caught_up` waits until all rows written so far came; `say(kind, sentence)` alarms; `changed` is told the version
    of policy in the store.
    """

    def __init__(
        self,
        config: Config,
        policy: Policy,
        caught_up: Callable[[], Awaitable[object]],
        say: Callable[[str, str], None],
        changed: Callable[[int], None],
    ) -> None:
        self.policy = policy
        self._changed = changed
        self.store = open_store(config.store.url)
        self.indexer = Indexer(self.store, config.names, time.time)
        self.notary = Notary(
            self.store, config.spool.monitor, config.state, config.signing_key, time.time, say,
            keyring_of(config), node=config.node,
        )  # fmt: skip
        self.linker = Linker(
            self.store,
            caught_up,
            lambda: self.policy,
            config.names,
            time.time,
            _cdr_table(config),
            writable=config.cdr.writable,
            matched=self._matched,
        )

    async def save(self, batch: Sequence[Row]) -> int:
        """Store rows, then have them read; how many CDRs wait now. Raises StoreError, RowRefused: then none is."""
        await self.store.save(batch)
        for row in batch:
            self.linker.hear(row)
            self.indexer.hear(row)
            self.notary.hear(row)
        return self.linker.waiting

    async def run(self) -> None:
        """What goes on for ever beside the storing, once there are tables to read."""
        while True:
            try:
                await self.store.migrate()
                break
            except StoreError:  # the journal's own try says so
                await asyncio.sleep(_AGAIN_SECONDS)
        async with asyncio.TaskGroup() as group:
            for work in (self.linker, self.indexer, self.notary):
                group.create_task(work.run())
            group.create_task(self.linker.follow_table())
            group.create_task(self._follow_policy())

    async def _follow_policy(self) -> None:
        async for version in self.store.policy_changes():
            self._changed(version)

    def take_policy(self, policy: Policy) -> None:
        """The one in force from now on."""
        self.policy = policy

    def _matched(self, cdr: Cdr) -> None:
        """A CDR was held against the ledger, and what came of it is stored."""
        self.indexer.matched(cdr)
        self.notary.matched(cdr)


def _cdr_table(config: Config) -> AsteriskCdrTable | None:
    cdr = config.cdr
    if cdr.source == "ami":
        return None
    return AsteriskCdrTable(
        cdr.source,
        zone=config.zone,
        table=cdr.table,
        on_bad=lambda sentence: log.warning("%s", sentence),
    )


# --- the process -------------------------------------------------------------------------------


def serve() -> None:
    """Be the clerk of the daemon at the other end of standard input and output, until it is gone."""
    # Whoever ends the daemon ends us, in its own time: what it still has is to be stored.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve())


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    writer, _ = await loop.connect_write_pipe(asyncio.Protocol, sys.stdout.buffer)
    deeds: dict[str, Deed] = {}
    line = Line(reader, writer, deeds)
    tasks: set[asyncio.Task[None]] = set()

    def begin(config: Config, policy: Policy) -> None:
        """The first thing that the daemon says."""
        told = _Told(line)
        told.setFormatter(logging.Formatter())
        logging.basicConfig(level=config.log.level.upper(), handlers=[told], force=True)
        clerk = Clerk(
            config,
            policy,
            lambda: line.ask("caught_up"),
            lambda kind, sentence: line.send("say", kind, sentence),
            lambda version: line.send("policy_version", version),
        )
        deeds.update(
            migrate=clerk.store.migrate,
            save=clerk.save,
            policy=clerk.take_policy,
            deaf=clerk.linker.deaf,
            open_rows=clerk.store.open_rows,
            active_alarms=lambda: clerk.store.alarms(active=True),
            load_policy=clerk.store.load_policy,
        )
        for work in (clerk.run(), _tell_waiting(line, clerk)):
            task = loop.create_task(work)
            task.add_done_callback(_ended)
            tasks.add(task)

    deeds["begin"] = begin
    # Not before what was open is read: a daemon waits for that.
    loop.call_later(_HURRY_SECONDS, _step_back)
    await line.run()
    # Nobody waits for a thread that hangs on a disk: what is not stored the next clerk is given again.
    os._exit(0)


def _step_back() -> None:
    with suppress(OSError):
        os.nice(_NICENESS)


class _Told(logging.Handler):
    """What we log the daemon logs: an administrator has one log."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.send("log", record.name, record.levelno, self.format(record), getattr(record, "keys", {}))


async def _tell_waiting(line: Line, clerk: Clerk) -> None:
    """The daemon shows it, and knows by it that we are at work."""
    while True:
        line.send("waiting", clerk.linker.waiting)
        await asyncio.sleep(_SAY_SECONDS)


def _ended(task: asyncio.Task[None]) -> None:
    """None of them ever ends. The daemon starts the next clerk."""
    if not task.cancelled():
        log.critical("a part of the clerk failed", exc_info=task.exception())
        asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, os._exit, 1)
