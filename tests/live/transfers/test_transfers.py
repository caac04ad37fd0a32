"""The transfer matrix: each scenario played once in a house with all others, and judged by itself.

In the short form a part of it on 22 and a small part on 16, as `short` and `on16` say; with `full` all of it on
both. What one noisy moment of a shared machine spoils (a frame too many at an edge) is played once more; what must
never be on the disk is not forgiven.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.live.transfers import play
from tests.live.transfers.cases import KINDS, SCENARIOS
from tests.live.transfers.play import Played
from tests.live.transfers.scenario import Scenario
from tests.live.transfers.verdict import Verdict

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

COVERED = 0.995
_WORST = 0.97  # of a single scenario: a few seconds of talk have many edges

SHORT = {22: [s for s in SCENARIOS if s.short], 16: [s for s in SCENARIOS if s.on16]}
PARTS = {
    "22": (22, SHORT[22]),
    "16": (16, SHORT[16]),
    "22-whole": (22, list(SCENARIOS)),
    "16-whole": (16, list(SCENARIOS)),
}


def _marks(part: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.full] if part.endswith("whole") else []


class Parts:
    """Each part is played when it is first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._played: dict[str, Played] = {}

    def __getitem__(self, part: str) -> Played:
        if part not in self._played:
            self._played[part] = self._play(part)
        return self._played[part]

    def _play(self, part: str) -> Played:
        version, scenarios = PARTS[part]
        played = play.run(version, self._folders.mktemp(f"transfers-{part}"), scenarios)
        of_each = [played.verdict(scenario.name) for scenario in scenarios]
        too_little = _covered(of_each) < COVERED
        spoilt = [s for s, verdict in zip(scenarios, of_each, strict=True) if _spoilt(verdict, too_little)]
        if spoilt:
            print("once more:", *(str(played.verdict(s.name)) for s in spoilt), sep="\n  ")
            again = play.run(version, self._folders.mktemp(f"again-{part}"), spoilt, at_once=2)
            for scenario in spoilt:
                if not played.verdict(scenario.name).leaked_ms:
                    played.replace(again.verdict(scenario.name))
        return played


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return Parts(tmp_path_factory)


def _covered(verdicts: Sequence[Verdict]) -> float:
    required = sum(verdict.required_ms for verdict in verdicts)
    return 1 - sum(verdict.missing_ms for verdict in verdicts) / required


def _spoilt(verdict: Verdict, too_little: bool) -> bool:
    """By itself, or as one of those for which there is `too_little` in all of them."""
    return bool(verdict.faults) or verdict.covered < (COVERED if too_little else _WORST)


CASES = [
    pytest.param(part, scenario, id=f"{part}-{scenario.id}", marks=_marks(part))
    for part, (_, scenarios) in PARTS.items()
    for scenario in scenarios
]
each_part = pytest.mark.parametrize("part", [pytest.param(part, marks=_marks(part)) for part in PARTS])


@pytest.mark.parametrize(("part", "scenario"), CASES)
def test_who_must_be_heard_is_and_who_must_not_is_not(parts: Parts, part: str, scenario: Scenario) -> None:
    verdict = parts[part].verdict(scenario.name)
    print(verdict)
    assert not verdict.faults, str(verdict)
    assert verdict.leaked_ms == 0
    assert verdict.covered >= _WORST, str(verdict)


@each_part
def test_over_all_nearly_every_millisecond_is_there_and_no_forbidden_one(parts: Parts, part: str) -> None:
    verdicts = [parts[part].verdict(name) for name in parts[part].stages]
    print(f"{_covered(verdicts):.3%} of {sum(verdict.required_ms for verdict in verdicts):.0f} ms")
    assert _covered(verdicts) >= COVERED
    assert sum(verdict.forbidden_ms for verdict in verdicts)
    assert sum(verdict.leaked_ms for verdict in verdicts) == 0


@each_part
def test_in_the_end_all_is_accounted_for_and_no_file_is_nobodys(parts: Parts, part: str) -> None:
    assert parts[part].strays() == []
    assert parts[part].proof == ""


def test_the_matrix_has_every_kind_and_every_named_complaint() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 60
    assert all(KINDS.values())
    assert {s.complaint for s in SCENARIOS} >= {1, 2, 3, 4, 5, 6, 7, 8, 11, 13}
    assert len(SHORT[16]) < len(SHORT[22]) < len(SCENARIOS)
