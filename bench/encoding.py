"""Encoding: how many times faster than the talk a recording is encoded, and the bytes that an hour takes.

Five minutes of two people talking in turns (espeak-ng's voices, each on a side of its own), through the archive's
own way: measured, encoded by ffmpeg, decoded and compared, peaks drawn. CPU time of all of it, children included.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.row import Row, median
from recorderd.archive import encode, wav
from recorderd.archive.formats import FORMATS
from tests.keeping.world import RATE, write_sound

NAME = "encoding"
SECONDS = 300
TEXTS = {
    "en-us": "Good morning, this is the order line, how can I help you today? I would like to know the number",
    "en-gb+f3": "Yes, hello, I ordered two chairs and a table last week, and they have not arrived as yet, sorry",
}


def speech(folder: Path) -> list[np.ndarray]:
    """The two sides, speaking four seconds each in turn."""
    sides = []
    turn = np.arange(SECONDS * RATE) // (4 * RATE) % 2
    for number, (voice, text) in enumerate(TEXTS.items()):
        said, plain = folder / f"{number}.wav", folder / f"{number}.8k.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", said, text], check=True)
        subprocess.run(["ffmpeg", "-v", "error", "-i", said, "-ar", str(RATE), "-ac", "1", plain], check=True)
        with wav.reading(plain) as sound:
            once = sound.read(0, sound.frames)
        whole = np.resize(np.concatenate([once, np.zeros(RATE // 2, np.int16)]), SECONDS * RATE)
        sides.append(np.where(turn == number, whole, 0).astype(np.int16))
    return sides


def run(quick: bool) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.wav"
        write_sound(source, *speech(folder))
        job = encode.Job(
            source=source,
            channels=2,
            target=folder / "kept.opus",
            form=FORMATS["opus"],
            labels=("0612345678", "101"),
        )
        for form in ("opus", "flac"):
            wanted = replace(job, form=FORMATS[form], target=folder / f"kept{FORMATS[form].suffix}")
            times = []
            for _ in range(5 if quick else 11):
                before = sum(os.times()[:4])
                done = encode.run(wanted)
                times.append(SECONDS / (sum(os.times()[:4]) - before))
            rows += [
                Row(
                    what=f"{form}, two parties: × real time per core, checks included",
                    value=median(times),
                    unit="×",
                    goal=(">=", 100.0),
                    detail=f"best {max(times):.0f}, worst {min(times):.0f} of {len(times)}",
                ),
                Row(
                    what=f"… an hour of {form}",
                    value=done.size / done.duration_ms * 3600 / 1000,
                    unit="MB",
                    goal=("<=", 9.6) if form == "opus" else None,
                ),
            ]
    return rows
