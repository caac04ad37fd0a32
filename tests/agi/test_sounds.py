"""The sounds that are shipped: there for every name that is said, and short enough."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

import recorderd.agi
from recorderd.agi import fallback, routes

SOUNDS = Path(recorderd.agi.__file__).parent / "sounds"
OUTCOMES = ("started", "stopped", "paused", "resumed", "unchanged", "denied")
TONES = {routes.tone(outcome, action) for outcome in OUTCOMES for action in routes.ROUTES} - {""}


@pytest.mark.parametrize("name", sorted(TONES))
def test_a_tone_is_there_and_at_most_300_ms_long(name: str) -> None:
    with wave.open(str(SOUNDS / f"{name}.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert 0.1 <= sound.getnframes() / 8000 <= 0.3


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", [fallback.NOT_RECORDED, "cannot-connect", "ended"])
def test_a_prompt_is_there_in_every_language(language: str, name: str) -> None:
    seconds = (SOUNDS / language / f"{name}.ulaw").stat().st_size / 8000
    assert 2 <= seconds <= 6
