"""The recordings of one scenario, held against what its telephones know.

Owns every complaint that can be made about a recording (`linkage` has those about CDR rows). Must not believe the
ledger about what was said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.live import signals
from tests.live.signals import CYCLE, FRAME_MS, Run
from tests.live.transfers import linkage
from tests.live.transfers import truth as truths
from tests.live.transfers.evidence import Evidence, belongs
from tests.live.transfers.scenario import Cast
from tests.live.transfers.stage import Stage
from tests.live.transfers.truth import Truth

# The longest that may be missing anywhere, at a transfer above all.
GAP_MS = 300.0
_MUSIC_MS = 100.0
_HEADER = 44
_SURE = 12
_BOTH = 3
_SHORT_TALK = 0.5


@dataclass
class Verdict:
    """What came of one scenario. No `faults` is what everybody wants; figures are in milliseconds."""

    cast: Cast
    faults: list[str] = field(default_factory=list)
    required_ms: float = 0.0
    missing_ms: float = 0.0
    gap_ms: float = 0.0
    forbidden_ms: float = 0.0
    leaked_ms: float = 0.0
    doubtful_ms: float = 0.0
    """Forbidden frames that the ear could read into some frames at a seam, and that lie where they cannot be."""
    files: int = 0
    rows: int = 0
    linked: int = 0
    holes: list[tuple[str, str, float, str]] = field(default_factory=list)
    certain: dict[str, set[int]] = field(default_factory=dict)
    """By party, the frames that are in a file for certain: the ear could not take them for others."""

    @property
    def covered(self) -> float:
        """The share of what was required that is there."""
        return 1.0 - self.missing_ms / self.required_ms if self.required_ms else 1.0

    def __str__(self) -> str:
        figures = (
            f"{self.required_ms - self.missing_ms:.0f} of {self.required_ms:.0f} ms, gap {self.gap_ms:.0f} ms, "
            f"{self.leaked_ms:.0f} of {self.forbidden_ms:.0f} forbidden ms ({self.doubtful_ms:.0f} doubtful), "
            f"{self.files} files, "
            f"{self.linked} of {self.rows} rows linked"
        )
        return "; ".join([f"{self.cast.scenario}: {figures}", *self.faults])


def judge(stage: Stage, evidence: Evidence) -> Verdict:
    """Hold one played scenario against what it left behind."""
    verdict = Verdict(stage.cast)
    truth = truths.of(stage)
    _check_shape(stage, truth, verdict)
    files = [file for file in evidence.files if belongs(file, stage.cast)]
    inside = {file: _voices_in(file, stage, truth, verdict) for file in files}
    verdict.files = len(files)
    _check_audio(truth, inside, verdict)
    _check_company(truth, inside, verdict)
    rows = linkage.check(stage, evidence, truth, inside)
    verdict.rows, verdict.linked = rows.count, rows.linked
    verdict.faults += rows.faults
    _check_story(stage, evidence, files, verdict)
    return verdict


def _check_shape(stage: Stage, truth: Truth, verdict: Verdict) -> None:
    """Those who were said to talk did hear each other all the time, and nobody else: else it was another scenario."""
    for talk in stage.talks:
        if talk.until - talk.since < _SHORT_TALK:
            continue
        numbers = [n for n, at in truth.sent_at.items() if talk.since <= at <= talk.until - 0.1]
        for speaker in talk.who:
            for listener in stage.cast.voices:
                if listener == speaker:
                    continue
                there = sum(n in truth.heard.get((speaker, listener), ()) for n in numbers)
                share = there / max(1, len(numbers))
                if listener in talk.who and share < 0.9:
                    verdict.faults.append(
                        f"shape: {listener} heard {share:.0%} of {speaker} while {''.join(sorted(talk.who))} talked"
                    )
                if listener not in talk.who and share > 0.05:
                    verdict.faults.append(
                        f"shape: {listener} heard {speaker} while {''.join(sorted(talk.who))} talked"
                    )


# --- what is in the files ------------------------------------------------------------------------


def _voices_in(file: Path, stage: Stage, truth: Truth, verdict: Verdict) -> dict[str, list[int]]:
    """By party, the frames in a file, in order."""
    sound = signals.load(file)
    if file.stat().st_size <= _HEADER:
        verdict.faults.append(f"{file.name} is empty")
    # Two voices in one frame sound a little like it; music lasts.
    if music := sum(b - a for a, b in signals.hold_music(sound) if b - a > _MUSIC_MS):
        verdict.faults.append(f"{file.name} has {music:.0f} ms of hold music")
    near = min(truth.sent_at, default=None)
    runs = signals.hear(sound, near=near)
    for voice in runs.keys() - set(stage.cast.voices.values()):
        if heard := signals.audible_ms(runs[voice]):
            verdict.faults.append(f"{file.name} has {heard:.0f} ms of voice {voice}, which is nobody's")
    found = {who: _frames(runs[voice]) for who, voice in stage.cast.voices.items()}
    for who, voice in stage.cast.voices.items():
        doubtful = signals.ambiguous(runs[voice]) | signals.astray(runs[voice])
        verdict.certain.setdefault(who, set()).update(set(found[who]) - doubtful)
    return found


def _frames(runs: Sequence[Run]) -> list[int]:
    """The frames in the order of the sound; one that two runs share, their places a millisecond off, once."""
    numbers: list[int] = []
    before: Run | None = None
    for run in runs:
        found = signals.frames_of([run])
        if before and found and numbers and found[0] == numbers[-1] and run.begins_ms < before.end_ms:
            found = found[1:]
        numbers += found
        before = run
    return numbers


def _surely(numbers: Sequence[int]) -> list[int]:
    """Those in rows of so many that the ear cannot take them for others (`numbering`)."""
    sure: list[int] = []
    row: list[int] = []
    for number in [*numbers, -1]:
        if row and number != (row[-1] + 1) % CYCLE:
            sure += row if len(row) >= _SURE else []
            row = []
        row.append(number)
    return sure


def _check_audio(truth: Truth, inside: Mapping[Path, Mapping[str, Sequence[int]]], verdict: Verdict) -> None:
    for who, must in truth.must.items():
        kept = [number for voices in inside.values() for number in voices[who]]
        there = frozenset(kept)
        missing = sorted(must - there)
        verdict.required_ms += FRAME_MS * len(must)
        verdict.missing_ms += FRAME_MS * len(missing)
        verdict.holes += [(who, *hole) for hole in _holes(must, missing, truth)]
        gap, first = _longest(missing)
        verdict.gap_ms = max(verdict.gap_ms, gap)
        if gap > GAP_MS:
            verdict.faults.append(f"{gap:.0f} ms of {who} are missing from {_clock(truth.sent_at[first])} on")
        forbidden = truth.never[who]
        verdict.forbidden_ms += FRAME_MS * len(forbidden)
        leaked = forbidden & verdict.certain.get(who, set())
        verdict.doubtful_ms += FRAME_MS * len(forbidden & there - leaked)
        if leaked:
            verdict.leaked_ms += FRAME_MS * len(leaked)
            since = _clock(truth.sent_at[min(leaked)])
            verdict.faults.append(
                f"{FRAME_MS * len(leaked):.0f} ms of {who} are there that must not be, from {since} on"
            )
        sure = [number for voices in inside.values() for number in _surely(voices[who])]
        doubled = len(sure) - len(set(sure))
        # Who goes from one call to his other speaks into both for a frame or two; a frame that is cut in two by a
        # change of company is heard in both halves.
        if doubled > (_BOTH if len(inside) > 1 else 1):
            verdict.faults.append(f"{FRAME_MS * doubled:.0f} ms of {who} are kept twice")


def _check_company(
    truth: Truth, inside: Mapping[Path, Mapping[str, Sequence[int]]], verdict: Verdict
) -> None:
    """Who is in a file at one moment, was in one conversation then."""
    for file, voices in inside.items():
        heard_at: dict[int, set[str]] = {}
        for who, numbers in voices.items():
            for number in numbers:
                if any(who in group for group in truth.groups.get(number, ())):
                    heard_at.setdefault(number, set()).add(who)
        strangers = [
            number
            for number, who in heard_at.items()
            if not any(who <= group for group in truth.groups.get(number, ()))
        ]
        if len(strangers) > 2:
            who = "".join(sorted(heard_at[strangers[0]]))
            verdict.faults.append(
                f"{file.name} mixes two conversations for {FRAME_MS * len(strangers):.0f} ms ({who})"
            )


def _holes(must: Iterable[int], missing: Sequence[int], truth: Truth) -> list[tuple[str, float, str]]:
    """Where in a stretch of talk something is missing (its start, its end, or inside), how much, and when."""
    required, lost = set(must), set(missing)
    found = []
    for number in missing:
        if number - 1 in lost:
            continue
        end = number
        while end + 1 in lost:
            end += 1
        begins = not required & set(range(number - 5, number))
        ends = not required & set(range(end + 1, end + 6))
        where = "all" if begins and ends else "start" if begins else "end" if ends else "inside"
        found.append((where, FRAME_MS * (end - number + 1), _clock(truth.sent_at[number])))
    return found


def _longest(missing: Sequence[int]) -> tuple[float, int]:
    """The longest stretch in a row, in ms, and its first frame."""
    longest, best, begin = 0, 0, 0
    for i, number in enumerate(missing):
        if i and number != (missing[i - 1] + 1) % CYCLE:
            begin = i
        if i - begin + 1 > longest:
            longest, best = i - begin + 1, missing[begin]
    return FRAME_MS * longest, best


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03d}"


# --- one story -----------------------------------------------------------------------------------


def _check_story(stage: Stage, evidence: Evidence, files: Sequence[Path], verdict: Verdict) -> None:
    """The files of one conversation, and of those that were joined with it, are one story."""
    expected = stage.cast.scenario.stories
    if expected is None:
        return
    joined = {c.id: c.joined for c in evidence.conversations}

    def root(conversation: str) -> str:
        seen = {conversation}
        while (after := joined.get(conversation)) and after not in seen:
            seen.add(after)
            conversation = after
        return conversation

    names = {file.name for file in files}
    stories = {root(r.conversation_id) for r in evidence.recordings if r.name in names}
    if len(stories) != expected:
        verdict.faults.append(f"{len(files)} files tell {len(stories)} stories instead of {expected}")
