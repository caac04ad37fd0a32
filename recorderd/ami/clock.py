"""Asterisk's time, as well as we know it. Must not know where the readings come from."""

from __future__ import annotations

from collections.abc import Callable

AGREE = 0.05
"""Seconds: a difference below this says nothing about two clocks."""


class Clock:
    """Our own clock, set right by what Asterisk tells where its machine's clock is another."""

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch by Asterisk's clock."""
        return self._ours() + self._offset

    def hear(self, told: float | None, waited: float) -> None:
        """Asterisk has just told its time, in an answer that took `waited` seconds to come.

        One machine's clock tells a time between question and answer: then nothing is corrected, however long
        a busy Asterisk took.
        """
        if told is None:
            return
        answered = self._ours()
        asked = answered - waited
        same = asked - AGREE <= told <= answered + AGREE
        self._offset = 0.0 if same else told - (asked + answered) / 2
