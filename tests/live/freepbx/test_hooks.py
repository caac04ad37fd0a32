"""Our file for FreePBX's custom contexts, in a real Asterisk: the dialplan asks right before it dials, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from recorderd.core.policy import ExtensionPolicy, FailMode, Mode
from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.freepbx.pbx import freepbx
from tests.live.scene import Scene, forgiving, hang_up

pytestmark = pytest.mark.live

POLICY = {
    "101": "always",
    "102": "always",
    "103": ExtensionPolicy(
        extension="103", inbound=Mode.ALWAYS, outbound=Mode.ALWAYS, fail_mode=FailMode.CLOSED_BEFORE
    ),
}


@pytest.fixture(scope="module", params=[22, 16], ids=["gosub-22", "macro-16"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with freepbx(request.param, tmp_path_factory.mktemp("hooks"), POLICY, {}, hooks=True) as played:
        yield played


@forgiving
@pytest.mark.parametrize(("callee", "number"), [("102", "102"), ("trunk", "90612345678")])
async def test_the_hook_asks_and_the_call_is_recorded(house: Scene, callee: str, number: str) -> None:
    before = await asked(house)
    async with house.take() as take, house.phones() as phones:
        call, other = await phones.connect(await phones("101"), await phones(callee), number)
        await asyncio.sleep(1.2)
        await hang_up(call, other)
    assert await asked(house) == before + 1
    assert [i.outcome for i in take.intervals] == [Outcome.RECORDED]
    for speaker, listener in ((call, other), (other, call)):
        found = ears.heard(take.file, speaker, ears.passed(speaker, listener))
        assert found.complete, found
        assert found.start_ms <= 20.0, "armed before the answer"


async def test_who_may_only_connect_recorded_does_not_connect_while_nobody_answers(house: Scene) -> None:
    """The hook plays and hangs up by itself: what FreePBX would do next does not happen."""
    await house.daemon.stop()
    try:
        async with house.phones() as phones:
            callee = await phones("103")
            call = await (await phones("101")).call("103")
            assert await call.ended(15) == 403
            assert not callee.calls
            call, other = await phones.connect(await phones("101"), await phones("102"))
            await hang_up(call, other)
    finally:
        await house.daemon.start()


def test_asterisk_reads_it_with_no_more_than_freepbxs_own_contexts_doubled(house: Scene) -> None:
    doubled = ("-predial-hook", "of extensions.conf")  # whose lines come after ours, and count no more
    loading = [line for line in house.asterisk.complaints() if "pbx" in line or "extensions" in line]
    assert [line for line in loading if not any(name in line for name in doubled)] == []
    for context in ("macro-dialout-one-predial-hook", "macro-dialout-trunk-predial-hook"):
        assert "Gosub(recorderd,s,1(" in house.asterisk.cli(f"dialplan show {context}")


async def asked(house: Scene) -> int:
    """How many questions of the dialplan the daemon has answered."""
    text = await asyncio.to_thread(house.daemon.control.metrics)
    lines = [line for line in text.splitlines() if line.startswith("recorderd_agi_session_seconds_count")]
    return round(float(lines[0].split()[-1]))
