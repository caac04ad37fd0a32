"""The package under a live systemd, beside a real Asterisk: an administrator's days, in their order.

systemd is PID 1 of a machine of its own (`tests/package/machine.py`). What the units promise is seen here: ready,
reloaded, watched, restarted, closed, logged, stopped, upgraded, back after a boot.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from recorderd import __version__
from tests.live import ears
from tests.live.asterisk import free_port, within
from tests.live.phone import Call, Phones
from tests.live.scene import hang_up, talk
from tests.package.debian import newer
from tests.package.machine import Machine, lacks, machine, seconds

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("recorderd", "recorderd-panel", "recorderd-archive")
# Of what `probe.py` tries: this the code needs. The rest no unit may do.
NEEDED = {
    "write the state",
    "write where people play",
    "share a day's folder",
    "talk over the network",
    "talk over a unix socket",
}
MAY = {unit: NEEDED | ({"write where lanes are"} if unit != "recorderd-panel" else set()) for unit in UNITS}
# Of what these telephones say Opus makes something else, and the archive would rightly not have it.
ARCHIVE = {"enabled": True, "delay": "1s", "format": "flac"}
OPEN = {"/var/lib/recorderd", "/var/spool/asterisk/monitor", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"}

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(lacks()), reason=lacks()),
]


@pytest.fixture(scope="module")
def house(package: Path) -> Iterator[Machine]:
    """Booted and installed, as docs/install.md has it up to `systemctl enable`."""
    folder = Path(tempfile.mkdtemp(prefix="rdboot-"))
    folder.chmod(0o755)
    with machine(folder) as made:
        shutil.copy(package, made.path("/first.deb"))
        made.run("dpkg", "-i", "/first.deb")
        configure(made, panel={"port": free_port()})
        yield made


def configure(house: Machine, **sections: Any) -> None:
    """The sample with the rig's ports in it."""
    path = house.path("/etc/recorderd/recorderd.yaml")
    now = yaml.safe_load(path.read_text())
    now["asterisk"] |= {"port": house.asterisk.ami_port, "secret": house.asterisk.secret}
    now["agi"] |= {"port": house.asterisk.agi_port}
    for name, values in ({"archive": ARCHIVE} | sections).items():
        now[name] = {**(now[name] or {}), **values}
    path.write_text(yaml.safe_dump(now))


def told(house: Machine, *command: str) -> Any:
    return json.loads(house.run("recorderd", *command, "--json"))


def running(house: Machine, *units: str) -> bool:
    return all(house.show(unit, "SubState")["SubState"] == "running" for unit in units)


def hears(house: Machine) -> bool:
    return "beside Asterisk" in house.show("recorderd", "StatusText")["StatusText"]


def pid(house: Machine, unit: str) -> int:
    return int(house.show(unit, "MainPID")["MainPID"])


async def one_call(
    house: Machine, caller: str = "101", callee: str = "102", length: float = 1.5
) -> tuple[Call, Call]:
    async with Phones(house.asterisk) as phones:
        return await talk(phones, await phones(caller), await phones(callee), length)


def talks(house: Machine) -> Any:
    """Intervals that have ended, oldest first."""
    rows = told(house, "calls", "--since", "24h")
    return sorted((row for row in rows if row["outcome"]), key=lambda row: row["started_at"])


def said(house: Machine, words: str, *options: str) -> bool:
    return any(words in entry["MESSAGE"] for entry in house.journal("recorderd", *options))


def mixes(house: Machine) -> list[Path]:
    return sorted(house.asterisk.spool.rglob("*.wav"), key=lambda path: path.stat().st_mtime)


# --- the first day -----------------------------------------------------------------------------------


def test_user_group_and_folders_are_there_as_the_units_need_them(house: Machine) -> None:
    assert house.run("id", "-nG", "recorderd").split() == ["asterisk"]
    assert house.run("stat", "-c", "%U:%G %a", "/var/lib/recorderd").strip() == "recorderd:asterisk 750"
    lanes = house.run("stat", "-c", "%U:%G %a", "/var/spool/asterisk/recorderd").strip()
    assert lanes == "asterisk:asterisk 2770"
    assert house.run("stat", "-c", "%U:%G %a", "/etc/recorderd/recorderd.yaml").strip() == "root:asterisk 640"
    assert not running(house, "recorderd")


def test_the_manuals_commands_in_their_order_lead_to_a_recorded_call(house: Machine) -> None:
    """`check --online` by root leaves nothing behind that the service could not write."""
    house.run("recorderd", "check", "--online", "--asterisk-etc", str(house.asterisk.etc))
    house.run("systemctl", "enable", "--now", *UNITS)
    # With Type=notify the command has waited for each of them.
    assert running(house, *UNITS)
    within(15, lambda: hears(house), "recorderd hears Asterisk, and systemctl status says so")
    house.run("recorderd", "policy", "set", "101", "always")
    call, other = asyncio.run(one_call(house))
    [mix] = within(20, lambda: mixes(house), "a recording")  # type: ignore[misc]
    within(
        20, lambda: not list(house.path("/var/spool/asterisk/recorderd").rglob("*-*.wav")), "lanes are done"
    )
    for spoken in (call, other):
        assert ears.heard(mix, spoken).complete
    assert talks(house)[-1]["outcome"] == "recorded"
    inside = "/" + str(mix.relative_to(house.root))
    assert house.run("stat", "-c", "%U:%G %a", inside).strip() == "recorderd:asterisk 640"


def test_the_archive_keeps_it(house: Machine) -> None:
    kept = within(60, lambda: list(house.asterisk.spool.rglob("*.flac")), "an encoded recording")
    assert kept


def test_the_journal_has_each_line_with_its_priority(house: Machine) -> None:
    entries = house.journal("recorderd", "_SYSTEMD_UNIT=recorderd.service")
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"recorderd"}
    assert {entry["PRIORITY"] for entry in entries} <= {"6", "4", "3"}
    assert any("is running" in entry["MESSAGE"] and entry["PRIORITY"] == "6" for entry in entries)
    assert not any(re.match(r"<\d>", entry["MESSAGE"]) for entry in entries)


# --- changes -----------------------------------------------------------------------------------------


@contextmanager
def configuration(house: Machine) -> Iterator[Path]:
    """The file, to be changed inside; afterwards it is as it was."""
    path = house.path("/etc/recorderd/recorderd.yaml")
    good = path.read_text()
    try:
        yield path
    finally:
        path.write_text(good)


def strangers_talk(house: Machine) -> None:
    """Two without a policy of their own."""
    asyncio.run(one_call(house, "105", "106", 0.5))


def was_recorded(house: Machine, count: int) -> bool:
    """Whether the last of so many talks was."""
    within(20, lambda: len(talks(house)) == count, "its interval")
    return talks(house)[-1]["recording"] is not None


def test_a_reload_takes_the_new_policy_and_a_bad_file_changes_nothing(house: Machine) -> None:
    before, known = pid(house, "recorderd"), len(talks(house))
    strangers_talk(house)
    assert not was_recorded(house, known + 1)
    with configuration(house) as path:
        configure(house, policy={"default": {"inbound": "always", "outbound": "always"}})
        house.run("systemctl", "reload", "recorderd")
        within(10, lambda: said(house, "the configuration was reloaded"), "the journal tells of the reload")
        strangers_talk(house)
        assert was_recorded(house, known + 2)
        with configuration(house):
            with path.open("a") as file:
                file.write("policie: {}\n")
            house.run("systemctl", "reload", "recorderd")
            within(10, lambda: said(house, "policie", "--priority=warning"), "the journal warns of the fault")
            strangers_talk(house)
        assert was_recorded(house, known + 3)
    house.run("systemctl", "reload", "recorderd")
    assert pid(house, "recorderd") == before
    assert running(house, *UNITS)


def test_a_panel_socket_can_be_given_to_the_proxys_group_once_recorderd_is_in_it(house: Machine) -> None:
    there = {"socket": "/run/recorderd-panel/panel.sock", "group": "www-data"}
    with configuration(house):
        configure(house, panel=there)
        house.run("usermod", "--append", "--groups", "www-data", "recorderd")
        house.run("systemctl", "restart", "recorderd-panel")
        assert house.run("stat", "-c", "%U:%G %a", there["socket"]).strip() == "recorderd:www-data 660"
    house.run("systemctl", "restart", "recorderd-panel")


# --- what may happen ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_may_do_what_its_program_needs_and_nothing_else(house: Machine, unit: str) -> None:
    shutil.copy(ROOT / "tests/package/probe.py", house.path("/opt/recorderd/probe.py"))
    text = house.path(f"/usr/lib/systemd/system/{unit}.service").read_text()
    # Its own folder below /run would go with the probe.
    text = re.sub(r"^(ExecReload|Restart\w*|WatchdogSec|RuntimeDirectory|Type)=.*\n", "", text, flags=re.M)
    probing = "Type=oneshot\nExecStart=/opt/recorderd/bin/python3 /opt/recorderd/probe.py"
    text = re.sub(r"^ExecStart=.*$", probing, text, flags=re.M)
    house.path(f"/etc/systemd/system/probe-{unit}.service").write_text(text)
    house.run("systemctl", "daemon-reload")
    house.run("systemctl", "start", f"probe-{unit}")

    def said() -> Any:
        lines = [entry["MESSAGE"] for entry in house.journal(f"probe-{unit}")]
        return next((json.loads(line) for line in lines if line.startswith('{"refused"')), None)

    found: Any = within(10, said, "the probe's answer")
    assert {name for name, refused in found["refused"].items() if not refused} == MAY[unit]
    writable = {folder for folder in found["writable"] if not folder.startswith("/var/spool/asterisk/")}
    assert writable <= OPEN | ({"/var/spool/asterisk"} if unit != "recorderd-panel" else set())


@pytest.mark.parametrize("unit", UNITS)
def test_systemds_own_measure_of_the_running_unit_is_two_at_most(house: Machine, unit: str) -> None:
    house.run("systemd-analyze", "security", "--threshold=20", "--no-pager", f"{unit}.service")


def restarts(house: Machine, unit: str) -> int:
    return int(house.show(unit, "NRestarts")["NRestarts"])


def test_a_daemon_that_is_killed_in_a_call_is_back_and_the_recording_has_all_of_it(house: Machine) -> None:
    earlier, counted = mixes(house), restarts(house, "recorderd")

    async def through() -> tuple[Call, Call]:
        async with Phones(house.asterisk) as phones:
            calls = await phones.connect(await phones("101"), await phones("102"))
            await asyncio.sleep(1)
            house.signal("recorderd", signal.SIGKILL)
            await asyncio.to_thread(within, 15, lambda: restarts(house, "recorderd") > counted, "a restart")
            await asyncio.to_thread(within, 15, lambda: hears(house), "recorderd hears Asterisk again")
            await asyncio.sleep(1)
            await hang_up(*calls)
            return calls

    spoken = asyncio.run(through())
    within(20, lambda: len(mixes(house)) > len(earlier), "its recording")
    [mix] = [path for path in mixes(house) if path not in earlier]
    for call in spoken:
        heard = ears.heard(mix, call)
        # A busy machine loses packets, whoever is killed: what the ledger calls whole may lack so much.
        lost = heard.start_ms + heard.holes_ms + heard.end_ms
        assert (lost <= 200, heard.doubled_ms) == (True, 0)
    assert talks(house)[-1]["outcome"] == "recorded"
    assert running(house, *UNITS)


def test_who_hangs_is_ended_by_the_watchdog_and_started_again(house: Machine) -> None:
    """The archive's watchdog is the longest: a minute. All three are stopped at once."""
    before = {unit: (pid(house, unit), restarts(house, unit)) for unit in UNITS}
    for unit in UNITS:
        house.signal(unit, signal.SIGSTOP)
    took = seconds(lambda: restarts(house, "recorderd") > before["recorderd"][1], "the daemon restarted", 15)
    assert took < 5 + 1 + 4
    within(90, lambda: all(restarts(house, unit) > before[unit][1] for unit in UNITS), "all restarted")
    within(20, lambda: running(house, *UNITS), "all run")
    assert {unit for unit in UNITS if pid(house, unit) == before[unit][0]} == set()
    said = house.run("journalctl", "--no-pager", "--unit=recorderd", "--grep=[Ww]atchdog timeout")
    assert "limit 5s" in said
    within(15, lambda: hears(house), "recorderd hears Asterisk again")


# --- and the end -------------------------------------------------------------------------------------


def test_an_archive_that_is_not_wanted_ends_once_and_says_so(house: Machine) -> None:
    with configuration(house):
        configure(house, archive={"enabled": False})
        house.run("systemctl", "restart", "recorderd-archive", code=1)
        found = house.show("recorderd-archive", "ActiveState", "ExecMainStatus")
        assert found == {"ActiveState": "failed", "ExecMainStatus": "78"}
    house.run("systemctl", "restart", "recorderd-archive")


def test_after_a_boot_all_is_as_before(house: Machine) -> None:
    house.power_off()
    house.boot()
    within(30, lambda: running(house, *UNITS), "all three run by themselves")
    within(15, lambda: hears(house), "recorderd hears Asterisk")
    earlier = mixes(house)
    asyncio.run(one_call(house))
    within(20, lambda: len(mixes(house)) > len(earlier), "a recording")


def test_an_upgrade_restarts_what_runs_and_keeps_the_configuration(
    house: Machine, package: Path, tmp_path: Path
) -> None:
    before = {unit: pid(house, unit) for unit in UNITS}
    mine = house.path("/etc/recorderd/recorderd.yaml").read_text()
    shutil.copy(newer(package, tmp_path), house.path("/next.deb"))
    house.run("dpkg", "--force-confold", "-i", "/next.deb")
    assert house.run("dpkg-query", "-f", "${Version}", "-W", "recorderd") == f"{__version__}+next"
    assert running(house, *UNITS)
    assert all(pid(house, unit) != before[unit] for unit in UNITS)
    assert house.path("/etc/recorderd/recorderd.yaml").read_text() == mine


@pytest.mark.parametrize("unit", UNITS)
def test_each_stops_within_seconds_and_well(house: Machine, unit: str) -> None:
    begun = time.monotonic()
    house.run("systemctl", "stop", unit)
    assert time.monotonic() - begun < 5
    found = house.show(unit, "Result", "ExecMainStatus", "ActiveState")
    assert found == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}
    house.run("systemctl", "start", unit)


def test_a_purge_ends_them_and_leaves_the_evidence(house: Machine) -> None:
    house.run("dpkg", "-P", "recorderd")
    assert {house.show(unit, "ActiveState")["ActiveState"] for unit in UNITS} == {"inactive"}
    assert not list(house.path("/etc/systemd/system").rglob("recorderd*.service"))
    assert house.path("/var/lib/recorderd/recorderd.db").exists()
    assert mixes(house)
    assert stat.S_ISDIR(house.path("/var/spool/asterisk/recorderd").stat().st_mode)
