"""A PostgreSQL server of the tests' own: on a socket in a folder, gone when they are.

Owns the server's process and folder. Must not know what the tests keep in it.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Cluster:
    """`start`, `stop` and `start` again keep what is in it; `destroy` does not.

    Outlives a crash of its own, not one of the machine: fsync is off. Listens on a socket only, as whoever
    runs the tests, or as `postgres` where that is root, whom PostgreSQL refuses.
    """

    def __init__(self, folder: str | Path) -> None:
        """Make a cluster in this folder, which must be new and short: a socket's path has 107 bytes."""
        self.folder = Path(folder)
        self._data = self.folder / "data"
        self._version: int | None = None
        self.folder.mkdir(mode=0o755)
        self._account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb", "-D", str(self._data), "-U", "recorderd", "-A", "trust", "-E", "UTF8", "--no-sync"
        )
        with open(self._data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(_CONF.format(folder=self.folder))

    def url(self, database: str) -> str:
        """The address of a database, as recorderd takes it."""
        return f"postgresql://recorderd@/{database}?host={self.folder}"

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self.folder / "log"), "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is what a crash looks like."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", "60", "stop")

    def create(self, database: str, template: str = "template0") -> None:
        """A new database, copied from another that nobody is connected to."""
        # From 15 on there is a choice, and the old way is four times quicker while fsync is off.
        if self._version is None:
            self._version = int(self.sql("SHOW server_version_num"))
        how = "STRATEGY file_copy" if self._version >= 150_000 else ""
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}" {how}')

    def drop(self, database: str) -> None:
        self.sql(f'DROP DATABASE "{database}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, bare."""
        return self._run(
            "psql", "-h", str(self.folder), "-U", "recorderd", "-d", database, "-XAtq", "-c", statement
        )

    def destroy(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> str:
        account = self._account
        done = subprocess.run(
            [_found(program), *arguments],
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            # A file, not a pipe: the server that pg_ctl starts would hold a pipe open.
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        if done.returncode:
            log = self.folder / "log"
            said = done.stderr or (log.read_text() if log.exists() else "")
            raise RuntimeError(f"{program} failed: {said.strip()}")
        return done.stdout or ""


@contextmanager
def running() -> Iterator[Cluster]:
    """A server of the caller's own, in a folder that whoever it runs as may enter."""
    folder = Path(tempfile.mkdtemp(prefix="rdpg-"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "c")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(folder)


_CONF = """
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 50
"""


def _found(program: str) -> str:
    """Debian keeps most of PostgreSQL's programs off the path."""
    newest_first = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), reverse=True)
    found = shutil.which(program) or next(iter(newest_first), None)
    if found is None:
        raise RuntimeError(f"{program} is not installed: apt-get install postgresql")
    return found
