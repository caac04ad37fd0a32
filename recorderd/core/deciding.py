"""Policy's decisions, each thought out once.

Owns the memory of what was asked lately: one call asks the same at each of its steps, and thousands of live calls then
hold one decision with one trace. Must not know calls.
"""

from __future__ import annotations

from recorderd.core.conditions import Hours
from recorderd.core.policy import Decision, Policy, Situation, decide
from recorderd.core.rows import Direction

_REMEMBERED = 1000


def by_the_clock(policy: Policy) -> bool:
    """Whether a rule looks at the time of day: it may begin or cease to hold on any minute, and on no other."""
    return any(isinstance(c, Hours) for rule in policy.rules for c in rule.conditions)


class Decider:
    """`decide`, remembered. The key is all that a rule, a vote or a fail mode can look at in a situation."""

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._by_the_clock = False
        self._known: dict[object, Decision] = {}

    def decide(self, policy: Policy, situation: Situation, *, pressed: bool = False) -> Decision:
        """As `policy.decide`."""
        if policy is not self._policy:
            self._policy, self._by_the_clock = policy, by_the_clock(policy)
            self._known.clear()
        key = (
            tuple([(p.extension, p.number, p.direction is Direction.INBOUND) for p in situation.parties]),
            situation.dialled,
            situation.contexts,
            situation.trunks,
            pressed,
            situation.at // 60 if self._by_the_clock else 0,
        )
        decision = self._known.get(key)
        if decision is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            decision = self._known[key] = decide(policy, situation, pressed=pressed)
        return decision
