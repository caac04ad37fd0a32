"""From which file a recording is encoded: the mixer's two-channel file, else the mix that people play.

Owns the choice and what is wrong with a source. Must not know how it is encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recorderd.archive import wav
from recorderd.archive.formats import FORMATS, Format, mono_of
from recorderd.core import intervals as ledger
from recorderd.core.rows import Interval, Recording
from recorderd.errors import AudioError

# A file that differs by more from what the mixer said is not the file that the mixer made.
MOST_MS = 100
_TOLERANCE_MS = 200
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to encode, and in which format that can be done."""

    path: Path
    channels: int
    form: Format
    findings: tuple[str, ...] = ()


def choose(recording: Recording, talk: list[Interval], monitor: Path, form_name: str) -> Source:
    """The source of a closed recording. Raises AudioError when no file of it is whole."""
    wanted = FORMATS[form_name]
    mix = monitor / recording.folder / recording.name
    found = tuple(length(recording, talk))
    if wanted.channels == 2:
        why = _wrong(Path(recording.stereo), 2, recording) if recording.stereo else "none was made"
        if not why:
            return Source(path=Path(recording.stereo), channels=2, form=wanted, findings=found)
        found = (*found, f"not stereo: {why}")
    if why := _wrong(mix, 1, recording):
        raise AudioError(why)
    return Source(path=mix, channels=1, form=mono_of(wanted), findings=found)


def length(recording: Recording, talk: list[Interval]) -> list[str]:
    """Whether the file is as long as people talked."""
    talked = sum(ledger.length_ms(interval) for interval in talk)
    apart = recording.duration_ms - talked
    if not talk or abs(apart) <= max(_TOLERANCE_MS, talked * _TOLERANCE):
        return []
    return [f"{'long' if apart > 0 else 'short'}: {abs(apart)} ms against the talk time"]


def _wrong(path: Path, channels: int, recording: Recording) -> str:
    """Why this file is not what the mixer made; empty when it is."""
    try:
        with wav.reading(path, channels) as sound:
            lasts = round(sound.frames * 1000 / sound.rate)
    except AudioError as error:
        return str(error)
    if abs(lasts - recording.duration_ms) > MOST_MS:
        return f"{path} lasts {lasts} ms and not {recording.duration_ms}"
    return ""
