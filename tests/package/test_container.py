"""container/Containerfile: built, and run beside a real Asterisk, as docs/install.md has it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.live import ears
from tests.live.asterisk import Asterisk, free_port, within
from tests.live.phone import Call, Phones
from tests.live.scene import talk

ROOT = Path(__file__).resolve().parents[2]
PBX = f"rigpod{os.getpid()}"
BASE = "localhost/debian:bookworm-slim"

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes a user, for which it must be root"),
    pytest.mark.skipif(
        not (shutil.which("podman") and shutil.which("runc")), reason="not installed: podman, runc"
    ),
]


class Podman:
    """An engine with a folder of its own. `runc`: crun knows no machine whose control groups are of both kinds."""

    def __init__(self, folder: Path) -> None:
        self._own = ["podman", "--root", str(folder / "images"), "--runroot", str(folder / "run")]
        self._own += ["--runtime", "runc"]

    def run(self, *argv: str) -> str:
        done = self._done(*argv)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout

    def succeeds(self, *argv: str) -> bool:
        return self._done(*argv).returncode == 0

    def _done(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [*self._own, *argv]
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def start(self, name: str, folders: list[str], *command: str, options: tuple[str, ...] = ()) -> None:
        """In the background, on this machine's own network."""
        limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
        volumes = [f"--volume={folder}" for folder in folders]
        self.run(
            "run", "--detach", f"--name={name}", "--network=host", *limits, *volumes, *options,
            "recorderd", *command,
        )  # fmt: skip

    def inside(self, *argv: str) -> str:
        return self.run("exec", "recorderd", *argv)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rdpod-"))
    made.chmod(0o755)
    subprocess.run(["useradd", "--system", "--no-create-home", "--user-group", PBX], check=True)
    yield made
    subprocess.run(["userdel", PBX], check=False)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def podman(folder: Path, package: Path) -> Iterator[Podman]:
    """With the image built: on a base of our own making, since a registry is not always to be had."""
    made = Podman(folder)
    context = folder / "context"
    context.mkdir()
    shutil.copy(package, context)
    subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--quiet", "bookworm", str(folder / "base.tar")], check=True
    )
    made.run("import", str(folder / "base.tar"), BASE)
    arguments = [f"--build-arg=BASE={BASE}", f"--build-arg=ASTERISK_GID={pwd.getpwnam(PBX).pw_gid}"]
    made.run(
        "build", "--isolation=chroot", "--network=host", "--format=docker", *arguments,
        f"--file={ROOT / 'container/Containerfile'}", "--tag=recorderd", str(context),
    )  # fmt: skip
    yield made
    made.succeeds("rm", "--all", "--force", "--time=10")


@pytest.fixture(scope="module")
def asterisk(folder: Path) -> Iterator[Asterisk]:
    made = Asterisk.start(22, folder / "asterisk", user=PBX)
    yield made
    made.stop()


def shared(asterisk: Asterisk, folder: Path, panel: int) -> list[str]:
    """The configuration and the spool, which is inside where Asterisk has it too."""
    account = pwd.getpwnam(PBX)
    lanes = asterisk.spool.parent / "recorderd"
    lanes.mkdir()
    for path in (asterisk.spool, lanes):
        os.chown(path, account.pw_uid, account.pw_gid)
        path.chmod(0o2770)
    now = yaml.safe_load((ROOT / "config/recorderd.yaml").read_text())
    now["asterisk"] |= {"port": asterisk.ami_port, "secret": asterisk.secret}
    now["agi"] |= {"port": asterisk.agi_port}
    now["spool"] = {"monitor": str(asterisk.spool), "lanes": str(lanes)}
    now["archive"] |= {"enabled": True, "delay": "0s", "format": "flac"}
    now["panel"] |= {"port": panel}
    file = folder / "recorderd.yaml"
    file.write_text(yaml.safe_dump(now))
    os.chown(file, 0, account.pw_gid)
    file.chmod(0o640)
    spool = asterisk.spool.parent
    return [f"{file}:/etc/recorderd/recorderd.yaml:ro", f"{spool}:{spool}", "state:/var/lib/recorderd"]


async def one_call(asterisk: Asterisk) -> tuple[Call, Call]:
    async with Phones(asterisk) as phones:
        return await talk(phones, await phones("101"), await phones("102"), 1.5)


def is_well(podman: Podman) -> bool:
    """As the engine asks, every ten seconds by itself."""
    return podman.succeeds("healthcheck", "run", "recorderd")


def test_it_records_beside_an_asterisk_and_is_nobody_there(
    podman: Podman, asterisk: Asterisk, folder: Path
) -> None:
    port = free_port()
    folders = shared(asterisk, folder, port)
    podman.start("recorderd", folders)
    within(30, lambda: is_well(podman), "the container is well")
    assert podman.inside("id", "-u", "-n").strip() == "recorderd"
    assert "0000000000000000" in podman.inside("grep", "CapEff", "/proc/1/status")
    podman.inside("recorderd", "policy", "set", "101", "always")
    spoken = asyncio.run(one_call(asterisk))
    [mix] = within(20, lambda: list(asterisk.spool.rglob("*.wav")), "a recording")  # type: ignore[misc]
    for call in spoken:
        assert ears.heard(mix, call).complete
    assert (mix.stat().st_uid, mix.stat().st_gid) == (870, pwd.getpwnam(PBX).pw_gid)
    within(20, lambda: not list(asterisk.spool.parent.glob("recorderd/**/*-*.wav")), "its lanes are done")
    podman.inside("recorderd", "archive", "--once")
    assert list(asterisk.spool.rglob("*.flac"))

    podman.start("panel", folders, "panel", options=("--no-healthcheck",))
    within(30, lambda: answers(port), "the panel answers")
    assert stopped(podman, "panel") == 0

    asterisk.stop()
    within(30, lambda: not is_well(podman), "the container tells that Asterisk is away")
    assert stopped(podman, "recorderd") == 0


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def stopped(podman: Podman, name: str) -> int:
    """The code with which it ends, within seconds of being asked to."""
    begun = time.monotonic()
    podman.run("stop", "--time=20", name)
    assert time.monotonic() - begun < 10
    return int(podman.run("inspect", "--format={{.State.ExitCode}}", name))
