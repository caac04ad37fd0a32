"""The life of a lane and of a recording.

Owns the state tables, the live objects and what the mixer is asked for. Must not decide whether anything is
to be recorded: the engine says so.

A **lane** is one voice taken by one MixMonitor on its own channel. A **recording** is what people play: the
mix of all lanes over the stretches of one conversation that were to be recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorderd.core import commands, events, sides
from recorderd.core.company import FRAME_SECONDS, Company
from recorderd.core.foreign import ForeignRecorder
from recorderd.core.intervals import STEP_SECONDS, Span, filled, without
from recorderd.core.rows import Interval, Lane, LaneState, Recording, RecordingState

S = LaneState

# (state, fact) -> state. A missing key is an error: that fact cannot follow that state.
LANE: Mapping[tuple[LaneState, type[events.Event]], LaneState] = {
    (S.STARTING, events.LaneStarted): S.ATTACHED,
    (S.STARTING, events.LaneRefused): S.REFUSED,
    (S.STARTING, events.FileFault): S.LOST,
    (S.STARTING, events.Hangup): S.CLOSED,
    (S.ATTACHED, events.FileSeen): S.RECORDING,
    (S.ATTACHED, events.FileFault): S.LOST,
    (S.ATTACHED, events.LaneStarted): S.ATTACHED,
    (S.ATTACHED, events.Hangup): S.CLOSED,
    (S.RECORDING, events.FileSeen): S.RECORDING,
    (S.RECORDING, events.LaneStarted): S.RECORDING,
    (S.RECORDING, events.FileFault): S.LOST,
    (S.RECORDING, events.Hangup): S.CLOSED,
    (S.STOPPING, events.LaneStopped): S.CLOSED,
    (S.STOPPING, events.LaneStopFailed): S.LOST,
    (S.STOPPING, events.FileSeen): S.STOPPING,
    (S.STOPPING, events.FileFault): S.STOPPING,
    (S.STOPPING, events.Hangup): S.CLOSED,
}
# The lane's life is over: facts that come later change nothing any more.
OVER = frozenset((S.CLOSED, S.REFUSED, S.LOST, S.DISCARDED))
# By how much a file that had to wait with a step may be shorter (its header) and longer.
_STEP_MS = round(1000 * STEP_SECONDS)
_AT_A_STEP = (3, 40)
# Seconds that are cut off before a conversation that is never to be recorded.
MARGIN = 0.06


@dataclass(slots=True)
class LiveLane:
    """A lane that runs, or whose file is not dealt with yet. `stretches` are when its file grew.

    `muted` is None where nobody remembers: after a restart, and after a lost link if it ever `was_muted`.
    `restored`: it is from before a restart. `kept`: its file must stay. `not_before`: it was started for a recording
    that began then. `silent_ms`: for so long no packet came on its channel. `growing` is what the watcher of its file
    was told last, None if it was told nothing.
    `thawed_at`: its disk was frozen until then, and what Asterisk could not write meanwhile is lacking before.
    `told`: we heard of its end when it was. `seen`: its file was there, for all that is known.
    """

    id: str
    uniqueid: str
    channel: str
    label: str
    path: str
    outside: bool
    state: LaneState = S.STARTING
    mixmonitor_id: str = ""
    began: bool = False
    not_before: float = 0.0
    silent_ms: int = 0
    muted: bool | None = False
    was_muted: bool = False
    stop_failed: bool = False
    kept: bool = False
    recording_id: str = ""
    stretches: tuple[tuple[float, float | None], ...] = ()
    ended_at: float | None = None
    users: tuple[str, ...] = ()
    growing: bool | None = None
    restored: bool = False
    thawed_at: float | None = None
    told: bool = True
    seen: bool = False
    note: str = ""

    def advance(self, event: events.Event) -> None:
        """Follow the state table."""
        self.state = LANE[self.state, type(event)]
        self.seen = self.seen or self.state is S.RECORDING

    @property
    def running(self) -> bool:
        """Asterisk holds this MixMonitor, or is about to."""
        return self.state in (S.STARTING, S.ATTACHED, S.RECORDING)

    def open_stretch(self, at: float) -> None:
        """Its channel is in a bridge from now on and it runs: its file grows."""
        if self.began and not (self.stretches and self.stretches[-1][1] is None):
            before = self.stretches[-1][1] if self.stretches else None
            self.stretches += ((max(at, before or at, self.not_before), None),)

    def began_at(self, at: float) -> None:
        """Of two stamps of its start the earlier one holds, as long as it is in its first stretch."""
        if len(self.stretches) == 1 and self.stretches[0][1] is None:
            self.stretches = ((min(at, self.stretches[0][0]), None),)

    def close_stretch(self, at: float) -> None:
        """Its file grows no more."""
        if self.stretches and self.stretches[-1][1] is None:
            *before, (start, _) = self.stretches
            self.stretches = (*before, (start, max(at, start)))

    def spans(self) -> list[Span]:
        """The closed stretches."""
        return [(a, b) for a, b in self._for_sure() if b is not None and b > a]

    def _for_sure(self) -> tuple[tuple[float, float | None], ...]:
        """Of one that was given up and runs on: until then."""
        if self.ended_at is None or not self.stretches or self.stretches[-1][1] is not None:
            return self.stretches
        *before, (start, _) = self.stretches
        return (*before, (start, max(start, self.ended_at)))

    def believe(self, audio_ms: int) -> float | None:
        """When it ended, by its closed file, where its disk was frozen and nobody told us; None where it cannot say.

        Asterisk writes a step at a time: a file that ends with one may have waited for the disk and lost the rest.
        """
        spans = self.spans()
        unheard = not self.told and bool(spans) and (self.thawed_at or 0.0) >= spans[-1][1]
        if not unheard or (audio_ms + _AT_A_STEP[0]) % _STEP_MS <= sum(_AT_A_STEP):
            return None
        self.stretches = tuple(filled(spans, audio_ms))
        return self.stretches[-1][1] if self.stretches else None

    def row(self, duration_ms: int = 0) -> Lane:
        """This lane as it is remembered."""
        return Lane(
            id=self.id,
            recording_id=self.recording_id,
            uniqueid=self.uniqueid,
            channel=self.channel,
            label=self.label,
            path=self.path,
            state=self.state,
            stretches=self._for_sure(),
            duration_ms=duration_ms,
            note=self.note,
        )

    @classmethod
    def from_row(cls, row: Lane, outside: bool) -> LiveLane:
        """A lane remembered from before a restart."""
        lane = cls(row.id, row.uniqueid, row.channel, row.label, row.path, outside)
        lane.state, lane.recording_id, lane.note = row.state, row.recording_id, row.note
        lane.muted = None
        lane.restored = lane.seen = True
        lane.stretches = row.stretches
        lane.began = bool(lane.stretches) or row.state in (S.ATTACHED, S.RECORDING, S.STOPPING)
        return lane

    def __str__(self) -> str:
        return f"lane {self.id} on {self.channel}: {self.state}"


@dataclass(slots=True)
class LiveRecording:
    """A recording that is not a finished file yet. `intervals` are the closed ones it holds, in order.

    Unless `asked`, it is only buffered: nobody has asked for it yet, and if nobody does it is destroyed. `source`
    is somebody else's recorder whose file it is; then it has no lanes.
    """

    id: str
    conversation_id: str
    segment: int
    folder: str
    name: str
    reason: str
    started_at: float
    state: RecordingState = RecordingState.ARMED
    ended_at: float | None = None
    lanes: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()
    mix_at: float = 0.0
    asked: bool = True
    source: ForeignRecorder | None = None

    @property
    def seen(self) -> bool:
        """A file of it was seen: it may be linked."""
        return self.state is not RecordingState.ARMED

    def add_lane(self, lane_id: str) -> None:
        """This lane is one of those that it is made from."""
        if lane_id not in self.lanes:
            self.lanes += (lane_id,)

    def offset_ms(self) -> int:
        """Where the next interval will lie in the file."""
        return round(sum((i.ended_at or i.started_at) - i.started_at for i in self.intervals) * 1000)

    def row(self, duration_ms: int = 0, size: int = 0, stereo: str = "") -> Recording:
        """This recording as it is remembered."""
        return Recording(
            id=self.id,
            conversation_id=self.conversation_id,
            segment=self.segment,
            folder=self.folder,
            name=self.name,
            state=self.state,
            started_at=self.started_at,
            ended_at=self.ended_at,
            duration_ms=duration_ms,
            size=size,
            lanes=self.lanes,
            reason=self.reason,
            stereo=stereo,
            linked=self.source is not None,
        )

    @classmethod
    def from_row(cls, row: Recording) -> LiveRecording:
        """A recording remembered from before a restart."""
        recording = cls(
            row.id, row.conversation_id, row.segment, row.folder, row.name, row.reason, row.started_at
        )
        recording.state, recording.ended_at = row.state, row.ended_at
        recording.lanes = row.lanes
        return recording

    def __str__(self) -> str:
        return f"recording {self.name}: {self.state}"


def mix(
    recording: LiveRecording,
    lanes: Iterable[LiveLane],
    company: Company,
    monitor: str,
    stereo: str = "",
) -> commands.Mix:
    """What the mixer is to make of a recording's lanes.

    A voice is kept where its party took part in an interval that was to be recorded and was not masked. Where
    policy said *never* right after, `MARGIN` before that are cut too: a stamp is not a sample.
    `stereo` is the folder for the same in two channels, empty for none.
    """
    intervals = recording.intervals
    lanes = list(lanes)
    left = sides.left_of(intervals)
    timeline = tuple(_stretch(i) for i in intervals)
    return commands.Mix(
        recording_id=recording.id,
        path=f"{monitor}/{recording.folder}/{recording.name}",
        timeline=timeline,
        lanes=tuple(
            commands.MixLane(
                lane_id=lane.id,
                path=lane.path,
                outside=lane.outside,
                left=lane.uniqueid in left,
                stretches=tuple(commands.Stretch(start=a, end=b) for a, b in lane.spans()),
                keep=tuple(
                    commands.Stretch(start=start, end=end)
                    for i in intervals
                    if not i.masked and any(p.uniqueid == lane.uniqueid for p in i.parties)
                    for start, end in without((i.started_at, _kept_until(i)), _taken_over(lane, later))
                ),
                forbidden=_stretches(
                    _unknown(lane, intervals) if lane.restored else company.forbidden(lane.uniqueid), lane
                ),
                alone=() if lane.restored else _stretches(company.alone(lane.uniqueid, lane.spans()), lane),
                thawed_at=lane.thawed_at,
                seen=lane.seen,
            )
            for lane, later in ((lane, lanes[n + 1 :]) for n, lane in enumerate(lanes))
        ),
        stereo=f"{stereo}/{recording.folder}/{recording.id}{STEREO}" if stereo else "",
    )


def _unknown(lane: LiveLane, intervals: Iterable[Interval]) -> list[Span]:
    """Of a lane from before a restart all that is not in these intervals: with whom its party talked is forgotten."""
    spans = lane.spans()
    for i in intervals:
        if not i.masked and any(p.uniqueid == lane.uniqueid for p in i.parties):
            known = (i.started_at, i.ended_at or i.started_at)
            spans = [part for span in spans for part in without(span, [known])]
    return [(start, end) for start, end in spans if end - start > FRAME_SECONDS]


def _taken_over(lane: LiveLane, later: Iterable[LiveLane]) -> list[Span]:
    """When another was there for the same voice: one on a frozen disk runs on until that can be asked to stop."""
    return [span for other in later if other.uniqueid == lane.uniqueid for span in other.spans()]


def _stretches(spans: Iterable[Span], lane: LiveLane) -> tuple[commands.Stretch, ...]:
    """Those that touch the lane's time, in it."""
    begin = min((start for start, _ in lane.spans()), default=0.0)
    end = max((until for _, until in lane.spans()), default=0.0)
    within = ((max(start, begin), min(until, end)) for start, until in spans)
    return tuple(commands.Stretch(start=a, end=b) for a, b in within if b > a)


def _stretch(interval: Interval) -> commands.Stretch:
    return commands.Stretch(start=interval.started_at, end=interval.ended_at or interval.started_at)


def _kept_until(interval: Interval) -> float:
    end = interval.ended_at or interval.started_at
    return max(interval.started_at, end - MARGIN) if interval.note == CUT_BACK else end


STEREO = ".stereo.wav"
CUT_BACK = "cut back: what came next was never to be recorded"
BUFFERED = "buffered: nobody has asked for it yet"
KEPT = "kept: somebody asked for it later"
LINKED = "in another's file: both voices in one, so that each is there is not proven"
CUT_OFF = "its end was cut off: what came next was never to be recorded"
DESTROYED = "buffered and destroyed: nobody asked for it"
