"""One file of the journal: rows in the order in which they were written, and a copy of them in memory.

Owns the file. Must not know a database or other segments. A disk that fails is no reason to lose a row: the
rows then stay in memory, and `on_disk` says so.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from recorderd.core import rows
from recorderd.store import codec

SUFFIX = ".rows"


class Segment:
    """Takes rows by `append` until it is sealed; then it is read by `load` and removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.on_disk = False
        self.synced = False
        self.sealed = False
        self._rows: list[rows.Row] | None = []
        self._fd: int | None = None

    @classmethod
    def found(cls, path: Path) -> Segment:
        """A file that an earlier process left. OSError when it cannot be read."""
        segment = cls(path)
        data = path.read_bytes()
        # A torn last line counts as well: somebody has to hear of it.
        segment.count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        segment.on_disk = segment.synced = segment.sealed = True
        segment._rows = None
        return segment

    def __len__(self) -> int:
        return self.count

    def append(self, row: rows.Row, line: bytes) -> OSError | None:
        """Take a row; what keeps it off the disk, if anything. Once it failed, the disk is left alone."""
        assert self._rows is not None, "only a sealed segment forgets its rows"
        self._rows.append(row)
        self.count += 1
        self.synced = False
        if self._fd is None and self.count > 1:
            return None
        try:
            if self._fd is None:
                self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)
            # One write a line and no buffer of ours: what was written outlives this process's death.
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.on_disk = True
        except OSError as error:
            self._let_go()
            self.on_disk = False
            return error
        return None

    def seal(self) -> None:
        """No more rows are to come."""
        self._let_go()
        self.sealed = True

    def spill(self) -> None:
        """Forget the rows in memory, where the disk has them."""
        if self.on_disk and self.sealed:
            self._rows = None

    def load(self) -> tuple[list[rows.Row], list[bytes]]:
        """The rows, and the lines that are none. OSError when the file cannot be read."""
        if self._rows is not None:
            return self._rows, []
        good, torn = [], []
        for line in self.path.read_bytes().splitlines():
            try:
                good.append(codec.from_line(line))
            except ValueError:
                torn.append(line)
        return good, torn

    def rewrite(self) -> None:
        """Try the disk again, with all the rows at once. OSError when it still fails."""
        assert self._rows is not None, "only rows that are on disk are forgotten"
        part = self.path.with_suffix(".part")
        try:
            part.write_bytes(b"".join(map(codec.to_line, self._rows)))
            part.replace(self.path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        self.on_disk = True

    def sync(self) -> None:
        """Outlive a loss of power too. Blocks."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self) -> None:
        """The rows are stored elsewhere. A file that stays behind is only read once more."""
        self._let_go()
        with suppress(OSError):
            self.path.unlink()

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
