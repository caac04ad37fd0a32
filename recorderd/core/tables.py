"""Tables that shrink: Python's do not by themselves.

Owns giving back what a busy hour took. A dict that held ten thousand calls keeps room for them for ever, and a
daemon has some dozen such; a copy has room for what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable

# From so many things held on; and what is left is so small a part of that.
_MANY = 2000
_LEFT = 10


class Tables:
    """The dicts and sets that are attributes of `parts`. Nobody else may hold on to one."""

    def __init__(self, parts: Iterable[object]) -> None:
        self._parts = tuple(parts)
        self._most = 0

    def fit(self, held: int) -> None:
        """Told now and then how many things are held: after the fall from many to few all tables are made anew."""
        self._most = max(self._most, held)
        if self._most < _MANY or held * _LEFT > self._most:
            return
        self._most = held
        for part in self._parts:
            for name, table in vars(part).items():
                if type(table) in (dict, set):
                    setattr(part, name, table.copy())
