"""The spool: the day's folders are there before Asterisk needs them, and files that are to go, go.

Owns a thread for it, since a disk may hang. Must not know what a file holds. Asterisk would make a missing
folder itself, but as its own user and 0755, into which we could not write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from recorderd.archive import anchors, files
from recorderd.errors import AudioError

log = logging.getLogger("recorderd.spool")

_EVERY = 600.0


class Spool:
    """`roots` get today's and tomorrow's folder; `complain` gets one sentence for each root that cannot."""

    def __init__(self, roots: Iterable[Path], zone: tzinfo, complain: Callable[[str, str], None]) -> None:
        self.roots = tuple(roots)
        self._zone = zone
        self._complain = complain
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")

    async def run(self) -> None:
        """Keep the folders made, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            faults = await loop.run_in_executor(self._thread, self.make_days)
            for fault in faults:
                self._complain("spool", fault)
            await asyncio.sleep(_EVERY)

    def make_days(self) -> list[str]:
        """Make today's and tomorrow's folders now; return what went wrong, one sentence each."""
        now = datetime.now(self._zone)
        faults = []
        for root in self.roots:
            for day in (now, now + timedelta(days=1)):
                try:
                    files.make_folder(root / day.strftime("%Y/%m/%d"))
                except AudioError as error:
                    faults.append(str(error))
                    break
        return faults

    def remove(self, path: str) -> None:
        """Remove a lane's file and its notes soon; that they are gone already is well too."""
        self._thread.submit(_remove, path)

    def close(self) -> None:
        """Finish what was asked for, unless the disk hangs."""
        self._thread.shutdown(wait=False, cancel_futures=False)


def _remove(path: str) -> None:
    try:
        anchors.remove_lane(path)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error.strerror)
