"""A spool with finished recordings, a store that knows them, and Asterisk's own CDR table beside it.

Every recording has two voices of its own, so that a kept file tells which one it is and who is on which side.
"""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from recorderd.archive import wav
from recorderd.config import Config, load
from recorderd.core import rows
from recorderd.core.recordings import STEREO
from recorderd.store import open_store
from recorderd.store.abc import Store

RATE = 8000
START = 1_790_000_000.0
DAY = 86_400.0
FOLDER = "2026/11/18"
SIDES = 2


def tone(hertz: float, seconds: float, level: float = 6000.0) -> np.ndarray:
    """A voice: a tone that comes and goes like syllables, so that no codec takes it for noise."""
    at = np.arange(round(seconds * RATE)) / RATE
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * at)
    return (level * syllables * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def voices(number: int) -> tuple[float, float]:
    """The two tones of recording `number`: none is another's, nor a harmonic of it."""
    return 400.0 + 37.0 * (number % 20), 1300.0 + 41.0 * (number % 20)


def hears(samples: np.ndarray, hertz: float) -> float:
    """How loud this tone is in a sound, in dB."""
    at = np.arange(len(samples)) / RATE
    found = np.abs(np.mean(samples * np.exp(-2j * np.pi * hertz * at)))
    return float(20 * np.log10(found + 1e-9))


def decoded(path: Path) -> np.ndarray:
    """The sound of a kept file, a row for each frame, at RATE."""
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=channels", "-of", "csv=p=0", str(path)]
    channels = int(
        subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip().rstrip(",")
    )
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-ar", str(RATE), "-f", "s16le", "pipe:1"]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(sound, "<i2").reshape(-1, channels).astype(np.float64)


def write_sound(path: Path, *sides: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wav.writing(path, RATE, channels=len(sides)) as writer:
        writer.write(sides[0] if len(sides) == 1 else np.stack(sides, axis=1))


@dataclass
class World:
    """`folder` holds everything; `archive` are keys of that section of the configuration."""

    folder: Path
    archive: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    writable: bool = True
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.monitor = self.folder / "monitor"
        self.lanes = self.folder / "lanes"
        self.state = self.folder / "state"
        self.table = self.folder / "master.db"
        for place in (self.monitor, self.lanes, self.state):
            place.mkdir(parents=True, exist_ok=True)
        self.url = self.url or f"sqlite:///{self.folder}/recorderd.db"
        self.configure()

    def configure(self, **archive: Any) -> Config:
        """Write the configuration anew, with these keys of `archive:` changed."""
        self.archive |= archive
        file = self.folder / "recorderd.yaml"
        sections: dict[str, Any] = {
            "asterisk": {"username": "u", "secret": "s", "timezone": "UTC"},
            "state": str(self.state),
            "store": {"url": self.url},
            "spool": {"monitor": str(self.monitor), "lanes": str(self.lanes)},
            "archive": {"enabled": "true", "delay": "1s", **self.archive},
            **self.more,
        }
        if self.writable:
            sections["cdr"] = {"source": f"sqlite:///{self.table}", "writable": "true"}
            with sqlite3.connect(self.table) as asterisk:
                asterisk.execute(
                    "CREATE TABLE IF NOT EXISTS cdr (start, uniqueid, sequence, linkedid, channel,"
                    " dstchannel, disposition, duration, billsec, recordingfile)"
                )
        file.write_text(yaml.safe_dump(sections))
        file.chmod(0o600)
        return load(file)

    @property
    def config(self) -> Config:
        return load(self.folder / "recorderd.yaml")

    def open(self) -> Store:
        return open_store(self.url)

    # --- recordings --------------------------------------------------------------------------------

    def name(self, number: int) -> str:
        return f"in-101-0612345678-20261118-{number:06d}-1795000000.{number}.wav"

    def kept(self, number: int, suffix: str = ".opus") -> Path:
        return (self.monitor / FOLDER / self.name(number)).with_suffix(suffix)

    def mix(self, number: int) -> Path:
        return self.monitor / FOLDER / self.name(number)

    def stereo(self, number: int) -> Path:
        return self.lanes / FOLDER / f"r{number}{STEREO}"

    def recording(
        self, number: int, *, seconds: float = 3.0, at: float = START, **changed: Any
    ) -> rows.Recording:
        values: dict[str, Any] = {
            "conversation_id": f"c{number}",
            "segment": 1,
            "folder": FOLDER,
            "name": self.name(number),
            "state": rows.RecordingState.CLOSED,
            "started_at": at,
            "ended_at": at + seconds,
            "duration_ms": round(seconds * 1000),
            "size": 44 + round(seconds * RATE) * 2,
            "stereo": str(self.stereo(number)),
        }
        return rows.Recording(**{"id": f"r{number}", **values, **changed})

    def interval(
        self, number: int, *, seconds: float = 3.0, at: float = START, inside: str = "101",
        outside: str = "0612345678", **changed: Any,
    ) -> rows.Interval:  # fmt: skip
        parties = (
            rows.Party(
                uniqueid=f"{number}.1", channel="PJSIP/trunk-1", extension="", number=outside, name="",
                direction=rows.Direction.OUTBOUND,
            ),
            rows.Party(
                uniqueid=f"{number}.2", channel=f"PJSIP/{inside}-2", extension=inside, number=inside, name="",
                direction=rows.Direction.INBOUND,
            ),
        )  # fmt: skip
        values: dict[str, Any] = {
            "conversation_id": f"c{number}", "started_at": at, "ended_at": at + seconds, "parties": parties,
            "mode": "always", "wanted": True, "masked": False, "reason": "101 chose always", "trace": (),
            "policy_version": 1, "recording_id": f"r{number}", "offset_ms": 0,
            "outcome": rows.Outcome.RECORDED,
        }  # fmt: skip
        return rows.Interval(**{"id": f"i{number}", **values, **changed})

    def sounds(self, number: int, *, seconds: float = 3.0) -> None:
        """The files that the mixer leaves: the mix, and both sides of it, who take turns of half a second."""
        left, right = (tone(hertz, seconds) for hertz in voices(number))
        turn = np.arange(len(left)) // (RATE // 2) % 2
        left, right = left * (turn == 0), right * (turn == 1)
        write_sound(self.mix(number), left + right)
        write_sound(self.stereo(number), left, right)

    async def add(self, store: Store, *numbers: int, seconds: float = 3.0, **changed: Any) -> None:
        """Finished recordings, with their files and their rows in Asterisk's table."""
        for number in numbers:
            self.sounds(number, seconds=seconds)
        await store.save([self.recording(number, seconds=seconds, **changed) for number in numbers])
        times = {"at": changed["at"]} if "at" in changed else {}
        await store.save([self.interval(number, seconds=seconds, **times) for number in numbers])
        if self.writable:
            with sqlite3.connect(self.table) as asterisk:
                asterisk.executemany(
                    "INSERT INTO cdr VALUES ('2026-11-18 15:06:40', ?, 1, ?, 'PJSIP/trunk-1', 'PJSIP/101-2',"
                    " 'ANSWERED', 3, 3, ?)",
                    [(f"{number}.1", f"{number}.1", self.name(number)) for number in numbers],
                )

    def cdr_names(self) -> dict[str, str]:
        """What Asterisk's rows name, by uniqueid."""
        with sqlite3.connect(self.table) as asterisk:
            return dict(asterisk.execute("SELECT uniqueid, recordingfile FROM cdr").fetchall())

    def files(self) -> set[str]:
        """Every file of the spool and of the lanes."""
        return {
            str(path.relative_to(self.folder))
            for place in (self.monitor, self.lanes)
            for path in place.rglob("*")
            if path.is_file()
        }
