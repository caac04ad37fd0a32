"""How a process and its own child ask and tell each other things.

Owns frames and who waits for which answer. Must not know what is said. Each frame is a pickled tuple behind its
length: both ends are one program, of one user, and nobody else holds the pipe.
"""

from __future__ import annotations

import asyncio
import copyreg
import logging
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Protocol

from recorderd.errors import RecorderdError, StoreError

log = logging.getLogger("recorderd.clerk")

Deed = Callable[..., Any]


def _fixed(held: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """What cannot be changed here cannot be changed there."""
    return MappingProxyType(held)


copyreg.pickle(MappingProxyType, lambda proxy: (_fixed, (dict(proxy),)))


class LineCut(StoreError):
    """The other end is gone, with what it was asked."""


class Reader(Protocol):
    """What frames come from: `asyncio.StreamReader` is one."""

    async def readexactly(self, n: int) -> bytes: ...


class Writer(Protocol):
    """What frames go to: `asyncio.StreamWriter` is one."""

    def write(self, data: bytes) -> None: ...


class Line:
    """One end. `deeds` are what the other end may ask for or tell, by name; `run` listens until it is gone.

    What is told is done in the order in which it was said. What is asked is done beside it.
    """

    def __init__(self, reader: Reader, writer: Writer, deeds: Mapping[str, Deed]) -> None:
        self._reader = reader
        self._writer = writer
        self._deeds = deeds
        self._number = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self._cut = False
        self.heard_at = asyncio.get_running_loop().time()

    async def ask(self, name: str, *args: Any) -> Any:
        """What the other end's deed returned; raises what it raised, or LineCut."""
        if self._cut:
            raise LineCut("The other process has ended")
        self._number = number = self._number + 1
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._write(number, name, args)
            return await answer
        finally:
            del self._asked[number]

    def send(self, name: str, *args: Any) -> None:
        """Say it; nobody answers. Said to nobody when the other end is gone."""
        if not self._cut:
            self._write(0, name, args)

    async def run(self) -> None:
        """Listen until the other end is gone; who waits for an answer then gets LineCut."""
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                number, name, said = pickle.loads(await self._reader.readexactly(size))
                self.heard_at = asyncio.get_running_loop().time()
                self._take(number, name, said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._cut = True
            for task in self._at_work:
                task.cancel()
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(LineCut("The other process has ended"))

    def _take(self, number: int, name: str, said: Any) -> None:
        if not name:
            answer = self._asked.get(number)
            if answer is not None and not answer.done():
                value, fault = said
                answer.set_exception(fault) if fault is not None else answer.set_result(value)
        elif number:
            task = asyncio.create_task(self._answer(number, name, said))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        else:
            try:
                self._deeds[name](*said)
            except Exception:
                log.exception("a fault of ours: %s was not done", name)

    async def _answer(self, number: int, name: str, said: Any) -> None:
        value, fault = None, None
        try:
            value = await self._deeds[name](*said)
        except RecorderdError as error:
            fault = type(error)(str(error))
        except Exception as error:
            log.exception("a fault of ours: %s was not done", name)
            fault = StoreError(f"{type(error).__name__}: {error}")
        self._write(number, "", (value, fault))

    def _write(self, number: int, name: str, said: Any) -> None:
        frame = pickle.dumps((number, name, said), pickle.HIGHEST_PROTOCOL)
        with suppress(ConnectionError):
            self._writer.write(len(frame).to_bytes(4, "big") + frame)
