"""All scenarios, by kind of call. Their names are unique, and sentences about what happens."""

from __future__ import annotations

from tests.live.transfers.cases import (
    attended,
    blind,
    complaints,
    conferences,
    groups,
    holds,
    originated,
    parking,
    redirects,
)
from tests.live.transfers.scenario import Scenario

KINDS: dict[str, tuple[Scenario, ...]] = {
    "blind transfer": blind.SCENARIOS,
    "attended transfer": attended.SCENARIOS,
    "redirect and merge": redirects.SCENARIOS,
    "queue, ring group, follow-me, forward, pickup": groups.SCENARIOS,
    "park": parking.SCENARIOS,
    "conference": conferences.SCENARIOS,
    "hold, press, a start in flight": holds.SCENARIOS,
    "originated": originated.SCENARIOS,
    "users' complaints": complaints.SCENARIOS,
}
SCENARIOS: tuple[Scenario, ...] = tuple(scenario for kind in KINDS.values() for scenario in kind)
