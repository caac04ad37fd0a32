"""Is this lane's file what it should be by now? The judgement on one watched file.

Owns the deadlines and the kinds of fault. Pure: must not know threads, the file system or the clock; `watch`
brings what was seen and when, in seconds of any clock that never goes back.

Faults are judged from evidence, and no evidence is no evidence: a disk that does not answer shows no growth,
so its lanes are `stalled` when their deadline passes, just as if Asterisk had stopped writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath

from recorderd.errors import AudioError

MISSING_SECONDS = 1.0
# Asterisk writes through libc's buffer: a file grows by this much at a time (asterisk-facts 2.6).
STEP_BYTES = 32768
STALL_MARGIN_SECONDS = 0.5
# What each of Asterisk's formats puts on the disk per second (asterisk-facts 8). Case matters: WAV is GSM.
BYTES_PER_SECOND = {
    ".wav": 16000,
    ".wav16": 32000,
    ".sln": 16000,
    ".sln16": 32000,
    ".ulaw": 8000,
    ".alaw": 8000,
    ".g722": 8000,
    ".WAV": 1625,
    ".wav49": 1625,
    ".gsm": 1650,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a look at a path showed: which file, how many bytes, when last written to. `inode` 0: no file."""

    inode: int
    size: int
    mtime_ns: int = field(default=0, compare=False)


GONE = Sight(inode=0, size=0)


def stall_seconds(path: str) -> float:
    """How long a growing file may keep its size. Raises AudioError for a format of unknown rate."""
    return STEP_BYTES / bytes_per_second(path) + STALL_MARGIN_SECONDS


def bytes_per_second(path: str) -> int:
    """What sound takes on the disk. Raises AudioError for a format of unknown rate."""
    suffix = PurePath(path).suffix
    try:
        return BYTES_PER_SECOND[suffix]
    except KeyError:
        raise AudioError(f"{path} cannot be watched: no format {suffix or 'without a suffix'}") from None


class Growth:
    """One file under watch since `now`. Every method returns what is to be told because of it.

    A kind of fault is told once, and may be told again only after the file has grown or come back.
    `seen` becomes True with the first look that shows the file, and stays so. `headed`: its format begins with a
    header.
    """

    def __init__(self, *, stall: float, growing: bool, now: float, headed: bool = False) -> None:
        self.seen = False
        self._headed = headed
        self._stall = stall
        self._since = now
        self._growing_since = now if growing else None
        self._grown = 0.0
        self._looked = False
        self._last = GONE
        self._inode = 0
        self._told: set[str] = set()

    @property
    def size(self) -> int:
        """What the file had at the last look."""
        return self._last.size

    def grow(self, growing: bool, now: float) -> None:
        """The channel entered a bridge, or left it: only in between does the stall clock run.

        It goes on where it stopped, since what Asterisk's buffer held is still there.
        """
        if self._growing_since is not None:
            self._grown += now - self._growing_since
        self._growing_since = now if growing else None

    def look(self, sight: Sight, now: float) -> list[str]:
        """What was seen at `now`; the kinds of fault that it shows."""
        self._looked = True
        last, self._last = self._last, sight
        if not self.seen:
            # Asterisk writes a header at once: an empty file is one that a full disk did not take.
            if sight != GONE and (sight.size or not self._headed):
                self.seen, self._inode = True, sight.inode
                self._recover(now)
            return []
        if sight.inode != self._inode:
            # Gone, or another file under its name: Asterisk writes into one that nobody will find.
            return self._tell("deleted")
        if sight.size < last.size and last.inode == sight.inode:
            self._restart(now)
            return self._tell("truncated")
        if sight.size > last.size:
            self._recover(now)
        return []

    def judge(self, now: float) -> list[str]:
        """The kinds of fault that the passing of time alone shows at `now`."""
        if not self.seen:
            if now - self._since < MISSING_SECONDS:
                return []
            return self._tell("missing" if self._looked else "stalled")
        running = now - self._growing_since if self._growing_since is not None else 0.0
        if self._growing_since is None or self._grown + running < self._stall or "deleted" in self._told:
            return []
        return self._tell("stalled")

    def _tell(self, kind: str) -> list[str]:
        if kind in self._told:
            return []
        self._told.add(kind)
        return [kind]

    def _recover(self, now: float) -> None:
        self._told.clear()
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._grown = 0.0
        if self._growing_since is not None:
            # The look may be older than the channel's coming into the bridge: word of it takes a moment.
            self._growing_since = max(now, self._growing_since)
