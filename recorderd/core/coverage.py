"""The proof: every answered CDR accounted for, no file without a row, no row without a file.

Owns the reconciliation. Must not know where rows or files come from: all of them are brought to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from recorderd.core.keeping import KeepState, Kept, files_of
from recorderd.core.links import of_beep, of_cdr
from recorderd.core.rows import Cdr, Interval, Outcome, Recording, RecordingState

FAULTS = (Outcome.NOT_RECORDED, Outcome.RECORDED_IN_ERROR, Outcome.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What became of everything in a period.

    `outcomes` counts intervals; `talked_ms`, `wanted_ms` and `missing_ms` add them up. `unaccounted` are
    answered CDRs that no interval explains, `pending` intervals that are not judged yet, `orphans` files
    without a row, `lost` recordings whose file is not there.
    """

    outcomes: Mapping[Outcome, int]
    talked_ms: int
    wanted_ms: int
    missing_ms: int
    faults: tuple[Interval, ...]
    pending: tuple[Interval, ...]
    unaccounted: tuple[Cdr, ...]
    orphans: tuple[str, ...]
    lost: tuple[Recording, ...]

    @property
    def proven(self) -> bool:
        """Everything was recorded exactly as policy says, and nothing is left over."""
        return not (self.faults or self.unaccounted or self.orphans or self.lost)


def reconcile(
    intervals: Sequence[Interval],
    cdrs: Sequence[Cdr],
    recordings: Sequence[Recording],
    files: Collection[str],
    kept: Mapping[str, Kept] = MappingProxyType({}),
) -> Coverage:
    """Hold the ledger, Asterisk's CDRs and the spool against each other.

    `files` are the paths below the spool, `YYYY/MM/DD/name`; `kept` is what the archive knows of a recording,
    by its id: an encoded file has another name, and one that was deleted as it should be is not lost. Give
    recordings and intervals of a period a little longer than the CDRs': a call may begin before it.
    """
    judged = [i for i in intervals if i.outcome is not None]
    wanted = [i for i in judged if i.wanted]
    by_uniqueid: dict[str, list[Interval]] = {}
    for interval in intervals:
        for key in {interval.cdr_uniqueid, *(p.uniqueid for p in interval.parties)}:
            by_uniqueid.setdefault(key, []).append(interval)
        for party in interval.parties:
            by_uniqueid.setdefault(party.channel, []).append(interval)
    wanted_files = {r.id: files_of(r, kept.get(r.id)) for r in recordings}
    known = {file for found in wanted_files.values() for file in found}
    known |= {f"{r.folder}/{r.name}" for r in recordings if r.state is not RecordingState.CLOSED}
    return Coverage(
        outcomes=Counter(i.outcome for i in judged if i.outcome is not None),
        talked_ms=sum(_length(i) for i in judged if i.conversation_id),
        wanted_ms=sum(_length(i) for i in wanted),
        missing_ms=sum(i.missing_ms for i in wanted),
        faults=tuple(i for i in judged if i.outcome in FAULTS),
        pending=tuple(i for i in intervals if i.outcome is None),
        unaccounted=tuple(c for c in cdrs if not _explained(c, by_uniqueid)),
        orphans=tuple(sorted(f for f in files if f not in known)),
        lost=tuple(r for r in recordings if _is_lost(wanted_files[r.id], kept.get(r.id), files)),
    )


def _is_lost(wanted: Sequence[str], kept: Kept | None, files: Collection[str]) -> bool:
    """The file to play is not there; what is kept beside it may still be about to go."""
    settled = kept is not None and kept.state is KeepState.KEPT
    return any(file not in files for file in (wanted if settled else wanted[:1]))


def _length(interval: Interval) -> int:
    return round(((interval.ended_at or interval.started_at) - interval.started_at) * 1000)


def _explained(cdr: Cdr, by_key: Mapping[str, Sequence[Interval]]) -> bool:
    if cdr.answer is None or cdr.disposition != "ANSWERED" or of_beep(cdr):
        return True
    near = [i for key in (cdr.uniqueid, cdr.channel, cdr.dstchannel) for i in by_key.get(key, ())]
    return any(i.cdr_uniqueid == cdr.uniqueid for i in near) or bool(of_cdr(cdr, near))
