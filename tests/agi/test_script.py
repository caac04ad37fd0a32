"""`recorderd-agi` as Asterisk runs it: a process over pipes, beside a real HTTP server on a unix socket."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.agi.brain import block

ADVICE = {"mode": "always", "record": True, "fail_mode": "open", "reason": "r"}


class Control:
    """A control socket whose answers the test chooses: (status, JSON), bytes as they are, or a function."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[str, object]] = []
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                control.asked.append((self.path, json.loads(body)))
                answer = control.answers.get(self.path, (404, {}))
                if callable(answer):
                    answer(self)
                    return
                status, data = answer  # type: ignore[misc]
                raw = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def get_request(self) -> tuple[object, object]:
                request, _ = super().get_request()
                return request, ("unix", 0)

        self.path = path
        self._server = Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    control = Control(tmp_path / "control.sock")
    yield control
    control.close()


def start(socket_path: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "recorderd.agi.script", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "RECORDERD_CONTROL": str(socket_path)},
    )


def run(
    socket_path: Path, arguments: list[str], *, astdb: dict[str, str] | None = None
) -> tuple[list[str], int]:
    """What the script says to Asterisk, database questions aside, and its exit code."""
    said = []
    with start(socket_path, arguments) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(block())
        process.stdin.flush()
        while line := process.stdout.readline().decode().rstrip("\n"):
            if line.startswith("DATABASE GET"):
                process.stdin.write(database_answer(line, astdb or {}))
            else:
                said.append(line)
                process.stdin.write(b"200 result=1\n")
            process.stdin.flush()
        assert b"Traceback" not in process.stderr.read()
        return said, process.wait(20)


def database_answer(line: str, astdb: dict[str, str]) -> bytes:
    family, key = line.removeprefix("DATABASE GET ").replace('"', "").split()
    value = astdb.get(f"{family}/{key}".removeprefix("recorderd/"))
    return f"200 result=1 ({value})\n".encode() if value else b"200 result=0\n"


def test_it_asks_the_daemon_and_sets_one_variable(control: Control) -> None:
    control.answers["/v1/consult"] = (200, ADVICE)
    said, code = run(control.path, ["/consult", "102&103", "170.1", "601", "from-phones"])
    assert (said, code) == (['SET VARIABLE RECORDERD_ADVICE "allow,always,1,open,,r"'], 0)
    assert control.asked == [
        (
            "/v1/consult",
            {
                "uniqueid": "pbx-1700000000.42",
                "channel": "PJSIP/101-0000002a",
                "linkedid": "170.1",
                "caller_id_num": "101",
                "exten": "601",
                "context": "from-phones",
                "callees": ["102", "103"],
                "monitored": False,
            },
        )
    ]


def dribble(handler: BaseHTTPRequestHandler) -> None:
    """An answer that would be right, one byte at a time, far too slowly."""
    raw = json.dumps(ADVICE).encode()
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(raw))
    for position in range(len(raw)):
        try:
            handler.wfile.write(raw[position : position + 1])
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.1)


REFUSED = 'SET VARIABLE RECORDERD_ADVICE "refuse,,0,closed-before,,recorderd did not answer"'
BROKEN: dict[str, object] = {
    "error": (500, {"error": "no"}),
    "no such route": (404, {}),
    "no JSON": (200, b"hello"),
    "no advice": (200, {"mode": "always"}),
    "endless": (200, b"[" * 100_000),
    "dribbling": dribble,
    "not HTTP": lambda handler: handler.wfile.write(b"200 result=1\n"),
    "silent": lambda handler: handler.rfile.read(1),
    "closed": lambda handler: handler.wfile.close(),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_daemon_that_does_not_answer_well_leaves_the_fail_mode_to_astdb(
    control: Control, answer: object
) -> None:
    control.answers["/v1/consult"] = answer
    said, code = run(control.path, ["/consult", "102"], astdb={"fail/102": "closed-before"})
    assert (said, code) == ([REFUSED], 0)


def test_no_daemon_leaves_the_fail_mode_to_astdb(tmp_path: Path) -> None:
    said, _ = run(tmp_path / "none", ["/consult", "102"], astdb={"fail/default": "announce"})
    assert said == [
        'SET VARIABLE RECORDERD_ADVICE "announce,,0,announce,not-recorded,recorderd did not answer"'
    ]


def test_an_emergency_number_is_exempt(tmp_path: Path) -> None:
    astdb = {"fail/default": "closed-before", "emergency/112": "1"}
    said, _ = run(tmp_path / "none", ["/consult", "112"], astdb=astdb)
    assert said == ['SET VARIABLE RECORDERD_ADVICE "allow,,0,open,,emergency number"']


@pytest.mark.parametrize(
    ("armed", "verb"),
    [((200, {"armed": True}), "allow"), ((200, {"armed": False}), "refuse"), ((404, {}), "refuse")],
)
def test_closed_before_waits_until_the_daemon_has_seen_the_file(
    control: Control, armed: object, verb: str
) -> None:
    control.answers["/v1/consult"] = (200, ADVICE | {"fail_mode": "closed-before"})
    control.answers["/v1/armed"] = armed
    said, _ = run(control.path, ["/consult", "102"])
    assert said == [f'SET VARIABLE RECORDERD_ADVICE "{verb},always,1,closed-before,,r"']


def test_a_press_plays_what_became_of_it(control: Control) -> None:
    control.answers["/v1/press"] = (200, {"outcome": "denied", "reason": "never"})
    said, code = run(control.path, ["/toggle"])
    assert (said, code) == (['STREAM FILE "recorderd/denied" ""'], 0)
    asked = {"action": "toggle", "uniqueid": "pbx-1700000000.42", "by": "101", "source": "feature-code"}
    assert control.asked == [("/v1/press", asked)]


def test_a_press_from_the_dialplan_makes_no_sound(control: Control) -> None:
    control.answers["/v1/press"] = (200, {"outcome": "started", "reason": ""})
    assert run(control.path, ["/start?from=dialplan"]) == ([], 0)


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (b"", ["/consult", "102"]),
        (b"agi_network: yes\n", ["/consult", "102"]),
        (b"\n", ["/consult", "102"]),
        (block()[:-1], ["/consult", "102"]),
        (block(), ["/consult", "102"]),
        (block(), ["/nothing"]),
        (block(), []),
        (block(agi_channel=None), ["/consult", "102"]),
        (block(agi_callerid="\udcc8\udce2"), ["/consult", "102"]),
    ],
)
def test_an_asterisk_that_goes_away_gets_an_exit_code_and_no_traceback(
    tmp_path: Path, data: bytes, arguments: list[str]
) -> None:
    with start(tmp_path / "none", arguments) as process:
        said, complaint = process.communicate(data, 20)
    assert process.returncode == 1
    assert b"SET VARIABLE" not in said
    assert complaint.startswith(b"recorderd-agi: ")
    assert b"Traceback" not in complaint


def test_the_whole_question_has_a_deadline(control: Control) -> None:
    released = threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        del handler
        released.wait(30)

    control.answers["/v1/consult"] = hold
    started = time.monotonic()
    said, _ = run(control.path, ["/consult", "102"], astdb={"fail/102": "closed-before"})
    assert said == [REFUSED]
    assert time.monotonic() - started < 15
    released.set()
