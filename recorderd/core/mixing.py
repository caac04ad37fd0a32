"""Every recording that takes nothing more gets its file: mixed of its lanes, or measured where it is another's.

Owns when that is asked for, what is done with the answer, and when it is tried again. Must not know why a talk was
recorded; `core.judging` says what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recorderd.core import commands, events, intervals, recordings
from recorderd.core.files import PATIENCE, Files, settled
from recorderd.core.foreign import ForeignRecorder
from recorderd.core.judging import Judge
from recorderd.core.lanes import Lanes
from recorderd.core.ledger import Ledger
from recorderd.core.outbox import Outbox
from recorderd.core.recordings import LiveLane, LiveRecording
from recorderd.core.rows import Mark, Outcome, RecordingState

# Seconds until a file that could not be made is tried again, and for each that waits: a full disk must not be
# hammered.
_MIX_AGAIN = 2.0
_MIX_AGAIN_EACH = 0.02
# So long the end of somebody else's recorder is waited for before its file is measured all the same.
_FOREIGN_SETTLES = 5.0


class Mixing:
    """Has every recording of `ledger.closing` made. `stereo` is the folder for two-channel files, empty where
    nobody wants them.
    """

    def __init__(
        self,
        ledger: Ledger,
        judge: Judge,
        lanes: Lanes,
        files: Files,
        out: Outbox,
        monitor: str,
        stereo: str = "",
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._lanes = lanes
        self._files = files
        self._out = out
        self._monitor = monitor
        self._stereo = stereo
        self._waiting: set[str] = set()

    def sweep(self, at: float) -> None:
        """Have every recording mixed whose lanes are final."""
        for recording in list(self._ledger.closing.values()):
            if recording.mix_at > at:
                continue
            if recording.source is not None:
                self._measure(recording, recording.source, at)
                continue
            lanes = self._lanes_of(recording)
            if not all(self._files.final(lane, at) for lane in lanes):
                continue
            if not recording.asked:
                self._destroy(recording, lanes, at)
                continue
            if any(lane.spans() for lane in lanes):
                recording.mix_at = float("inf")
                self._out.do(self._mix(recording, lanes, at))
            else:
                state = self._without_sound(recording)
                self._judge.by_lanes(recording, lanes, state)
                self._ledger.finish(recording, state)
                for lane in lanes:
                    self._files.release(lane, recording.id, 0)

    def _measure(self, recording: LiveRecording, source: ForeignRecorder, at: float) -> None:
        """Once it is over; one that would not stop is measured as it is."""
        ended = (recording.ended_at or at) + _FOREIGN_SETTLES if source.ended_at is None else source.ended_at
        if settled(ended, at):
            recording.mix_at = float("inf")
            path = f"{self._monitor}/{recording.folder}/{recording.name}"
            cut = _cut_ms(recording, source)
            self._out.do(commands.Measure(recording_id=recording.id, path=path, cut_ms=cut))

    def _mix(self, recording: LiveRecording, lanes: Iterable[LiveLane], at: float) -> commands.Mix:
        mix = recordings.mix(recording, lanes, self._ledger.company, self._monitor, self._stereo)
        return replace(mix, patient=at - (recording.ended_at or at) < PATIENCE)

    def _destroy(self, recording: LiveRecording, lanes: Iterable[LiveLane], at: float) -> None:
        """Nobody asked for what was buffered: nothing of it stays but the word that it is gone."""
        for held in recording.intervals:
            gone = replace(held, wanted=False, recording_id=None, offset_ms=None, note=recordings.DESTROYED)
            self._judge.judged(gone, Outcome.NOT_BY_POLICY)
        mark = Mark(
            id=f"{recording.id}-destroyed",
            conversation_id=recording.conversation_id,
            at=at,
            kind="destroyed",
            who="recorderd",
            text=recordings.DESTROYED,
        )
        self._out.do(commands.Save(row=mark))
        for lane in lanes:
            self._files.release(lane, recording.id, 0)
        self._ledger.finish(recording, RecordingState.DISCARDED)

    def _try_again(self, recording: LiveRecording, event: events.Mixed) -> None:
        """A disk is full, away or read-only. The lanes are kept, and it is told once until one is made again."""
        if not self._waiting:
            why = f"{recording.name} and what follows wait to be made: {event.error}"
            self._out.alarm(event.at, "mix-waits", why)
        self._waiting.add(recording.id)
        recording.mix_at = event.at + max(_MIX_AGAIN, len(self._waiting) * _MIX_AGAIN_EACH)

    def mixed(self, event: events.Mixed) -> set[str]:
        """The mixer answered: judge every interval by the audio that was really there. No channel is touched."""
        self._mixed(event)
        return set()

    def _mixed(self, event: events.Mixed) -> None:
        recording = self._ledger.closing.get(event.recording_id)
        if recording is None:
            return
        lanes = self._lanes_of(recording)
        if event.again:
            self._try_again(recording, event)
            return
        self._waiting.discard(recording.id)
        if event.error:
            self._out.alarm(event.at, "mix-failed", f"{recording.name} cannot be made: {event.error}")
            note = f"not mixed, its lanes are kept: {event.error}"
            self._judge.by_lanes(recording, lanes, RecordingState.FAILED, note=note)
            self._ledger.finish(recording, RecordingState.FAILED)
            for lane in lanes:
                self._files.keep(lane, event.error)
                self._files.release(lane, recording.id, 0)
            return
        state = RecordingState.CLOSED if event.duration_ms else self._without_sound(recording)
        if recording.source is not None:
            source = recording.source
            cut_ms = _cut_ms(recording, source)
            self._judge.by_length(recording, event.duration_ms, cut_ms, source.ended_at)
            self._ledger.finish(recording, state, event.duration_ms, event.size)
            return
        accounted = {
            lane.id: event.audio[lane.id] + lane.silent_ms for lane in lanes if lane.id in event.audio
        }
        doubtful = {lane.id for lane in lanes if self._files.doubtful(lane)}
        self._end_by_files(recording, lanes, event)
        self._judge.by_lanes(
            recording, lanes, state, accounted, set(event.whole) - doubtful, silent=event.silent
        )
        # The recording's end before its lanes' files: killed in between, it must not be mixed from nothing.
        self._ledger.finish(recording, state, event.duration_ms, event.size, event.stereo)
        for lane in lanes:
            self._files.release(lane, recording.id, event.audio.get(lane.id, 0))

    def _end_by_files(self, recording: LiveRecording, lanes: Iterable[LiveLane], event: events.Mixed) -> None:
        """Of a talk that ended while a frozen disk held Asterisk up, the files know when: nobody told us."""
        with_sound = [lane for lane in lanes if event.audio.get(lane.id)]
        ends = {}
        for uniqueid in {lane.uniqueid for lane in with_sound}:
            last = [lane for lane in with_sound if lane.uniqueid == uniqueid][-1]
            end = last.believe(event.audio[last.id]) if last.id in event.whole else None
            if end is not None:
                ends[uniqueid] = end
        if not ends or not recording.intervals:
            return
        *before, interval = recording.intervals
        mine = [ends[p.uniqueid] for p in interval.parties if p.uniqueid in ends]
        if mine and interval.started_at < max(mine) < (interval.ended_at or 0.0):
            recording.intervals = (*before, replace(interval, ended_at=max(mine)))

    def _without_sound(self, recording: LiveRecording) -> RecordingState:
        """What it is if there is nothing to keep: too short for a word, or cut back altogether, is no failure.

        Then its intervals have no file.
        """
        if any(intervals.length_ms(i) > intervals.TOLERANCE_MS for i in recording.intervals):
            return RecordingState.FAILED
        return RecordingState.DISCARDED

    def _lanes_of(self, recording: LiveRecording) -> list[LiveLane]:
        lanes = self._lanes.by_id
        return [lanes[lane_id] for lane_id in recording.lanes if lane_id in lanes]


def _cut_ms(recording: LiveRecording, source: ForeignRecorder) -> int:
    """What another's file holds of a talk that was never to be recorded, until its recorder was stopped."""
    last = recording.intervals[-1] if recording.intervals else None
    if (
        last is None
        or recordings.CUT_OFF not in last.note
        or last.ended_at is None
        or source.ended_at is None
    ):
        return 0
    return max(0, round((source.ended_at - last.ended_at + recordings.MARGIN) * 1000))
