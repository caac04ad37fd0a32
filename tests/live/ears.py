"""What the telephones' truth says of a file: who of those that spoke is in it, from when to when.

Owns the comparison of what a telephone said with what a sound holds. Must not know recorderd: neither its
ledger nor its database is asked here. Frames are 20 ms; their numbers tell when they were said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.live import signals
from tests.live.phone import Call
from tests.live.signals import CYCLE, FRAME_MS, Run


@dataclass(frozen=True, slots=True)
class Heard:
    """What a sound holds of the frames that one telephone said in one call."""

    voice: int
    said: Sequence[int] = field(repr=False)
    runs: Sequence[Run] = field(repr=False)
    start_ms: float
    end_ms: float
    holes_ms: float
    doubled_ms: float

    @property
    def complete(self) -> bool:
        """From the first frame to the last: nothing missing in between, nothing twice."""
        return bool(self.runs) and not self.holes_ms and not self.doubled_ms


def heard(path: Path, call: Call, said: Iterable[int] | None = None) -> Heard:
    """Hold a file against the frames that a telephone `said` in a call (by default: all of them).

    `start_ms` is what is missing before the first frame in the file, `end_ms` after the last.
    """
    assert call.stream.voice is not None
    truth = list(call.said() if said is None else said)
    runs = voice_in(path, call, since=call.up_at)
    there = {number % CYCLE for number in signals.frames_of(runs)}
    present = [number for number in truth if number % CYCLE in there]
    first, last = (present[0], present[-1]) if present else (truth[-1] + 1, truth[-1]) if truth else (0, 0)
    return Heard(
        voice=call.stream.voice,
        said=truth,
        runs=runs,
        start_ms=FRAME_MS * sum(1 for number in truth if number < first),
        end_ms=FRAME_MS * sum(1 for number in truth if number > last),
        holes_ms=FRAME_MS * sum(1 for n in truth if first < n < last and n % CYCLE not in there),
        doubled_ms=FRAME_MS * len(signals.doubled(runs)),
    )


def skew_ms(path: Path, *calls: Call) -> float:
    """How far apart in time the file has what was said at one moment: the worst over all runs and voices."""
    places = [place for call in calls for _, place in signals.offsets_ms(voice_in(path, call))]
    return max(places) - min(places) if places else 0.0


def voice_in(path: Path, call: Call, since: float = 0.0) -> list[Run]:
    """The runs of this call's telephone in a file.

    `since`: the file begins with what was said about then. It numbers runs too short to have one place in the
    code; without it they go without a number.
    """
    assert call.stream.voice is not None
    near = call.phone.ticker.number_at(since) if since else None
    return signals.hear(signals.load(path), [call.stream.voice], near=near)[call.stream.voice]


def audible(path: Path) -> set[int]:
    """Which voices are in a file."""
    return {voice for voice, runs in signals.hear(signals.load(path)).items() if runs}


def frames_in(path: Path, call: Call, since: float = 0.0) -> set[int]:
    """The numbers of this call's frames that are in a file; `since`: see `voice_in`."""
    there = set(signals.frames_of(voice_in(path, call, since)))
    return {number for number in call.said() if number % CYCLE in there}


def passed(speaker: Call, listener: Call) -> list[int]:
    """The frames that one telephone said and the other one heard: what was said into the conversation."""
    assert speaker.stream.voice is not None
    there = set(signals.frames_of(listener.hears(speaker.stream.voice)))
    return [number for number in speaker.said() if number % CYCLE in there]


def lost_between(speaker: Call, listener: Call, since: float, until: float) -> float:
    """Milliseconds of what was said between two moments that never reached the other telephone."""
    there = set(passed(speaker, listener))
    return FRAME_MS * sum(1 for number in speaker.said(since, until) if number not in there)


# --- the tones of a press ------------------------------------------------------------------------

# By the frequencies in which they begin and end (scripts/make-sounds); no voice has these.
_TONES = {(650, 850): "started", (850, 650): "stopped", (750, 750): "denied"}
_FREQUENCIES = (650, 750, 850)
_LOUD = 1000.0
_SHORTEST = 4  # frames: a tone of ours takes 11 to 13


def tones_heard(call: Call, since: float = 0.0) -> list[str]:
    """The tones that reached a telephone, in order: `started`, `stopped`, `denied`."""
    samples = signals.ulaw_decode(call.stream.heard.sound(since)).astype(np.float64)
    frames = samples[: len(samples) // signals.FRAME * signals.FRAME].reshape(-1, signals.FRAME)
    at = np.arange(signals.FRAME) / signals.RATE
    spin = np.exp(-2j * np.pi * np.outer(at, _FREQUENCIES))
    levels = np.abs(frames @ spin) * 2 / signals.FRAME
    loud = levels.max(axis=1) > _LOUD if len(levels) else np.zeros(0, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]]))).reshape(-1, 2)
    loudest = [_FREQUENCIES[i] for i in levels.argmax(axis=1)] if len(levels) else []
    pieces = [(loudest[a], loudest[b - 1]) for a, b in edges if b - a >= _SHORTEST]
    return [_TONES.get(piece, f"{piece[0]} Hz to {piece[1]} Hz") for piece in pieces]
