"""Eight voices that can be told apart, and the sound formats they travel in.

Each party speaks in 20 ms frames of one tone, out of four tones of its own; which of the four, tells the
frame's number (see `numbering`).

All tones are multiples of 100 Hz: a frame holds whole cycles, and any two tones are orthogonal over 20 ms at
any phase. A voice's tones lie 800 Hz apart: at a boundary that is not its own, another voice's tone 100 Hz
away leaks at most 1/(2 pi) of its amplitude, three other voices 0.45, so a threshold at half amplitude is
safe. One party sends one tone at a time, which is never a DTMF digit.
"""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.live.numbering import tone_of

RATE = 8000
FRAME = 160
FRAME_MS = 20.0
VOICES = 8
AMPLITUDE = 7000  # four voices together stay below full scale
HOLD_TONE_HZ = 450  # hold music: between two voices' tones, orthogonal to all of them

Samples = NDArray[np.int16]


def frequency(voice: int, tone: int) -> int:
    return 300 + 100 * (voice + VOICES * tone)


@cache
def tone_frame(voice: int, tone: int) -> bytes:
    at = np.arange(FRAME) / RATE
    samples = np.round(AMPLITUDE * np.sin(2 * np.pi * frequency(voice, tone) * at)).astype("<i2")
    return bytes(samples.tobytes())


class Signal:
    """What the party of index `voice` (0..7) says: `frame(number)` is 160 samples of 16 bits."""

    def __init__(self, voice: int) -> None:
        if not 0 <= voice < VOICES:
            raise ValueError(f"there are {VOICES} voices, 0 to {VOICES - 1}: {voice}")
        self.voice = voice

    def frame(self, number: int) -> bytes:
        return tone_frame(self.voice, tone_of(number))

    def frames(self, first: int, count: int) -> Samples:
        return np.frombuffer(b"".join(self.frame(first + i) for i in range(count)), "<i2")


def ulaw_encode(samples: Samples) -> bytes:
    """G.711 mu-law, one byte for each sample."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 0x80, 0)
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8).tobytes()


def ulaw_decode(data: bytes) -> Samples:
    code = ~np.frombuffer(data, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def load(path: Path | str) -> Samples:
    """The samples of an 8 kHz mono WAV; of a growing or broken one (header of length 0) what follows it."""
    data = Path(path).read_bytes()
    try:
        with wave.open(str(path)) as sound:
            if sound.getnframes():
                if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE, 1, 2):
                    raise ValueError(f"{path}: not 8 kHz, mono, 16 bits")
                return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    except (wave.Error, EOFError):
        pass
    return np.frombuffer(data[44 : 44 + (len(data) - 44) // 2 * 2], "<i2")
