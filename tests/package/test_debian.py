"""The Debian package in a Debian of its own: installed, upgraded, removed, purged."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd import __version__
from tests.package.debian import Debian, newer

NEEDED = "python3,systemd-standalone-sysusers,systemd-standalone-tmpfiles"
MANAGER = "[general]\nenabled = yes\n"

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root"),
    pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed"),
]


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    root = tmp_path_factory.mktemp("debian") / "root"
    made = Debian(root, NEEDED)
    made.run("useradd", "--system", "--user-group", "asterisk")
    made.path("/etc/asterisk").mkdir()
    made.path("/etc/asterisk/manager.conf").write_text(MANAGER)
    # systemd's tools look through it.
    subprocess.run(["mount", "--bind", "/proc", root / "proc"], check=True)
    yield made
    subprocess.run(["umount", root / "proc"], check=True)
    shutil.rmtree(root, ignore_errors=True)


def test_it_installs_upgrades_and_goes_and_never_touches_asterisk(
    debian: Debian, package: Path, tmp_path: Path
) -> None:
    shutil.copy(package, debian.path("/first.deb"))
    said = debian.run("dpkg", "-i", "/first.deb")
    assert "write = system,call" in said
    assert "neither enabled nor started" in said
    assert debian.run("recorderd", "--version").strip() == f"recorderd {__version__}"
    assert debian.run("id", "-gn", "recorderd").strip() == "asterisk"
    assert not list(debian.path("/etc/systemd/system").glob("*.wants/recorderd*"))

    config = debian.path("/etc/recorderd/recorderd.yaml")
    assert (config.stat().st_mode & 0o777, config.stat().st_gid) == (
        0o640,
        config.parent.stat().st_gid,
    )
    debian.run("recorderd", "check")
    # What is optional with pip is in it: somebody who configures it has nothing to install.
    debian.run("/opt/recorderd/bin/python3", "-c", "import aiomysql, authlib, httpx2, obstore")
    debian.run(
        "setpriv", "--reuid=recorderd", "--regid=asterisk", "--clear-groups", "recorderd", "db", "migrate"
    )
    assert debian.path("/var/lib/recorderd/recorderd.db").exists()

    mine = config.read_text() + "# mine\n"
    config.write_text(mine)
    shutil.copy(newer(package, tmp_path), debian.path("/next.deb"))
    debian.run("dpkg", "--force-confold", "-i", "/next.deb")
    assert debian.run("dpkg-query", "-f", "${Version}", "-W", "recorderd") == f"{__version__}+next"
    assert config.read_text() == mine

    debian.run("dpkg", "-r", "recorderd")
    assert config.read_text() == mine
    assert not debian.path("/usr/bin/recorderd").is_symlink()
    said = debian.run("dpkg", "-P", "recorderd")
    assert "the ledger in /var/lib/recorderd and the recordings are left" in said
    assert not config.parent.exists()
    assert debian.path("/var/lib/recorderd/recorderd.db").exists()
    assert debian.path("/etc/asterisk/manager.conf").read_text() == MANAGER
    assert not debian.path("/opt/recorderd").exists()
