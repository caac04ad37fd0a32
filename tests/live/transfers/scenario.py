"""What a scenario is: who takes part under which policy, and what happens, step by step.

Owns the form in which the matrix is written down. Must not know how a step is carried out or judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live.transfers.steps import Step

A = "always"
N = "never"
O = "on-demand"  # noqa: E741 - beside A and N it reads
X = ""  # somebody outside: a trunk, without a policy of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One shape of call. `parties` maps a letter to a policy; each party is one telephone with a voice of its own.

    `dialplan` and `queues` are lines for the house, with `{a}` for a's extension and `{s}`, `{t}` for two
    numbers of the scenario's own. `complaint`: the number in the list of users' complaints that it is named after.
    `stories`: how many separate stories its files must tell, each with one play button. `transfer`: it is one
    of those that are played twenty times. `short`: it is in the short form; `on16`: Asterisk 16's short form too.
    `alone`: it disturbs others (a group pickup takes any ringing call).
    """

    name: str
    parties: Mapping[str, str]
    steps: tuple[Step, ...]
    kind: str = ""
    dialplan: str = ""
    queues: str = ""
    complaint: int = 0
    stories: int | None = None
    transfer: bool = False
    short: bool = False
    on16: bool = False
    alone: bool = False
    versions: tuple[int, ...] = (22, 16)

    @property
    def id(self) -> str:
        """Its name for pytest and for a folder."""
        return (
            self.name.replace(" ", "-")
            .replace(",", "")
            .replace("*", "star")
            .replace("#", "hash")
            .replace("+", "and")
        )

    def __str__(self) -> str:
        return self.name


def parties(**policies: str) -> Mapping[str, str]:
    """`parties(a=A, b=N, x=X)`."""
    return policies


@dataclass(frozen=True, slots=True)
class Cast:
    """A scenario with its numbers: every party's extension (or outside number), endpoint and voice."""

    scenario: Scenario
    numbers: Mapping[str, str]
    endpoints: Mapping[str, str]
    voices: Mapping[str, int]

    def fill(self, text: str, **more: str) -> str:
        """Put this scenario's numbers into a template; `{a_device}` is how Asterisk dials a."""
        devices = {
            f"{party}_device": f"PJSIP/{self.numbers[party]}@{endpoint}"
            if party in self.outside
            else f"PJSIP/{endpoint}"
            for party, endpoint in self.endpoints.items()
        }
        return text.format(**self.numbers, **devices, **more)

    @property
    def outside(self) -> tuple[str, ...]:
        """Those who are not extensions."""
        return tuple(party for party, mode in self.scenario.parties.items() if mode == X)

    @property
    def modes(self) -> dict[str, str]:
        """The policies of those who have one, by extension."""
        return {self.numbers[p]: mode for p, mode in self.scenario.parties.items() if mode != X}

    def party_of(self, channel: str) -> str:
        """The letter of the party behind a channel's name, empty for anybody else."""
        device = channel.rpartition("-")[0].removeprefix("PJSIP/")
        return next((p for p, endpoint in self.endpoints.items() if endpoint == device), "")


FIRST_EXTENSION = 101
LAST_EXTENSION = 399
_VOICES = 8


def cast(scenarios: list[Scenario]) -> list[Cast]:
    """Give everybody an extension or a line of their own, so that scenarios do not touch each other."""
    extensions = iter(range(FIRST_EXTENSION, LAST_EXTENSION + 1))
    lines = iter(range(1, 1000))
    casts = []
    for index, scenario in enumerate(scenarios):
        numbers = {"s": f"8{index:03d}1", "t": f"8{index:03d}2", "u": f"8{index:03d}3"}
        endpoints, voices = {}, {}
        assert len(scenario.parties) <= _VOICES
        for voice, (letter, mode) in enumerate(scenario.parties.items()):
            line = next(lines) if mode == X else None
            endpoints[letter] = f"line{line}" if line else str(next(extensions))
            numbers[letter] = f"06{line:05d}" if line else endpoints[letter]
            voices[letter] = voice
        casts.append(Cast(scenario, numbers, endpoints, voices))
    return casts
