"""A lane against the truth: what its phone said when, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.live.experiments.growth import Anchor, place
from tests.live.experiments.stage import Lane, Stage
from tests.live.signals import FRAME_MS, Run, hear, load, missing


@dataclass(frozen=True, slots=True)
class Row:
    """One lane, measured; all in ms.

    `at_start`, `inside`, `at_end`: what the phone said while bridged and recorded and is not in the file.
    `offset`: a frame's place in the file less the bridged time that had passed when it was said.
    `drift`: that of the last frame less that of the first. `errors`: by frame number, how far right of its
    place a frame lies once the lane is laid down by its growth.
    """

    scene: str
    lane: str
    file: float
    bridged: float
    at_start: int
    inside: int
    at_end: int
    offset_low: float
    offset_high: float
    drift: float
    errors: dict[int, float]

    HEAD = (
        "| scene | lane | file ms | bridged ms | file less bridged | missing ms: start, inside, end "
        "| place in file less place by wall clock, ms | drift "
        "| laid by growth: worst ms, 95 % below |\n|---|---|---|---|---|---|---|---|---|"
    )

    def __str__(self) -> str:
        return (
            f"| {self.scene} | {self.lane} | {self.file:.0f} | {self.bridged:.0f} "
            f"| {self.file - self.bridged:+.0f} | {self.at_start}, {self.inside}, {self.at_end} "
            f"| {self.offset_low:+.0f} .. {self.offset_high:+.0f} | {self.drift:+.0f} "
            f"| {_worst_and_usual(self.errors.values())} |"
        )


def usual(errors: Iterable[float], share: float = 0.95) -> float:
    """What that share of the errors stay below, whichever way they point, in ms."""
    ordered = sorted(abs(error) for error in errors)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _worst_and_usual(errors: Iterable[float]) -> str:
    listed = list(errors)
    return f"{usual(listed, 1):.0f}, {usual(listed):.0f}"


def apart(a: Row, b: Row) -> str:
    """How far two lanes, laid down by growth, are from each other: worst, usual, and in the last 10 s."""
    common = sorted(a.errors.keys() & b.errors.keys())
    between = [a.errors[n] - b.errors[n] for n in common]
    last = _worst_and_usual(between[-500:])
    return f"{a.lane} and {b.lane} apart: {_worst_and_usual(between)}; in the last 10 s {last}"


def measure(stage: Stage, scene: str, lane: Lane, anchors: list[Anchor]) -> Row:
    """Compare a lane's file with what its phone said; AssertionError when anybody else is heard in it."""
    ticker = stage.phones.ticker
    sound = load(lane.path)
    near = ticker.number_at(lane.started)
    heard = hear(sound, near=near)
    runs = heard.pop(lane.call.phone.voice or 0)
    assert not any(heard.values()), f"{scene}: other voices in the lane of {lane.name}"
    stretches = stage.stretches(lane)
    lost = set(lane.call.stream.lost)
    spoken = [n for a, b in stretches for n in lane.call.said(a, b - 0.015)]
    said = [n for n in spoken if n not in lost]
    gone = missing(runs, said)
    numbers = [n for run in runs for n in range(run.first, run.last + 1)]
    first, last = (min(numbers), max(numbers)) if numbers else (0, 0)
    places = _places(ticker.sent_at, stretches, runs)
    offsets = [ms - wall for _, ms, wall in places]
    pieces = place(len(sound) / 8, stretches, anchors, stage.holds())
    return Row(
        scene=scene,
        lane=lane.name,
        file=len(sound) / 8,
        bridged=sum(b - a for a, b in stretches) * 1000,
        at_start=int(FRAME_MS) * sum(1 for n in gone if n < first),
        inside=int(FRAME_MS) * sum(1 for n in gone if first < n < last),
        at_end=int(FRAME_MS) * sum(1 for n in gone if n > last),
        offset_low=min(offsets, default=0.0),
        offset_high=max(offsets, default=0.0),
        drift=offsets[-1] - offsets[0] if offsets else 0.0,
        errors=_placing_errors(places, pieces),
    )


def _places(
    sent_at: Callable[[int], float], stretches: list[tuple[float, float]], runs: list[Run]
) -> list[tuple[int, float, float]]:
    """For each frame heard: its number, its ms in the file, the bridged ms passed when it was said."""
    found = []
    for run in runs:
        for index, number in enumerate(range(run.first, run.last + 1)):
            at, passed = sent_at(number), 0.0
            for a, b in stretches:
                passed += max(0.0, min(at, b) - a) * 1000
            if run.first >= 0 and any(a + 0.001 <= at <= b for a, b in stretches):
                found.append((number, run.begins_ms + FRAME_MS * index, passed))
    return found


def _placing_errors(
    places: list[tuple[int, float, float]], pieces: list[tuple[float, float, float]]
) -> dict[int, float]:
    """How far from its place each frame comes to lie when the lane is laid down in these pieces."""
    errors, at = {}, 0
    for number, ms, wall in places:
        while at < len(pieces) - 1 and pieces[at][1] <= ms:
            at += 1
        start, _, bridged = pieces[at]
        errors[number] = bridged + ms - start - wall
    return errors
