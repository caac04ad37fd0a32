"""The other end of the control socket, for the command line and the panel.

Owns how a request is made and how each way to fail is told. Must not know the daemon. Blocking; standard
library only, so that a command starts quickly.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recorderd.control.ports import NotFound
from recorderd.errors import ControlError

MAX_ANSWER = 64 << 20


class ControlClient:
    """Talks to the daemon at `path`. Every method raises ControlError, one sentence, when it says no.

    `deadline` in seconds bounds the wait for each answer.
    """

    def __init__(self, path: Path | str, deadline: float = 3.0) -> None:
        self.path = str(path)
        self.deadline = deadline

    def health(self) -> dict[str, Any]:
        """That it is there and well, and its version. Raises ControlError with the reason while it is not."""
        return self._ask("GET", "/health")

    def status(self) -> dict[str, Any]:
        """How it is."""
        return self._ask("GET", "/v1/status")

    def calls(self) -> list[dict[str, Any]]:
        """The conversations of this moment."""
        return list(self._ask("GET", "/v1/calls")["calls"])

    def policy_version(self) -> int:
        """The version of policy in force."""
        return int(self._ask("GET", "/v1/policy")["version"])

    def press(self, action: str, target: str, *, by: str, source: str, reason: str = "") -> dict[str, Any]:
        """Do one of `ports.ACTIONS`: `outcome` and `reason`. Raises NotFound when there is no such call."""
        asked = {"action": action, "target": target, "by": by, "source": source, "reason": reason}
        return self._ask("POST", "/v1/press", asked)

    def consult(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The advice for a call about to be dialled."""
        return self._ask("POST", "/v1/consult", question)

    def armed(self, uniqueid: str) -> bool:
        """Whether a recorder's file has been seen on this channel."""
        return bool(self._ask("POST", "/v1/armed", {"uniqueid": uniqueid})["armed"])

    def explain(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What would be decided, and why."""
        return self._ask("POST", "/v1/explain", question)

    def reload(self) -> dict[str, Any]:
        """Read the configuration again."""
        return self._ask("POST", "/v1/reload", {})

    def metrics(self) -> str:
        """Prometheus' text format."""
        return self._fetch("GET", "/metrics", None).decode()

    def _ask(self, verb: str, path: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        raw = self._fetch(verb, path, asked)
        try:
            answer = json.loads(raw)
        except ValueError as error:
            raise ControlError(f"what answers at {self.path} is not recorderd") from error
        if not isinstance(answer, dict):
            raise ControlError(f"what answers at {self.path} is not recorderd")
        return answer

    def _fetch(self, verb: str, path: str, asked: Mapping[str, Any] | None) -> bytes:
        connection = _UnixConnection(self.path, self.deadline)
        content = None if asked is None else json.dumps(asked)
        try:
            connection.request(verb, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read(MAX_ANSWER)
        except FileNotFoundError as error:
            raise ControlError(f"recorderd is not running: no socket at {self.path}") from error
        except ConnectionRefusedError as error:
            raise ControlError(f"recorderd is not running: nobody answers at {self.path}") from error
        except PermissionError as error:
            raise ControlError(f"you may not use {self.path}: you are not in its group") from error
        except TimeoutError as error:
            raise ControlError(f"recorderd did not answer within {self.deadline:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise ControlError(f"recorderd at {self.path} broke off: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            kind = NotFound if response.status == 404 else ControlError
            raise kind(_sentence(body) or f"recorderd answered {response.status}")
        return body


def _sentence(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("error") or "") if isinstance(answer, dict) else ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("recorderd", timeout=deadline)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError as error:
            # A path that is too long for a unix socket has no errno of its own.
            if not error.errno and not isinstance(error, TimeoutError):
                raise ControlError(f"{self._path} cannot be a socket: {error}") from error
            raise
