"""`recorderd-agi`: a stdin AGI script for hosts without FastAGI, one process per question, on pyst2.

Owns the talk with Asterisk over pipes and with the daemon over its control socket. Must not import the
daemon or anything slow: this starts anew for every call. Without an answer within 300 ms it applies the
fail mode from AstDB, so that the dialplan always finds an advice.

    AGI(recorderd-agi,/consult,<callees>,<linkedid>,<exten>,<context>,<monitored>)
    AGI(recorderd-agi,/toggle)      and start, stop, pause, resume; `/toggle?from=dialplan` plays no tone

Control socket: `POST /v1/consult`, `POST /v1/armed` and `POST /v1/press`, JSON both ways.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from asterisk import agi as pyst

from recorderd.agi import advice as advices
from recorderd.agi import fallback, routes, wire

SOCKET = "/run/recorderd/control.sock"
ANSWER_SECONDS = 0.3
ARMED_SECONDS = routes.ARMED_SECONDS + 0.1
MAX_ANSWER_BYTES = 65536


class NoAnswer(Exception):
    """The daemon is not there, too late, or said no."""


class Asterisk:
    """pyst2's AGI with its quirks kept here: it echoes every line to stderr, quotes without escaping,
    quotes a database key twice, and turns the end of its input into a ValueError."""

    def __init__(self) -> None:
        for stream in (sys.stdin, sys.stdout):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        self._agi = pyst.AGI(stdin=sys.stdin, stdout=sys.stdout, stderr=io.StringIO())  # type: ignore[no-untyped-call]
        self.env: dict[str, str] = self._agi.env

    def set_variable(self, name: str, value: str) -> None:
        self._execute(wire.set_variable(name, value))

    def stream_file(self, name: str) -> None:
        self._execute(wire.stream_file(name))

    def database_get(self, key: str) -> str:
        """The value of `recorderd/<key>` in AstDB, empty when there is none."""
        family, _, last = f"recorderd/{key}".rpartition("/")
        return self._execute(f'DATABASE GET "{family}" "{last}"'.encode())

    def _execute(self, command: bytes) -> str:
        line = command.decode("utf-8", "surrogateescape").rstrip("\n")
        answer = self._agi.execute(line)  # type: ignore[no-untyped-call]
        return str(answer["result"][1])


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question and exit: 0 when Asterisk heard an answer, 1 when it could not be given."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        asterisk = Asterisk()
        request = request_of(asterisk.env, arguments)
        handler = HANDLERS.get(request.path)
        if handler is None:
            print(f"recorderd-agi: no route /{request.path[:40]!a}", file=sys.stderr)
            return 1
        handler(asterisk, request)
    except (pyst.AGIException, wire.Malformed, OSError, ValueError) as fault:
        # The channel is gone, or what spoke to us was no Asterisk: nobody is left to be answered.
        sentence = f"recorderd-agi: {type(fault).__name__}: {fault}"
        print(sentence.encode("ascii", "replace").decode(), file=sys.stderr)
        return 1
    return 0


def request_of(env: dict[str, str], arguments: Sequence[str]) -> wire.Request:
    """What FastAGI would have asked: the first argument is the path, the others follow."""
    path, *rest = arguments or [""]
    block = {key: value for key, value in env.items() if not key.startswith("agi_arg_")}
    block["agi_network_script"] = path
    block |= {f"agi_arg_{number}": value for number, value in enumerate(rest, 1)}
    lines = [f"{key}: {value}".replace("\n", " ") for key, value in block.items()]
    return wire.parse_block("\n".join(lines).encode("utf-8", "surrogateescape"))


def consult(asterisk: Asterisk, request: wire.Request) -> None:
    question = routes.question_of(request, at=0.0)
    asked = {
        "uniqueid": question.uniqueid,
        "channel": question.channel,
        "linkedid": question.linkedid,
        "caller_id_num": question.caller_id_num,
        "exten": question.exten,
        "context": question.context,
        "callees": list(question.callees),
        "monitored": question.monitored,
    }
    try:
        advice = advices.from_mapping(ask("/v1/consult", asked, ANSWER_SECONDS))
    except (NoAnswer, ValueError):
        advice, allow = fallback.without_daemon(
            asterisk.database_get,
            caller=wire.extension_of(question.channel),
            callees=question.callees,
            dialled=question.exten,
        )
    else:
        allow = not advice.must_be_armed or armed(question.uniqueid)
    asterisk.set_variable(advices.VARIABLE, advices.spell(advice, allow=allow))


def armed(uniqueid: str) -> bool:
    """True once the daemon has seen the recorder's file; False when it has not in time."""
    try:
        answer = ask("/v1/armed", {"uniqueid": uniqueid}, ARMED_SECONDS)
    except NoAnswer:
        return False
    return isinstance(answer, dict) and answer.get("armed") is True


def pressing(action: str) -> Callable[[Asterisk, wire.Request], None]:
    def press(asterisk: Asterisk, request: wire.Request) -> None:
        from_dialplan = request.query.get("from") == "dialplan"
        asked = {
            "action": action,
            "uniqueid": request.uniqueid,
            "by": wire.extension_of(request.channel),
            "source": "agi" if from_dialplan else "feature-code",
        }
        try:
            answer = ask("/v1/press", asked, ANSWER_SECONDS)
        except NoAnswer:
            return  # whether it was done is unknown: no tone may say so
        outcome = answer.get("outcome") if isinstance(answer, dict) else None
        tone = routes.tone(str(outcome), action)
        if tone and not from_dialplan:
            asterisk.stream_file(f"{os.environ.get('RECORDERD_SOUNDS', 'recorderd')}/{tone}")

    return press


HANDLERS: dict[str, Callable[[Asterisk, wire.Request], None]] = {
    "consult": consult,
    "start": pressing("start"),
    "stop": pressing("stop"),
    "toggle": pressing("toggle"),
    "pause": pressing("pause"),
    "resume": pressing("resume"),
    "pausing": pressing("pausing"),
}


def ask(path: str, asked: Mapping[str, object], seconds: float) -> object:
    """The daemon's JSON answer; NoAnswer when it has none within `seconds`, however slowly it speaks."""
    connection = _UnixConnection(os.environ.get("RECORDERD_CONTROL", SOCKET), seconds)
    try:
        with _deadline(seconds):
            connection.request("POST", path, json.dumps(asked), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
            if response.status != 200:
                raise NoAnswer(f"HTTP {response.status}")
            return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as fault:
        raise NoAnswer(str(fault)) from fault
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("recorderd", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """A bound on all of it: a socket's timeout starts anew with every byte."""

    def late(_signum: int, _frame: FrameType | None) -> None:
        raise TimeoutError("too late")

    previous = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


if __name__ == "__main__":
    raise SystemExit(main())
