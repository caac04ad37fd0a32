"""Twenty calls at once through a dialplan of hundreds of events for each, half of them recorded by it as well.

Milliseconds are not asserted: so many telephones in one process stutter. Files, voices and accounts are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.core.coverage import Coverage
from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import until
from tests.live.freepbx.pbx import freepbx
from tests.live.phone import Call, Phones
from tests.live.rig_ami import RigAmi
from tests.live.scene import Scene, hang_up

pytestmark = [pytest.mark.live, pytest.mark.alone]

_CALLS = 20
_EVENTS = 200
_MODES = ("always", "never")
PAIRS = [(str(101 + 2 * i), str(102 + 2 * i), _MODES[i % 2]) for i in range(_CALLS)]
POLICY = {number: mode for *pair, mode in PAIRS for number in pair}
FORCED = dict.fromkeys((caller for i, (caller, _, _) in enumerate(PAIRS) if i % 4 < 2), "force")


# A house for each try: what came of one is in the ledger of its house.
@pytest.fixture(params=[(22, "link"), (16, "replace")], ids=["link-22", "replace-16"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    version, foreign = request.param
    with freepbx(version, tmp_path, POLICY, FORCED, foreign=foreign, hooks=True, endpoints=45) as played:
        yield played


async def begin(phones: Phones, caller: str, callee: str) -> tuple[Call, Call]:
    one, two = await phones(caller), await phones(callee)
    call = await one.call(callee)
    await call.up()
    return call, next(c for c in two.calls if not c.outgoing)


async def test_all_is_recorded_as_policy_says_and_accounted_for(house: Scene) -> None:
    async with house.take() as take, house.phones() as phones:
        for number in POLICY:
            (await phones(number)).auto_answer = 0.2
        async with RigAmi(house.asterisk.ami_port, house.asterisk.secret) as ami:
            tasks = []
            for caller, callee, _ in PAIRS:
                tasks.append(asyncio.create_task(begin(phones, caller, callee)))
                await asyncio.sleep(0.05)
            calls = await asyncio.gather(*tasks)
            await until(lambda: all_talk(house), "twenty conversations", 10)
            await asyncio.sleep(1.5)
            await asyncio.gather(*(hang_up(*pair) for pair in calls))
            await asyncio.sleep(0.5)
            assert len(ami.events) / _CALLS > _EVENTS, "events for each call"
    coverage: Coverage = await house.daemon.coverage()
    assert (coverage.pending, coverage.unaccounted, coverage.lost) == ((), (), ())
    assert coverage.outcomes[Outcome.NOT_BY_POLICY] == _CALLS // 2
    assert coverage.outcomes[Outcome.RECORDED] + coverage.outcomes[Outcome.PARTIAL] == _CALLS // 2
    assert house.lane_files() == []
    made = {recording.name: recording for recording in take.recordings}
    assert len(made) == _CALLS // 2
    link = house.daemon.overrides["foreign"] == "link"
    assert sum(recording.linked for recording in made.values()) == (_CALLS // 4 if link else 0)
    named = {row["channel"].partition("-")[0]: row["recordingfile"] for row in take.cdrs}
    for (caller, _, mode), pair in zip(PAIRS, calls, strict=True):
        if mode == "always":
            recording = made[named[f"PJSIP/{caller}"]]
            assert ears.audible(house.daemon.path(recording)) == {call.stream.voice for call in pair}


async def all_talk(house: Scene) -> bool:
    return (await house.daemon.status())["calls"]["conversations"] == _CALLS
