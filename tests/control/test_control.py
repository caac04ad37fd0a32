"""The control interface over a real unix socket: what it answers, what it refuses, and how failures read."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from recorderd.control import app, door
from recorderd.control.client import ControlClient
from recorderd.control.ports import NotFound
from recorderd.control.server import ControlServer
from recorderd.errors import AmiError, ControlError, RecorderdError, StoreError
from tests.control.conftest import SmallDaemon

T = TypeVar("T")


async def off_loop(ask: Callable[..., T], *args: Any, **named: Any) -> T:
    """The client blocks and the server shares this test's loop."""
    return await asyncio.to_thread(ask, *args, **named)


async def raw(path: Path, request: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of one hand-written request."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    body = await reader.readexactly(length)
    writer.close()
    return int(head.split()[1]), json.loads(body) if b"json" in head else {}


def post(path: str, body: bytes) -> bytes:
    length = str(len(body)).encode()
    head = b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: "
    return head + length + b"\r\n\r\n" + body


# --- answers -----------------------------------------------------------------------------------


async def test_every_method_of_the_client_reaches_the_daemon(
    client: ControlClient, daemon: SmallDaemon
) -> None:
    assert (await off_loop(client.health))["ok"] is True
    assert (await off_loop(client.status))["asterisk"] == {"connected": True}
    assert await off_loop(client.policy_version) == 7
    assert await off_loop(client.metrics) == "recorderd_calls 1\n"
    assert await off_loop(client.armed, "1.1") is True
    daemon.wrong = ["Asterisk is away", "the database is away"]
    with pytest.raises(ControlError, match=r"^Asterisk is away; the database is away$"):
        await off_loop(client.health)
    assert await off_loop(client.armed, "1.2") is False
    assert (await off_loop(client.explain, {"caller": "101", "callee": "102"}))["mode"] == "never"
    assert daemon.asked[-1] == {
        "caller": "101",
        "callee": "102",
        "at": 1000.0,
        "did": "",
        "trunk": "",
        "context": "",
        "pressed": False,
    }


async def test_press_reaches_the_daemon_as_it_was_asked(client: ControlClient, daemon: SmallDaemon) -> None:
    answer = await off_loop(client.press, "toggle", "101", by="root", source="cli", reason="a test")
    assert answer == {"outcome": "started", "reason": "pressed"}
    assert daemon.asked == [("toggle", "101", "root", "cli", "a test")]


async def test_consult_becomes_a_typed_event_with_the_servers_time(
    client: ControlClient, daemon: SmallDaemon
) -> None:
    asked = {"uniqueid": "1.1", "channel": "PJSIP/101-1", "callees": ["102"], "caller_id_num": "101"}
    answer = await off_loop(client.consult, asked)
    assert answer["record"] is True
    question = daemon.asked[0]
    assert (question.at, question.callees, question.exten) == (1000.0, ("102",), "")


async def test_a_name_that_is_no_utf8_survives_the_answer(client: ControlClient) -> None:
    assert (await off_loop(client.calls))[0]["parties"][0]["name"] == "Иван \udce9"


async def test_a_press_on_nobody_is_not_found_in_one_sentence(client: ControlClient) -> None:
    with pytest.raises(NotFound, match=r"^999 takes part in no call$"):
        await off_loop(client.press, "toggle", "999", by="root", source="cli")


async def test_a_bad_reload_tells_the_fault(client: ControlClient) -> None:
    with pytest.raises(ControlError, match=r"^recorderd.yaml:1:1: is empty$"):
        await off_loop(client.reload)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (AmiError("x"), 502),
        (StoreError("x"), 503),
        (RecorderdError("x"), 409),
        (ValueError("secret inside"), 500),
    ],
)
async def test_each_error_of_the_daemon_has_its_status(
    server: ControlServer, daemon: SmallDaemon, error: Exception, status: int
) -> None:
    daemon.broken = error
    got, answer = await raw(server.path, b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got == status
    assert "secret" not in answer["error"]


async def test_a_daemon_that_does_not_decide_is_given_up(
    server: ControlServer, daemon: SmallDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "ANSWER_SECONDS", 0.1)
    daemon.stuck = 60
    body = b'{"action": "stop", "target": "101", "by": "x", "source": "cli"}'
    status, answer = await raw(server.path, post("/v1/press", body))
    assert (status, answer["error"]) == (504, "no answer within 0 s")


# --- hostile requests ----------------------------------------------------------------------------

GOOD = {"action": "toggle", "target": "101", "by": "root", "source": "cli"}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is not JSON"),
        (b"{", 400, "the body is not JSON"),
        (b"[]", 400, "the body must be a JSON object"),
        (b"\xff\xfe\xfd", 400, "the body is not JSON"),
        (b'{"action":' + b"[" * 30000, 400, "the body is not JSON"),
        (b'{"a": 1, "a": 2}', 400, "given twice"),
        (b"{}", 422, "action is missing"),
        (json.dumps(GOOD | {"x": 1}).encode(), 422, "unknown field 'x'"),
        (json.dumps(GOOD | {"action": "explode"}).encode(), 422, "action must be one of toggle"),
        (json.dumps(GOOD | {"action": ["toggle"]}).encode(), 422, "action must be one of toggle"),
        (json.dumps(GOOD | {"target": 101}).encode(), 422, "target must be a text"),
        (json.dumps(GOOD | {"target": ""}).encode(), 422, "target must not be empty"),
        (json.dumps(GOOD | {"target": "1\r\nAction: Originate"}).encode(), 422, "control characters"),
        (json.dumps(GOOD | {"by": "x" * 600}).encode(), 422, "by must be at most 512 characters"),
        (json.dumps(GOOD | {"uniqueid": "1.1"}).encode(), 422, "either target or uniqueid"),
        (b" " * (door.MAX_BODY + 1), 413, "larger than"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_a_sentence(
    server: ControlServer, daemon: SmallDaemon, body: bytes, status: int, sentence: str
) -> None:
    got, answer = await raw(server.path, post("/v1/press", body))
    assert (got, sentence in answer["error"]) == (status, True), answer
    assert daemon.asked == []


@pytest.mark.parametrize("at", ["NaN", "Infinity", "-1", "1e300", '"now"', "true"])
async def test_a_time_that_is_none_is_refused(server: ControlServer, at: str) -> None:
    body = f'{{"caller": "101", "callee": "102", "at": {at}}}'.encode()
    status, answer = await raw(server.path, post("/v1/explain", body))
    assert (status, answer["error"][:8]) == (422, "at must ")


async def test_unknown_paths_and_wrong_methods_are_json_too(server: ControlServer) -> None:
    assert await raw(server.path, b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n") == (
        404,
        {"error": "there is no /etc/passwd"},
    )
    assert await raw(server.path, b"GET /v1/press HTTP/1.1\r\nHost: x\r\n\r\n") == (
        405,
        {"error": "/v1/press does not take GET"},
    )


async def test_a_body_that_never_comes_is_given_up(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.1)
    request = b"POST /v1/press HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    assert (await raw(server.path, request))[0] == 408


async def test_a_client_that_never_finishes_its_request_is_sent_away(
    daemon: SmallDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorderd.control.serving.HEAD_SECONDS", 0.2)
    server = ControlServer(daemon, tmp_path / "s")
    await server.start()
    silent, slow = [await asyncio.open_unix_connection(str(server.path)) for _ in range(2)]
    slow[1].write(b"GET /hea")
    for reader, writer in (silent, slow):
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    await server.close()


async def test_a_crowd_of_silent_clients_keeps_nobody_out(
    daemon: SmallDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorderd.control.serving.HEAD_SECONDS", 0.2)
    server = ControlServer(daemon, tmp_path / "s")
    await server.start()
    crowd = [await asyncio.open_unix_connection(str(server.path)) for _ in range(300)]
    for reader, writer in crowd:
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    assert await off_loop(ControlClient(server.path).policy_version) == 7
    await server.close()


async def test_a_chunked_body_without_end_is_cut_off(server: ControlServer) -> None:
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    request = b"POST /v1/press HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3
    assert (await raw(server.path, request))[0] == 413


# --- the socket ----------------------------------------------------------------------------------


async def test_the_socket_is_for_owner_and_group_only(server: ControlServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660
    assert [p.name for p in server.path.parent.iterdir()] == ["control.sock"]


async def test_closing_removes_the_socket_and_may_be_done_twice(daemon: SmallDaemon, tmp_path: Path) -> None:
    server = ControlServer(daemon, tmp_path / "s")
    await server.start()
    await server.close()
    await server.close()
    assert not server.path.exists()


async def test_a_socket_left_by_a_crash_is_taken_over(daemon: SmallDaemon, tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s"))
    left.close()
    server = ControlServer(daemon, tmp_path / "s")
    await server.start()
    assert await off_loop(ControlClient(server.path).policy_version) == 7
    await server.close()


async def test_a_second_daemon_on_the_same_socket_is_refused(
    server: ControlServer, daemon: SmallDaemon
) -> None:
    with pytest.raises(ControlError, match="another recorderd is running"):
        await ControlServer(daemon, server.path).start()
    assert await off_loop(ControlClient(server.path).policy_version) == 7


async def test_a_folder_or_a_group_that_is_not_there_is_one_sentence(
    daemon: SmallDaemon, tmp_path: Path
) -> None:
    with pytest.raises(ControlError, match=r"cannot be made: No such file or directory$"):
        await ControlServer(daemon, tmp_path / "no" / "s").start()
    with pytest.raises(ControlError, match="no group 'nobody-has-it'"):
        await ControlServer(daemon, tmp_path / "s", "nobody-has-it").start()
    with pytest.raises(ControlError, match="cannot be made: AF_UNIX path too long"):
        await ControlServer(daemon, tmp_path / ("x" * 200)).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a socket to another group")
async def test_the_socket_belongs_to_the_group(daemon: SmallDaemon, tmp_path: Path) -> None:
    group = next(g for g in grp.getgrall() if g.gr_gid != os.getegid())
    server = ControlServer(daemon, tmp_path / "s", group.gr_name)
    await server.start()
    assert server.path.stat().st_gid == group.gr_gid
    await server.close()


def test_no_daemon_is_told_in_one_sentence(tmp_path: Path) -> None:
    client = ControlClient(tmp_path / "s")
    with pytest.raises(ControlError, match=r"^recorderd is not running: no socket at .*/s$"):
        client.status()
    left = socket.socket(socket.AF_UNIX)
    left.bind(client.path)
    left.close()
    with pytest.raises(ControlError, match=r"^recorderd is not running: nobody answers at .*/s$"):
        client.status()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "is not recorderd"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "is not recorderd"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", "recorderd answered 500"),
        (None, "did not answer within 0.2 s"),
    ],
)
def test_whatever_stands_at_the_socket_the_client_says_one_sentence(
    tmp_path: Path, answer: bytes | None, sentence: str
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client = ControlClient(tmp_path / "s", deadline=0.2)

        async def ask() -> None:
            asking = asyncio.create_task(off_loop(client.status))
            loop = asyncio.get_running_loop()
            listener.setblocking(False)
            peer, _ = await loop.sock_accept(listener)
            if answer is not None:
                await loop.sock_recv(peer, 1000)
                await loop.sock_sendall(peer, answer)
                peer.close()
            with pytest.raises(ControlError, match=sentence):
                await asking
            peer.close()

        asyncio.run(ask())


def test_it_serves_on_uvloop_as_well(tmp_path: Path) -> None:
    import uvloop

    async def main() -> int:
        server = ControlServer(SmallDaemon(), tmp_path / "s")
        await server.start()
        version = await off_loop(ControlClient(server.path).policy_version)
        await server.close()
        return version

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 7
