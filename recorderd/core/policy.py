"""What should be recorded, and why: policy is data, and so is every decision.

Owns the words of policy, the order in which they outweigh each other, and the one function that decides.
Must not know calls, Asterisk or a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, tzinfo
from enum import StrEnum
from sys import intern
from types import MappingProxyType
from typing import Protocol

from recorderd.core.facts import dataclass
from recorderd.core.rows import Direction, Party


class Mode(StrEnum):
    """What policy wants of a conversation."""

    ALWAYS = "always"
    ON_DEMAND = "on-demand"
    NEVER = "never"


class FailMode(StrEnum):
    """What a call does when it should be recorded and cannot be, mildest first."""

    OPEN = "open"
    ANNOUNCE = "announce"
    CLOSED_BEFORE = "closed-before"
    CLOSED_DURING = "closed-during"


_MILDEST_FIRST = tuple(FailMode)


class Lookback(StrEnum):
    """Whether an on-demand call is kept from its answer on when somebody asks for it later."""

    OFF = "off"
    WHOLE_CALL = "whole-call"


class Strength(StrEnum):
    """Who says it, and so how much it weighs."""

    RULE = "rule"
    LOCK = "lock"
    CHOICE = "choice"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedence:
    """What outweighs what, strongest first: between strengths, then between modes of equal strength."""

    strengths: tuple[Strength, ...] = (Strength.RULE, Strength.LOCK, Strength.CHOICE, Strength.DEFAULT)
    modes: tuple[Mode, ...] = (Mode.NEVER, Mode.ALWAYS, Mode.ON_DEMAND)

    def __post_init__(self) -> None:
        """Raises ValueError unless every strength and every mode has one place."""
        if sorted(self.strengths) != sorted(Strength) or sorted(self.modes) != sorted(Mode):
            raise ValueError("an order of precedence names every strength and every mode once")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPolicy:
    """One extension's choice. The two `internal_` values hold for calls between extensions, where given.

    `locked`: the administrator chose it and says why in `lock_reason`; it outweighs other people's choices.
    `announce` is the prompt that a caller hears before a call that is to be recorded, `beep` the seconds between
    two beeps while it is; neither where empty or 0.
    """

    extension: str
    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None = None
    internal_outbound: Mode | None = None
    locked: bool = False
    lock_reason: str = ""
    fail_mode: FailMode | None = None
    lookback: Lookback | None = None
    announce: str = ""
    beep: int = 0

    def mode(self, direction: Direction, *, internal: bool) -> Mode:
        """What this extension wants of a call in which it has `direction`."""
        if direction is Direction.INBOUND:
            return (self.internal_inbound if internal else None) or self.inbound
        return (self.internal_outbound if internal else None) or self.outbound


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A conversation as policy sees it. `dialled` are the numbers its callers dialled, first one first."""

    at: float
    parties: tuple[Party, ...]
    dialled: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()
    zone: tzinfo = UTC

    @property
    def internal(self) -> bool:
        """True when nobody from outside takes part."""
        return all(party.extension for party in self.parties)

    @property
    def callers(self) -> Iterator[Party]:
        """Those who called."""
        return (party for party in self.parties if party.direction is Direction.OUTBOUND)

    @property
    def callees(self) -> Iterator[Party]:
        """Those who were called."""
        return (party for party in self.parties if party.direction is Direction.INBOUND)


class Condition(Protocol):
    """Part of a rule: see `core.conditions`."""

    def matches(self, situation: Situation) -> bool:
        """Whether it holds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An administrator's rule: when every condition holds, this mode, for this reason.

    What is None is as the extensions have it.
    """

    name: str
    mode: Mode
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    fail_mode: FailMode | None = None
    lookback: Lookback | None = None
    announce: str | None = None
    beep: int | None = None

    def first_miss(self, situation: Situation) -> Condition | None:
        """The first condition that does not hold, None when the rule applies."""
        for condition in self.conditions:
            if not condition.matches(situation):
                return condition
        return None


DEFAULT_EXTENSION = ExtensionPolicy(extension="", inbound=Mode.NEVER, outbound=Mode.NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides. Immutable: a change is a new policy with a higher `version`.

    `default` speaks for extensions that have no policy of their own. `fail_mode` is the default one.
    `emergency` numbers are connected whatever fails.
    """

    version: int = 0
    rules: tuple[Rule, ...] = ()
    extensions: Mapping[str, ExtensionPolicy] = field(default_factory=lambda: MappingProxyType({}))
    default: ExtensionPolicy = DEFAULT_EXTENSION
    precedence: Precedence = Precedence()
    fail_mode: FailMode = FailMode.OPEN
    emergency: frozenset[str] = frozenset()
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What policy says about one conversation now, with every reason.

    `wanted` is whether it is to be recorded: *always* is, *never* is not, *on-demand* is once pressed.
    `reason` is one sentence; `trace` says for every voice heard why it did or did not win. `buffered`: it is not
    wanted yet, and taken in case that somebody asks.
    """

    mode: Mode
    wanted: bool
    reason: str
    trace: tuple[str, ...]
    version: int
    fail_mode: FailMode = FailMode.OPEN
    buffered: bool = False
    announce: str = ""
    beep: int = 0

    @property
    def taken(self) -> bool:
        """Sound is taken: to be kept, or for somebody who asks later."""
        return self.wanted or self.buffered

    def __str__(self) -> str:
        recorded = "record" if self.wanted else "do not record"
        return f"{recorded} ({self.mode}: {self.reason}; policy {self.version})"


@dataclass(frozen=True, slots=True)
class _Vote:
    strength: Strength
    mode: Mode
    sentence: str


_NOBODY = _Vote(Strength.DEFAULT, Mode.NEVER, "no extension takes part")


def decide(policy: Policy, situation: Situation, *, pressed: bool = False) -> Decision:
    """Decide a conversation. Pure and total: every situation has a decision.

    The first rule that applies has a vote, and so has every extension that takes part, with its lock, its
    choice or the default; `policy.precedence` says which vote outweighs the others.
    """
    trace: list[str] = []
    rule = _first_rule(policy, situation, trace)
    votes = [_Vote(Strength.RULE, rule.mode, _rule_sentence(rule))] if rule else []
    votes.extend(_votes(policy, situation))
    strengths, modes = policy.precedence.strengths, policy.precedence.modes
    winner = min(
        votes,
        key=lambda v: (strengths.index(v.strength), modes.index(v.mode)),
        default=_NOBODY,
    )
    # Thousands of live calls hold the same few sentences.
    trace += [intern(f"{v.sentence}: {_verdict(v, winner)}") for v in votes]
    ruling = rule if winner.strength is Strength.RULE else None
    chosen = [policy.extensions.get(p.extension, policy.default) for p in situation.parties if p.extension]
    wanted = winner.mode is Mode.ALWAYS or (winner.mode is Mode.ON_DEMAND and pressed)
    return Decision(
        mode=winner.mode,
        wanted=wanted,
        reason=intern(winner.sentence),
        trace=tuple(trace),
        version=policy.version,
        fail_mode=_fail_mode(policy, situation, chosen, ruling),
        buffered=winner.mode is Mode.ON_DEMAND and not wanted and _looks_back(chosen, ruling),
        announce=_announce(chosen, ruling),
        beep=_beep(chosen, ruling),
    )


def _first_rule(policy: Policy, situation: Situation, trace: list[str]) -> Rule | None:
    for rule in policy.rules:
        miss = rule.first_miss(situation)
        if miss is None:
            return rule
        trace.append(f"rule “{rule.name}”: does not apply, {miss}")
    return None


def _rule_sentence(rule: Rule) -> str:
    why = f", {rule.reason}" if rule.reason else ""
    return f"rule “{rule.name}” says {rule.mode}{why}"


def _votes(policy: Policy, situation: Situation) -> Iterator[_Vote]:
    internal = situation.internal
    for party in situation.parties:
        if not party.extension:
            continue
        own = policy.extensions.get(party.extension)
        chosen = own or policy.default
        mode = chosen.mode(party.direction, internal=internal)
        kind = f"{'internal ' if internal else ''}{party.direction} calls"
        if own is None:
            yield _Vote(Strength.DEFAULT, mode, f"the default for {kind} of {party.extension} is {mode}")
        elif own.locked:
            why = f", {own.lock_reason}" if own.lock_reason else ""
            yield _Vote(Strength.LOCK, mode, f"{kind} of {party.extension} are locked to {mode}{why}")
        else:
            yield _Vote(Strength.CHOICE, mode, f"{party.extension} chose {mode} for {kind}")


def _verdict(vote: _Vote, winner: _Vote) -> str:
    if vote is winner:
        return "wins"
    if vote.strength is not winner.strength:
        return f"outweighed, a {winner.strength} is stronger than a {vote.strength}"
    return "agrees" if vote.mode is winner.mode else f"outweighed, {winner.mode} is stronger than {vote.mode}"


def _looks_back(chosen: list[ExtensionPolicy], rule: Rule | None) -> bool:
    """What was said before somebody asked is kept only if everybody's policy has it so."""
    if rule is not None and rule.lookback is not None:
        return rule.lookback is Lookback.WHOLE_CALL
    return bool(chosen) and all(one.lookback is Lookback.WHOLE_CALL for one in chosen)


def _announce(chosen: list[ExtensionPolicy], rule: Rule | None) -> str:
    if rule is not None and rule.announce is not None:
        return rule.announce
    for one in chosen:
        if one.announce:
            return one.announce
    return ""


def _beep(chosen: list[ExtensionPolicy], rule: Rule | None) -> int:
    """The most frequent that a party asks for."""
    if rule is not None and rule.beep is not None:
        return rule.beep
    return min([one.beep for one in chosen if one.beep], default=0)


def _fail_mode(
    policy: Policy, situation: Situation, chosen: list[ExtensionPolicy], rule: Rule | None
) -> FailMode:
    """The strictest that a party asks for, unless the winning rule says; open to an emergency number."""
    if policy.emergency:
        called = [p.number for p in situation.parties if p.direction is Direction.INBOUND]
        if not policy.emergency.isdisjoint((*situation.dialled, *called)):
            return FailMode.OPEN
    if rule is not None and rule.fail_mode is not None:
        return rule.fail_mode
    asked = [one.fail_mode or policy.fail_mode for one in chosen]
    return max(asked, key=_MILDEST_FIRST.index, default=policy.fail_mode)
