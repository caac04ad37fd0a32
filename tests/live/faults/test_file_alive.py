"""The file is alive: what recorderd notices of a file while Asterisk writes it, and what it does about it.

Truth is what the telephones said. Each fault is made behind recorderd's back, on the file itself.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import until
from tests.live.phone import Call
from tests.live.scene import Scene, hang_up, scene

pytestmark = pytest.mark.live

POLICY = {"101": "always", "102": "always", "103": "always", "104": "always"}
# One step of Asterisk's buffer, half a second, the question to Asterisk, and a busy machine.
_TOLD_WITHIN = 8.0


class Webhook:
    """Somebody who is told of alarms by HTTP."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture(scope="module", params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, webhook: Webhook
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("alive")
    pager = folder / "page-me"
    pager.write_text(f"#!/bin/sh\n(cat; echo) >> {folder}/told\n")
    pager.chmod(0o755)
    alarms = {"webhook": webhook.url, "command": str(pager)}
    with scene(request.param, folder, POLICY, daemon={"alarms": alarms}) as played:
        played.told = folder / "told"  # type: ignore[attr-defined]
        yield played


async def lanes_of(house: Scene) -> list[Path]:
    """The lanes that are being written."""
    found = await until(lambda: [f for f in house.lane_files() if f.suffix == ".wav"], "lanes")
    return list(found)


async def alarmed(house: Scene, kind: str, since: int) -> None:
    """An alarm of this kind is in the ledger."""

    async def found() -> bool:
        rows = await house.daemon.ledger(lambda store: store.alarms())
        return any(row.kind == kind for row in rows[since:])

    await until(found, f"an alarm {kind}", _TOLD_WITHIN)


async def alarms(house: Scene) -> list[Any]:
    return list(await house.daemon.ledger(lambda store: store.alarms()))


# --- nothing is wrong ----------------------------------------------------------------------------


async def both_mute(call: Call, other: Call) -> None:
    """Two telephones that send nothing while nobody speaks."""
    call.mute()
    other.mute()
    await asyncio.sleep(6.0)
    call.mute(False)
    other.mute(False)


async def hold_without_music(call: Call, other: Call) -> None:
    """Held with `inactive`: no packet either way."""
    await call.hold("inactive")
    other.mute()
    await asyncio.sleep(6.0)
    other.mute(False)
    await call.unhold()


@pytest.mark.parametrize("silence", [both_mute, hold_without_music])
async def test_silence_on_the_line_is_no_fault(
    house: Scene, silence: Callable[[Call, Call], Awaitable[None]]
) -> None:
    before = len(await alarms(house))
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(3.0)
        await silence(call, other)
        await asyncio.sleep(3.0)
        await hang_up(call, other)
    assert [alarm.sentence for alarm in (await alarms(house))[before:]] == []
    assert [row.outcome for row in take.intervals] == [Outcome.RECORDED]
    for speaker, listener in ((call, other), (other, call)):
        missing = len(set(ears.passed(speaker, listener)) - ears.frames_in(take.file, speaker))
        assert missing * 20 <= 200, missing


# --- something is wrong ----------------------------------------------------------------------------


def deleted(lanes: list[Path]) -> None:
    for lane in lanes:
        lane.unlink()


def truncated(lanes: list[Path]) -> None:
    for lane in lanes:
        lane.write_bytes(b"")


def replaced(lanes: list[Path]) -> None:
    for lane in lanes:
        lane.unlink()
        lane.write_bytes(b"another's")


@pytest.mark.parametrize("harm", [deleted, truncated, replaced])
async def test_a_file_that_is_harmed_is_told_and_its_voice_goes_on_elsewhere(
    house: Scene, webhook: Webhook, harm: Callable[[list[Path]], None]
) -> None:
    before, posted = len(await alarms(house)), len(webhook.heard)
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102"))
        await asyncio.sleep(3.0)
        harm(await lanes_of(house))
        await alarmed(house, "recorder-failed", before)
        since = other.phone.ticker.number_at(time.time() + 0.5)
        await asyncio.sleep(3.0)
        await hang_up(call, other)
    after = {n for n in call.said() if n >= since}
    there = ears.frames_in(take.file, call)
    assert len(after & there) >= 0.9 * len(after), "its voice goes on elsewhere"
    assert take.intervals[-1].outcome in (Outcome.PARTIAL, Outcome.RECORDED)
    assert any(told["kind"] == "recorder-failed" for told in webhook.heard[posted:])
    text = house.told.read_text()  # type: ignore[attr-defined]
    assert '"recorder-failed"' in text
    assert 'recorderd_alarms_total{kind="recorder-failed"}' in await asyncio.to_thread(
        house.daemon.control.metrics
    )


async def test_a_file_that_cannot_be_made_is_told_and_made_elsewhere(house: Scene) -> None:
    before = len(await alarms(house))
    day = next(path for path in house.daemon.lanes.glob("*/*/*") if path.is_dir())
    aside = day.rename(day.with_name("aside"))
    day.write_text("in the way")
    async with house.take() as take, house.phones() as phones:
        try:
            call, other = await phones.connect(await phones("103"), await phones("104"))
            await alarmed(house, "recorder-failed", before)
            await asyncio.sleep(3.0)
            await hang_up(call, other)
        finally:
            day.unlink()
            aside.rename(day)
    assert take.intervals[-1].outcome is Outcome.PARTIAL
    assert ears.audible(take.file) == {call.stream.voice, other.stream.voice}


async def test_a_voice_of_which_nothing_is_to_be_heard_is_told(house: Scene) -> None:
    """Packets came and the file grew, but it holds only silence: a dead microphone, or a fault."""
    before = len(await alarms(house))
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones("102", voice=None))
        await asyncio.sleep(6.5)
        await hang_up(call, other)
    await alarmed(house, "one-sided", before)
    assert "no sound of 102" in take.intervals[-1].note


async def test_in_the_end_no_lane_is_left(house: Scene) -> None:
    await house.daemon.quiet()
    async with house.daemon.store() as store:
        assert (await store.open_rows()).lanes == ()
