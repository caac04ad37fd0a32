"""Fifty conversations at one moment: all that are to be recorded are, and none of the others.

Milliseconds are not asserted here: so many telephones in one process stutter. Coverage and counts are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import until
from tests.live.phone import Call, Phones
from tests.live.scene import Scene, hang_up, scene

pytestmark = [pytest.mark.live, pytest.mark.alone]

_FIRST = 101
_INTERNAL, _TRUNK_CALLS = 40, 10
# What the pairs chose, in turn, and whether that is recorded while nobody presses.
_PAIRS = [
    (("always", "always"), True),
    (("always", "on-demand"), True),
    (("never", "always"), False),
    (("on-demand", "on-demand"), False),
    (("on-demand", "always"), True),
]


@dataclass
class Pair:
    """Two who talk; the second may be the trunk."""

    caller: str
    callee: str
    dialled: str
    wanted: bool
    calls: tuple[Call, ...] = ()


@dataclass
class Plan:
    """Who calls whom, and what they chose."""

    pairs: list[Pair] = field(default_factory=list)
    policy: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls) -> Plan:
        plan = cls()
        for i in range(_INTERNAL):
            one, two = str(_FIRST + 2 * i), str(_FIRST + 2 * i + 1)
            modes, wanted = _PAIRS[i % len(_PAIRS)]
            plan.policy |= {one: modes[0], two: modes[1]}
            plan.pairs.append(Pair(one, two, two, wanted))
        first = _FIRST + 2 * _INTERNAL
        for i in range(_TRUNK_CALLS):
            own, mode = str(first + i), "always" if i % 2 else "never"
            plan.policy[own] = mode
            if i % 4 < 2:
                plan.pairs.append(Pair(own, "trunk", f"90{own}", mode == "always"))
            else:
                plan.pairs.append(Pair("trunk", own, f"5550{own}", mode == "always"))
        return plan

    @property
    def wanted(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.wanted]


# A house for each try: what came of one is in the ledger of its house.
@pytest.fixture(params=[22, pytest.param(16, marks=pytest.mark.full)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with scene(request.param, tmp_path, Plan.make().policy, endpoints=99) as played:
        yield played


async def begin(phones: Phones, pair: Pair) -> None:
    caller, callee = await phones(pair.caller), await phones(pair.callee)
    call = await caller.call(pair.dialled, caller=f"7{pair.callee}" if pair.caller == "trunk" else "")
    await call.up()
    shown = f"7{pair.callee}" if pair.caller == "trunk" else pair.caller
    other = next(c for c in callee.calls if not c.outgoing and c.number == shown)
    pair.calls = (call, other)


async def test_fifty_calls_at_once_are_recorded_exactly_as_policy_says(house: Scene) -> None:
    plan = Plan.make()
    async with house.take() as take, house.phones() as phones:
        for number in [*plan.policy, "trunk"]:
            (await phones(number)).auto_answer = 0.2
        async with asyncio.TaskGroup() as together:
            for pair in plan.pairs:
                together.create_task(begin(phones, pair))
                await asyncio.sleep(0.05)

        async def all_talk() -> bool:
            calls = (await house.daemon.status())["calls"]
            return (calls["conversations"], calls["recording"]) == (len(plan.pairs), len(plan.wanted))

        await until(all_talk, "fifty conversations, each recorded or not", 10)
        await asyncio.sleep(1.5)
        await asyncio.gather(*(hang_up(*pair.calls) for pair in plan.pairs))
    assert len(take.files) == len(plan.wanted)
    named = {row["channel"]: row["recordingfile"] for row in take.cdrs}
    for pair in plan.pairs:
        own = pair.caller if pair.caller != "trunk" else pair.callee
        files = [file for file in take.files if own in file.name.split("-")[1:3]]
        assert len(files) == int(pair.wanted), pair
        for file in files:
            assert file.name in named.values()
            assert ears.audible(file) == {call.stream.voice for call in pair.calls}
    coverage = await house.proof(stuttering=True)
    assert coverage.outcomes[Outcome.NOT_BY_POLICY] == len(plan.pairs) - len(plan.wanted)
    assert sum(coverage.outcomes.values()) == len(plan.pairs)
