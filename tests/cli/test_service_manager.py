"""What a service manager is told by the real processes: ready, alive, reloading, ending; and when not alive."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from recorderd.ami.fake import FakeAsterisk
from recorderd.control.client import ControlClient
from tests.cli.conftest import Program
from tests.cli.test_check import asterisk, configure
from tests.cli.test_run import connected, free_port

PATIENCE = 30.0
PERIOD = 0.2

# The reading of the link hangs, as by a fault of ours: nothing comes in, and nobody tries anew.
HANGING = """
import asyncio, sys
from recorderd.ami import session
from recorderd.cli import main

async def hanging(*_arguments):
    await asyncio.Event().wait()

session.stay = hanging
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Manager:
    """The socket of the service manager, and the process that speaks into it."""

    inbox: socket.socket
    child: subprocess.Popen[bytes]

    def next(self, seconds: float = PATIENCE) -> list[str]:
        """The lines of the next datagram. Raises TimeoutError."""
        self.inbox.settimeout(seconds)
        return self.inbox.recv(4096).decode().split("\n")

    def until(self, line: str) -> list[str]:
        """All that was said up to a datagram with a line that begins so, which is the last."""
        deadline, said = time.monotonic() + PATIENCE, []
        while time.monotonic() < deadline:
            lines = self.next()
            said += lines
            if any(one.startswith(line) for one in lines):
                return said
        raise AssertionError(f"no {line} but {said}")

    def falls_silent(self, seconds: float = 5 * PERIOD) -> bool:
        """Whether it says nothing for so long, before patience ends."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                self.next(seconds)
            except TimeoutError:
                return True
        return False


@contextmanager
def managed(program: Program, *argv: str, code: str = "") -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        path = program.folder / "notify.sock"
        inbox.bind(str(path))
        how = ["-c", code] if code else ["-m", "recorderd.cli"]
        with program.folder.joinpath("log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, *how, "--config", str(program.file), *argv],
                stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(PERIOD * 2e6))},
            )
        try:
            yield Manager(inbox, child)
        finally:
            child.kill()
            child.wait(PATIENCE)


@pytest.fixture
def fake() -> Iterator[FakeAsterisk]:
    with asterisk(FakeAsterisk()) as one:
        yield one


@pytest.fixture
def beside(program: Program, fake: FakeAsterisk) -> Program:
    configure(program, fake.port, more=f"agi: {{port: {free_port()}}}\n")
    return program


def test_ready_is_said_when_people_are_answered_and_life_is_proved_until_the_end(beside: Program) -> None:
    with managed(beside, "run") as manager:
        said = manager.until("READY=1")
        assert beside("status").code == 0
        # Asterisk is heard before the control socket is there, and may have answered by then.
        if not any(line.startswith("STATUS=beside Asterisk") for line in said):
            manager.until("STATUS=beside Asterisk")
        manager.until("WATCHDOG=1")
        manager.until("WATCHDOG=1")
        manager.child.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert manager.child.wait(PATIENCE) == 0


@pytest.mark.parametrize("more", ["", "policy: {fail_mode: shut}\n"])
def test_a_reload_is_announced_and_ended_whether_it_was_good_or_bad(beside: Program, more: str) -> None:
    with managed(beside, "run") as manager:
        manager.until("READY=1")
        before = ControlClient(beside.socket).status()["policy"]
        beside.file.write_text(beside.file.read_text() + more)
        manager.child.send_signal(signal.SIGHUP)
        began = manager.until("RELOADING=1")
        assert int(began[-1].removeprefix("MONOTONIC_USEC=")) <= time.monotonic() * 1e6
        manager.until("READY=1")
        assert ControlClient(beside.socket).status()["policy"] == before


def test_an_asterisk_that_is_away_is_no_reason_to_be_restarted(beside: Program, fake: FakeAsterisk) -> None:
    with managed(beside, "run") as manager:
        manager.until("STATUS=beside Asterisk")
        fake.faults.refuse_login = "not now"
        fake.drop()
        manager.until("STATUS=without Asterisk")
        for _ in range(20):
            manager.until("WATCHDOG=1")
        fake.faults.refuse_login = ""
        manager.until("STATUS=beside Asterisk")


def test_a_reader_that_hangs_is_not_alive_though_all_else_moves(beside: Program) -> None:
    with managed(beside, "run", code=HANGING) as manager:
        manager.until("WATCHDOG=1")
        assert manager.falls_silent()
        assert manager.child.poll() is None
        assert connected(beside), "only the watchdog can tell"


def test_the_panel_listens_on_a_socket_for_a_proxy_that_is_believed(program: Program) -> None:
    path = program.folder / "panel.sock"
    program.configure(f"panel: {{socket: {path}, user_header: X-Remote-User}}\n")
    for command in (("db", "migrate"), ("user", "add", "101")):
        assert program(*command).code == 0
    with managed(program, "panel") as manager:
        manager.until("READY=1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://panel") as proxy:
            said = {"X-Remote-User": "101", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
            answer = proxy.get("/login", headers=said)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            token = answer.cookies["__Host-recorderd"]
            shown = said | {"Cookie": f"__Host-recorderd={token}"}
            assert proxy.get("/api/v1/me", headers=shown).json()["login"] == "101"
            sessions = proxy.get("/api/v1/sessions", headers=shown).json()
            assert [one["address"] for one in sessions] == ["192.0.2.7"]
        log = (program.folder / "log").read_text()
        assert f"listens on unix:{path}" in log


def test_the_panel_is_ready_when_it_listens(program: Program) -> None:
    port = free_port()
    program.configure(f"panel: {{port: {port}}}\n")
    with managed(program, "panel") as manager:
        manager.until("READY=1")
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        manager.until("WATCHDOG=1")
        manager.child.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert manager.child.wait(PATIENCE) == 0


def test_the_archive_says_so_too(program: Program) -> None:
    program.configure("archive: {enabled: true}\n")
    with managed(program, "archive") as manager:
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        manager.child.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert manager.child.wait(PATIENCE) == 0, Path(program.folder, "log").read_text()
