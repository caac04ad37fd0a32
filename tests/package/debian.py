"""A Debian of one's own: a file system, and what a person types there as root."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from recorderd import __version__

_ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


class Debian:
    """Made in a folder that is not there yet, of this machine's own release; `needed`: packages in it."""

    def __init__(self, root: Path, needed: str) -> None:
        self.root = root
        release = next(
            line.partition("=")[2]
            for line in Path("/etc/os-release").read_text().splitlines()
            if line.startswith("VERSION_CODENAME=")
        )
        argv = ["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet", f"--include={needed}"]
        subprocess.run([*argv, release, str(root)], check=True)

    def run(self, *argv: str, code: int = 0) -> str:
        """All that the command says, which must end with this code."""
        done = subprocess.run(
            [*self._into(), *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            env=_ENVIRON,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def path(self, name: str) -> Path:
        """A file of its, as we see it."""
        return self.root / name.lstrip("/")

    def _into(self) -> Sequence[str]:
        return ["chroot", str(self.root)]


def newer(package: Path, folder: Path) -> Path:
    """The next version, whose sample configuration is another."""
    subprocess.run(["dpkg-deb", "-R", package, folder / "next"], check=True)
    control = folder / "next/DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}", f"Version: {__version__}+next"))
    with (folder / "next/etc/recorderd/recorderd.yaml").open("a") as sample:
        sample.write("# of the next version\n")
    into = folder / "next.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", folder / "next", into], check=True, stdout=subprocess.DEVNULL)
    return into
