"""`when_full: stop`: from the high-water mark on no recording is begun, until the low-water mark is reached again.

Owns the hysteresis, the alarm and the word to the engine. Must not know what a recording is, nor how a folder is
looked at without being held by it (`archive.places`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from recorderd.archive import disk
from recorderd.archive.disk import Level
from recorderd.archive.places import Places
from recorderd.config.sections import ArchiveDisk
from recorderd.core import events
from recorderd.daemon.troubles import Troubles
from recorderd.errors import AudioError
from recorderd.store.abc import AlarmRow

KIND = "recordings-stopped"
_EVERY = 2.0
# What a look says, told by `Places` as a kind of fault.
_HIGH, _FINE = "high", "fine"


class Water:
    """The disk of `folder` by its `marks`. `put` gets NoRoom and Room, `troubles` the alarm before them.

    An alarm that was on before a restart is given to `adopt` before `run`: then it is as it was.
    """

    def __init__(
        self,
        folder: Path,
        marks: ArchiveDisk,
        troubles: Troubles,
        put: Callable[[events.Event], None],
        now: Callable[[], float],
        *,
        every: float = _EVERY,
    ) -> None:
        self._folder, self._marks, self._troubles, self._put, self._now = folder, marks, troubles, put, now
        self._high = False
        self._places = Places(self._seen, [folder], now, look=self._look, every=every)

    def adopt(self, active: Iterable[AlarmRow]) -> None:
        """Those alarms that were on."""
        self._troubles.adopt(active)
        if len(self._troubles):
            self._high = True
            self._put(events.NoRoom(at=self._now(), why=self._why()))

    async def run(self) -> None:
        """Until cancelled. What the marks would not have, nobody looks for."""
        if self._marks.when_full == "stop":
            await self._places.run()
        elif self._high:
            self._is_over()

    def _look(self, root: str) -> str:
        """In a thread of its own. What cannot be asked is as it was: a disk that fails is told of elsewhere."""
        try:
            level = disk.usage(Path(root)).level(self._marks.low_water, self._marks.high_water)
        except AudioError:
            return _HIGH if self._high else _FINE
        self._high = level is Level.HIGH or (self._high and level is Level.LOW)
        return _HIGH if self._high else _FINE

    def _seen(self, event: events.Event) -> None:
        assert isinstance(event, events.PlaceFault)
        if event.kind == _HIGH:
            self._troubles.tell(KIND, f"{self._why()}: calls go by their fail_mode until {self._until()}")
            self._put(events.NoRoom(at=self._now(), why=self._why()))
        elif event.kind == _FINE:
            self._is_over()

    def _is_over(self) -> None:
        self._troubles.over(KIND)
        self._put(events.Room(at=self._now()))

    def _why(self) -> str:
        return f"No recording is begun: more than {self._marks.high_water} % of the disk of {self._folder} is used"

    def _until(self) -> str:
        return f"less than {self._marks.low_water} % is"
