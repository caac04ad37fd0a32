"""Alarms that last: told once when they begin, cleared when they are over, across restarts.

Owns which are on. Must not know what may go wrong, nor the ways out (`alarms` does).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from recorderd.core import commands
from recorderd.core.rows import Row
from recorderd.daemon.alarms import Alarms
from recorderd.store.abc import AlarmRow

log = logging.getLogger("recorderd.alarm")


class Troubles:
    """`kinds` are the ones it answers for. `save` gets the rows; `clock` gives seconds since the epoch."""

    def __init__(
        self, alarms: Alarms, kinds: Iterable[str], save: Callable[[Row], None], clock: Callable[[], float]
    ) -> None:
        self._alarms = alarms
        self._kinds = frozenset(kinds)
        self._save = save
        self._clock = clock
        self._on: dict[tuple[str, str], AlarmRow] = {}

    def __len__(self) -> int:
        return len(self._on)

    def adopt(self, active: Iterable[AlarmRow]) -> None:
        """Those of this node that were on before a restart."""
        for row in active:
            if row.kind in self._kinds and row.keys.get("node", self._alarms.node) == self._alarms.node:
                self._on[row.kind, row.keys.get("about", "")] = row

    def tell(self, kind: str, sentence: str, about: str = "") -> None:
        """It is so; people are told unless they were."""
        assert kind in self._kinds, kind
        if (kind, about) in self._on:
            log.debug("%s", sentence)
            return
        keys: Mapping[str, str] = {"about": about} if about else {}
        self._alarms.raise_(commands.Alarm(at=self._clock(), kind=kind, sentence=sentence, keys=keys))
        self._on[kind, about] = next(reversed(self._alarms.recent.values()))

    def only(self, kind: str, about: Collection[str]) -> None:
        """Of this kind nothing else is so any more."""
        for one, other in list(self._on):
            if one == kind and other not in about:
                self.over(one, other)

    def over(self, kind: str, about: str = "") -> None:
        """It is not so any more."""
        row = self._on.pop((kind, about), None)
        if row is not None:
            log.info("over: %s", row.sentence)
            self._save(replace(row, cleared_at=self._clock()))
