"""How a file and a folder of the spool come to be: whole or not at all, and readable by Asterisk's group.

Owns modes, groups, fsync and rename. Must not know what is in a file.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.errors import PlaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE = 0o640
# Asterisk makes folders 0755 as its own user, which our user could not write into: so we make them first,
# setgid so that whatever either of us puts there belongs to the group we share.
FOLDER_MODE = 0o2770


@contextmanager
def replacing(path: Path, *, group: int | None = None) -> Iterator[int]:
    """An open descriptor whose bytes become `path` when the block ends well, and vanish when it does not.

    They are on the disk before the name is: fsync, rename, fsync of the folder. Until then they are in
    `path` + `.part`, of which there is one writer at a time and whose leftovers are written over.
    The file belongs to `group`, else to the group of the file that it replaces, else to its folder's.
    Raises PlaceError.
    """
    part = path.with_name(path.name + ".part")
    try:
        fd = _open_alone(part)
        try:
            os.fchmod(fd, FILE_MODE)
            _keep_group(fd, _group_of(path) if group is None else group)
            yield fd
            os.fsync(fd)
            os.rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        sync_folder(path.parent)
    except OSError as error:
        raise PlaceError(f"{path} cannot be written: {error.strerror}") from error


def make_folder(folder: Path) -> None:
    """`folder` exists, and every folder made on the way has its parent's group, setgid and group-writable.

    A folder that was there already is left as it is: it may be another's. Raises PlaceError.
    """
    try:
        _make_folder(folder)
    except OSError as error:
        raise PlaceError(f"The folder {folder} cannot be made: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """The names in `folder` are on the disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Every byte is written, in as many writes as the system wants. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def append_lines(path: Path, lines: bytes, *, mode: int = FILE_MODE) -> None:
    """They are the file's last lines, on the disk, when this returns; one that a crash tore spoils none of them.

    The file belongs to its folder's owner where root writes it first. Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        size = os.fstat(fd).st_size
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        write_all(fd, b"\n" * torn + lines)
        os.fsync(fd)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
    finally:
        os.close(fd)
    sync_folder(path.parent)


def _open_alone(part: Path) -> int:
    """The empty `part`, locked by us.

    The lock is for the worker of a daemon that was just killed: it may still be on the same job. What it
    has renamed meanwhile is no `part` any more, hence the second look at the name.
    """
    while True:
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_named(fd, part):
                os.ftruncate(fd, 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_named(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _group_of(path: Path) -> int | None:
    try:
        return path.stat().st_gid
    except FileNotFoundError:
        return None


def _keep_group(fd: int, group: int | None) -> None:
    if group is None or os.fstat(fd).st_gid == group:
        return
    try:
        os.fchown(fd, -1, group)
    except PermissionError:
        # A group that we are not in cannot be given away; the folder's own group stays.
        return


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir(mode=FOLDER_MODE & 0o777)
    except FileExistsError:
        if folder.is_dir():
            return
        raise
    made = folder.stat()
    group = folder.parent.stat().st_gid
    if made.st_gid != group:
        try:
            os.chown(folder, -1, group)
        except PermissionError:
            pass
    # After the chown, which clears setgid; explicitly, since mkdir's mode is cut by the umask.
    folder.chmod(FOLDER_MODE)
