"""Does a disk still take what is written to it? Tried twice a second, before a call's sound is trusted to it.

Owns a thread for each folder, since a frozen disk holds whoever writes. Must not know lanes or what is done about
a fault. Asterisk's manager session itself is held by a frozen disk (MixMonitor makes its folders in that thread,
StopMixMonitor closes the file there; seen on 22.10), so that it must be known before Asterisk is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from recorderd.archive.growth import STEP_BYTES
from recorderd.core import events

EVERY_SECONDS = 0.5
FROZEN_SECONDS = 0.5
_JUDGE_SECONDS = 0.1
_NAME = ".recorderd-probe"
_SOUND = bytes(STEP_BYTES)
# With less room than this a disk is as good as full: files that go make a little, which the recorders' next steps fill,
# and what the last of them still holds at a goodbye finds none.
LEAST_BYTES = 64 * STEP_BYTES
_KINDS = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.ENOENT: "away",
    errno.ENOTDIR: "away",
    errno.EACCES: "closed to recorderd",
    errno.EIO: "broken",
}


def probe(root: str) -> str:
    """Write one step of sound into a folder and take it away; what kind of fault that shows, empty for none."""
    try:
        fd = _open(root)
        try:
            if not _has_room(fd) or os.write(fd, _SOUND) < len(_SOUND):
                return "full"
        finally:
            os.close(fd)
    except OSError as error:
        return _KINDS.get(error.errno or 0, error.strerror or "broken")
    return ""


def _has_room(fd: int) -> bool:
    """Some file systems do not say how much there is: they may have."""
    room = os.fstatvfs(fd)
    return not room.f_blocks or room.f_bavail * room.f_frsize >= LEAST_BYTES


def _open(root: str) -> int:
    """A file without a name where the file system has such, so that nobody ever finds it."""
    try:
        return os.open(root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    path = os.path.join(root, _NAME)
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.unlink(path)
    return fd


class _Prober:
    """One folder. `since` is when the probe under way began, None between two."""

    def __init__(self, root: str, look: Callable[[str], str], every: float) -> None:
        self.root, self.kind, self.told = root, "", ""
        self.since: float | None = None
        self._look, self._every = look, every
        self._end = threading.Event()
        # A daemon thread, so that one held by a frozen disk does not keep the process from ending.
        threading.Thread(target=self._run, name="prober", daemon=True).start()

    def judge(self, now: float) -> str:
        """What is wrong at `now`."""
        since = self.since
        return "frozen" if since is not None and now - since > FROZEN_SECONDS else self.kind

    def end(self) -> None:
        """No more probes."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.is_set():
            self.since = time.monotonic()
            self.kind = self._look(self.root)
            self.since = None
            self._end.wait(self._every)


class Places:
    """`put` gets a PlaceFault when a folder begins to fail or fails in another way, and PlaceWell when it is well.

    All methods are called in the loop.
    """

    def __init__(
        self,
        put: Callable[[events.Event], None],
        roots: Iterable[Path],
        now: Callable[[], float],
        *,
        look: Callable[[str], str] = probe,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._put, self._now, self._look, self._every = put, now, look, every
        self._roots = tuple(dict.fromkeys(str(root) for root in roots))

    async def run(self) -> None:
        """Until cancelled."""
        probers = [_Prober(root, self._look, self._every) for root in self._roots]
        try:
            asked = time.monotonic()
            while True:
                await asyncio.sleep(_JUDGE_SECONDS)
                now = time.monotonic()
                # A judgement this late means that it was us who stood still: the probers get a turn first.
                if now - asked < FROZEN_SECONDS:
                    for prober in probers:
                        self._tell(prober, prober.judge(now))
                asked = now
        finally:
            for prober in probers:
                prober.end()

    def _tell(self, prober: _Prober, kind: str) -> None:
        if kind == prober.told:
            return
        prober.told = kind
        with contextlib.suppress(RuntimeError):
            if kind:
                self._put(events.PlaceFault(at=self._now(), place=prober.root, kind=kind))
            else:
                self._put(events.PlaceWell(at=self._now(), place=prober.root))
