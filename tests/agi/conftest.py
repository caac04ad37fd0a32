from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from recorderd.agi.server import FastAgiServer, Settings
from recorderd.agi.session import Limits
from tests.agi.brain import AsteriskSide, ChosenBrain


class House:
    """A running server with its brain and everything it reported."""

    def __init__(self, limits: Limits) -> None:
        self.brain = ChosenBrain()
        self.reports: list[str] = []
        self.server = FastAgiServer(
            self.brain,
            Settings(port=0, limits=limits),
            report=self.reports.append,
            clock=lambda: 1_700_000_000.5,
            new_id=lambda: "press-1",
        )
        self.server.start()

    def call(self) -> AsteriskSide:
        return AsteriskSide(self.server.port)


@pytest.fixture
def open_house() -> Iterator[Callable[..., House]]:
    """Opens a server with the given limits; all are closed afterwards."""
    opened: list[House] = []

    def build(**limits: float) -> House:
        house = House(Limits(**limits))  # type: ignore[arg-type]
        opened.append(house)
        return house

    yield build
    for house in opened:
        house.server.stop()


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()
