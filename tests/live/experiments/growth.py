"""The clock that a growing file is: each 32 KiB step says how much audio had been taken by when.

Asterisk writes a recording through a 32 KiB buffer, so a wav grows by 2048 ms of audio at a time, and its
modification time is the moment of that step. `watch` notes them as the daemon's watcher would; `place` lays a
lane on the time line by them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

Anchor = tuple[float, float]  # wall clock in seconds, ms of audio in the file by then


class Growth:
    """Notes the steps of files in a folder, by stat() every `pause` seconds, in a thread of its own."""

    def __init__(self, folder: Path, pause: float = 0.25) -> None:
        self.anchors: dict[str, list[Anchor]] = {}
        self._folder, self._pause = folder, pause
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._pause):
            for entry in os.scandir(self._folder):
                state = entry.stat()
                steps, rest = divmod(state.st_size - 44, 32768)
                known = self.anchors.setdefault(entry.name, [])
                if steps > 0 and rest == 0 and (not known or known[-1][1] < steps * 2048):
                    known.append((state.st_mtime, steps * 2048.0))


def place(
    file_ms: float,
    stretches: list[tuple[float, float]],
    anchors: list[Anchor],
    holds: Sequence[tuple[float, float]] = (),
) -> list[tuple[float, float, float]]:
    """The file in pieces, each `(from ms in the file, to ms, ms of bridged time where it begins)`.

    Time is only ever cut out of a file, never added, so what a piece between two anchors is short of, is a
    gap. It lies where somebody held (`holds`, wall clock), else it is spread over the piece.
    """

    def bridged(wall: float) -> float:
        return sum(max(0.0, min(wall, b) - a) for a, b in stretches) * 1000

    total = max(bridged(float("inf")), file_ms)
    marks = [(file_ms, total)]
    behind = total - file_ms
    # A file hardly ever catches up: a step that lies further behind than a later one was only noted late.
    for wall, ms in reversed(anchors):
        if ms < marks[-1][0]:
            behind = min(behind, bridged(wall) - ms)
            marks.append((ms, ms + max(0.0, behind)))
    marks = [(0.0, 0.0), *reversed(marks)]
    held = [(bridged(a), bridged(b)) for a, b in holds]
    pieces: list[tuple[float, float, float]] = []
    behind = 0.0  # how much later than in the file the present place lies
    for (ms, at), (next_ms, next_at) in pairwise(marks):
        short = next_at - next_ms - behind
        if short < 40 or next_ms <= ms:
            pieces.append((ms, next_ms, ms + behind))
            continue
        hold = next((a for a, b in held if b > at and a < next_at), None)
        if short > 200 and hold is not None:
            cut = min(max(hold - behind, ms), next_ms)
            pieces += [(ms, cut, ms + behind), (cut, next_ms, cut + behind + short)]
        else:
            parts = max(1, round(short / 20))
            for i in range(parts):
                a, b = (ms + (next_ms - ms) * j / parts for j in (i, i + 1))
                pieces.append((a, b, a + behind + short * (i + 0.5) / parts))
        behind += short
    return pieces
