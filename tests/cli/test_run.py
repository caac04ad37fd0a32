"""run: the daemon as a service manager starts, asks, reloads and ends it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorderd.ami.fake import FakeAsterisk
from recorderd.control.client import ControlClient
from recorderd.errors import ControlError
from tests.cli.conftest import Program
from tests.cli.test_check import asterisk, configure

PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def start(program: Program) -> subprocess.Popen[bytes]:
    log = program.folder.joinpath("log").open("ab")
    argv = [sys.executable, "-m", "recorderd.cli", "--config", str(program.file), "run"]
    child = subprocess.Popen(argv, stderr=log)
    log.close()
    return child


def connected(program: Program) -> bool:
    try:
        return bool(ControlClient(program.socket).status()["asterisk"]["connected"])
    except ControlError:
        return False


@contextmanager
def running(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    child = start(program)
    try:
        until(lambda: connected(program) or child.poll() is not None, "the daemon answers")
        assert child.poll() is None, Path(program.folder, "log").read_text()
        yield child
    finally:
        child.kill()
        child.wait(PATIENCE)


@pytest.fixture
def beside(program: Program) -> Iterator[Program]:
    """A program whose configuration names a running Asterisk."""
    with asterisk(FakeAsterisk()) as fake:
        configure(program, fake.port, more=f"agi: {{port: {free_port()}}}\nlog: {{json: on}}\n")
        yield program


def test_it_runs_answers_follows_policy_and_ends_with_0(beside: Program) -> None:
    with running(beside) as child:
        assert beside("status", "--json").json["healthy"] is True
        assert beside("calls").out == "nobody talks\n"
        assert beside("toggle", "101").code == 1
        assert "the daemon has it" in beside("policy", "set", "101", "always").out
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 0
    assert not beside.socket.exists()
    assert beside.folder.joinpath("policy.json").exists()


def test_a_bad_reload_is_told_and_the_old_configuration_kept(beside: Program) -> None:
    log = beside.folder / "log"
    with running(beside) as child:
        good = beside.file.read_text()
        beside.file.write_text(good + "policy: {fail_mode: shut}\n")
        child.send_signal(signal.SIGHUP)
        until(lambda: "policy.fail_mode: 'shut' is not one of" in log.read_text(), "the fault is logged")
        beside.file.write_text(good)
        assert beside("status", "--json").json["policy"]["version"] == 0
        child.send_signal(signal.SIGHUP)
        until(lambda: "the configuration was reloaded" in log.read_text(), "the reload is logged")


def test_a_second_one_is_refused_in_one_sentence(beside: Program) -> None:
    with running(beside):
        said = beside("run")
    assert said.code == 69
    assert [line for line in said.err.splitlines() if not line.startswith("{")] == [
        line for line in said.err.splitlines() if line.startswith("recorderd: ")
    ]
    assert "Traceback" not in said.err


def test_a_state_folder_that_cannot_be_made_is_one_sentence(program: Program) -> None:
    program.configure()
    program.file.write_text(program.file.read_text().replace(f"state: {program.folder}", "state: /proc/no"))
    said = program("run")
    assert (said.code, "/proc/no" in said.err) == (69, True)
