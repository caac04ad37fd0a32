"""What became of every interval: its outcome is found, written down, and told where it is a fault.

Owns the judgement of an interval by the sound that is really there, and the alarm about it. Must not know who asks for
a recording or how its file is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from recorderd.core import commands, events, intervals, recordings
from recorderd.core.outbox import Outbox
from recorderd.core.recordings import LiveLane, LiveRecording
from recorderd.core.rows import Interval, Outcome, RecordingState

UNPROMPTED = "the prompt before the call could not be played"
_UNPROMPTED = 1000
FAULTS = frozenset((Outcome.PARTIAL, Outcome.NOT_RECORDED, Outcome.RECORDED_IN_ERROR))
# Who says nothing for so long has perhaps no voice.
_WHILE_MS = 5000


class Judge:
    """Every interval comes here once, when its outcome can be known."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._unprompted: dict[str, float] = {}

    def unprompted(self, event: events.PromptFailed) -> set[str]:
        """This caller did not hear the prompt: a fact of each interval that follows. No channel is touched."""
        self._unprompted[event.uniqueid] = event.at
        while len(self._unprompted) > _UNPROMPTED:
            del self._unprompted[next(iter(self._unprompted))]
        why = "The prompt before a call could not be played: is it below Asterisk's sounds?"
        self._out.alarm(event.at, "prompt-failed", why, uniqueid=event.uniqueid)
        return set()

    def judged(self, interval: Interval, outcome: Outcome) -> None:
        """An interval has its outcome; a fault is told at once."""
        if any(party.uniqueid in self._unprompted for party in interval.parties):
            interval = replace(interval, note="; ".join(filter(None, (interval.note, UNPROMPTED))))
        self._out.do(commands.Save(row=replace(interval, outcome=outcome)))
        if outcome in FAULTS:
            who = _names(interval)
            lost = f", {interval.missing_ms} ms are missing" if interval.missing_ms else ""
            at = interval.ended_at or interval.started_at
            self._out.alarm(at, outcome, f"The talk of {who} is {outcome}{lost}", interval=interval.id)

    def by_lanes(
        self,
        recording: LiveRecording,
        lanes: Iterable[LiveLane],
        state: RecordingState,
        audio: Mapping[str, int] = MappingProxyType({}),
        whole: Collection[str] = (),
        note: str = "",
        silent: Collection[str] = (),
    ) -> None:
        """By the sound that the files of its lanes hold. `state` is what becomes of the recording."""
        lanes = list(lanes)
        rows = [lane.row() for lane in lanes]
        thawed = {lane.id: lane.thawed_at for lane in lanes if lane.thawed_at is not None}
        for held in recording.intervals:
            # What was masked is not to be heard: nothing of it can be missing.
            missing = 0 if held.masked else intervals.missing_ms(held, rows, audio, whole, thawed)
            outcome = intervals.judge(intervals.length_ms(held), missing)
            discarded = state is RecordingState.DISCARDED
            interval = replace(held, recording_id=None, offset_ms=None) if discarded else held
            mute = intervals.unheard(held, rows, silent)
            if mute and not held.masked:
                self._one_sided(held, mute)
            words = f"no sound of {' and '.join(mute)}" if mute else ""
            said = recordings.KEPT if interval.note == recordings.BUFFERED else interval.note
            note_ = "; ".join(filter(None, (note or said, words)))
            self.judged(replace(interval, missing_ms=missing, note=note_), outcome)

    def by_length(
        self, recording: LiveRecording, duration_ms: int, cut_ms: int, ended_at: float | None
    ) -> None:
        """By the length of another's file alone. What it holds from before the talk began is counted from its end.

        `cut_ms` were cut off behind it, and its recorder ended at `ended_at`.
        """
        held = recording.intervals
        lengths = [intervals.length_ms(interval) for interval in held]
        before = 0
        if held and duration_ms - sum(lengths) > intervals.TOLERANCE_MS and ended_at is not None:
            before = max(0, duration_ms + cut_ms - round((ended_at - held[0].started_at) * 1000))
        offset = before
        for interval, length in zip(held, lengths, strict=True):
            missing = min(length, max(0, offset + length - duration_ms))
            judged = replace(interval, offset_ms=offset, missing_ms=missing)
            self.judged(judged, intervals.judge(length, missing))
            offset += length

    def _one_sided(self, interval: Interval, mute: Sequence[str]) -> None:
        """Of two who talked for a while one is not to be heard: a dead microphone, or a fault of ours."""
        if len(interval.parties) == 2 and intervals.length_ms(interval) >= _WHILE_MS:
            at, what = interval.ended_at or interval.started_at, " and ".join(mute)
            sentence = f"Nothing of {what} is to be heard in a recorded talk of {_names(interval)}"
            self._out.alarm(at, "one-sided", sentence, interval=interval.id)


def _names(interval: Interval) -> str:
    return " and ".join(p.number or p.channel for p in interval.parties)
