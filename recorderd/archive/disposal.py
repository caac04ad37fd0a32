"""Every file that has a recording's audio, and how they go.

Owns the list: the mix, the kept file, its peaks, the two-channel file, lanes of a failed mix, copies, and
whatever a killed writer left half made. Must not know why something is deleted, or who may.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from recorderd.archive import anchors, files, peaks
from recorderd.archive.formats import FORMATS
from recorderd.core.keeping import Copy, Kept
from recorderd.core.rows import Lane, Recording
from recorderd.errors import AudioError

_SUFFIXES = tuple(dict.fromkeys(form.suffix for form in FORMATS.values()))


def target_of(recording: Recording, monitor: Path, suffix: str) -> Path:
    """Where a recording's kept file is: beside its mix, under the same name."""
    return (monitor / recording.folder / recording.name).with_suffix(suffix)


def kept_names(recording: Recording) -> list[str]:
    """Every name that its kept file could have, one for each kind of file."""
    return [Path(recording.name).with_suffix(suffix).name for suffix in _SUFFIXES]


def all_files(
    recording: Recording, kept: Kept | None, lanes: Iterable[Lane], copies: Iterable[Copy], monitor: Path
) -> list[Path]:
    """Every place where audio of it may be, those that are not there included."""
    sounds = [target_of(recording, monitor, suffix) for suffix in _SUFFIXES]
    sounds.append(monitor / recording.folder / recording.name)
    if kept is not None and kept.name:
        sounds.append(monitor / kept.folder / kept.name)
    if recording.stereo:
        sounds.append(Path(recording.stereo))
    shapes = [peaks.path_of(sound) for sound in sounds]
    mine = [Path(lane.path) for lane in lanes if lane.recording_id == recording.id]
    others = [
        *(Path(f"{lane}{anchors.SUFFIX}") for lane in mine),
        *(Path(copy.path) for copy in copies),
    ]
    torn = [path.with_name(path.name + ".part") for path in (*sounds, *shapes)]
    return list(dict.fromkeys([*sounds, *mine, *others, *shapes, *torn]))


def sources(recording: Recording, kept: Kept, monitor: Path, *, keep_mix: bool) -> list[Path]:
    """What may go once the kept file is in place and everything points at it."""
    mix = monitor / recording.folder / recording.name
    target = monitor / kept.folder / kept.name
    paths = [Path(recording.stereo)] if recording.stereo else []
    if not keep_mix and mix != target:
        paths.append(mix)
    return paths


def there(paths: Iterable[Path]) -> list[Path]:
    """Those that are on the disk. Raises AudioError when it will not say."""
    try:
        return [path for path in paths if os.path.lexists(path)]
    except (OSError, ValueError) as error:
        raise AudioError(f"A folder cannot be looked at: {error}") from error


def remove(paths: Iterable[Path]) -> int:
    """They are gone, for good: the folders are synced. How many there were. Raises AudioError."""
    folders: dict[Path, None] = {}
    count = 0
    for path in paths:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise AudioError(f"{path} cannot be deleted: {why}") from error
        folders[path.parent] = None
        count += 1
    for folder in folders:
        with contextlib.suppress(OSError):
            files.sync_folder(folder)
    return count
