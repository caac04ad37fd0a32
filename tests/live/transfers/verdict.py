"""Recordings and CDR rows of one scenario, held against what its telephones know.

Owns every complaint that can be made about a recording. Reads files, Asterisk's own CDR table and the links;
must not believe the ledger about what was said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from recorderd.core import rows
from tests.live import signals
from tests.live.signals import CYCLE, FRAME_MS, Run
from tests.live.transfers import truth as truths
from tests.live.transfers.scenario import Cast
from tests.live.transfers.stage import Stage
from tests.live.transfers.truth import Truth

# The longest that may be missing anywhere, at a transfer above all.
GAP_MS = 300.0
# Of what two people said in a row's seconds, so much must be in the files that the row leads to.
_LINKED = 0.95
_LEAST_MS = 200.0
_MUSIC_MS = 100.0
_HEADER = 44
_SURE = 12
_BOTH = 3
_SHORT_TALK = 0.5
_LOOSE = 10  # frames: the edges of a row


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
    files: int = 0
    rows: int = 0
    linked: int = 0
    holes: list[tuple[str, str, float, str]] = field(default_factory=list)

    @property
    def covered(self) -> float:
        """The share of what was required that is there."""
        return 1.0 - self.missing_ms / self.required_ms if self.required_ms else 1.0

    def __str__(self) -> str:
        figures = (
            f"{self.required_ms - self.missing_ms:.0f} of {self.required_ms:.0f} ms, gap {self.gap_ms:.0f} ms, "
            f"{self.leaked_ms:.0f} of {self.forbidden_ms:.0f} forbidden ms, {self.files} files, "
            f"{self.linked} of {self.rows} rows linked"
        )
        return "; ".join([f"{self.cast.scenario}: {figures}", *self.faults])


@dataclass(frozen=True)
class Evidence:
    """What was left behind by all scenarios of a house, once everything is quiet."""

    files: Sequence[Path]
    cdrs: Sequence[Mapping[str, str]]
    recordings: Sequence[rows.Recording]
    links: Sequence[rows.CdrLink]
    conversations: Sequence[rows.Conversation]
    intervals: Sequence[rows.Interval]
    monitor: Path


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
    _check_rows(stage, evidence, truth, inside, verdict)
    _check_story(stage, evidence, files, verdict)
    return verdict


def belongs(file: Path, cast: Cast) -> bool:
    """Whether one of the numbers in the file's name is of this scenario: nobody else has it."""
    return not set(cast.numbers.values()).isdisjoint(file.name.split("-")[1:3])


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
    return {who: _frames(runs[voice]) for who, voice in stage.cast.voices.items()}


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
        if leaked := forbidden & there:
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


# --- which row leads to which file -----------------------------------------------------------------

Inside = Mapping[Path, Mapping[str, Sequence[int]]]


def _check_rows(stage: Stage, evidence: Evidence, truth: Truth, inside: Inside, verdict: Verdict) -> None:
    paths = {
        r.id: evidence.monitor / r.folder / r.name for r in evidence.recordings if r.state != "discarded"
    }
    bridged = _bridged(stage)
    parallel = {(r["uniqueid"], r["start"]) for r in evidence.cdrs if r["disposition"] == "ANSWERED"}
    for row in evidence.cdrs:
        if not any(stage.cast.party_of(row[side]) for side in ("channel", "dstchannel")):
            continue
        verdict.rows += 1
        key = (row["uniqueid"], int(row["sequence"]))
        own = [link.recording_id for link in evidence.links if (link.uniqueid, link.sequence) == key]
        linked = {paths[recording] for recording in own if recording in paths}
        verdict.linked += bool(linked)
        answered = {uniqueid for uniqueid, start in parallel if start == row["start"]}
        there = f"{row['dstchannel'] or row['lastapp']} ({row['start'][11:]}, {row['billsec']} s)"
        complaints = _complaints(stage, row, answered, linked, truth, inside, bridged)
        verdict.faults += [f"row {row['channel']} -> {there} {complaint}" for complaint in complaints]


def _complaints(
    stage: Stage,
    row: Mapping[str, str],
    answered: set[str],
    linked: set[Path],
    truth: Truth,
    inside: Inside,
    bridged: Bridged,
) -> Iterator[str]:
    """What is wrong with where a row leads: by its recordingfile as FreePBX reads it, and by our links."""
    name = row["recordingfile"]
    for path in linked - inside.keys():
        yield f"is linked to {path.name}, which is not there"
    if row["disposition"] != "ANSWERED":
        # Of several telephones that ring at once, the row of the last one is still open when another answers.
        if linked or (name and row["uniqueid"] not in answered):
            yield f"was not answered and leads to {name or linked}"
        return
    named = {file for file in inside if file.name == name}
    if name and not named:
        yield f"names {name}, which is not there"
    sides = {who for side in ("channel", "dstchannel") if (who := stage.cast.party_of(row[side]))}
    windows = _windows(row, bridged)
    needed = {who: _needed(truth, sides, who, windows) for who in sides}
    audio = {who: {n for file in linked & inside.keys() for n in inside[file][who]} for who in sides}
    total = sum(map(len, needed.values()))
    there = sum(len(needed[who] & audio[who]) for who in needed)
    if total * FRAME_MS >= _LEAST_MS and total - there > max(_LOOSE, (1 - _LINKED) * total):
        yield f"leads to {there * FRAME_MS:.0f} of {total * FRAME_MS:.0f} ms of its audio"
    if sum(until - since for since, until in windows) * 1000 < _LEAST_MS:
        return
    seconds = [(_stamp(row["answer"]) - 0.1, _stamp(row["end"]) + 1.1)]
    for file in (linked | named) & inside.keys():
        # In a conference each pair has its row, and all rows of a channel have one name.
        if sum(map(len, inside[file].values())) < _SURE:
            continue
        # What went through a Local channel while that was being optimised away belongs to two rows.
        local = "Local/" in row["channel"] + row["dstchannel"]
        when = seconds if local or _several(windows, bridged, row) else windows
        if not any(_within(truth, inside[file][who], when) for who in sides):
            yield f"{'names' if file in named else 'is linked to'} {file.name}, which has nothing of it"


def _needed(truth: Truth, sides: set[str], who: str, windows: Windows) -> set[int]:
    """What `who` said in these seconds that had to be recorded, to the other side if there are two."""
    other = next((side for side in sides if side != who), "")
    said = _within(truth, truth.must[who], windows)
    return {number for number in said if not other or truth.together(number, who, other)}


def _within(truth: Truth, numbers: Iterable[int], windows: Windows) -> set[int]:
    at = truth.sent_at
    return {n for n in numbers if n in at and any(since <= at[n] <= until for since, until in windows)}


Windows = Sequence[tuple[float, float]]
Bridged = Mapping[str, Sequence[tuple[str, float, float]]]


def _bridged(stage: Stage) -> Bridged:
    """In which bridges each channel was from when to when, as the tests' own manager session was told."""
    found: dict[str, list[tuple[str, float, float]]] = {}
    inside: dict[str, tuple[str, float]] = {}
    for event in stage.ami.named("BridgeEnter", "BridgeLeave"):
        channel, bridge, at = event["Channel"], event["BridgeUniqueid"], float(event["Timestamp"])
        if event["Event"] == "BridgeEnter":
            inside[channel] = bridge, at
        elif channel in inside:
            found.setdefault(channel, []).append((*inside.pop(channel), at))
    return found


def _windows(row: Mapping[str, str], bridged: Bridged) -> Windows:
    """When the two of a row were in one bridge; of a row with one side only, what is surely of that row.

    A CDR's times are whole seconds, cut off, and a channel has several rows, one after the other.
    """
    answered, ended = _stamp(row["answer"]), _stamp(row["end"])
    one, other = bridged.get(row["channel"], ()), bridged.get(row["dstchannel"], ())
    if row["channel"].startswith("PJSIP/") and row["dstchannel"].startswith("PJSIP/"):
        common = [(max(a, c), min(b, d)) for x, a, b in one for y, c, d in other if x == y]
        spans = [(max(a, answered), min(b, ended + 1)) for a, b in common]
    else:
        spans = [(max(a, answered + 1), min(b, ended)) for _, a, b in (*one, *other)]
    return [(a, b) for a, b in spans if b > a]


def _several(windows: Windows, bridged: Bridged, row: Mapping[str, str]) -> bool:
    """More than two were in the row's bridge at one moment of it."""
    for bridge, since, until in (*bridged.get(row["channel"], ()), *bridged.get(row["dstchannel"], ())):
        for channel, spans in bridged.items():
            if channel not in (row["channel"], row["dstchannel"]) and not channel.startswith("CBAnn"):
                for other, a, b in spans:
                    common = max(a, since, windows[0][0]), min(b, until, windows[-1][1])
                    if other == bridge and common[1] - common[0] > 0.3:
                        return True
    return False


def _stamp(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").timestamp()


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
