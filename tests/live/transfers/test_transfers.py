"""The transfer matrix: each scenario played once in a house with all others, and judged by itself.

In the short form a part of it on 22 and a small part on 16, as `short` and `on16` say; with `full` all of it on
both. What one noisy moment of a shared machine spoils (a frame too many at an edge) is played once more; what must
never be on the disk is not forgiven.
"""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    version, scenarios = PARTS[request.param]
    stack, played = play.run(version, tmp_path_factory.mktemp(f"transfers-{request.param}"), scenarios)
    with stack:
        spoilt = [s for s in scenarios if _spoilt(played.verdict(s.name))]
        if spoilt:
            print("once more:", *(str(played.verdict(s.name)) for s in spoilt), sep="\n  ")
            folder = tmp_path_factory.mktemp(f"again-{request.param}")
            again, second = play.run(version, folder, spoilt, at_once=2)
            with again:
                for scenario in spoilt:
                    if not played.verdict(scenario.name).leaked_ms:
                        played.replace(second.verdict(scenario.name))
        yield played


def _spoilt(verdict: Verdict) -> bool:
    return bool(verdict.faults) or verdict.covered < _WORST


CASES = [
    pytest.param(part, scenario, id=f"{part}-{scenario.id}", marks=_marks(part))
    for part, (_, scenarios) in PARTS.items()
    for scenario in scenarios
]
each_part = pytest.mark.parametrize(
    "played", [pytest.param(part, marks=_marks(part)) for part in PARTS], indirect=True
)


@pytest.mark.parametrize(("played", "scenario"), CASES, indirect=["played"])
def test_who_must_be_heard_is_and_who_must_not_is_not(played: Played, scenario: Scenario) -> None:
    verdict = played.verdict(scenario.name)
    print(verdict)
    assert not verdict.faults, str(verdict)
    assert verdict.leaked_ms == 0
    assert verdict.covered >= _WORST, str(verdict)


@each_part
def test_over_all_scenarios_nearly_every_millisecond_is_there_and_no_forbidden_one(played: Played) -> None:
    verdicts = [played.verdict(name) for name in played.stages]
    required = sum(verdict.required_ms for verdict in verdicts)
    missing = sum(verdict.missing_ms for verdict in verdicts)
    print(f"{required:.0f} ms required, {missing:.0f} ms missing: {1 - missing / required:.3%}")
    assert required
    assert 1 - missing / required >= COVERED
    assert sum(verdict.forbidden_ms for verdict in verdicts)
    assert sum(verdict.leaked_ms for verdict in verdicts) == 0


@each_part
def test_in_the_end_all_is_accounted_for_and_no_file_is_nobodys(played: Played) -> None:
    assert played.strays() == []
    assert played.proof == ""


def test_the_matrix_has_every_kind_and_every_named_complaint() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 60
    assert all(KINDS.values())
    assert {s.complaint for s in SCENARIOS} >= {1, 2, 3, 4, 5, 6, 7, 8, 11, 13}
    assert len(SHORT[16]) < len(SHORT[22]) < len(SCENARIOS)
