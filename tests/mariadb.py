"""A MariaDB server of the tests' own: on a socket in a folder, gone when they are.

Owns the server's process and folder. Must not know what the tests keep in it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


class MariaServer:
    """`start`, `stop` and `start` again keep what is in it; `destroy` does not.

    Runs as whoever runs the tests, or as `nobody` where that is root, whom MariaDB refuses. `recorderd` may
    do everything there, without a password.
    """

    def __init__(self, folder: Path) -> None:
        """Make a server's files in this folder, which must be new and short: a socket's path has 107 bytes."""
        self.folder = folder
        self.socket = folder / "s"
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o755)
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        self._run(
            _found("mariadb-install-db"),
            *("--no-defaults", f"--datadir={self._data}", "--auth-root-authentication-method=normal"),
            "--skip-test-db",
        )
        self.start()
        self.sql("CREATE USER recorderd@localhost; GRANT ALL ON *.* TO recorderd@localhost WITH GRANT OPTION")

    def url(self, database: str, user: str = "recorderd") -> str:
        """The address of a database, as recorderd takes it."""
        return f"mysql://{user}@/{database}?unix_socket={quote(str(self.socket), safe='/')}"

    def start(self) -> None:
        """Returns once it answers."""
        log = open(self.folder / "log", "ab")  # noqa: SIM115 - the server's own for as long as it lives
        self._process = subprocess.Popen(
            [
                *(_found("mariadbd"), "--no-defaults", f"--datadir={self._data}", f"--socket={self.socket}"),
                *("--skip-networking", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"),
                *(
                    "--innodb-log-file-size=16M",
                    f"--pid-file={self.folder}/pid",
                    "--character-set-server=utf8mb4",
                ),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **self._as(),
        )
        log.close()
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As a crash has it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def sql(self, statements: str, database: str = "") -> str:
        """What the client prints for them, bare."""
        return self._run(
            *(_found("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root", "-N", "-B"),
            *("--default-character-set=utf8mb4", "-e", statements),
            *([database] if database else []),
        )

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            self.sql("SELECT 1")
        except RuntimeError:
            return False
        return True

    def _as(self) -> dict[str, object]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._as(),  # type: ignore[arg-type]
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout


@contextmanager
def running() -> Iterator[MariaServer]:
    """A server of the caller's own, in a folder that whoever it runs as may enter."""
    folder = Path(tempfile.mkdtemp(prefix="rdmy-"))
    folder.chmod(0o755)
    server = MariaServer(folder / "m")
    try:
        yield server
    finally:
        server.destroy()
        shutil.rmtree(folder)


# FreePBX 16's table, column by column as its installer and upgrades leave it.
FREEPBX_CDR = """
CREATE TABLE cdr (
    calldate datetime NOT NULL DEFAULT '1000-01-01 00:00:00',
    clid varchar(80) NOT NULL DEFAULT '', src varchar(80) NOT NULL DEFAULT '',
    dst varchar(80) NOT NULL DEFAULT '', dcontext varchar(80) NOT NULL DEFAULT '',
    channel varchar(80) NOT NULL DEFAULT '', dstchannel varchar(80) NOT NULL DEFAULT '',
    lastapp varchar(80) NOT NULL DEFAULT '', lastdata varchar(80) NOT NULL DEFAULT '',
    duration int(11) NOT NULL DEFAULT 0, billsec int(11) NOT NULL DEFAULT 0,
    disposition varchar(45) NOT NULL DEFAULT '', amaflags int(11) NOT NULL DEFAULT 0,
    accountcode varchar(20) NOT NULL DEFAULT '', uniqueid varchar(32) NOT NULL DEFAULT '',
    userfield varchar(255) NOT NULL DEFAULT '', did varchar(50) NOT NULL DEFAULT '',
    recordingfile varchar(255) NOT NULL DEFAULT '', cnum varchar(80) NOT NULL DEFAULT '',
    cnam varchar(80) NOT NULL DEFAULT '', outbound_cnum varchar(80) NOT NULL DEFAULT '',
    outbound_cnam varchar(80) NOT NULL DEFAULT '', dst_cnam varchar(80) NOT NULL DEFAULT '',
    linkedid varchar(32) NOT NULL DEFAULT '', peeraccount varchar(80) NOT NULL DEFAULT '',
    sequence int(11) NOT NULL DEFAULT 0,
    KEY calldate (calldate), KEY dst (dst), KEY accountcode (accountcode), KEY uniqueid (uniqueid),
    KEY did (did), KEY recordingfile (recordingfile(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8
"""


def _found(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        raise RuntimeError(
            f"{program} is not installed: apt-get install mariadb-server-core mariadb-client-core"
        )
    return found
