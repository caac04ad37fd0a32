"""Whether a chain and its heads are what they were: owns every check that needs no file and no key.

Must not know where entries come from; they are fed in, one by one, so a long chain needs no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorderd.core.chain import BEGINNING, ChainEntry, ChainHead, entry_hash, head_hash, micros, rows_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was. `what` is the entry, head, row or file; `sentence` says it all."""

    kind: str
    what: str
    sentence: str


class Walk:
    """Feed every entry in order, then ask what is missing at the `end`."""

    def __init__(self, heads: Sequence[ChainHead]) -> None:
        self._heads: dict[int, list[ChainHead]] = {}
        for head in heads:
            self._heads.setdefault(head.sequence, []).append(head)
        self._last: ChainEntry | None = None
        self.count = 0

    def feed(self, entry: ChainEntry) -> Iterator[Fault]:
        """What is wrong with this entry, where it stands."""
        last, what = self._last, f"entry {entry.sequence}"
        expected = last.sequence + 1 if last else 1
        if entry.sequence != expected:
            gone = (
                f"entry {expected}"
                if entry.sequence == expected + 1
                else f"{expected} to {entry.sequence - 1}"
            )
            yield Fault(kind="entry-gone", what=gone, sentence=f"gone from the chain: {gone}")
        elif entry.previous != (last.hash if last else BEGINNING):
            sentence = f"{what} does not follow the entry before: one of them was exchanged or rewritten"
            yield Fault(kind="chain-broken", what=what, sentence=sentence)
        if entry.hash != entry_hash(entry):
            yield Fault(kind="entry-changed", what=what, sentence=f"{what} was changed after it was made")
        elif entry.digest != rows_digest(entry.detail):
            yield Fault(
                kind="entry-changed", what=what, sentence=f"{what}: its digest is not that of its rows"
            )
        if last is not None and entry.at < last.at:
            yield Fault(kind="time-back", what=what, sentence=f"{what} is older than the entry before it")
        if (behind := entry.detail.get("clock_behind")) is not None:
            sentence = f"{what} was made while the clock stood {behind} s behind the entry before it"
            yield Fault(kind="clock-set-back", what=what, sentence=sentence)
        for head in self._heads.pop(entry.sequence, []):
            yield from _under(entry, head)
        self._last = entry
        self.count += 1

    def end(self) -> Iterator[Fault]:
        """What heads tell of that no entry does."""
        last = self._last.sequence if self._last else 0
        for head in [head for heads in self._heads.values() for head in heads if head.sequence > last]:
            sentence = (
                f"the chain ends with entry {last}, and head {head.number} signed entry {head.sequence}"
            )
            yield Fault(kind="chain-cut", what=f"head {head.number}", sentence=sentence)


def _under(entry: ChainEntry, head: ChainHead) -> Iterator[Fault]:
    what = f"head {head.number}"
    if head.hash != entry.hash:
        sentence = f"entry {entry.sequence} is not the one that {what} of {head.day} signed"
        yield Fault(kind="not-as-signed", what=f"entry {entry.sequence}", sentence=sentence)
    elif micros(head.at) < micros(entry.at):
        sentence = f"{what} is older than entry {entry.sequence}, which it signed"
        yield Fault(kind="time-back", what=what, sentence=sentence)


def check_heads(heads: Sequence[ChainHead]) -> Iterator[Fault]:
    """Whether the heads follow each other. Their signatures are another's to check."""
    before: ChainHead | None = None
    for head in heads:
        what = f"head {head.number}"
        expected = before.number + 1 if before else 1
        if head.number != expected:
            gone = (
                f"head {expected}"
                if head.number == expected + 1
                else f"heads {expected} to {head.number - 1}"
            )
            yield Fault(kind="head-gone", what=gone, sentence=f"gone: {gone}")
        elif head.previous != (head_hash(before) if before else BEGINNING):
            yield Fault(kind="head-broken", what=what, sentence=f"{what} does not follow the head before it")
        if before is not None and (head.at < before.at or head.sequence < before.sequence):
            yield Fault(kind="time-back", what=what, sentence=f"{what} is older than the head before it")
        before = head
