"""A Debian that systemd has booted, with a real Asterisk in it: what an administrator has before recorderd.

Owns the namespaces (systemd-nspawn makes them), the boot and the end. The network is this machine's own, so that
telephones of the rig reach the Asterisk inside. Must not know recorderd.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.asterisk import Asterisk, RigError, root_of, within
from tests.live.rtp import NICE
from tests.package.debian import Debian

_NEEDED = "python3,systemd,systemd-sysv,dbus,ffmpeg"
_SPOOL = "/var/spool/asterisk"
_UNIT = """
[Unit]
Description=Asterisk
[Service]
User=asterisk
Group=asterisk
UMask=0007
Nice={nice}
ExecStart={command}
[Install]
WantedBy=multi-user.target
"""


class Machine(Debian):
    """`boot` and `power_off` as often as you like; `asterisk` has its ports and its folder, the same in and out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "root", _NEEDED)
        self.house = folder / "house"
        self.house.mkdir()
        self._console = folder / "console"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self.run("useradd", "--system", "--user-group", "--home-dir", _SPOOL, "asterisk")
        self.asterisk = Asterisk.start(22, self.house / "asterisk", boots=False)
        self._settle()

    def _settle(self) -> None:
        """Asterisk as its package would have it: a unit, a user, its spool in /var/spool."""
        folder = self.asterisk.folder
        conf = self.asterisk.etc / "asterisk.conf"
        conf.write_text(
            conf.read_text().replace(f"astspooldir => {folder}/spool", f"astspooldir => {_SPOOL}")
        )
        self.path(_SPOOL).mkdir(parents=True)
        for name in ("monitor", "tmp"):
            self.path(f"{_SPOOL}/{name}").mkdir()
        self.asterisk.spool = self.path(f"{_SPOOL}/monitor")
        uid, gid = (int(self.run("id", option, "asterisk")) for option in ("-u", "-g"))
        for top in (folder, self.path(_SPOOL)):
            for path in (top, *top.rglob("*")):
                os.chown(path, uid, gid, follow_symlinks=False)
        # What docs/install.md asks for.
        self.path(f"{_SPOOL}/monitor").chmod(0o2770)
        command = " ".join([*self.asterisk.command, "-C", str(conf), "-f"])
        self.path("/etc/systemd/system/asterisk.service").write_text(_UNIT.format(command=command, nice=NICE))
        wants = self.path("/etc/systemd/system/multi-user.target.wants")
        wants.mkdir(exist_ok=True)
        (wants / "asterisk.service").symlink_to("/etc/systemd/system/asterisk.service")
        # What it says is looked for by priority and unit, after the next boot too.
        self.path("/var/log/journal").mkdir(exist_ok=True)

    def boot(self) -> None:
        """Until systemd says that it has started everything, and Asterisk answers."""
        tree = root_of(22)
        command = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--register=no"]
        command += ["--keep-unit", "--machine=recorderd-test", "--console=pipe", "--link-journal=no"]
        command += ["--resolv-conf=off", "--timezone=off", f"--bind={self.house}"]
        if tree != Path("/"):
            command += [f"--bind-ro={tree}"]
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self._init = int(str(within(30, self._child, f"systemd-nspawn has begun; see {self._console}")))
        within(90, self._is_up, f"everything is started; see {self._console}")
        within(30, lambda: "No such" not in self.asterisk.cli("core waitfullybooted"), "Asterisk answers")

    def power_off(self) -> None:
        """As `systemctl poweroff`; harmless when it is off."""
        process, self._nspawn = self._nspawn, None
        if process is None:
            return
        self._init = 0
        # systemd-nspawn passes it on as an orderly halt.
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RigError(f"it did not go off within 90 s; see {self._console}") from None

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as `systemctl show` tells them."""
        told = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names))
        return dict(line.split("=", 1) for line in told.splitlines())

    def journal(self, unit: str, *options: str) -> list[dict[str, Any]]:
        """The entries of a unit, oldest first."""
        told = self.run("journalctl", "--output=json", "--no-pager", "--quiet", f"--unit={unit}", *options)
        return [json.loads(line) for line in told.splitlines()]

    def signal(self, unit: str, number: int) -> None:
        """To the unit's main process."""
        self.run("systemctl", "kill", "--kill-whom=main", f"--signal={number}", unit)

    def _into(self) -> Sequence[str]:
        if not self._init:
            return super()._into()
        return ["nsenter", f"--target={self._init}", "--all", f"--root=/proc/{self._init}/root", "--"]

    def _child(self) -> int:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise RigError(f"systemd-nspawn ended:\n{self._console.read_text(errors='replace')[-3000:]}")
        pid = self._nspawn.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        return 0

    def _is_up(self) -> bool:
        done = subprocess.run(
            [*self._into(), "/usr/bin/systemctl", "is-system-running"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() in ("running", "degraded")


def lacks() -> str:
    """Why no such machine can be had here; empty where it can."""
    if os.geteuid() != 0:
        return "a machine of one's own needs root"
    missing = [name for name in ("mmdebstrap", "systemd-nspawn", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A booted one, gone afterwards."""
    made = Machine(folder)
    try:
        made.boot()
        yield made
    finally:
        made.power_off()
        shutil.rmtree(folder, ignore_errors=True)


def seconds(condition: Any, what: str, most: float) -> float:
    """How long it takes until it holds; RigError after `most`."""
    begun = time.monotonic()
    within(most, condition, what)
    return time.monotonic() - begun
