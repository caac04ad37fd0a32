"""Where words are wanted (`feature.prompts`) the presser hears words, in the language that is configured.

Truth: what reached the telephones, held against the files that are shipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tests.live import signals
from tests.live.phone import Call
from tests.live.scene import Scene, hang_up, scene

pytestmark = pytest.mark.live

POLICY = {"101": "on-demand", "102": "never", "103": "on-demand", "104": "on-demand"}
FEATURES = """
[general]
[featuremap]
[applicationmap]
recorderd => *1,self,AGI,agi://127.0.0.1:@agi_port@/toggle
"""
ANSWERS = ("started", "stopped", "denied")


@pytest.fixture(scope="module", params=["en", "ru"])
def spoken(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Scene]]:
    overrides = {"feature": {"prompts": request.param}}
    with scene(22, tmp_path_factory.mktemp("spoken"), POLICY, features=FEATURES, daemon=overrides) as house:
        yield request.param, house


def words(language: str, answer: str) -> signals.Samples:
    folder = Path(str(resources.files("recorderd.agi"))) / "sounds" / language / "pressed"
    return signals.ulaw_decode((folder / f"{answer}.ulaw").read_bytes())


def likeness(heard: signals.Samples, said: signals.Samples) -> float:
    """1.0 where one is somewhere in the other as it is, near 0 where it is not."""
    sound, pattern = heard.astype(float), said.astype(float)
    if len(sound) < len(pattern):
        return 0.0
    matched = np.correlate(sound, pattern, "valid")
    loudness = np.sqrt(np.convolve(sound**2, np.ones(len(pattern)), "valid") * (pattern @ pattern))
    return float((matched / np.maximum(loudness, 1.0)).max())


def answers(call: Call, language: str) -> set[str]:
    sound = signals.ulaw_decode(call.stream.heard.sound())
    return {answer for answer in ANSWERS if likeness(sound, words(language, answer)) > 0.8}


async def pressed(house: Scene, caller: str, callee: str, times: int) -> tuple[Call, Call]:
    """Two who say nothing; the caller presses so often."""
    async with house.phones() as phones:
        calling, called = await phones(caller, voice=None), await phones(callee, voice=None)
        call = await calling.call(callee)
        other = await called.ringing()
        await asyncio.sleep(0.15)  # a person lets it ring
        await other.answer()
        await call.up()
        await asyncio.sleep(0.5)
        for _ in range(times):
            await call.dtmf("*1")
            await asyncio.sleep(3.0)
        await hang_up(call, other)
        return call, other


async def test_the_presser_hears_that_it_began_and_that_it_ended(spoken: tuple[str, Scene]) -> None:
    language, house = spoken
    call, other = await pressed(house, "103", "104", 2)
    assert answers(call, language) == {"started", "stopped"}
    assert abs(signals.ulaw_decode(other.stream.heard.sound())).max() < 1000


async def test_the_presser_hears_that_it_is_denied(spoken: tuple[str, Scene]) -> None:
    language, house = spoken
    call, other = await pressed(house, "101", "102", 1)
    assert answers(call, language) == {"denied"}
    assert abs(signals.ulaw_decode(other.stream.heard.sound())).max() < 1000
