"""Carries out a Mix: opens the lanes, waits until Asterisk has closed them, writes the mix.

Owns what is done when a lane is missing, empty, foreign or still open. Must not know processes or the daemon.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.archive import anchors, files, lanes, mix, places, wav
from recorderd.errors import AudioError, PlaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from recorderd.core import commands

# Asterisk closes a lane's file in a thread of its own, milliseconds before or after the Hangup event
# (asterisk-facts 2.5).
SETTLE_SECONDS = 1.0
SETTLE_STEP_SECONDS = 0.02
# A file not closed this long after its last stretch belongs to an Asterisk that was killed.
_ABANDONED_SECONDS = 5.0
# Of 32767: comfort noise and a muted microphone lie below, the softest speech does not (-54 dBFS).
_SILENCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The file that was made, and what was found of each lane, in the order of the command.

    `stereo` is the two-channel file made beside, empty for none; `trouble` says why a wanted one is not there.
    `silent` are the lanes with pieces of which nothing is audible.
    """

    frames: int
    rate: int
    size: int
    found: tuple[lanes.Found, ...]
    stereo: str = ""
    trouble: str = ""
    silent: tuple[str, ...] = ()

    @property
    def duration_ms(self) -> int:
        return round(self.frames * 1000 / self.rate)


@dataclass(frozen=True, slots=True)
class _Opened:
    lane: commands.MixLane
    sound: wav.Sound | None
    found: lanes.Found


def run(command: commands.Mix, *, now: Callable[[], float], sleep: Callable[[float], None]) -> Mixture:
    """The file `command.path`, as long as the timeline; running it twice makes the same file again.

    No timeline makes no file, and a size of 0. A lane that gives no sound is silent in the mix, and its
    `found` says why; only when no lane at all can be read, or the file cannot be written, AudioError is
    raised: a stereo file that cannot be written is no reason to have no mix. The lanes themselves are never
    touched.
    """
    _settle(command.lanes, now, sleep)
    if command.patient:
        _wait_for_disks(command.lanes)
    with ExitStack() as stack:
        opened = [_open(lane, stack) for lane in command.lanes]
        found = tuple(each.found for each in opened)
        if found and all(lane.problem for lane in found):
            raise AudioError(f"No lane of {command.path} can be read: {found[0].problem}")
        rate = mix.mix_rate(found)
        frames = mix.mix_frames(command.timeline, rate)
        placed = _place(opened, command, rate)
        both = [placement for side in placed for placement in side]
        size = _write(Path(command.path), rate, mix.blocks(both, frames, rate)) if frames else 0
        stereo, trouble = command.stereo if frames else "", ""
        if stereo:
            try:
                _write(Path(stereo), rate, mix.stereo(*placed, frames, rate), channels=2)
            except AudioError as error:
                stereo, trouble = "", str(error)
        silent = tuple(each.lane.lane_id for each in opened if each.found.pieces and not _audible(each))
    return Mixture(
        frames=frames, rate=rate, size=size, found=found, stereo=stereo, trouble=trouble, silent=silent
    )


def _audible(opened: _Opened) -> bool:
    """Whether any of what may be heard is louder than the silence that telephones send."""
    assert opened.sound is not None
    for piece in opened.found.pieces:
        for first in range(piece.first, piece.first + piece.frames, mix.BLOCK_FRAMES):
            samples = opened.sound.read(first, min(mix.BLOCK_FRAMES, piece.first + piece.frames - first))
            if len(samples) and max(int(samples.max()), -int(samples.min())) > _SILENCE:
                return True
    return False


def _place(
    opened: Sequence[_Opened], command: commands.Mix, rate: int
) -> tuple[list[mix.Placement], list[mix.Placement]]:
    """Where the pieces of all lanes lie: those of the left side, and those of the right."""
    sides: tuple[list[mix.Placement], list[mix.Placement]] = ([], [])
    for each in opened:
        if each.sound is not None:
            sides[not each.lane.left].extend(mix.place(each.found, each.sound, command.timeline, rate))
    return sides


def _write(path: Path, rate: int, blocks: Iterable[mix.Samples], channels: int = 1) -> int:
    files.make_folder(path.parent)
    with wav.writing(path, rate, channels=channels) as writer:
        for block in blocks:
            writer.write(block)
    return wav.HEADER_BYTES + writer.frames * wav.FRAME_BYTES * channels


def _open(lane: commands.MixLane, stack: ExitStack) -> _Opened:
    try:
        sound = stack.enter_context(wav.reading(Path(lane.path)))
    except AudioError as error:
        return _Opened(lane, None, lanes.nothing(lane, mix.DEFAULT_RATE, str(error)))
    closed = sound.closed and not _lost_its_end(lane, sound)
    found = lanes.find(lane, sound.frames, sound.rate, anchors=anchors.of(sound), closed=closed)
    return _Opened(lane, sound, found)


def _lost_its_end(lane: commands.MixLane, sound: wav.Sound) -> bool:
    """Too short, and its disk takes nothing: what Asterisk held when it closed the file found no room.

    A disk that fails is told of some tenths of a second later, and a talk that ends then is mixed before that.
    """
    return lanes.lacking(lane, sound.frames / sound.rate) and bool(places.probe(str(Path(lane.path).parent)))


def _wait_for_disks(these: Sequence[commands.MixLane]) -> None:
    """PlaceError while a lane's whole folder is not there: that is a disk, not a file that somebody deleted."""
    for lane in these:
        if lane.seen and lane.stretches and not Path(lane.path).parent.is_dir():
            raise PlaceError(f"the folder of {lane.path} is not there")


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
