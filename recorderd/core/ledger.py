"""The ledger: intervals and recordings from their opening to their end.

Owns the rows that prove what became of every stretch of talk. Must not know why a stretch was to be recorded (the
decision comes as data), how a lane is run, or how a file is made (`core.mixing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from recorderd.core import commands, filenames, recordings
from recorderd.core.company import Company
from recorderd.core.conversations import Talk
from recorderd.core.foreign import ForeignRecorder, ForeignRecorders
from recorderd.core.judging import Judge
from recorderd.core.lanes import Lanes
from recorderd.core.outbox import Outbox
from recorderd.core.policy import Decision, Mode, Situation
from recorderd.core.recordings import LiveLane, LiveRecording
from recorderd.core.rows import Interval, Outcome, Recording, RecordingState

# Seconds: names carry the second, so two that are further apart cannot be the same.
_NAMES_DIFFER_AFTER = 2.0


class Ledger:
    """Writes every interval and recording. `closing` are the recordings that only lack their file."""

    def __init__(
        self,
        judge: Judge,
        lanes: Lanes,
        foreign: ForeignRecorders,
        out: Outbox,
        new_id: Callable[[], str],
        monitor: str,
    ) -> None:
        self.recordings: dict[str, LiveRecording] = {}
        self.closing: dict[str, LiveRecording] = {}
        self.company = Company()
        self._judge = judge
        self._lanes = lanes
        self._foreign = foreign
        self._out = out
        self._new_id = new_id
        self._monitor = monitor
        self._names: dict[str, float] = {}
        self._gone: set[str] = set()

    # --- intervals -----------------------------------------------------------------------------

    def begin(
        self, talk: Talk, situation: Situation, decision: Decision, source: ForeignRecorder | None = None
    ) -> None:
        """An interval begins: these parties, this decision, this mask; never before the last one's end.

        `source` is somebody else's recorder whose file is taken for it.
        """
        if situation.at < talk.interval_end:
            situation = replace(situation, at=talk.interval_end)
        if talk.recording and talk.recording.source is not source:
            self.close_recording(talk, situation.at)
        if decision.taken:
            self._open_recording(talk, situation, decision, source)
        else:
            self.close_recording(talk, situation.at)
        recording = talk.recording
        talk.interval = Interval(
            id=self._new_id(),
            conversation_id=talk.id,
            started_at=situation.at,
            ended_at=None,
            parties=situation.parties,
            mode=decision.mode,
            wanted=decision.taken,
            masked=talk.masked,
            reason=decision.reason,
            trace=decision.trace,
            policy_version=decision.version,
            recording_id=recording.id if recording else None,
            offset_ms=recording.offset_ms() if recording else None,
            note=_note(decision, source),
        )
        if recording and decision.wanted:
            recording.asked = True
        self.company.begin(talk.interval)
        self._out.do(commands.Save(row=talk.interval))

    def end(self, talk: Talk, at: float, after: Decision | None) -> None:
        """The running interval ends. What was not to be recorded is judged now, the rest with its audio."""
        interval, talk.interval = talk.interval, None
        if interval is None:
            return
        talk.interval_end = max(at, interval.started_at)
        interval = replace(interval, ended_at=talk.interval_end)
        self.company.end(interval)
        if interval.wanted:
            buffered = interval.note == recordings.BUFFERED
            if after is not None and after.mode is Mode.NEVER and not buffered:
                linked = talk.recording is not None and talk.recording.source is not None
                cut = f"{recordings.LINKED}; {recordings.CUT_OFF}" if linked else recordings.CUT_BACK
                interval = replace(interval, note=cut)
            if talk.recording:
                talk.recording.intervals += (interval,)
            self._out.do(commands.Save(row=interval))
            return
        never = interval.mode == Mode.NEVER
        foreign = never and self._foreign.hears(p.uniqueid for p in interval.parties)
        self._judge.judged(interval, Outcome.RECORDED_IN_ERROR if foreign else Outcome.NOT_BY_POLICY)

    def gone(self, uniqueid: str) -> None:
        """This channel hung up: its company matters only as long as a lane of its is not dealt with."""
        self._gone.add(uniqueid)

    def forget(self, at: float) -> None:
        """Names and company that matter no more."""
        self._forget_names(at)
        if self._gone:
            held = {lane.uniqueid for lane in self._lanes.over()}
            self.company.forget(self._gone - held)
            self._gone &= held

    # --- recordings ----------------------------------------------------------------------------

    def _open_recording(
        self, talk: Talk, situation: Situation, decision: Decision, source: ForeignRecorder | None
    ) -> None:
        if talk.recording:
            return
        place = self._foreign.place(source.path) if source is not None else None
        if source is not None and place is not None:
            talk.segments += 1
            self._foreign.take(source)
        else:
            folder = filenames.day_folder(situation.at, situation.zone)
            place = folder, self._new_name(talk, situation, decision, folder)
        recording = LiveRecording(
            id=self._new_id(),
            conversation_id=talk.id,
            name=place[1],
            segment=talk.segments,
            folder=place[0],
            reason=decision.reason,
            started_at=situation.at,
            asked=decision.wanted,
            source=source,
        )
        talk.recording = self.recordings[recording.id] = recording
        self.save(recording)

    def _new_name(self, talk: Talk, situation: Situation, decision: Decision, folder: str) -> str:
        """The name of the conversation's next segment, which no other recording of that second has.

        Two conversations may begin with the same channel in one second: a call that splits, or is merged. FreePBX
        names its files as we do.
        """
        self._forget_names(situation.at)
        while True:
            talk.segments += 1
            name = filenames.recording_name(situation, decision.mode, talk.first_uniqueid, talk.segments)
            if name not in self._names and not self._foreign.wrote(folder, name):
                self._names[name] = situation.at
                return name

    def _forget_names(self, at: float) -> None:
        while self._names:
            eldest = next(iter(self._names))
            if abs(at - self._names[eldest]) < _NAMES_DIFFER_AFTER:
                break
            del self._names[eldest]

    def attach(self, recording: LiveRecording, lane: LiveLane) -> None:
        """This lane's voice belongs to this recording."""
        if lane.id not in recording.lanes:
            recording.add_lane(lane.id)
            lane.users = (*lane.users, recording.id)
            if not lane.recording_id:
                lane.recording_id = recording.id
                self._lanes.save(lane)
            self.save(recording)

    def seen(self, recording: LiveRecording) -> None:
        """A file of it is there."""
        if recording.state is RecordingState.ARMED:
            recording.state = RecordingState.RECORDING
            self.save(recording)

    def close_recording(self, talk: Talk, at: float) -> None:
        """It takes nothing more. Its file is made when all its lanes are final."""
        recording, talk.recording = talk.recording, None
        if recording is not None:
            recording.ended_at = at
            recording.state = RecordingState.CLOSING
            self.closing[recording.id] = recording
            self._foreign.unwatch(recording.id)
            self.save(recording)

    def save(self, recording: LiveRecording) -> None:
        """Have the recording remembered as it is now."""
        self._out.do(commands.Save(row=recording.row()))

    def finish(
        self,
        recording: LiveRecording,
        state: RecordingState,
        duration_ms: int = 0,
        size: int = 0,
        stereo: str = "",
    ) -> None:
        """Its file is made, or there will be none."""
        recording.state = state
        self._out.do(commands.Save(row=recording.row(duration_ms, size, stereo)))
        del self.recordings[recording.id]
        del self.closing[recording.id]

    # --- a restart -----------------------------------------------------------------------------

    def restore(self, row: Recording, held: Iterable[Interval]) -> LiveRecording:
        """A recording from before a restart, with those of its intervals that have ended."""
        recording = self.recordings[row.id] = LiveRecording.from_row(row)
        self._names[row.name] = row.started_at
        mine = [i for i in held if i.recording_id == row.id]
        if row.linked:
            who = [party.uniqueid for interval in mine[-1:] for party in interval.parties]
            path = f"{self._monitor}/{row.folder}/{row.name}"
            recording.source = self._foreign.restore(path, who, row.ended_at)
        recording.intervals = tuple(i for i in mine if i.ended_at is not None)
        recording.asked = not mine or any(i.note != recordings.BUFFERED for i in mine)
        if recording.state is RecordingState.CLOSING:
            self.closing[recording.id] = recording
        return recording

    def close_forsaken(self, recording: LiveRecording) -> None:
        """A recording from before a restart whose conversation was over."""
        if recording.state is not RecordingState.CLOSING:
            ends = [i.ended_at or i.started_at for i in recording.intervals]
            recording.ended_at = max(ends, default=recording.started_at)
            recording.state = RecordingState.CLOSING
            self.closing[recording.id] = recording
            self.save(recording)


def _note(decision: Decision, source: ForeignRecorder | None) -> str:
    if source is not None:
        return recordings.LINKED
    return recordings.BUFFERED if decision.buffered else ""
