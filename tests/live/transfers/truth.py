"""Who heard whom, frame by frame, by the telephones' own knowledge; and what of that had to be recorded.

Owns the truth that recordings are judged by. Nothing of it comes from recorderd: what a telephone said, it knows;
what it heard, it kept; and the policies are the scenario's own. A frame is 20 ms, named by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tests.live import signals
from tests.live.signals import CYCLE, ulaw_decode
from tests.live.transfers.scenario import A, N
from tests.live.transfers.stage import Stage, Talked

# Two who hear each other do not hear the same frame at the same moment: within so many frames they are together.
_NEAR = 3
# Around a press, or the beginning of an announced talk: nobody's clock is that exact.
_SLACK = 0.4

Frames = frozenset[int]
NOBODY: Frames = frozenset()


@dataclass(frozen=True)
class Truth:
    """`must` and `never`: by speaker, the frames that must be audible, and that must not be.

    What nobody heard (a word into a hold) is in neither. `heard`: (speaker, listener) to frames.
    `groups`: for a frame's number, who was together then.
    """

    must: Mapping[str, Frames]
    never: Mapping[str, Frames]
    heard: Mapping[tuple[str, str], Frames]
    groups: Mapping[int, frozenset[frozenset[str]]]
    sent_at: Mapping[int, float]

    def together(self, frame: int, one: str, other: str) -> bool:
        """These two were in one conversation then."""
        return any(one in group and other in group for group in self.groups.get(frame, ()))


def of(stage: Stage) -> Truth:
    """What the telephones of a played scenario know."""
    voices = stage.cast.voices
    said = {who: _said(stage, who) for who in voices}
    heard: dict[tuple[str, str], Frames] = {}
    for listener in voices:
        for speaker, frames in _heard_by(stage, listener).items():
            heard[speaker, listener] = frozenset(frames & said[speaker])
    every = sorted(set().union(*said.values()))
    ticker = stage.phones.ticker
    sent_at = {number: ticker.sent_at(number) for number in every}
    groups = _groups(heard, every)
    must: dict[str, Frames] = {}
    never: dict[str, Frames] = {}
    modes = stage.cast.scenario.parties
    for speaker in voices:
        listeners: dict[int, set[str]] = {}
        for listener in voices:
            for number in heard.get((speaker, listener), NOBODY):
                listeners.setdefault(number, set()).add(listener)
        wanted, forbidden = set(), set()
        for number, who in listeners.items():
            company = frozenset({speaker, *who})
            around = next((g for g in groups[number] if speaker in g), company) | company
            exact = decided(modes, company, sent_at[number], stage.talks)
            if exact is False:
                forbidden.add(number)
            elif exact and decided(modes, around, sent_at[number], stage.talks):
                wanted.add(number)
        must[speaker], never[speaker] = frozenset(wanted), frozenset(forbidden)
    return Truth(must, never, heard, groups, sent_at)


def decided(
    modes: Mapping[str, str], company: Iterable[str], at: float, talks: Iterable[Talked]
) -> bool | None:
    """What policy says of these people: never beats always beats a press. None: too near a press to say."""
    said = {modes[who] for who in company} - {""}
    if not said or N in said:
        return False
    if A in said:
        return True
    company = frozenset(company)
    for talk in talks:
        if company <= talk.who and talk.since + _SLACK <= at <= talk.until - _SLACK:
            return bool(talk.recorded)
    return None


def _said(stage: Stage, who: str) -> set[int]:
    return {number for call in stage.actors[who].calls for number in call.said()}


def _heard_by(stage: Stage, listener: str) -> dict[str, set[int]]:
    """The frames of everybody else that reached this party's telephone."""
    others = {who: voice for who, voice in stage.cast.voices.items() if who != listener}
    found: dict[str, set[int]] = {who: set() for who in others}
    for call in stage.actors[listener].calls:
        sound = ulaw_decode(call.stream.heard.sound())
        if not len(sound):
            continue
        near = stage.phones.ticker.number_at(call.started)
        runs = signals.hear(sound, others.values(), near=near)
        for who, voice in others.items():
            found[who].update(signals.frames_of(runs[voice]))
    return found


def _groups(
    heard: Mapping[tuple[str, str], Frames], every: Iterable[int]
) -> dict[int, frozenset[frozenset[str]]]:
    """For each frame's number, the groups of people of whom one heard another within some frames of it."""
    pairs = [pair for pair, frames in heard.items() if frames]
    near = {pair: _widened(heard[pair]) for pair in pairs}
    known: dict[tuple[bool, ...], frozenset[frozenset[str]]] = {}
    groups = {}
    for number in every:
        key = tuple(number in near[pair] for pair in pairs)
        if key not in known:
            known[key] = _components(pair for pair, there in zip(pairs, key, strict=True) if there)
        groups[number] = known[key]
    return groups


def _widened(frames: Frames) -> set[int]:
    numbers = np.array(sorted(frames))
    return set(((numbers[:, None] + np.arange(-_NEAR, _NEAR + 1)) % CYCLE).ravel().tolist())


def _components(pairs: Iterable[tuple[str, str]]) -> frozenset[frozenset[str]]:
    groups: list[set[str]] = []
    for pair in pairs:
        touching = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touching]
        groups.append(set(pair).union(*touching))
    return frozenset(map(frozenset, groups))
