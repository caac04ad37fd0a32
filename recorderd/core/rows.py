"""What is remembered: the rows that outlive a call.

Owns the shape of every row that the engine writes and the store keeps. Must not know any database. Every
row is whole and has a key of its own, so writing one twice is the same as writing it once.

Times are seconds since the epoch, UTC; lengths say their unit in their name.
"""

from __future__ import annotations

from enum import StrEnum

from recorderd.core.facts import dataclass


class Direction(StrEnum):
    """What the call is to one party: it was called, or it called."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Outcome(StrEnum):
    """What became of an interval of talk, or of an answered CDR."""

    RECORDED = "recorded"
    PARTIAL = "partial"
    NOT_BY_POLICY = "not-by-policy"
    NOT_RECORDED = "FAULT-not-recorded"
    RECORDED_IN_ERROR = "FAULT-recorded-in-error"
    NO_CONVERSATION = "no-conversation"


class RecordingState(StrEnum):
    """The life of a recording: see `core.recordings` for what leads from one to the next."""

    ARMED = "armed"
    RECORDING = "recording"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"
    DISCARDED = "discarded"


class LaneState(StrEnum):
    """The life of one MixMonitor of ours: see `core.recordings`."""

    STARTING = "starting"
    ATTACHED = "attached"
    RECORDING = "recording"
    STOPPING = "stopping"
    CLOSED = "closed"
    REFUSED = "refused"
    LOST = "lost"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody in a conversation. `extension` is empty for the outside world; `number` is what others see."""

    uniqueid: str
    channel: str
    extension: str
    number: str
    name: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Anything the store keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(Row):
    """People who heard each other, from the first bridge to the last. Key: `id`.

    `linkedids` are all that its channels ever had; `joined` is the conversation into which an attended
    transfer took it, if any: together they are one story. `node` is the PBX where it was, empty where there is
    but one; whoever writes the row down says so, the core does not know.
    """

    id: str
    started_at: float
    ended_at: float | None
    linkedids: tuple[str, ...]
    joined: str | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval(Row):
    """A stretch of a conversation in which its parties, decision and mask did not change. Key: `id`.

    `outcome` is None while the audio is not yet judged. `offset_ms` is where its audio starts in the
    recording's file, None where there is none. `trace` is the decision's reasons, one line each.
    `conversation_id` is empty for an answered CDR without a conversation, and `cdr_uniqueid` names that CDR.
    """

    id: str
    conversation_id: str
    started_at: float
    ended_at: float | None
    parties: tuple[Party, ...]
    mode: str
    wanted: bool
    masked: bool
    reason: str
    trace: tuple[str, ...]
    policy_version: int
    recording_id: str | None = None
    offset_ms: int | None = None
    outcome: Outcome | None = None
    missing_ms: int = 0
    note: str = ""
    cdr_uniqueid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(Row):
    """One file that people play: the mix of the lanes of one stretch of a conversation. Key: `id`.

    `name` is the base name with extension, `folder` is below the spool (`YYYY/MM/DD`).
    `segment` counts from 1 within the conversation. `duration_ms` and `size` are 0 until the mix is made.
    `lanes` are the ids of the lanes it is made from; a lane may serve two recordings, one after the other.
    `stereo` is the absolute path of its two-channel file that was made for the archive, empty for none. `node` is
    where its files are made, as a conversation's.
    `linked`: the file is somebody else's recorder's, taken as it is; it has no lanes.
    """

    id: str
    conversation_id: str
    segment: int
    folder: str
    name: str
    state: RecordingState
    started_at: float
    ended_at: float | None
    duration_ms: int = 0
    size: int = 0
    lanes: tuple[str, ...] = ()
    reason: str = ""
    stereo: str = ""
    node: str = ""
    linked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Row):
    """One voice in a file of its own, taken by one MixMonitor. Key: `id`.

    `recording_id` is the recording it was started for, empty while the lane is only armed.

    `stretches` are the `(start, end)` seconds in which its channel was bridged while it ran; its file holds
    exactly these, end to end. An open end is None.
    """

    id: str
    recording_id: str
    uniqueid: str
    channel: str
    label: str
    path: str
    state: LaneState
    stretches: tuple[tuple[float, float | None], ...]
    duration_ms: int = 0
    note: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdr(Row):
    """A call detail record as Asterisk wrote it. Key: `(uniqueid, sequence)`. Times are whole seconds."""

    uniqueid: str
    sequence: int
    linkedid: str
    start: float
    answer: float | None
    end: float
    src: str
    dst: str
    dcontext: str
    clid: str
    channel: str
    dstchannel: str
    lastapp: str
    disposition: str
    duration: int
    billsec: int
    accountcode: str = ""
    recordingfile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrLink(Row):
    """This CDR row's audio is in this recording. Key: all three."""

    uniqueid: str
    sequence: int
    recording_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Row):
    """Something on the time line that intervals do not tell: a press, the end of a pause, a talk ended. Key: `id`."""

    id: str
    conversation_id: str
    at: float
    kind: str
    who: str
    text: str
