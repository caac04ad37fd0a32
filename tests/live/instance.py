"""The folder an Asterisk of the rig lives in: its configuration, its data, its hold music.

Owns what is written before the first boot. The configuration files are templates in `conf/`, with `@name@`
where a value comes in.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.live.voices import HOLD_TONE_HZ

_TEMPLATES = Path(__file__).parent / "conf"
_FOLDERS = ("etc", "lib", "db", "data/sounds", "data/moh", "spool/monitor", "spool/tmp", "run", "log/cdr-csv")


def write(
    folder: Path,
    modules: Path,
    data: Path,
    values: Mapping[str, str],
    files: Mapping[str, str],
    endpoints: int,
) -> None:
    """Everything an Asterisk with these `modules` and this `data` folder needs, in `folder`.

    `files` stand in place of the templates of the same name, or beside them.
    """
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    filled = {**values, "endpoints": _endpoints(endpoints)}
    for template in _TEMPLATES.iterdir():
        text = template.read_text()
        for name, value in filled.items():
            text = text.replace(f"@{name}@", value)
        if template.name == "modules.conf":
            text = _without_missing(modules, text)
        (folder / "etc" / template.name).write_text(text)
    for name, text in files.items():
        (folder / "etc" / name).write_text(text)
    _link_data(folder / "data", data)
    _write_hold_music(folder / "data" / "moh" / "tone.wav")


def _without_missing(modules: Path, text: str) -> str:
    """Versions differ in their modules; a load line for a missing one is an error in the log."""
    lines = [line.split() for line in text.splitlines()]
    kept = [words for words in lines if words[:1] != ["load"] or (modules / words[2]).exists()]
    return "\n".join(map(" ".join, kept)) + "\n"


def _link_data(ours: Path, data: Path) -> None:
    """The prompts and the modules' own documentation, without which some do not load."""
    english = next(path for path in (data / "sounds").iterdir() if path.name.startswith("en"))
    wanted = {name: data / name for name in ("documentation", "static-http", "rest-api", "keys", "images")}
    for name, target in {**wanted, "sounds/en": english}.items():
        if target.exists() and not (ours / name).is_symlink():
            (ours / name).symlink_to(target)


def _endpoints(count: int) -> str:
    sections = []
    for number in range(101, 101 + count):
        caller = f'"Phone {number}" <{number}>'
        sections.append(
            f"[{number}](phone)\naors = {number}\ncallerid = {caller}\naccountcode = acc{number}\n\n"
            f"[{number}](one)\n"
        )
    return "\n".join(sections)


def _write_hold_music(path: Path) -> None:
    """Ten seconds of the one tone that no voice has."""
    at = np.arange(80_000) / 8000
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.round(5000 * np.sin(2 * np.pi * HOLD_TONE_HZ * at)).astype("<i2").tobytes())
