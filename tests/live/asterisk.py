"""A real Asterisk of one's own: its folder, its ports, its life.

Owns the process; `instance` writes its folder. It must not know recorderd. Blocking throughout: from a
coroutine call `await asyncio.to_thread(asterisk.cli, ...)`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import platform
import pwd
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.live import instance
from tests.live.rtp import NICE

_REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "rig-secret"


class RigError(Exception):
    """The rig itself does not work; no statement about recorderd."""


@functools.cache
def root_of(version: int) -> Path:
    """Where Asterisk of this major version lies; unpacks it the first time (some 15 seconds)."""
    script = _REPOSITORY / "scripts" / "get-asterisk"
    got = subprocess.run([script, str(version)], stdout=subprocess.PIPE, text=True, check=False)
    if got.returncode:
        raise RigError(f"scripts/get-asterisk {version} failed: no Asterisk, no live test")
    return Path(got.stdout.strip())


@functools.cache
def _binary(version: int) -> tuple[list[str], Path, Path]:
    """(how to run it, its modules, its data folder)."""
    root = root_of(version)
    triplet = f"{platform.machine()}-linux-gnu"
    libraries = [root / "usr/lib" / triplet, root / "lib" / triplet, root / "usr/lib"]
    modules = next(
        folder / "asterisk/modules" for folder in libraries if (folder / "asterisk/modules").is_dir()
    )
    run = [str(root / "usr/sbin/asterisk")]
    if root != Path("/"):
        # Unpacked, not installed: its own loader and libraries, whatever the system has.
        loader = next(path for folder in libraries for path in folder.glob("ld-linux-*.so.*"))
        run = [str(loader), "--library-path", ":".join(map(str, libraries)), *run]
    return run, modules, root / "usr/share/asterisk"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def within(seconds: float, condition: Callable[[], object], what: str) -> object:
    """The first true value of `condition`, asked every 20 ms; RigError naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RigError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


class Asterisk:
    """One running Asterisk. `start` is the way in; a test that ends without `stop` is cleaned up at exit.

    What tests need to know of it: `ami_port`, `sip_port`, `agi_port` (allocated for the FastAGI server that
    the feature `recorderd` calls; nobody listens there yet), `secret` (of the AMI users `recorderd` and
    `rig`), `folder`, `spool` (where MixMonitor puts relative names), `sounds`, `log` (the full log),
    `cdr_table` (the SQLite file), `astdb`.
    """

    def __init__(self, version: int, folder: Path, *, user: str, agi_port: int | None) -> None:
        self.version = version
        self.folder = folder
        self.user = user
        self.secret = SECRET
        self.ami_port = free_port()
        self.agi_port = agi_port or free_port()
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.etc = folder / "etc"
        self.spool = folder / "spool" / "monitor"
        self.sounds = folder / "data" / "sounds"
        self.log = folder / "log" / "full"
        self.cdr_table = folder / "log" / "master.db"
        self.astdb = folder / "db" / "astdb.sqlite3"
        self._run, self._modules, self._data = _binary(version)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        version: int,
        folder: Path,
        *,
        dialplan: str = "",
        before_dial: str = "",
        dial_options: str = "",
        files: Mapping[str, str] | None = None,
        endpoints: int = 20,
        dtmf_mode: str = "rfc4733",
        record_feature: str = "recorderd",
        agi_port: int | None = None,
        modules: Iterable[str] = (),
        user: str = "",
        autoload: bool = False,
        verbose: int = 0,
        systemname: str = "",
        boots: bool = True,
    ) -> Asterisk:
        """Boot a fresh one in `folder` (made if missing) and return when it is fully booted.

        `dialplan`: appended to extensions.conf, `#include "/abs/path"` welcome; the contexts `rig-extra` and
        `rig-extra-trunk` are looked in after the rig's own (add to them with `[rig-extra](+)`).
        `before_dial`: what the rig's dialplan does before it dials, e.g. `Gosub(recorderd,s,1(${EXTEN}))`.
        `files`: whole configuration files in place of the rig's, or beside them.
        `modules`: loaded besides the rig's own, e.g. `cdr_pgsql.so`. `endpoints`: that many, from 101 on.
        `systemname`: what the ids of its channels begin with, as one of several needs it.
        `user`: run as this user; the folder must be reachable for it (pytest's own are root's alone).
        `boots`: not, where somebody else runs `command` with its configuration.
        """
        self = cls(version, folder, user=user, agi_port=agi_port)
        values = {
            "folder": str(folder),
            "modules": str(self._modules),
            "sip_port": str(self.sip_port),
            "ami_port": str(self.ami_port),
            "agi_port": str(self.agi_port),
            "ami_secret": SECRET,
            "before_dial": f" same => n,{before_dial}" if before_dial else "",
            "dial_options": dial_options,
            "dialplan": dialplan,
            "dtmf_mode": dtmf_mode,
            "record_feature": record_feature,
            "autoload": "yes" if autoload else "no",
            "verbose": str(verbose),
            "systemname": f"systemname = {systemname}" if systemname else "",
            "more_modules": "\n".join(f"load = {name}" for name in modules),
        }
        instance.write(folder, self._modules, self._data, values, files or {}, endpoints)
        if boots:
            self.boot()
        return self

    # --- life ----------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the process and wait until it is fully booted."""
        command = [*self._run, "-C", str(self.etc / "asterisk.conf"), "-f"]
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
            ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
            command = ["setpriv", *ids, *command]
        # Before other programs, where that is allowed, so that a busy machine's holes are not taken for ours.
        command = ["nice", "-n", str(NICE), *command]
        with open(self.folder / "log" / "console", "ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd=self.folder
            )
        atexit.register(self.kill)
        within(60, self._fully_booted, f"Asterisk {self.version} fully booted; see {self.folder}/log")

    def stop(self) -> None:
        """`core stop now`, and killed if that does not help. Harmless when it is down."""
        if self._process and self._process.poll() is None:
            self.cli("core stop now")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self.kill()

    def kill(self) -> None:
        """kill -9. Harmless when it is down."""
        atexit.unregister(self.kill)
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop and boot again, same folder, same ports: AstDB and CDRs are kept, calls are not."""
        self.stop()
        self.boot()

    def reload(self, module: str = "") -> None:
        """Read the configuration again: all of it, or one module's (`dialplan`, `res_pjsip.so`)."""
        own_command = module in {"dialplan", "manager", "features"}
        self.cli(f"{module} reload" if own_command else f"module reload {module}")

    @property
    def command(self) -> list[str]:
        """How to run it, without its arguments."""
        return list(self._run)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RigError("this Asterisk is not running")
        return self._process.pid

    def _fully_booted(self) -> bool:
        if not self.running:
            tail = (self.folder / "log" / "console").read_text(errors="replace")[-2000:]
            raise RigError(f"Asterisk {self.version} ended while booting:\n{tail}")
        try:
            with socket.create_connection(("127.0.0.1", self.ami_port), 1) as link:
                link.settimeout(10)
                link.sendall(f"Action: Login\r\nUsername: rig\r\nSecret: {SECRET}\r\n\r\n".encode())
                heard = b""
                while b"Event: FullyBooted" not in heard:
                    data = link.recv(65536)
                    if not data:
                        return False
                    heard += data
                return True
        except OSError:
            return False

    # --- asking --------------------------------------------------------------------------------

    def cli(self, command: str) -> str:
        """What the command line says to `command`."""
        asked = subprocess.run(
            [*self._run, "-C", str(self.etc / "asterisk.conf"), "-rx", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
        return asked.stdout

    def channels(self) -> list[str]:
        """The names of all channels that are alive."""
        lines = self.cli("core show channels concise").splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def cdrs(self) -> list[dict[str, str]]:
        """The rows of Asterisk's own CDR table, in the order they were written."""
        if not self.cdr_table.exists():
            return []
        link = sqlite3.connect(f"file:{self.cdr_table}?mode=ro", uri=True, timeout=5)
        with contextlib.closing(link) as base:
            base.row_factory = sqlite3.Row
            try:
                return [
                    {name: str(row[name]) for name in row.keys()}  # noqa: SIM118 - a Row iterates over values
                    for row in base.execute("SELECT * FROM cdr ORDER BY rowid")
                ]
            except sqlite3.OperationalError:  # no table before the first row
                return []

    def complaints(self) -> list[str]:
        """Warnings and errors in Asterisk's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if " WARNING[" in line or " ERROR[" in line]


def main() -> None:
    """Boot one by hand and leave it running until Enter: `python -m tests.live.asterisk 22 /tmp/instance`."""
    asterisk = Asterisk.start(int(sys.argv[1]), Path(sys.argv[2]), verbose=3)
    print(f"SIP {asterisk.sip_port}  AMI {asterisk.ami_port}  AGI {asterisk.agi_port}  log {asterisk.log}")
    try:
        input()
    finally:
        asterisk.stop()


if __name__ == "__main__":
    main()
