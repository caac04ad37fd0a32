"""Where a recording's sound is read for a proof: below the spool of this machine, or in the bucket.

Owns the choice between the two. Must not know what it should be, nor who asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import fingerprints, sealed
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where audio is read: below `monitor`, for a `node` (empty: for all there is), and in the `bucket`."""

    monitor: Path
    keys: sealed.Keys
    node: str = ""
    bucket: Bucket | None = None

    def has(self, node: str) -> bool:
        """Whether that node's files are here."""
        return self.node in ("", node)

    def file(self, name: str) -> dict[str, int | str]:
        """What a file here is known by. Raises AudioError."""
        return fingerprints.of(self.monitor / name, self.keys)

    def object(self, key: str) -> dict[str, int | str]:
        """What an object is known by. Raises AudioError."""
        if self.bucket is None:
            raise AudioError(f"{key} is in a bucket, and archive.objects.url does not say in which")
        sound = self.bucket.opened(key, self.keys)
        try:
            return fingerprints.of_sound(sound)
        finally:
            sound.close()

    def opened(self, node: str, name: str, key: str) -> sealed.Sound:
        """The sound of a node's kept file: the one here, else its object. Raises AudioError, NotThere."""
        path = self.monitor / name
        if self.has(node) and os.path.lexists(path):
            return sealed.opened(path, self.keys)
        if self.bucket is not None and key:
            return self.bucket.opened(key, self.keys)
        raise fingerprints.NotThere(f"{path} is not there")


@dataclass(frozen=True, slots=True)
class Source:
    """A recording's sound, here or in the bucket."""

    place: Place
    node: str
    name: str
    object: str

    def size(self) -> int | None:
        """In bytes, None where there is none. Raises AudioError."""
        try:
            sound = self.place.opened(self.node, self.name, self.object)
        except fingerprints.NotThere:
            return None
        sound.close()
        return sound.size

    def blocks(self) -> Iterator[bytes]:
        """All of it. Raises AudioError."""
        sound = self.place.opened(self.node, self.name, self.object)
        try:
            yield from fingerprints.parts(sound)
        finally:
            sound.close()
