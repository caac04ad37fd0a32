"""The calls of this moment: what is said of each, and what may be pressed, asked of a real control socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from recorderd.control.server import ControlServer
from tests.panel.conftest import NOW, Room, panel_over


class OneCall:
    """A daemon with one call, in whatever state it is told."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.pressed: list[tuple[str, str, str]] = []

    def calls(self) -> Sequence[Mapping[str, Any]]:
        party = {"uniqueid": "1.1", "channel": "PJSIP/101-1", "extension": "101", "number": "101", "name": ""}
        other = party | {
            "uniqueid": "1.2",
            "channel": "PJSIP/trunk-2",
            "extension": "",
            "number": "0612345678",
        }
        plain = {
            "conversation": "c1",
            "since": NOW - 30,
            "talking": True,
            "reason": "",
            "trace": [],
            "file": "",
        }
        parties = [party | {"direction": "outbound"}, other | {"direction": "inbound"}]
        return [plain | {"parties": parties} | self.state]

    async def press(self, action: str, target: str, by: str, **_why: str) -> Mapping[str, str]:
        self.pressed.append((action, target, by))
        return {"outcome": "started", "reason": "101 chose on-demand for outbound calls"}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[OneCall]:
    found = OneCall()
    server = ControlServer(found, tmp_path / "control.sock")  # type: ignore[arg-type]
    await server.start()
    yield found
    await server.close()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with panel_over("memory:", tmp_path) as made:
        await made.user("101")
        await made.user("102")
        await made.user("105", extension="101", rights=("list",))
        yield made


# mode, recording, paused, buffered; what it is called; what may be pressed
STATES = [
    (("always", True, False, False), "being recorded", ["pause"]),
    (("always", True, True, False), "paused", ["resume"]),
    (("on-demand", True, False, False), "being recorded", ["stop", "pause"]),
    (("on-demand", True, True, False), "paused", ["stop", "resume"]),
    (("on-demand", False, False, True), "buffered: kept only if somebody presses", ["start"]),
    (("on-demand", False, False, False), "not recorded", ["start"]),
    (("never", False, False, False), "not recorded", []),
]


@pytest.mark.parametrize(("state", "called", "presses"), STATES)
async def test_each_state_has_its_word_and_the_presses_that_policy_allows(
    room: Room, daemon: OneCall, state: tuple[str, bool, bool, bool], called: str, presses: list[str]
) -> None:
    daemon.state = dict(zip(("mode", "recording", "paused", "buffered"), state, strict=True))
    mine = await room.signed_in("101")
    (call,) = (await mine.get("/api/v1/live")).json()["calls"]
    assert call["presses"] == presses
    assert call["buffered"] is state[3]
    piece = (await mine.get("/live", headers={"HX-Request-Type": "partial"})).text
    assert f'<span class="state">{called}</span>' in piece
    assert ("Keep the whole call" in piece) is state[3]
    # Who may only look is offered nothing, and whose call it is not does not see it.
    looks = await room.signed_in("105")
    assert (await looks.get("/api/v1/live")).json()["calls"][0]["presses"] == []
    other = await room.signed_in("102")
    assert (await other.get("/api/v1/live")).json()["calls"] == []


async def test_a_press_goes_to_ones_own_channel_and_into_the_trail(room: Room, daemon: OneCall) -> None:
    daemon.state = {"mode": "on-demand", "recording": False, "paused": False, "buffered": True}
    mine = await room.signed_in("101")
    answer = await mine.post("/api/v1/live/c1/start")
    assert answer.json()["outcome"] == "started"
    assert daemon.pressed == [("start", "1.1", "101")]
    assert [row.detail["action"] for row in await room.trail("press")] == ["start"]
    assert (await mine.post("/api/v1/live/c2/start")).status_code == 404
    assert (await (await room.signed_in("102")).post("/api/v1/live/c1/start")).status_code == 404
    assert (await (await room.signed_in("105")).post("/api/v1/live/c1/start")).status_code == 403
    assert len(daemon.pressed) == 1


async def test_a_daemon_of_yesterday_that_knows_of_no_buffer_is_understood(
    room: Room, daemon: OneCall
) -> None:
    daemon.state = {"mode": "on-demand", "recording": False, "paused": False}
    (call,) = (await (await room.signed_in("101")).get("/api/v1/live")).json()["calls"]
    assert (call["buffered"], call["presses"]) == (False, ["start"])
