"""A disk that can fail: a file system of its own in a file, mounted where a test wants it.

Owns the mount. It can be full, frozen or gone. Needs root, loop devices and ext4;
`missing()` says what is not there, so that a test can be skipped with its reason.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Disk:
    """`megabytes` of ext4 at `place`, as empty as a new one."""

    def __init__(self, place: Path, image: Path, megabytes: int = 64) -> None:
        self.place = place
        self._ballast = place / "ballast"
        self._frozen = False
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", str(image))
        place.mkdir(parents=True, exist_ok=True)
        _run("mount", "-o", "loop", str(image), str(place))
        place.chmod(0o2777)

    def fill(self) -> None:
        """No byte is left on it."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def empty(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Whoever writes to it waits, as on a dead NFS server."""
        _run("fsfreeze", "-f", str(self.place))
        self._frozen = True

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        _run("fsfreeze", "-u", str(self.place))
        self._frozen = False

    def cover(self) -> None:
        """Another, empty and read-only file system is in its place; open files are untouched beneath."""
        _run("mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(self.place))

    def uncover(self) -> None:
        """What is covered shows again."""
        _run("umount", "-l", str(self.place))

    def close(self) -> None:
        """No mount is left."""
        if self._frozen:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.thaw()
        while os.path.ismount(self.place):
            subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)


@functools.cache
def missing() -> str:
    """Why no such disk can be had here; empty where it can."""
    if os.geteuid() != 0:
        return "a failing disk needs root"
    for program in ("mkfs.ext4", "fsfreeze", "mount"):
        if shutil.which(program) is None:
            return f"a failing disk needs {program}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            Disk(Path(folder) / "place", Path(folder) / "image", 8).close()
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no loop device can be mounted here: {error}"
    return ""


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout
