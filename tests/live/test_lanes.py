"""What the whole way of recording stands on: each party's voice, taken on its own channel, is complete.

The longer forms measure what docs/lanes.md says; the table itself is printed by `experiments/lanes.py`.
"""

from __future__ import annotations

import pytest

from tests.live.asterisk import Asterisk
from tests.live.experiments.lanes import play
from tests.live.experiments.measure import Row, apart, usual
from tests.live.experiments.scenes import SCENES, long_call

pytestmark = pytest.mark.live


def assert_whole(rows: list[Row]) -> None:
    """Nobody's voice is missing but for single frames, and none is displaced.

    On a quiet machine it is one frame at an edge and 30 ms (docs/lanes.md); a busy one delays Asterisk's own
    threads, so more is allowed here: what is looked for are voices that are not there at all.
    """
    for row in rows:
        assert row.at_start <= 40, str(row)
        assert row.inside <= 100, str(row)
        assert row.at_end <= 100, str(row)
        assert usual(row.errors.values()) <= 150, str(row)


@pytest.mark.parametrize(
    "name", ["plain", "hold_sendonly", "blind_transfer_by_callee", "attended_transfer_by_callee"]
)
async def test_every_voice_is_whole_and_in_its_place(asterisk: Asterisk, name: str):
    assert_whole(await play(asterisk, name, SCENES[name]))


@pytest.mark.full
@pytest.mark.timeout(400)
async def test_twenty_blind_transfers_lose_nobodys_voice(asterisk22: Asterisk):
    for _ in range(20):
        assert_whole(await play(asterisk22, "blind transfer", SCENES["blind_transfer_by_callee"]))


@pytest.mark.full
@pytest.mark.timeout(2400)
async def test_lanes_stay_together_for_half_an_hour_of_loss_and_holds(asterisk22: Asterisk):
    first, second = await play(asterisk22, "long call", long_call(1800))
    common = sorted(first.errors.keys() & second.errors.keys())[-500:]
    assert usual(first.errors[n] - second.errors[n] for n in common) <= 150, apart(first, second)
