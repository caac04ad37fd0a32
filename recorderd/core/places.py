"""The folders that lanes go to: which of them take sound now.

Owns their order and what is held against each. Must not know lanes or disks: it is told of faults.
"""

from __future__ import annotations

FROZEN = "frozen"
# For so many seconds after a file failed there, new ones go elsewhere.
_SHUNNED = 30.0
# So many times of trouble are remembered, and so long one may have gone on before it was noticed.
_SPELLS = 50
_UNNOTICED = 2.0
# What befalls a file because of its disk: it will befall the next one too.
_DISK_FAULTS = frozenset(("missing", "stalled", "deleted", "truncated"))


class Places:
    """Best first. A path belongs to the place that it lies in."""

    def __init__(self, places: tuple[str, ...]) -> None:
        self._places = places
        self._shunned: dict[str, float] = {}
        self._faults: dict[str, str] = {}
        self._spells: list[tuple[str, float, float]] = []

    def choose(self, first: int, at: float) -> str | None:
        """The first from this one on of which nothing bad is known, else one that at least is not frozen.

        None if all are: whoever asks Asterisk to write there holds up all of it.
        """
        turn = first % len(self._places)
        order = [*self._places[turn:], *self._places[:turn]]
        good = (p for p in order if p not in self._faults and self._shunned.get(p, 0.0) <= at)
        bearable = (p for p in order if self._faults.get(p) != FROZEN)
        return next(good, None) or next(bearable, None)

    def better(self, path: str, at: float) -> bool:
        """Whether there is a place of which nothing bad is known, other than this path's."""
        other = self.choose(0, at)
        return other is not None and other not in self._faults and other != self.of(path)

    def of(self, path: str) -> str:
        """The place of a path, empty for none of ours."""
        return next((place for place in self._places if path.startswith(f"{place}/")), "")

    def failing(self, path: str) -> bool:
        """Its place does not take what is written to it."""
        return self.of(path) in self._faults

    @property
    def hopeful(self) -> bool:
        """Some place is well, for all that is known."""
        return any(place not in self._faults for place in self._places)

    def frozen(self, path: str) -> bool:
        """Nothing that touches this file may be asked of Asterisk now."""
        return self._faults.get(self.of(path)) == FROZEN

    def file_failed(self, path: str, kind: str, at: float) -> None:
        """A file there failed."""
        if kind in _DISK_FAULTS:
            self._shunned[self.of(path)] = at + _SHUNNED

    def fault(self, place: str, kind: str, at: float) -> bool:
        """The whole place fails; whether that is one of ours."""
        if place not in self._places:
            return False
        if place not in self._faults:
            self._spells = [*self._spells[-_SPELLS:], (place, at, float("inf"))]
        self._faults[place] = kind
        return True

    def troubled(self, path: str, since: float, until: float) -> bool:
        """Whether its place failed in that time: then a file that was properly closed may lack its end."""
        mine = self.of(path)
        return any(p == mine and a - _UNNOTICED < until and b > since for p, a, b in self._spells)

    def well_since(self, path: str) -> float:
        """When its place last began to take sound again; 0.0 if it always did."""
        mine = self.of(path)
        return max((b for p, _, b in self._spells if p == mine and b != float("inf")), default=0.0)

    def well(self, place: str, at: float) -> None:
        """It takes what is written to it."""
        self._spells = [(p, a, min(b, at) if p == place else b) for p, a, b in self._spells]
        self._faults.pop(place, None)
        self._shunned.pop(place, None)
