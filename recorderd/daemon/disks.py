"""How much room there is where recordings lie, for the metrics.

Owns the last answer of each disk. Must not know how a folder is looked at without being held by it
(`archive.places`), nor what is done when a disk is full (`water`, `chores`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from recorderd.archive import disk
from recorderd.archive.disk import Disk
from recorderd.archive.places import Places
from recorderd.errors import AudioError

_EVERY = 10.0


class Disks:
    """The disks of these folders. One that does not answer keeps its last figures."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._found: dict[str, Disk] = {}
        self._places = Places(lambda _event: None, folders, lambda: 0.0, look=self._look, every=_EVERY)

    async def run(self) -> None:
        """Until cancelled."""
        await self._places.run()

    def free(self) -> Mapping[str, float]:
        """Bytes, by folder."""
        return {folder: float(found.free) for folder, found in self._found.copy().items()}

    def size(self) -> Mapping[str, float]:
        """Bytes, by folder."""
        return {folder: float(found.total) for folder, found in self._found.copy().items()}

    def _look(self, root: str) -> str:
        """In a thread of its own. That a disk fails is told of elsewhere."""
        try:
            self._found[root] = disk.usage(Path(root))
        except AudioError:
            self._found.pop(root, None)
        return ""
