"""The units: they are what systemd understands, closed as far as they can be, and open where they must be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from recorderd.cli.registry import COMMANDS
from recorderd.config import load

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
NAMES = {
    "recorderd.service": "run",
    "recorderd-archive.service": "archive",
    "recorderd-panel.service": "panel",
}

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


def settings(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)


def test_each_process_has_a_unit_and_no_other_is_there() -> None:
    assert {unit.name: settings(unit, "ExecStart")[0].split()[-1] for unit in UNITS} == NAMES
    assert set(NAMES.values()) <= COMMANDS.keys()


@needs_analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_is_closed_at_least_to_two(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    """With the program where the unit has it, and without the look at manual pages that are not installed here."""
    program = tmp_path / "recorderd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = unit.read_text().replace("/opt/recorderd/bin/recorderd", str(program))
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line or str(tmp_path) in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_is_watched_and_comes_back(unit: Path) -> None:
    assert settings(unit, "Type") == ["notify"]
    assert settings(unit, "Restart") == ["always"]
    assert int(settings(unit, "WatchdogSec")[0]) > 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_files_may_be_given_to_asterisks_group_and_folders_be_setgid(unit: Path) -> None:
    """Both are done by the code, and either would be the end of the process or of the folder."""
    assert settings(unit, "SystemCallFilter")[-1] == "@chown"
    assert settings(unit, "RestrictSUIDSGID") == ["no"]


def test_the_folders_of_the_sample_configuration_may_be_written_to() -> None:
    config = load(ROOT / "config" / "recorderd.yaml")
    unit = ROOT / "systemd" / "recorderd.service"
    writable = [path.removeprefix("-") for path in settings(unit, "ReadWritePaths")]
    writable += [f"/var/lib/{name}" for name in settings(unit, "StateDirectory")]
    writable += [f"/run/{name}" for name in settings(unit, "RuntimeDirectory")]
    for folder in (config.spool.monitor, config.spool.lanes, config.state, config.control.socket):
        assert any(Path(folder).is_relative_to(path) for path in writable), folder


def test_the_user_is_made_in_asterisks_group_and_the_folders_are_as_asterisk_needs_them(
    tmp_path: Path,
) -> None:
    if not shutil.which("systemd-sysusers") or os.geteuid() != 0:
        pytest.skip("needs systemd and root")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nasterisk:x:77:77::/:/bin/false\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nasterisk:x:77:\n")
    spool = tmp_path / "var/spool/asterisk"
    spool.mkdir(parents=True)
    os.chown(spool, 77, 77)
    for tool, file in (("sysusers", "recorderd.sysusers"), ("tmpfiles", "recorderd.tmpfiles")):
        create = ["--create"] if tool == "tmpfiles" else []
        shutil.copy(ROOT / "systemd" / file, tmp_path / f"{tool}.conf")
        subprocess.run(
            [f"systemd-{tool}", f"--root={tmp_path}", *create, str(tmp_path / f"{tool}.conf")], check=True
        )
    passwd = (tmp_path / "etc/passwd").read_text()
    found = re.search(r"^recorderd:[^:]*:(\d+):77:[^:]*:/var/lib/recorderd:.*nologin$", passwd, re.M)
    assert found, passwd
    lanes, state = (spool / "recorderd").stat(), (tmp_path / "var/lib/recorderd").stat()
    assert (lanes.st_uid, lanes.st_gid, lanes.st_mode & 0o7777) == (77, 77, 0o2770)
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (int(found[1]), 77, 0o750)
