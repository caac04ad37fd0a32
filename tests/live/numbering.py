"""Which frame of the hour is this? The code that numbers a voice's frames, and its reading.

Every frame has one of four tones; no two neighbours are alike, and the differences between neighbours form
a de Bruijn sequence, so that twelve frames in a row occur once an hour. Where packets were lost, the runs
between two losses may be shorter: `numbered` finds the numbering with the fewest jumps. Knows nothing of
sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

TONES = 4
_ORDER = 11  # 3**11 frames of 20 ms: 59 minutes before numbers repeat
_TAPS = (2, 1, 0, 0, 2, 0, 0, 2, 1, 2, 1)  # a primitive polynomial: its period is 3**11 - 1
_TURN = (
    13  # begins behind the zeros, with a step that is not what the last tone would need to be the first again
)
CYCLE = 3**_ORDER  # frame numbers are counted modulo this
_UNIQUE = _ORDER + 1  # so many frames in a row have one place in the cycle
_SURE = 20  # so many have it even though a jump may lie among them
_JUMP, _JUMP_FAR, _AS_SEEN, _NOISE = 1.0, 0.01, 0.1, 3.0  # costs of a reading
_NEAR = 6  # a recorder may run ahead or behind by so many frames


@cache
def code() -> NDArray[np.int8]:
    """The tone of each frame of the cycle, the same for every voice."""
    steps = np.array(_shift_register()) + 1
    return (np.cumsum(steps) % TONES)[:CYCLE].astype(np.int8)


def tone_of(number: int) -> int:
    return int(code()[number % CYCLE])


def _shift_register() -> list[int]:
    """A de Bruijn sequence of 0, 1, 2: each `_ORDER` in a row once. Neighbourhoods have nothing in common.

    The one of Lyndon words has as well each row of eleven once, but neighbours that are nearly alike: where frames
    were lost, what was left fitted elsewhere, fifteen frames of it seen. A linear feedback register over three
    elements with a primitive polynomial goes through all rows but that of zeros, which is put in.
    """
    state, row = [0] * (_ORDER - 1) + [1], [0]
    for _ in range(CYCLE - 1):
        row.append(state[0])
        state = [*state[1:], sum(tap * each for tap, each in zip(_TAPS, state, strict=True)) % 3]
    return row[_TURN:] + row[:_TURN]


@cache
def _places() -> dict[bytes, int]:
    """Every `_UNIQUE` tones in a row, and the number of the first."""
    tones = code().tobytes()
    tones += tones[:_UNIQUE]
    return {tones[i : i + _UNIQUE]: i for i in range(CYCLE)}


def numbered(tones: Sequence[int], steps: Sequence[int], near: int | None) -> list[int]:
    """The number of each frame, -1 where none fits.

    `steps`: how many frames later than the one before it each was heard (a hint, not a law: recorders cut
    time out). `near`: a number expected near the beginning; without it only what is unique is numbered.
    """
    numbers = [-1] * len(tones)
    anchors = _anchors(tones, steps)
    for at, place, length in anchors:
        numbers[at : at + length] = range(place, place + length)
    edges = [(0, None), *((at + length, place + length) for at, place, length in anchors)]
    ends = [*((at, place) for at, place, _ in anchors), (len(tones), None)]
    for (start, low), (end, high) in zip(edges, ends, strict=True):
        if end > start:
            part = _fill(tones[start:end], steps[start:end], low, high, near)
            numbers[start:end] = part
    return [number % CYCLE if number >= 0 else -1 for number in numbers]


def _anchors(tones: Sequence[int], steps: Sequence[int]) -> list[tuple[int, int, int]]:
    """Runs whose numbers are beyond doubt, in order: (index, number of the first, length)."""
    heard = bytes(tones)
    breaks = np.cumsum(np.array(steps) > 1)  # silence within a run: no run
    found: list[tuple[int, int, int]] = []
    at = 0
    while at + _UNIQUE <= len(heard):
        place = _places().get(heard[at : at + _UNIQUE])
        length = 0
        if place is not None:
            length = _UNIQUE
            while at + length < len(heard) and tone_of(place + length) == heard[at + length]:
                length += 1
            while length and breaks[at + length - 1] != breaks[at]:
                length -= 1
            if length >= _SURE or at + length == len(heard) == length:
                found.append((at, place, length))
        at += length if length >= _SURE else 1
    return _longest_chain(found)


def _longest_chain(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Those of the runs that can all be true: numbers grow with the place. A chance hit falls out."""
    if not runs:
        return []
    place = np.array([run[1] for run in runs])
    length = np.array([run[2] for run in runs])
    best, before = length.astype(np.int64), np.full(len(runs), -1)
    for i in range(1, len(runs)):
        fits = place[:i] + length[:i] - 5 <= place[i]  # a few frames may have been doubled
        if fits.any():
            score = np.where(fits, best[:i], -1)
            before[i] = int(score.argmax())
            best[i] += score[before[i]]
    chain, i = [], int(best.argmax())
    while i >= 0:
        chain.append(runs[i])
        i = int(before[i])
    return chain[::-1]


def _fill(
    tones: Sequence[int], steps: Sequence[int], low: int | None, high: int | None, near: int | None
) -> list[int]:
    """Numbers from `low` on and below `high` with the fewest jumps (dynamic programming over both)."""
    reach = sum(steps) + len(tones) + 200
    first = low if low is not None else max(0, (high if high is not None else (near or 0) + 50) - reach)
    end = high if high is not None else (low if low is not None else (near or 0)) + reach
    if end <= first or (low is None and high is None and near is None):
        return [-1] * len(tones)
    window = code()[np.arange(first, end) % CYCLE]
    spots = np.arange(len(window))
    # cost[j]: of all frames so far, when the last one that fitted anywhere has number first + j - 1.
    cost = np.full(len(window) + 1, np.inf)
    if low is not None:
        cost[0] = 0.0
    elif near is not None:
        cost[:] = _JUMP_FAR * np.abs(first - 1 + np.arange(len(cost)) - near)
    else:
        cost[:] = _JUMP_FAR * np.arange(len(cost))[::-1]
    back: list[NDArray[np.int32]] = []
    for tone, step in zip(tones, steps, strict=True):
        cost, origin = _assign(cost, window == tone, step, spots)
        back.append(origin)
    if high is not None:
        left = len(window) - np.arange(len(cost))
        cost = cost + np.where(left == 0, 0.0, _JUMP / 2 + _JUMP_FAR * left)
    numbers, at = [], int(cost.argmin())
    for origin in reversed(back):
        came = int(origin[at])
        numbers.append(first + at - 1 if came != at else -1)
        at = came
    return numbers[::-1]


def _assign(
    cost: NDArray[np.float64], match: NDArray[np.bool_], step: int, spots: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """One frame more: the new costs, and from where each came (from itself: the frame is noise)."""
    slope = cost[:-1] - _JUMP_FAR * spots
    low = np.minimum.accumulate(slope)
    first_at = np.maximum.accumulate(np.where(slope <= low, spots, 0))
    far = low + _JUMP_FAR * spots + _JUMP
    # The next number costs nothing, unless silence lay between: then about
    # as many were missed as there was time.
    choice, origin = cost[:-1] + (_JUMP if step > 1 else 0.0), spots.copy()
    for jump in range(step - _NEAR, step + _NEAR + 1) if step > 1 else ():
        if 1 < jump < len(cost):
            seen = np.full(len(spots), np.inf)
            seen[jump - 1 :] = cost[: len(cost) - jump] + _AS_SEEN * (1 + abs(jump - step))
            better = seen < choice
            choice, origin = np.where(better, seen, choice), np.where(better, spots - jump + 1, origin)
    better = far < choice
    choice, origin = np.where(better, far, choice), np.where(better, first_at, origin)
    new, came = cost + _NOISE, np.arange(len(cost), dtype=np.int32)
    take = match & (choice < new[1:])
    new[1:] = np.where(take, choice, new[1:])
    came[1:] = np.where(take, origin, came[1:])
    return new, came
