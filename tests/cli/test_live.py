"""Commands that speak with the daemon: status, calls, and the presses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import pytest

from recorderd.cli import glance
from recorderd.cli.presses import PRESSES
from tests.cli.conftest import Program, serving
from tests.control.conftest import SmallDaemon

CALL = {
    "conversation": "c1",
    "since": 1763892000.0,
    "talking": True,
    "parties": [
        {"extension": "101", "number": "101", "channel": "PJSIP/101-1", "name": "Иван \udce9"},
        {"extension": "", "number": "06\x1b[2J", "channel": "PJSIP/trunk-2", "name": ""},
    ],
    "mode": "always",
    "recording": True,
    "paused": False,
    "buffered": False,
    "reason": "101 chose always",
    "file": "in-101-06-20261123-100000-1.1.wav",
}


STATUS = {
    "version": "0.1",
    "since": 1763892000.0,
    "healthy": True,
    "asterisk": {"connected": True, "version": "22.10.1", "trouble": ""},
    "store": {"away": False, "journal": 0, "cdrs_waiting": 2},
    "policy": {"version": 12, "extensions": 40, "rules": 3},
    "calls": {"channels": 6, "conversations": 3, "recording": 2, "lanes": 4, "closing": 1},
    "outcomes": {"recorded": 120, "partial": 1},
    "presses": {},
    "alarms": [],
}


class Talkative(SmallDaemon):
    """A daemon with one call and much to tell."""

    def status(self) -> Mapping[str, Any]:
        return STATUS

    def calls(self) -> Sequence[Mapping[str, Any]]:
        return [CALL]


@pytest.fixture
def talking(program: Program) -> Program:
    program.configure()
    program.file.write_text(program.file.read_text().replace("secret: s", "secret: s, timezone: UTC"))
    return program


def test_status_is_a_page_to_be_read_at_a_glance(talking: Program) -> None:
    with serving(Talkative(), talking.socket):
        said = talking("status")
    assert said.code == 0
    assert said.out.splitlines() == [
        "recorderd  0.1, well, since 2025-11-23 10:00:00",
        "Asterisk   22.10.1, connected",
        "calls      3 conversations, 2 recorded with 4 voices; 1 files are being made",
        "policy     version 12: 40 extensions, 3 rules",
        "database   there; 2 CDRs wait",
        "outcomes   1 partial, 120 recorded",
        "alarms     none since the start",
    ]


def test_what_is_wrong_stands_out_and_no_alarm_moves_the_cursor() -> None:
    alarms = [{"at": 1763892000.0 + n, "kind": "spool", "sentence": f"full \x1b[2J{n}"} for n in range(7)]
    wrong = {
        "healthy": False,
        "asterisk": {"connected": False, "version": "", "trouble": "Asterisk cannot be reached"},
        "store": {"away": True, "journal": 9, "cdrs_waiting": 0},
        "alarms": alarms,
    }
    lines = glance.page(STATUS | wrong, UTC).splitlines()
    assert lines[0] == "recorderd  0.1, NOT WELL, since 2025-11-23 10:00:00"
    assert lines[1] == "Asterisk   AWAY: Asterisk cannot be reached"
    assert lines[4] == "database   AWAY, rows are kept on disk; 9 rows wait"
    assert lines[6] == "alarms     2025-11-23 10:00:06 spool: full \ufffd[2J6"
    assert lines[7] == "           2025-11-23 10:00:05 spool: full \ufffd[2J5"
    assert lines[-1] == "           and 2 more"


def test_status_watch_prints_again_and_again(talking: Program) -> None:
    with serving(Talkative(), talking.socket):
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "recorderd.cli",
                f"--config={talking.file}",
                "--json",
                "status",
                "--watch",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        lines = [child.stdout.readline(), child.stdout.readline()]
        child.terminate()
        child.communicate(timeout=30)
    assert [json.loads(line)["version"] for line in lines] == ["0.1", "0.1"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"recording": True}, "yes"),
        ({"recording": True, "paused": True}, "paused"),
        ({"recording": False, "buffered": True}, "buffered"),
        ({"recording": False}, "no"),
    ],
)
def test_a_call_that_is_only_buffered_is_called_so(
    talking: Program, state: dict[str, bool], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Talkative, "calls", lambda _self: [CALL | state])
    with serving(Talkative(), talking.socket):
        row = talking("calls").out.splitlines()[-1]
    assert f" {said} " in row


def test_calls_are_a_table_in_which_no_name_moves_the_cursor(talking: Program) -> None:
    with serving(Talkative(), talking.socket):
        said = talking("calls")
        data = talking("calls", "--json").json
        other = talking("calls", "--extension", "102")
    assert re.split("  +", said.out.splitlines()[1]) == [
        "2025-11-23 10:00:00",
        "101 - 06\ufffd[2J",
        "always",
        "yes",
        "101 chose always",
        "in-101-06-20261123-100000-1.1.wav",
    ]
    assert data == [CALL]
    assert other.out == "nobody talks\n"


@pytest.mark.parametrize("action", PRESSES)
def test_each_press_reaches_the_daemon(program: Program, action: str) -> None:
    daemon = SmallDaemon()
    with serving(daemon, program.socket):
        said = program(action, "101", "--reason", "a test")
    assert (said.code, said.out) == (0, "101: started: pressed\n")
    assert daemon.asked[0][:2] == (action, "101")
    assert daemon.asked[0][2].startswith("cli:")
    assert daemon.asked[0][3:] == ("cli", "a test")


def test_a_channel_is_a_target_too_and_nobody_is_told_in_a_sentence(program: Program) -> None:
    with serving(SmallDaemon(), program.socket):
        said = program("toggle", "--channel", "PJSIP/101-1")
    assert (said.code, said.err) == (1, "recorderd: PJSIP/101-1 takes part in no call\n")


def test_a_denied_press_is_1(program: Program) -> None:
    daemon = SmallDaemon(outcome={"outcome": "denied", "reason": "never is never"})
    with serving(daemon, program.socket):
        said = program("start", "101")
    assert (said.code, said.out) == (1, "101: denied: never is never\n")


@pytest.mark.parametrize("argv", [("toggle", "101"), ("status",), ("calls",), ("status", "--watch")])
def test_without_a_daemon_it_is_one_sentence(program: Program, argv: tuple[str, ...]) -> None:
    said = program(*argv)
    assert said.code == 69
    assert said.err == f"recorderd: recorderd is not running: no socket at {program.socket}\n"
