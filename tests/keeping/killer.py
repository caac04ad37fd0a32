"""A process that runs the archive again and again, each time in a child which may kill itself.

Speaks lines: a configuration's path and a number come in; `done CALLS` or `killed` goes out. Number n lets
the child kill -9 itself at the n-th call (of Python or of C, in any thread) that is made by the code which
touches files and rows: so it may lie between any two steps. 0 lets it live and count them. One process for
all, since to import takes longest.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
from types import FrameType
from typing import Any, Self

import alembic.command  # noqa: F401 - so that no child imports it anew

from recorderd.config import load
from recorderd.daemon.archivist import Archivist

# What only thinks is left out: there are many calls in it, and a kill there is like one before it.
_OURS = (
    "recorderd/archive/", "daemon/archivist.py", "daemon/pipeline.py", "daemon/keeper.py", "daemon/stock.py",
    "store/sql",
)  # fmt: skip


class Killer:
    """Talks with such a process."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.keeping.killer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def run(self, config: Any, at: int = 0) -> int:
        """Run it; the number of calls it made, -1 when it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{at} {config}\n")
        word, *rest = self._process.stdout.readline().split()
        assert word in ("done", "killed"), (word, rest)
        return int(rest[0]) if word == "done" else -1


def _child(at: int, path: str, out: int) -> None:
    count = itertools.count(1)
    calls = 0
    ours: dict[str, bool] = {}

    def hook(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event not in ("call", "c_call"):
            return
        file = frame.f_code.co_filename
        if file not in ours:
            ours[file] = any(part in file for part in _OURS)
        if ours[file]:
            calls = next(count)
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        archivist = Archivist(load(path))
        try:
            await archivist.once()
        finally:
            await archivist.close()

    threading.setprofile(hook)
    sys.setprofile(hook)
    asyncio.run(work())
    sys.setprofile(None)
    os.write(out, str(calls).encode())


def main() -> None:
    logging.basicConfig(level="ERROR")
    for line in sys.stdin:
        at, path = line.split(maxsplit=1)
        inward, outward = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _child(int(at), path.strip(), outward)
                code = 0
            except BaseException as error:
                logging.exception("the archive failed: %s", error)
            finally:
                os._exit(code)
        os.close(outward)
        with os.fdopen(inward) as told:
            calls = told.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else f"done {calls}" if status == 0 else f"failed {status}", flush=True)


if __name__ == "__main__":
    main()
