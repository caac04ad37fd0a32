"""What a step is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from tests.live.transfers.stage import Stage

TALK = 4.0  # seconds of talk where a scenario says nothing else
REACH = 0.4  # seconds in which nobody can have lifted the handset


class Step(Protocol):
    """Something that happens in a scenario."""

    @abstractmethod
    async def play(self, stage: Stage) -> None:
        """Do it, and return once it has happened."""
