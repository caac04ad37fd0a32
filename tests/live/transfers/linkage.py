"""Which CDR row leads to which audio: by its recordingfile as FreePBX reads it, and by our links.

Rows are Asterisk's own; when two channels were together is what the tests' own manager session was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.live.signals import FRAME_MS
from tests.live.transfers.evidence import Evidence, Inside
from tests.live.transfers.stage import Stage
from tests.live.transfers.truth import Truth

# Of what two people said in a row's seconds, so much must be in the files that the row leads to.
_LINKED = 0.95
_LOOSE = 10  # frames: the edges of a row
_LEAST_MS = 200.0
_A_FEW = 12  # frames: less in a file is nothing

Windows = Sequence[tuple[float, float]]
Bridged = Mapping[str, Sequence[tuple[str, float, float]]]


@dataclass
class Rows:
    """The rows of a scenario, how many of them lead to audio, and what is wrong with any."""

    count: int = 0
    linked: int = 0
    faults: list[str] = field(default_factory=list)


def check(stage: Stage, evidence: Evidence, truth: Truth, inside: Inside) -> Rows:
    """Hold every row of a scenario against the audio that it leads to."""
    found = Rows()
    paths = {
        r.id: evidence.monitor / r.folder / r.name for r in evidence.recordings if r.state != "discarded"
    }
    bridged = _bridged(stage)
    parallel = {(r["uniqueid"], r["start"]) for r in evidence.cdrs if r["disposition"] == "ANSWERED"}
    for row in evidence.cdrs:
        if not any(stage.cast.party_of(row[side]) for side in ("channel", "dstchannel")):
            continue
        found.count += 1
        key = (row["uniqueid"], int(row["sequence"]))
        own = [link.recording_id for link in evidence.links if (link.uniqueid, link.sequence) == key]
        linked = {paths[recording] for recording in own if recording in paths}
        found.linked += bool(linked)
        answered = {uniqueid for uniqueid, start in parallel if start == row["start"]}
        there = f"{row['dstchannel'] or row['lastapp']} ({row['start'][11:]}, {row['billsec']} s)"
        complaints = _complaints(stage, row, answered, linked, truth, inside, bridged)
        found.faults += [f"row {row['channel']} -> {there} {complaint}" for complaint in complaints]
    return found


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
        if sum(map(len, inside[file].values())) < _A_FEW:
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
