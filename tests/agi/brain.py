"""A Brain whose answers a test chooses, and the Asterisk side of an AGI conversation over TCP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future

from recorderd.agi.advice import Advice
from recorderd.core import commands, events

ALWAYS = Advice(mode="always", record=True, fail_mode="open", reason="extension 101 wants always")

ENV = {
    "agi_network": "yes",
    "agi_network_script": "consult",
    "agi_request": "agi://127.0.0.1:4573/consult",
    "agi_channel": "PJSIP/101-0000002a",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "pbx-1700000000.42",
    "agi_version": "22.10.1",
    "agi_callerid": "101",
    "agi_calleridname": "Phone 101",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "102",
    "agi_rdnis": "unknown",
    "agi_context": "recorderd",
    "agi_extension": "ask",
    "agi_priority": "8",
    "agi_enhanced": "0.0",
    "agi_accountcode": "acc101",
    "agi_threadid": "140000000000",
}


def block(**changes: str | None) -> bytes:
    """A header block as Asterisk writes it; None leaves a header out."""
    env = {**ENV, **changes}
    lines = [f"{name}: {value}\n" for name, value in env.items() if value is not None]
    return "".join(lines).encode("utf-8", "surrogateescape") + b"\n"


class ChosenBrain:
    """Answers what the test put in `advice`, `outcome` and `arms`; None leaves a future open."""

    def __init__(self) -> None:
        self.advice: Advice | Callable[[events.Consult], Advice] = ALWAYS
        self.outcome: str | Exception | None = "started"
        self.arms: bool | Exception | None = True
        self.asked: list[events.Consult] = []
        self.presses: list[events.Press] = []
        self.waited_for: list[str] = []
        self.futures: list[Future[commands.Answer]] = []

    def consult(self, question: events.Consult) -> Advice:
        self.asked.append(question)
        return self.advice if isinstance(self.advice, Advice) else self.advice(question)

    def press(self, press: events.Press) -> Future[commands.Answer]:
        self.presses.append(press)
        future: Future[commands.Answer] = Future()
        self.futures.append(future)
        if isinstance(self.outcome, str):
            answer = commands.Answer(press_id=press.id, outcome=self.outcome, reason="")
            future.set_result(answer)
        elif self.outcome is not None:
            future.set_exception(self.outcome)
        return future

    def armed(self, uniqueid: str) -> Future[bool]:
        self.waited_for.append(uniqueid)
        future: Future[bool] = Future()
        if isinstance(self.arms, bool):
            future.set_result(self.arms)
        elif self.arms is not None:
            future.set_exception(self.arms)
        return future


class AsteriskSide:
    """One AGI connection as Asterisk holds it: writes the block, reads commands, answers them."""

    def __init__(self, port: int, *, seconds: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next command, or b'' once the server has closed."""
        while b"\n" not in self._buffer:
            try:
                data = self.socket.recv(4096)
            except ConnectionResetError:
                data = b""
            if not data:
                return b""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def talk(self, data: bytes, answer: bytes = b"200 result=1\n") -> list[bytes]:
        """Send `data`, answer every command with `answer`; all commands until the server closes."""
        said = []
        self.send(data)
        while line := self.line():
            said.append(line)
            self.send(answer)
        return said

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> AsteriskSide:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
