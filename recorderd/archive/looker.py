"""Looks at the files of one folder, over and over, in a thread of its own.

Owns the stat() calls, so that a disk which does not answer holds this thread and nothing else. Must not
judge: it reports what it sees, and when, whenever that differs from what it saw before. Every growth is noted
beside the file for the mixer, which needs its moment.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recorderd.archive import anchors
from recorderd.archive.growth import GONE, MISSING_SECONDS, Sight

if TYPE_CHECKING:
    from collections.abc import Callable

EAGER_SECONDS = 0.020
UNSEEN_SECONDS = 0.100
SEEN_SECONDS = 0.250
_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


@dataclass(eq=False, slots=True)
class Target:
    """A file to look at since `since`. `last` and `due` are the looker's own notes."""

    lane_id: str
    path: str
    since: float
    notes: bool = True
    due: float = 0.0
    last: Sight | None = None

    def pause(self, now: float) -> float:
        """Seconds until the next look: eager for a file that must appear any moment."""
        if self.last not in (None, GONE):
            return SEEN_SECONDS
        return EAGER_SECONDS if now - self.since < MISSING_SECONDS else UNSEEN_SECONDS


def see(path: str) -> Sight | None:
    """What is at `path` now; None when the disk would not say (an I/O error, no permission)."""
    try:
        found = os.stat(path)
    except ValueError:
        # A NUL in the path.
        return GONE
    except OSError as error:
        return GONE if error.errno in _NO_SUCH_FILE else None
    if not stat.S_ISREG(found.st_mode):
        return GONE
    return Sight(inode=found.st_ino, size=found.st_size, mtime_ns=found.st_mtime_ns)


class Looker:
    """The first look at a target comes at once. `report` is called in the looker's thread.

    The thread lives only while there are targets.
    """

    def __init__(
        self,
        report: Callable[[Target, Sight, float], None],
        clock: Callable[[], float],
        look: Callable[[str], Sight | None] = see,
    ) -> None:
        self._report = report
        self._clock = clock
        self._look = look
        self._targets: set[Target] = set()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    @property
    def idle(self) -> bool:
        """Nothing to look at, and no thread that is still held by its last look."""
        with self._changed:
            return not self._targets and self._thread is None

    def add(self, target: Target) -> None:
        with self._changed:
            self._targets.add(target)
            self._changed.notify()
            if self._thread is None:
                # A daemon thread, so that one held by a frozen disk does not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="looker", daemon=True)
                self._thread.start()

    def drop(self, target: Target) -> None:
        with self._changed:
            self._targets.discard(target)
            self._changed.notify()

    def clear(self) -> None:
        """Drop every target; the thread ends after the look it is at."""
        with self._changed:
            self._targets.clear()
            self._changed.notify()

    def _run(self) -> None:
        while due := self._due():
            for target in due:
                sight = self._look(target.path)
                now = self._clock()
                if sight is not None and sight != target.last:
                    self._report(target, sight, now)
                    if target.notes and target.last is not None and sight.size > target.last.size > 0:
                        anchors.note(target.path, sight.size, sight.mtime_ns)
                    target.last = sight
                target.due = now + target.pause(now)

    def _due(self) -> list[Target]:
        """The targets to look at now; returns when there are some, or with none when the thread may end."""
        with self._changed:
            while self._targets:
                now = self._clock()
                due = [target for target in self._targets if target.due <= now]
                if due:
                    return due
                self._changed.wait(min(target.due for target in self._targets) - now)
            self._thread = None
            return []
