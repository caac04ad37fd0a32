"""The daemon's side: keeps one clerk at work, hands it rows, and passes on what it says.

Owns the clerk's life and the daemon's waiting for it. Must not know what a clerk does with a row. Whatever becomes
of a clerk, the rows that it was given and did not answer for are given to the next one.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from recorderd.clerk.birth import WORKER, spawn
from recorderd.clerk.line import Deed, Line, LineCut
from recorderd.config import Config
from recorderd.core.policy import Policy
from recorderd.core.rows import Row
from recorderd.errors import StoreError

if TYPE_CHECKING:
    from recorderd.clerk.linker import Spans
    from recorderd.store.abc import AlarmRow, OpenRows, PolicyRows

log = logging.getLogger("recorderd.clerk")

# It says something twice a second; and it begins within this time too, on a machine that has much else to do.
SILENT_SECONDS = 20.0
_AGAIN_SECONDS = (0.1, 0.5, 1.0, 5.0)
_EXIT_SECONDS = 3.0
_TRIES = 3


class ClerkProcess:
    """The journal's `Keeper`, and the daemon's only way to the database.

    `run` keeps a clerk at work; `caught_up` and `say` are what it may ask and tell. `born` is the first of them, if
    it lives already.
    """

    def __init__(
        self,
        config: Config,
        policy: Callable[[], Policy],
        caught_up: Callable[[], Awaitable[object]],
        say: Callable[[str, str], None],
        *,
        born: subprocess.Popen[bytes] | None = None,
        worker: Sequence[str] = WORKER,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._config = config
        self._policy = policy
        self._say = say
        self._born = born
        self._worker = worker
        self._silent_seconds = silent_seconds
        self._deeds: dict[str, Deed] = {
            "caught_up": caught_up,
            "say": say,
            "waiting": self._is_waiting,
            "log": _logged,
            "policy_version": self._policy_is,
        }
        self._deaf: list[tuple[float, float]] = [(0.0, float("inf"))]
        self._line: Line | None = None
        self._up = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._version = -1
        self._newer = asyncio.Event()
        # CDRs that it has not matched yet; one until it says.
        self.waiting = 1

    @property
    def pid(self) -> int | None:
        """The clerk's process while one is at work."""
        return self._process.pid if self._process else None

    # --- what the journal wants ------------------------------------------------------------------

    async def migrate(self) -> None:
        """Have the schema brought up to date. Raises StoreError."""
        await self._ask("migrate")

    async def save(self, batch: Sequence[Row]) -> None:
        """Have rows stored. Raises StoreError, RowRefused."""
        self.waiting = await self._ask("save", batch)

    # --- what the daemon wants to know -----------------------------------------------------------

    async def open_rows(self, node: str | None) -> OpenRows:
        """See `Store.open_rows`."""
        return cast("OpenRows", await self._ask("open_rows", node))

    async def active_alarms(self) -> list[AlarmRow]:
        """Those that are not over. Raises StoreError."""
        return cast("list[AlarmRow]", await self._ask("active_alarms"))

    async def load_policy(self) -> PolicyRows:
        """See `Store.load_policy`."""
        return cast("PolicyRows", await self._ask("load_policy"))

    async def policy_changes(self) -> AsyncGenerator[int, None]:
        """See `Store.policy_changes`."""
        while True:
            await self._newer.wait()
            self._newer.clear()
            yield self._version

    async def _ask(self, name: str, *args: Any) -> Any:
        """Of this clerk or, should it end, of the next: that one ended is told already. Raises StoreError."""
        for _ in range(_TRIES):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._silent_seconds):
                    await self._up.wait()
            if self._line is None:
                raise StoreError("The process that stores rows does not come up")
            with suppress(LineCut):
                return await self._line.ask(name, *args)  # the database has deadlines of its own
            self._up.clear()
        raise StoreError(f"The process that stores rows ended {_TRIES} times at this")

    # --- what the daemon tells -------------------------------------------------------------------

    def policy_changed(self) -> None:
        """Another one is in force."""
        self._send("policy", self._policy())

    def deaf(self, since: float) -> None:
        """From now on nobody tells us of calls."""
        if self._deaf[-1][1] != float("inf"):
            self._deaf.append((since, float("inf")))
            self._send("deaf", self._spans())

    def hearing(self, since: float) -> None:
        """From now on we are told of every call."""
        if self._deaf[-1][1] == float("inf"):
            self._deaf[-1] = (self._deaf[-1][0], since)
            # The first says when we began.
            del self._deaf[1:-50]
            self._send("deaf", self._spans())

    def _spans(self) -> Spans:
        return tuple(self._deaf)

    def _send(self, name: str, *args: Any) -> None:
        if self._line is not None:
            self._line.send(name, *args)

    # --- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep one at work, until cancelled."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            sentence = f"{await self._one()}: it is started again, rows wait in the journal meanwhile"
            if asyncio.get_running_loop().time() - began > self._silent_seconds:
                failures = 0
            # Once for as often as it ends at once again.
            self._say("clerk", sentence) if not failures else log.error("%s", sentence)
            await asyncio.sleep(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)])
            failures += 1

    async def _one(self) -> str:
        """From its birth to its end, and what that was."""
        try:
            process, self._born = self._born or spawn(self._worker), None
        except OSError as error:
            return f"The process that stores rows cannot be started: {error.strerror}"
        self._process, self.waiting = process, 1
        line, pipes = await self._connected(process)
        line.send("begin", self._config, self._policy())
        line.send("deaf", self._spans())
        self._line = line
        self._up.set()
        watching = [asyncio.create_task(line.run()), asyncio.create_task(self._until_silent(line))]
        try:
            await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            silent = watching[1].done()
        finally:
            self._up.clear()
            self._line = None
            for task in watching:
                task.cancel()
            for pipe in pipes:
                pipe.close()
            await self._end(process)
        return (
            "The process that stores rows says nothing any more"
            if silent
            else f"The process that stores rows has ended ({process.returncode})"
        )

    async def _connected(
        self, process: subprocess.Popen[bytes]
    ) -> tuple[Line, tuple[asyncio.BaseTransport, ...]]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        heard, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        said, _ = await loop.connect_write_pipe(asyncio.Protocol, process.stdin)
        return Line(reader, said, self._deeds), (heard, said)

    async def _until_silent(self, line: Line) -> None:
        rest = self._silent_seconds
        while rest > 0:
            await asyncio.sleep(rest)
            rest = line.heard_at + self._silent_seconds - asyncio.get_running_loop().time()

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        """It ends by itself once we say no more; one that does not is killed, one that a disk holds left alone."""
        if not await _ended(process):
            process.kill()
            await _ended(process)
        self._process = None

    def _policy_is(self, version: int) -> None:
        if version > self._version:
            self._version = version
            self._newer.set()

    def _is_waiting(self, cdrs: int) -> None:
        self.waiting = cdrs


async def _ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, _EXIT_SECONDS)
        return True
    return False


def _logged(name: str, level: int, sentence: str, keys: Mapping[str, Any]) -> None:
    logging.getLogger(name).log(level, "%s", sentence, extra={"keys": keys})
