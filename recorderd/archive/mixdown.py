"""Carries out a Mix: opens the lanes, waits until Asterisk has closed them, writes the mix.

Owns what is done when a lane is missing, empty, foreign or still open. Must not know processes or the daemon.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import anchors, files, lanes, mix, wav
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from recorderd.core import commands

# Asterisk closes a lane's file in a thread of its own, milliseconds before or after the Hangup event
# (asterisk-facts 2.5).
SETTLE_SECONDS = 1.0
SETTLE_STEP_SECONDS = 0.02
# A file not closed this long after its last stretch belongs to an Asterisk that was killed.
_ABANDONED_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The file that was made, and what was found of each lane, in the order of the command."""

    frames: int
    rate: int
    size: int
    found: tuple[lanes.Found, ...]

    @property
    def duration_ms(self) -> int:
        return round(self.frames * 1000 / self.rate)


@dataclass(frozen=True, slots=True)
class _Opened:
    sound: wav.Sound | None
    found: lanes.Found


def run(command: commands.Mix, *, now: Callable[[], float], sleep: Callable[[float], None]) -> Mixture:
    """The file `command.path`, as long as the timeline; running it twice makes the same file again.

    No timeline makes no file, and a size of 0. A lane that gives no sound is silent in the mix, and its
    `found` says why; only when no lane at all can be read, or the file cannot be written, AudioError is
    raised. The lanes themselves are never touched.
    """
    _settle(command.lanes, now, sleep)
    with ExitStack() as stack:
        opened = [_open(lane, stack) for lane in command.lanes]
        found = tuple(each.found for each in opened)
        if found and all(lane.problem for lane in found):
            raise AudioError(f"No lane of {command.path} can be read: {found[0].problem}")
        rate = mix.mix_rate(found)
        frames = mix.mix_frames(command.timeline, rate)
        placements = [
            placement
            for each in opened
            if each.sound is not None
            for placement in mix.place(each.found, each.sound, command.timeline, rate)
        ]
        size = _write(Path(command.path), rate, mix.blocks(placements, frames, rate)) if frames else 0
    return Mixture(frames=frames, rate=rate, size=size, found=found)


def _write(path: Path, rate: int, blocks: Iterable[mix.Samples]) -> int:
    files.make_folder(path.parent)
    with wav.writing(path, rate) as writer:
        for block in blocks:
            writer.write(block)
    return wav.HEADER_BYTES + writer.frames * wav.FRAME_BYTES


def _open(lane: commands.MixLane, stack: ExitStack) -> _Opened:
    try:
        sound = stack.enter_context(wav.reading(Path(lane.path)))
    except AudioError as error:
        return _Opened(None, lanes.nothing(lane, mix.DEFAULT_RATE, str(error)))
    found = lanes.find(lane, sound.frames, sound.rate, anchors=anchors.of(sound), closed=sound.closed)
    return _Opened(sound, found)


def _settle(
    these: Sequence[commands.MixLane], now: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    """Return when every lane that ended just now is closed, or when SETTLE_SECONDS have passed."""
    started = now()
    fresh = [lane for lane in these if lane.stretches and _ended(lane) > started - _ABANDONED_SECONDS]
    while now() - started < SETTLE_SECONDS and not all(_is_closed(lane) for lane in fresh):
        sleep(SETTLE_STEP_SECONDS)


def _ended(lane: commands.MixLane) -> float:
    return max(stretch.end for stretch in lane.stretches)


def _is_closed(lane: commands.MixLane) -> bool:
    """Whether the lane's file will not change: an empty one may hold its sound in Asterisk's buffer still."""
    try:
        with wav.reading(Path(lane.path)) as sound:
            return sound.closed and sound.frames > 0
    except AudioError:
        # Missing or foreign: waiting makes it neither.
        return True
