"""As it is installed: Asterisk under its own user, recorderd under another, joined by Asterisk's group only.

Owns two users of the system while it runs. Needs root, as does the installation.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd
from tests.live.scene import Scene, forgiving, talk

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes two users, for which it must be root"),
]

_PBX, _RECORDER = f"rigpbx{os.getpid()}", f"rigrec{os.getpid()}"


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def _users() -> Iterator[None]:
    """Two users without rights or homes; the second is in the first one's group."""
    common = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--user-group"]
    try:
        _do(*common, _PBX)
        _do(*common, "--groups", _PBX, _RECORDER)
        yield
    finally:
        for user in (_RECORDER, _PBX):
            subprocess.run(["userdel", user], check=False, capture_output=True)


@pytest.fixture(scope="module", params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(request: pytest.FixtureRequest) -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="unprivileged"))
    folder.chmod(0o755)
    with _users():
        asterisk = Asterisk.start(request.param, folder / "asterisk", user=_PBX)
        daemon = Recorderd(asterisk, folder / "recorderd")
        daemon.user = _RECORDER
        daemon.configure()
        # What the installation manual asks for: the spool's roots belong to Asterisk's group, and stay so.
        for root in (daemon.monitor, daemon.lanes, daemon.fallback):
            shutil.chown(root, _PBX, _PBX)
            root.chmod(0o2775)
        try:
            asyncio.run(_begin(daemon))
            yield Scene(asterisk, daemon)
        finally:
            with contextlib.suppress(Exception):
                asyncio.run(daemon.stop())
            asterisk.stop()
            shutil.rmtree(folder, ignore_errors=True)


async def _begin(daemon: Recorderd) -> None:
    await daemon.allow({"101": "always", "102": "always", "103": "never"})
    await daemon.start()


def _rights(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_neither_of_the_two_has_any_privilege(house: Scene) -> None:
    for pid, user in ((house.asterisk.pid, _PBX), (house.daemon.pid, _RECORDER)):
        rights = _rights(pid)
        assert set(rights["Uid"].split()) == {str(pwd.getpwnam(user).pw_uid)}
        assert int(rights["CapEff"], 16) == 0
    groups = _rights(house.daemon.pid)["Groups"].split()
    assert str(grp.getgrnam(_PBX).gr_gid) in groups


@forgiving
async def test_calls_are_recorded_mixed_and_cleared_away_by_group_rights_alone(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        one, two, three = [await phones(number) for number in ("101", "102", "103")]
        call, other = await talk(phones, one, two, 1.0)
        await talk(phones, one, three, 0.5)
    for spoken in (call, other):
        assert ears.heard(take.file, spoken).complete
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED, Outcome.NOT_BY_POLICY]
    assert house.lane_files() == []
    assert "Permission" not in house.daemon.said()
    await house.proof()


@forgiving
async def test_files_and_folders_are_asterisks_groups_and_nobody_elses(house: Scene) -> None:
    group = grp.getgrnam(_PBX).gr_gid
    [file] = house.files()
    assert file.stat().st_gid == group
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    for folder in list(file.parents)[:3]:
        assert folder.stat().st_gid == group
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2770, folder


def test_asterisks_user_can_read_what_it_shows_to_people(house: Scene) -> None:
    [file] = house.files()
    read = subprocess.run(
        ["setpriv", f"--reuid={_PBX}", f"--regid={_PBX}", "--init-groups", "wc", "-c", str(file)],
        capture_output=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr
