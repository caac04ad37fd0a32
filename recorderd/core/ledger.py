"""The ledger: intervals and recordings from their opening to their outcome.

Owns the rows that prove what became of every stretch of talk, and the moment a recording is mixed. Must not
know why a stretch was to be recorded (the decision comes as data) or how a lane is run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from recorderd.core import commands, events, filenames, intervals, recordings
from recorderd.core.company import Company
from recorderd.core.conversations import Talk
from recorderd.core.foreign import ForeignRecorder, ForeignRecorders
from recorderd.core.outbox import Outbox
from recorderd.core.policy import Decision, Mode, Situation
from recorderd.core.recorder import PATIENCE, Recorder
from recorderd.core.recordings import LiveLane, LiveRecording
from recorderd.core.rows import Interval, Mark, Outcome, Recording, RecordingState

_FAULTS = frozenset((Outcome.PARTIAL, Outcome.NOT_RECORDED, Outcome.RECORDED_IN_ERROR))

# Seconds until a file that could not be made is tried again, and for each that waits: a full disk must not be
# hammered.
_MIX_AGAIN = 2.0
_MIX_AGAIN_EACH = 0.02
UNPROMPTED = "the prompt before the call could not be played"
_UNPROMPTED = 1000
# So long the end of somebody else's recorder is waited for before its file is measured all the same.
_FOREIGN_SETTLES = 5.0
# Who says nothing for so long has perhaps no voice.
_WHILE_MS = 5000

# Seconds: names carry the second, so two that are further apart cannot be the same.
_NAMES_DIFFER_AFTER = 2.0


class Ledger:
    """Writes every interval and recording. `margin` seconds are cut off before a *never*.

    `stereo` is the folder for two-channel files, empty where nobody wants them.
    """

    def __init__(
        self,
        recorder: Recorder,
        foreign: ForeignRecorders,
        out: Outbox,
        new_id: Callable[[], str],
        monitor: str,
        margin: float,
        stereo: str = "",
    ) -> None:
        self.recordings: dict[str, LiveRecording] = {}
        self._recorder = recorder
        self._foreign = foreign
        self._out = out
        self._new_id = new_id
        self._monitor = monitor
        self._margin = margin
        self._stereo = stereo
        self._closing: dict[str, None] = {}
        self._names: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._unprompted: dict[str, float] = {}
        self.company = Company()
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
        self._judged(interval, Outcome.RECORDED_IN_ERROR if foreign else Outcome.NOT_BY_POLICY)

    def gone(self, uniqueid: str) -> None:
        """This channel hung up: its company matters only as long as a lane of its is not dealt with."""
        self._gone.add(uniqueid)

    def unprompted(self, event: events.PromptFailed) -> set[str]:
        """This caller did not hear the prompt: a fact of each interval that follows. No channel is touched."""
        self._unprompted[event.uniqueid] = event.at
        while len(self._unprompted) > _UNPROMPTED:
            del self._unprompted[next(iter(self._unprompted))]
        why = "The prompt before a call could not be played: is it below Asterisk's sounds?"
        self._out.alarm(event.at, "prompt-failed", why, uniqueid=event.uniqueid)
        return set()

    def _judged(self, interval: Interval, outcome: Outcome) -> None:
        """An interval has its outcome; a fault is told at once."""
        if any(party.uniqueid in self._unprompted for party in interval.parties):
            interval = replace(interval, note="; ".join(filter(None, (interval.note, UNPROMPTED))))
        self._out.do(commands.Save(row=replace(interval, outcome=outcome)))
        if outcome in _FAULTS:
            who = _names(interval)
            lost = f", {interval.missing_ms} ms are missing" if interval.missing_ms else ""
            at = interval.ended_at or interval.started_at
            self._out.alarm(at, outcome, f"The talk of {who} is {outcome}{lost}", interval=interval.id)

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
                self._recorder.save(lane)
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
            self._closing[recording.id] = None
            self._foreign.unwatch(recording.id)
            self.save(recording)

    def save(self, recording: LiveRecording) -> None:
        """Have the recording remembered as it is now."""
        self._out.do(commands.Save(row=recording.row()))

    # --- the mix -------------------------------------------------------------------------------

    def sweep(self, at: float) -> None:
        """Have every recording mixed whose lanes are final."""
        self._forget_names(at)
        if self._gone:
            held = self._recorder.held_channels()
            self.company.forget(self._gone - held)
            self._gone &= held
        for recording in [self.recordings[recording_id] for recording_id in self._closing]:
            if recording.mix_at > at:
                continue
            if recording.source is not None:
                self._measure(recording, recording.source, at)
                continue
            lanes = self._lanes(recording)
            if not all(self._recorder.final(lane, at) for lane in lanes):
                continue
            if not recording.asked:
                self._destroy(recording, lanes, at)
                continue
            if any(lane.spans() for lane in lanes):
                recording.mix_at = float("inf")
                self._out.do(self._mix(recording, lanes, at))
            else:
                state = self._without_sound(recording)
                self._judge_all(recording, lanes, state)
                self._finish(recording, state)
                for lane in lanes:
                    self._recorder.release(lane, recording.id, 0)

    def _measure(self, recording: LiveRecording, source: ForeignRecorder, at: float) -> None:
        """Once it is over; one that would not stop is measured as it is."""
        ended = (recording.ended_at or at) + _FOREIGN_SETTLES if source.ended_at is None else source.ended_at
        if self._recorder.settled(ended, at):
            recording.mix_at = float("inf")
            path = f"{self._monitor}/{recording.folder}/{recording.name}"
            cut = _cut_ms(recording, source, self._margin)
            self._out.do(commands.Measure(recording_id=recording.id, path=path, cut_ms=cut))

    def _mix(self, recording: LiveRecording, lanes: Iterable[LiveLane], at: float) -> commands.Mix:
        mix = recordings.mix(recording, lanes, self.company, self._monitor, self._margin, self._stereo)
        return replace(mix, patient=at - (recording.ended_at or at) < PATIENCE)

    def _destroy(self, recording: LiveRecording, lanes: Iterable[LiveLane], at: float) -> None:
        """Nobody asked for what was buffered: nothing of it stays but the word that it is gone."""
        for held in recording.intervals:
            gone = replace(held, wanted=False, recording_id=None, offset_ms=None, note=recordings.DESTROYED)
            self._judged(gone, Outcome.NOT_BY_POLICY)
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
            self._recorder.release(lane, recording.id, 0)
        self._finish(recording, RecordingState.DISCARDED)

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
        recording = self.recordings.get(event.recording_id)
        if recording is None or recording.id not in self._closing:
            return
        lanes = self._lanes(recording)
        if event.again:
            self._try_again(recording, event)
            return
        self._waiting.discard(recording.id)
        if event.error:
            self._out.alarm(event.at, "mix-failed", f"{recording.name} cannot be made: {event.error}")
            note = f"not mixed, its lanes are kept: {event.error}"
            self._judge_all(recording, lanes, RecordingState.FAILED, note=note)
            self._finish(recording, RecordingState.FAILED)
            for lane in lanes:
                self._recorder.keep(lane, event.error)
                self._recorder.release(lane, recording.id, 0)
            return
        state = RecordingState.CLOSED if event.duration_ms else self._without_sound(recording)
        if recording.source is not None:
            self._judge_linked(recording, recording.source, event.duration_ms)
            self._finish(recording, state, event.duration_ms, event.size)
            return
        accounted = {
            lane.id: event.audio[lane.id] + lane.silent_ms for lane in lanes if lane.id in event.audio
        }
        doubtful = {lane.id for lane in lanes if self._recorder.doubtful(lane)}
        self._end_by_files(recording, lanes, event)
        self._judge_all(recording, lanes, state, accounted, set(event.whole) - doubtful, silent=event.silent)
        # The recording's end before its lanes' files: killed in between, it must not be mixed from nothing.
        self._finish(recording, state, event.duration_ms, event.size, event.stereo)
        for lane in lanes:
            self._recorder.release(lane, recording.id, event.audio.get(lane.id, 0))

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

    def _lanes(self, recording: LiveRecording) -> list[LiveLane]:
        lanes = self._recorder.lanes
        return [lanes[lane_id] for lane_id in recording.lanes if lane_id in lanes]

    def _judge_all(
        self,
        recording: LiveRecording,
        lanes: Iterable[LiveLane],
        state: RecordingState,
        audio: Mapping[str, int] = MappingProxyType({}),
        whole: Collection[str] = (),
        note: str = "",
        silent: Collection[str] = (),
    ) -> None:
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
            self._judged(replace(interval, missing_ms=missing, note=note_), outcome)

    def _judge_linked(self, recording: LiveRecording, source: ForeignRecorder, duration_ms: int) -> None:
        """By the length of another's file alone. What it holds from before the talk began is counted from its end."""
        held = recording.intervals
        lengths = [intervals.length_ms(interval) for interval in held]
        before = 0
        if held and duration_ms - sum(lengths) > intervals.TOLERANCE_MS and source.ended_at is not None:
            was = duration_ms + _cut_ms(recording, source, self._margin)
            before = max(0, was - round((source.ended_at - held[0].started_at) * 1000))
        offset = before
        for interval, length in zip(held, lengths, strict=True):
            missing = min(length, max(0, offset + length - duration_ms))
            judged = replace(interval, offset_ms=offset, missing_ms=missing)
            self._judged(judged, intervals.judge(length, missing))
            offset += length

    def _one_sided(self, interval: Interval, mute: Sequence[str]) -> None:
        """Of two who talked for a while one is not to be heard: a dead microphone, or a fault of ours."""
        if len(interval.parties) == 2 and intervals.length_ms(interval) >= _WHILE_MS:
            at, what = interval.ended_at or interval.started_at, " and ".join(mute)
            sentence = f"Nothing of {what} is to be heard in a recorded talk of {_names(interval)}"
            self._out.alarm(at, "one-sided", sentence, interval=interval.id)

    def _finish(
        self,
        recording: LiveRecording,
        state: RecordingState,
        duration_ms: int = 0,
        size: int = 0,
        stereo: str = "",
    ) -> None:
        recording.state = state
        self._out.do(commands.Save(row=recording.row(duration_ms, size, stereo)))
        del self.recordings[recording.id]
        del self._closing[recording.id]

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
            self._closing[recording.id] = None
        return recording

    def close_forsaken(self, recording: LiveRecording) -> None:
        """A recording from before a restart whose conversation was over."""
        if recording.state is not RecordingState.CLOSING:
            ends = [i.ended_at or i.started_at for i in recording.intervals]
            recording.ended_at = max(ends, default=recording.started_at)
            recording.state = RecordingState.CLOSING
            self._closing[recording.id] = None
            self.save(recording)


def _cut_ms(recording: LiveRecording, source: ForeignRecorder, margin: float) -> int:
    """What another's file holds of a talk that was never to be recorded, until its recorder was stopped."""
    last = recording.intervals[-1] if recording.intervals else None
    if (
        last is None
        or recordings.CUT_OFF not in last.note
        or last.ended_at is None
        or source.ended_at is None
    ):
        return 0
    return max(0, round((source.ended_at - last.ended_at + margin) * 1000))


def _note(decision: Decision, source: ForeignRecorder | None) -> str:
    if source is not None:
        return recordings.LINKED
    return recordings.BUFFERED if decision.buffered else ""


def _names(interval: Interval) -> str:
    return " and ".join(p.number or p.channel for p in interval.parties)
