"""From argv to an exit code: what a person sees whatever goes wrong, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recorderd.cli import main as cli
from recorderd.cli.command import Exit, Wrong, exit_code
from recorderd.cli.registry import COMMANDS
from recorderd.control.ports import NotFound
from recorderd.errors import AmiError, ConfigError, ControlError, LoginRefused, RecorderdError, StoreError
from tests.cli.conftest import Program, serving
from tests.control.conftest import SmallDaemon


def run(*argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The real program, as a shell would start it."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RECORDERD")} | more
    return subprocess.run(
        [sys.executable, "-m", "recorderd.cli", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 78),
        (LoginRefused("x"), 77),
        (AmiError("x"), 69),
        (StoreError("x"), 69),
        (NotFound("x"), 1),
        (ControlError("x"), 69),
        (RecorderdError("x"), 70),
        (KeyError("x"), 70),
        (KeyboardInterrupt(), 130),
        (Wrong("x"), 64),
        (Wrong("x", Exit.DATA), 65),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_how_it_is_used(name: str, program: Program) -> None:
    said = program(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: recorderd {name}")


@pytest.mark.parametrize("argv", [(), ("nonsense",), ("policy",), ("explain",), ("toggle",), ("status", "x")])
def test_wrong_usage_is_64_and_told_on_standard_error(argv: tuple[str, ...], program: Program) -> None:
    said = program(*argv)
    assert (said.code, said.out) == (64, "")
    assert "usage: recorderd" in said.err


def test_the_configuration_may_be_named_before_and_behind_the_command(program: Program) -> None:
    assert cli(["--config", str(program.file), "check"]) == 0
    assert cli(["check", "--config", str(program.file)]) == 0


def test_every_fault_of_the_configuration_is_told_at_once(program: Program) -> None:
    program.file.write_text("asterisk: {port: x}\nnonsense: 1\n")
    said = program("check")
    assert said.code == 78
    assert said.err.splitlines()[0].startswith(f"{program.file}:1:1: asterisk.username: is missing")
    assert len(said.err.splitlines()) == 4
    assert "unknown key 'nonsense'" in said.err


def test_faults_are_data_with_json(program: Program) -> None:
    program.file.write_text("asterisk: {username: u, secret: s}\nagi: {prot: 1}\n")
    said = program("--json", "check")
    assert (said.code, said.err) == (78, "")
    assert said.json["faults"] == [
        {
            "file": str(program.file),
            "line": 2,
            "column": 7,
            "key": "agi.prot",
            "sentence": "unknown key 'prot' (did you mean 'port'?)",
        }
    ]


def test_an_error_is_json_when_json_was_asked_for(program: Program) -> None:
    said = program("status", "--json")
    assert (said.code, said.err) == (69, "")
    assert said.json == {"error": f"recorderd is not running: no socket at {program.socket}"}


def test_a_fault_of_our_own_is_a_sentence_too(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorderd.cli.program.load", lambda _path: {}["gone"])
    said = program("check")
    assert said.code == 70
    assert "a fault of recorderd itself: KeyError" in said.err
    assert "Traceback" not in said.err


def test_the_program_itself_exits_with_these_codes(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text("asterisk: {username: u, secret: s}\n")
    assert run("--version").returncode == 0
    assert run("nonsense").returncode == 64
    missing = run("--config", str(tmp_path / "none.yaml"), "check")
    assert (missing.returncode, missing.stderr.count("\n")) == (78, 1)
    assert run("check", RECORDERD_CONFIG=str(good)).returncode == 0
    assert run("--config", str(good), "status").returncode == 69


def test_a_byte_that_is_no_utf8_in_an_argument_is_no_traceback(program: Program) -> None:
    said = run("--config", str(program.file), "toggle", "\udcff1")
    assert said.returncode == 69
    assert "Traceback" not in said.stderr


def test_a_reader_that_goes_away_is_no_error(migrated: Program) -> None:
    text = "".join(f"  '{n}': always\n" for n in range(1000, 4000))
    many = migrated.folder / "many.yaml"
    many.write_text("extensions:\n" + text)
    assert migrated("policy", "import", str(many)).code == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "recorderd.cli", "--config", str(migrated.file), "policy", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(100)
    child.stdout.close()
    assert child.wait(60) == 0
    assert child.stderr.read() == b""
    child.stderr.close()


def test_an_interrupt_ends_quietly(program: Program) -> None:
    with serving(SmallDaemon(), program.socket):
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "recorderd.cli",
                "--config",
                str(program.file),
                "--json",
                "status",
                "--watch",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Whoever runs the tests in the background has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, b"")
