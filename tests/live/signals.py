"""Voices that can be recognised, and the ear that recognises them.

Each party speaks in 20 ms frames of one tone, out of four tones of its own; which of the four, tells the
frame's number: no two neighbours are alike (so every boundary shows) and the differences between
neighbours form a de Bruijn sequence (so a few frames in a row tell where in the hour they belong).
`hear` says for a sound, a mono mix of up to four of the eight voices, which frames of whom are in it and
where; it must not know how the sound was made.

All tones are multiples of 100 Hz: a frame holds whole cycles, and any two tones are orthogonal over 20 ms at
any phase. A voice's tones lie 800 Hz apart: at a boundary that is not its own, another voice's tone 100 Hz
away leaks at most 1/(2 pi) of its amplitude, three other voices 0.45, so a threshold at half amplitude is
safe. One party sends one tone at a time, which is never a DTMF digit.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
FRAME = 160
FRAME_MS = 20.0
VOICES = 8
TONES = 4
AMPLITUDE = 7000            # four voices together stay below full scale
HOLD_TONE_HZ = 450          # hold music: between two voices' tones, orthogonal to all of them
_ORDER = 11                 # 3**11 frames: 59 minutes before numbers repeat
CYCLE = 3**_ORDER           # frame numbers are counted modulo this
_HOP = 8                    # the ear's time step in samples: 1 ms
_PRESENT = 0.5
_WINDOW = _ORDER + 1        # frames that together have one place in the cycle

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one voice that follow each other without a break.

    `start_ms`, `end_ms`: where in the sound. `first`, `last`: numbers of the frames there (modulo CYCLE),
    -1 when the run is too short to tell; a frame of which less than a half is there is not counted.
    `cut_ms`: how much of the first frame's beginning is not there; negative: how much of the one before is.
    """

    start_ms: float
    end_ms: float
    first: int
    last: int
    cut_ms: float = 0.0

    @property
    def length_ms(self) -> float:
        return self.end_ms - self.start_ms

    @property
    def begins_ms(self) -> float:
        """Where frame `first` begins, or would if it were whole."""
        return self.start_ms - self.cut_ms


# --- speaking ----------------------------------------------------------------------------------


@cache
def _code() -> NDArray[np.int8]:
    """Which of its four tones each frame of the cycle has, the same for every voice."""
    steps = np.fromiter(_lyndon_words(3, _ORDER), np.int64) + 1
    return (np.cumsum(steps) % TONES)[:CYCLE].astype(np.int8)


def _lyndon_words(symbols: int, order: int) -> Iterable[int]:
    """The de Bruijn sequence of `order`, as Lyndon words end to end (Fredricksen, Kessler, Maiorana)."""
    word = [-1]
    while word:
        word[-1] += 1
        if order % len(word) == 0:
            yield from word
        length = len(word)
        while len(word) < order:
            word.append(word[-length])
        while word and word[-1] == symbols - 1:
            word.pop()


def _frequency(voice: int, tone: int) -> int:
    return 300 + 100 * (voice + VOICES * tone)


def tone_of(number: int) -> int:
    return int(_code()[number % CYCLE])


@cache
def _tone_frame(voice: int, tone: int) -> bytes:
    at = np.arange(FRAME) / RATE
    return np.round(AMPLITUDE * np.sin(2 * np.pi * _frequency(voice, tone) * at)).astype("<i2").tobytes()


class Signal:
    """What the party of index `voice` (0..7) says: `frame(number)` is 160 samples of 16 bits."""

    def __init__(self, voice: int) -> None:
        if not 0 <= voice < VOICES:
            raise ValueError(f"there are {VOICES} voices, 0 to {VOICES - 1}: {voice}")
        self.voice = voice

    def frame(self, number: int) -> bytes:
        return _tone_frame(self.voice, tone_of(number))

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


# --- hearing -----------------------------------------------------------------------------------


def hear(
    samples: Samples, voices: Iterable[int] = range(VOICES), *, at_least: int = 2, near: int | None = None
) -> dict[int, list[Run]]:
    """Who is audible when: for each of `voices` its runs in the order of the sound, [] when it is silent.

    Runs of fewer than `at_least` frames are taken for noise. `near` is a frame number expected near the
    beginning: it tells short runs their numbers.
    """
    padded = np.concatenate([samples, np.zeros(2 * FRAME, np.int16)]).astype(np.float32)
    wanted = list(voices)
    levels = _levels(padded, wanted)
    return {
        voice: _runs_of(levels[:, 4 * i : 4 * i + 4], samples, voice, at_least, near)
        for i, voice in enumerate(wanted)
    }


def hold_music(samples: Samples) -> list[tuple[float, float]]:
    """The stretches (ms) in which the hold tone sounds, to about 10 ms."""
    padded = np.concatenate([samples, np.zeros(2 * FRAME, np.int16)]).astype(np.float32)
    loud = _tone_levels(padded, [HOLD_TONE_HZ])[:, 0] > 0.2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    return [(float(a) + 10, float(b) + 10) for a, b in edges.reshape(-1, 2)]


def _levels(samples: NDArray[np.float32], voices: Sequence[int]) -> NDArray[np.float32]:
    """How strong each tone of each voice is in the 20 ms from each millisecond on; 1.0 is full strength."""
    return _tone_levels(samples, [_frequency(voice, tone) for voice in voices for tone in range(TONES)])


def _tone_levels(samples: NDArray[np.float32], frequencies: Sequence[int]) -> NDArray[np.float32]:
    hops = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP)
    turns = np.outer(np.arange(_HOP) / RATE, frequencies)
    short = hops @ np.exp(-2j * np.pi * turns).astype(np.complex64)
    turns = np.outer(np.arange(400) * _HOP / RATE, frequencies) % 1.0
    spin = np.exp(-2j * np.pi * turns).astype(np.complex64)        # 400 hops: whole cycles of 50 Hz multiples
    for start in range(0, len(short), 400):
        short[start : start + 400] *= spin[: len(short) - start]
    window = FRAME // _HOP
    total = np.cumsum(np.concatenate([np.zeros((1, len(frequencies)), np.complex128), short]), axis=0)
    return (np.abs(total[window:] - total[:-window]) * (2 / FRAME / AMPLITUDE)).astype(np.float32)


def _runs_of(
    levels: NDArray[np.float32], samples: Samples, voice: int, at_least: int, near: int | None
) -> list[Run]:
    found: list[tuple[float, list[int], int]] = []      # ms of the first whole frame, tones, number
    expected = near
    for start, tones in _frames_in_a_row(levels):
        for offset, piece, first in _numbered(tones, expected):
            found += _sharpened(levels, samples, voice, start + FRAME_MS * offset, piece, first)
            expected = first + len(piece) if first >= 0 else expected
    kept = [piece for piece in found if len(piece[1]) >= at_least]
    kept += [piece for piece in (_beside(piece, kept) for piece in found) if piece is not None]
    runs: list[Run] = []
    for at, tones, first in sorted({piece[0]: piece for piece in kept}.values(), key=lambda piece: piece[0]):
        runs.append(_with_edges(levels, at, tones, first, runs[-1].end_ms if runs else 0.0))
    return runs


def _beside(
    piece: tuple[float, list[int], int], kept: list[tuple[float, list[int], int]]
) -> tuple[float, list[int], int] | None:
    """A piece too short to stand alone, numbered by a run within 200 ms on whose grid it lies; else None."""
    at, tones, _ = piece
    for start, others, first in kept:
        frames = round((at - start) / FRAME_MS)
        beside = -11 <= frames < 0 or len(others) <= frames <= len(others) + 10
        close = abs(at - start - frames * FRAME_MS) < 4
        if beside and close and first >= 0 and tone_of(first + frames) == tones[0]:
            return start + frames * FRAME_MS, tones, (first + frames) % CYCLE
    return None


def _frames_in_a_row(levels: NDArray[np.float32]) -> Iterable[tuple[int, list[int]]]:
    """Frames that follow each other on one 20 ms grid: (millisecond of the first, their tones)."""
    loudest = levels.max(axis=1)
    tone = levels.argmax(axis=1)
    at = 0
    while at < len(loudest):
        onset = _next_onset(loudest, at)
        if onset is None:
            return
        tones: list[int] = []
        position = onset
        while position < len(loudest) and loudest[position] >= _PRESENT:
            if tones and tone[position] == tones[-1]:
                break        # a voice never says the same tone twice: a cut, or a doubled frame
            tones.append(int(tone[position]))
            position += FRAME // _HOP
        yield onset, tones
        at = max(position - 8, onset + FRAME // _HOP // 2)


def _next_onset(loudest: NDArray[np.float32], start: int) -> int | None:
    """The first millisecond from which a whole frame sounds."""
    step = FRAME // _HOP
    above = np.flatnonzero(loudest[start:] >= _PRESENT + 0.1)
    if not len(above):
        return None
    first = start + int(above[0])
    # The level rises for up to 20 ms to the frame's true beginning and falls to a half at the next boundary;
    # other voices blur that, so look at the frames behind it too, as many as are there.
    frames = 1
    while frames < 10 and (loudest[first + step * frames : first + step * (frames + 1)] > 0.9).any():
        frames += 1
    grid = loudest[first : first + step * frames]
    grid = np.pad(grid, (0, step * frames - len(grid)))
    return first + int(grid.reshape(frames, step).sum(axis=0).argmax())


@cache
def _places() -> dict[bytes, int]:
    """Every `_WINDOW` tones in a row, and the number of the first."""
    code = np.concatenate([_code()[:CYCLE], _code()[:_WINDOW]]).tobytes()
    return {code[i : i + _WINDOW]: i for i in range(CYCLE)}


def _numbered(tones: list[int], expected: int | None) -> Iterable[tuple[int, list[int], int]]:
    """`tones` in pieces of consecutive frames: (index, tones of the piece, number of its first or -1)."""
    code = _code()
    start = 0
    while start < len(tones):
        first = _place_of(tones[start:], expected)
        length = 1
        if first < 0:
            length = len(tones) - start
        else:
            while start + length < len(tones) and code[(first + length) % CYCLE] == tones[start + length]:
                length += 1
            expected = first + length
        yield start, tones[start : start + length], first
        start += length


def _place_of(tones: list[int], expected: int | None) -> int:
    """The number of the first of `tones`: exact for a dozen in a row, else the nearest after `expected`."""
    code = _code()
    head = bytes(tones[:_WINDOW])
    if len(head) == _WINDOW and head in _places():
        return _places()[head]
    if expected is None:
        return -1
    # Not a dozen consecutive ones: how many agree, for each place from a little before to 20 s after.
    best, place = 0, -1
    for candidate in range(expected - 5, expected + 1000):
        agree = 0
        while agree < len(head) and code[(candidate + agree) % CYCLE] == head[agree]:
            agree += 1
        better = agree > best or (agree == best and abs(candidate - expected) < abs(place - expected))
        if better and agree:
            best, place = agree, candidate
    return place % CYCLE if place >= 0 else place


def _sharpened(
    levels: NDArray[np.float32], samples: Samples, voice: int, at_ms: float, tones: list[int], first: int
) -> Iterable[tuple[float, list[int], int]]:
    """The piece with its place to the sample, in two where its place jumps by less than a frame."""
    block = 8
    start = at_ms + _shift(levels, samples, voice, at_ms, tones[:block])
    for i in range(block, len(tones) - block + 1, block):
        jump = _shift(levels, samples, voice, start + FRAME_MS * i, tones[i : i + block])
        if abs(jump) > 0.3:
            cut = _where_it_jumps(samples, voice, start, start + jump, tones[: i + block], i - block)
            rest = first + cut if first >= 0 else -1
            yield start, tones[:cut], first
            yield from _sharpened(levels, samples, voice, start + jump + FRAME_MS * cut, tones[cut:], rest)
            return
    yield start, tones, first


def _shift(
    levels: NDArray[np.float32], samples: Samples, voice: int, at_ms: float, tones: list[int]
) -> float:
    """How many ms later than `at_ms` (up to 11, either way) these tones lie; 0 for less than three."""
    if len(tones) < 3:
        return 0.0
    # First where each tone is loudest, to a millisecond and without ambiguity; then the waveform, to a
    # sample.
    rows = round(at_ms) + 20 * np.arange(len(tones))[:, None] + np.arange(-11, 12)
    rows = np.clip(rows, 0, len(levels) - 1)
    coarse = round(at_ms) - 11 + int(levels[rows, np.array(tones)[:, None]].sum(axis=0).argmax())
    said = np.frombuffer(b"".join(_tone_frame(voice, tone) for tone in tones), "<i2").astype(np.float64)
    low = max(0, coarse * _HOP - 12)
    piece = samples[low : coarse * _HOP + 12 + len(said)].astype(np.float64)
    if len(piece) < len(said):
        return 0.0
    match = np.correlate(piece, said, "valid")
    return (low + int(match.argmax())) * 1000 / RATE - at_ms


def _where_it_jumps(
    samples: Samples, voice: int, before_ms: float, after_ms: float, tones: list[int], earliest: int
) -> int:
    """The index of the first frame that lies on the later grid rather than on the earlier one."""
    gain = [
        _match(samples, voice, after_ms + FRAME_MS * i, tones[i])
        - _match(samples, voice, before_ms + FRAME_MS * i, tones[i])
        for i in range(earliest, len(tones))
    ]
    sums = np.cumsum([0.0, *reversed(gain)])[::-1]      # what is gained by jumping before each frame
    return max(1, earliest + int(sums.argmax()))


def _match(samples: Samples, voice: int, at_ms: float, tone: int) -> float:
    start = max(0, round(at_ms * RATE / 1000))
    piece = samples[start : start + FRAME].astype(np.float64)
    return float(piece @ np.frombuffer(_tone_frame(voice, tone), "<i2")[: len(piece)].astype(np.float64))


def _with_edges(
    levels: NDArray[np.float32], at_ms: float, tones: list[int], first: int, after_ms: float
) -> Run:
    """The run with its edges measured: frames of which only a part is there count with that part."""
    end = at_ms + len(tones) * FRAME_MS
    if first < 0:
        return Run(at_ms, end, -1, -1)
    last = first + len(tones) - 1
    before = min(_part(levels, at_ms - FRAME_MS, tone_of(first - 1)), max(0.0, at_ms - after_ms))
    behind = _part(levels, end, tone_of(last + 1))
    short = 0.0 if behind else FRAME_MS - _part(levels, end - FRAME_MS, tones[-1])
    half = FRAME_MS / 2
    return Run(
        start_ms=at_ms - before,
        end_ms=end + behind - (short if short > 3 else 0.0),
        first=(first - (before > half)) % CYCLE,
        last=(last + (behind > half)) % CYCLE,
        cut_ms=FRAME_MS - before if before > half else -before,
    )


def _part(levels: NDArray[np.float32], at_ms: float, tone: int) -> float:
    """How many ms of a frame with this tone sound in the 20 ms from `at_ms` on; 0 when hardly any do."""
    index = round(at_ms)
    if index < 0:
        # The sound begins inside this frame: look at what there is of it.
        inside = index + FRAME_MS
        level = float(levels[0, tone]) if inside > 0 and len(levels) else 0.0
        return 0.0 if level < 0.3 else float(inside)
    level = float(levels[index, tone]) if index < len(levels) else 0.0
    return 0.0 if level < 0.3 else min(1.0, level) * FRAME_MS


# --- comparing ---------------------------------------------------------------------------------


def frames_of(runs: Iterable[Run]) -> list[int]:
    """The numbers of the frames in `runs`, in the order of the sound; a doubled frame comes twice."""
    known = [run for run in runs if run.first >= 0]
    return [(run.first + i) % CYCLE for run in known for i in range((run.last - run.first) % CYCLE + 1)]


def missing(runs: Iterable[Run], said: Iterable[int]) -> list[int]:
    """Those of the frames `said` that are not in `runs`."""
    heard = set(frames_of(runs))
    return [number for number in said if number % CYCLE not in heard]


def missing_ms(runs: Iterable[Run], said: Iterable[int]) -> float:
    """Milliseconds of the frames `said` that are not in `runs`."""
    return FRAME_MS * len(missing(runs, said))


def holes_ms(runs: Iterable[Run], said: Iterable[int]) -> float:
    """Like `missing_ms`, but only between the first and the last frame heard: edges do not count."""
    listed = list(runs)
    heard = frames_of(listed)
    if not heard:
        return 0.0
    return FRAME_MS * sum(1 for number in missing(listed, said) if heard[0] < number < heard[-1])


def audible_ms(runs: Iterable[Run], forbidden: Iterable[int] | None = None) -> float:
    """Milliseconds heard; with `forbidden` only of those frames."""
    listed = list(runs)
    if forbidden is None:
        return sum(run.length_ms for run in listed)
    banned = {number % CYCLE for number in forbidden}
    return FRAME_MS * sum(1 for number in frames_of(listed) if number in banned)


def doubled(runs: Iterable[Run]) -> list[int]:
    """Numbers of the frames that are in the sound more than once."""
    heard = frames_of(runs)
    seen: set[int] = set()
    return [number for number in heard if number in seen or seen.add(number)]  # type: ignore[func-returns-value]


def offsets_ms(runs: Iterable[Run]) -> list[tuple[int, float]]:
    """For each run: its first frame, and how far right of 20 ms times that number it lies in the sound.

    Where time runs in the sound as it ran on the wall, all are the same.
    """
    return [(run.first, run.begins_ms - run.first * FRAME_MS) for run in runs if run.first >= 0]
