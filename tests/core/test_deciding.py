"""A remembered decision is the one that would be made now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recorderd.core import rules
from recorderd.core.deciding import Decider
from recorderd.core.policy import Mode, Policy, Situation, decide
from recorderd.core.rows import Direction, Party
from tests.core.people import A, D, N, chooses, policy

RULES = [
    {"name": "night", "when": {"time": "22:00-06:00"}, "mode": "never"},
    {"name": "council", "when": {"party": "77000*"}, "mode": "never"},
    {"name": "line", "when": {"did": "5550101"}, "mode": "always"},
    {"name": "trunk", "when": {"trunk": "night"}, "mode": "always"},
    {"name": "context", "when": {"context": "internal"}, "mode": "on-demand"},
    {"name": "outbound", "when": {"direction": "outbound"}, "mode": "always"},
]


def _policy(chosen: list[int]) -> Policy:
    reader = rules.Reader()
    found = reader.rules([RULES[n] for n in chosen])
    assert not reader.faults
    everybody = (chooses("101", A, N), chooses("102", D, lookback=None), chooses("103", N, locked=True))
    return policy(*everybody, rules=found, emergency=frozenset(("112",)))


policies = st.lists(st.integers(0, len(RULES) - 1), unique=True, max_size=4).map(_policy)
parties = st.builds(
    Party,
    uniqueid=st.sampled_from(["1.1", "1.2"]),
    channel=st.just("PJSIP/x-1"),
    extension=st.sampled_from(["101", "102", "103", ""]),
    number=st.sampled_from(["101", "77000*", "112", "5550101"]),
    name=st.just(""),
    direction=st.sampled_from(Direction),
)
situations = st.builds(
    Situation,
    at=st.floats(0, 200_000),
    parties=st.lists(parties, max_size=3).map(tuple),
    dialled=st.lists(st.sampled_from(["5550101", "112", "102"]), max_size=2).map(tuple),
    contexts=st.sampled_from([(), ("internal",)]),
    trunks=st.sampled_from([(), ("night",), ("day",)]),
)


@given(st.lists(st.tuples(policies, st.lists(st.tuples(situations, st.booleans()), max_size=8)), max_size=3))
def test_it_is_the_same_whatever_was_asked_before(
    asked: list[tuple[Policy, list[tuple[Situation, bool]]]],
) -> None:
    decider = Decider()
    for rules_now, questions in asked:
        for situation, pressed in questions * 2:
            decided = decider.decide(rules_now, situation, pressed=pressed)
            assert decided == decide(rules_now, situation, pressed=pressed)


def test_equal_questions_have_one_answer_between_them() -> None:
    def asked(uniqueid: str, at: float) -> Situation:
        called = Party(
            uniqueid=uniqueid,
            channel="x",
            extension="101",
            number="101",
            name="",
            direction=Direction.INBOUND,
        )
        return Situation(at=at, parties=(called,))

    decider, now = Decider(), policy(default=A)
    one, other = decider.decide(now, asked("1.1", 1.0)), decider.decide(now, asked("1.2", 2.0))
    assert one is other
    assert one.mode is Mode.ALWAYS


def test_it_remembers_no_more_than_so_many() -> None:
    decider, now = Decider(), policy(default=A)
    for n in range(5000):
        decider.decide(now, Situation(at=0.0, parties=(), dialled=(str(n),)))
    assert len(decider._known) <= 1000
