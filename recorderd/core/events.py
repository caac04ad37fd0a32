"""What happened: the vocabulary of facts that reach the engine.

Owns the shape of every fact, named as Asterisk names it. Must not know how a fact is spelled on a wire:
`ami.translate` and the other edges build these, `core.engine` reads them.

`at` is when it happened by Asterisk's clock (the Timestamp header), in seconds since the epoch, UTC.
A field that Asterisk left empty or filled with `<unknown>` is the empty string here, never None; None says
that Asterisk sent no such field at all.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from recorderd.core.facts import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recorderd.core.policy import Policy
    from recorderd.core.rows import Cdr


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at `at`."""

    at: float


# --- channels and who dials whom ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Newchannel(Event):
    """A channel was made. `exten` is what was dialled on a caller's channel, `s` or empty on a callee's."""

    channel: str
    uniqueid: str
    linkedid: str
    caller_id_num: str = ""
    caller_id_name: str = ""
    exten: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialBegin(Event):
    """A channel starts ringing another. An Originate has no caller: `uniqueid` and `channel` are None."""

    channel: str | None
    uniqueid: str | None
    linkedid: str
    caller_id_num: str = ""
    exten: str = ""
    context: str = ""
    dest_channel: str
    dest_uniqueid: str
    dest_linkedid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DialEnd(Event):
    """A dial ended. `dial_status` is ANSWER, CANCEL, BUSY, ...; a pickup's winner had no DialBegin."""

    uniqueid: str | None
    dest_channel: str
    dest_uniqueid: str
    dial_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickup(Event):
    """`uniqueid` takes over the ringing of `target_uniqueid`; a recorder there walks over with it."""

    channel: str
    uniqueid: str
    target_uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup(Event):
    """A channel is gone, and with it every recorder on it (no MixMonitorStop is sent then)."""

    channel: str
    uniqueid: str
    linkedid: str


# --- bridges -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEnter(Event):
    """A channel entered a bridge, in the place of `swap_uniqueid` if that is given.

    Parties of a bridge whose technology is `holding_bridge` (parking) do not hear each other.
    """

    bridge_uniqueid: str
    bridge_technology: str
    channel: str
    uniqueid: str
    linkedid: str
    caller_id_num: str = ""
    exten: str = ""
    context: str = ""
    swap_uniqueid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLeave(Event):
    """A channel left a bridge."""

    bridge_uniqueid: str
    channel: str
    uniqueid: str
    linkedid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDestroy(Event):
    """A bridge is gone."""

    bridge_uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindTransfer(Event):
    """`transferer_uniqueid` sends whom it talks with to `extension`."""

    transferer_uniqueid: str
    extension: str


# --- recorders ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MixMonitorStart(Event):
    """Some MixMonitor was started on a channel, ours or another's. Says nothing about a file."""

    channel: str
    uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MixMonitorStop(Event):
    """Some MixMonitor was stopped by StopMixMonitor; never sent at a hang-up."""

    channel: str
    uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSeen(Event):
    """What a channel's variables say of the MixMonitor that somebody else began there: the ids it may have, the
    likeliest first, and its file (absolute); empty where they say nothing."""

    uniqueid: str
    mixmonitor_ids: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignGone(Event):
    """Asterisk knows of no MixMonitor of somebody else's on this channel.

    `nameless`: of none with the ids that were known; one without a known id may run on.
    """

    uniqueid: str
    nameless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStarted(Event):
    """Asterisk accepted our MixMonitor. Not evidence of a file: `FileSeen` is."""

    lane_id: str
    mixmonitor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRefused(Event):
    """Asterisk refused our MixMonitor, or did not answer in time."""

    lane_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStopped(Event):
    """Our MixMonitor is off its channel and its file is final."""

    lane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStopFailed(Event):
    """Our MixMonitor could not be stopped: it was not ours, not there, or nobody answered."""

    lane_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen(Event):
    """The lane's file exists on disk."""

    lane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault(Event):
    """The lane's file is not what it should be: `missing`, `stalled`, `truncated` or `deleted`."""

    lane_id: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSilent(Event):
    """For so long no packet came on the lane's channel in either direction: nothing is missing of that time."""

    lane_id: str
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFault(Event):
    """A folder does not take what is written to it: it is `full`, `read-only`, `frozen`, `away`, or broken."""

    place: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceWell(Event):
    """A folder that failed takes again what is written to it."""

    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoom(Event):
    """The administrator wants no recording begun from now on: the disk is too full. `why` is for a person."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room(Event):
    """Recordings may be begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed(Event):
    """The lanes of a recording became one file, or did not (`error` says why; the lanes are kept).

    `audio` maps a lane's id to the milliseconds of sound found in its file. `stereo` is the two-channel file
    that was made beside, empty for none. `whole` are the lanes whose file Asterisk ended
    properly: what they lack inside is time of which no packet came, not sound that was lost. `again`: with this
    `error` another try may end well. `silent` are the lanes that hold sound, none of it audible.
    """

    recording_id: str
    duration_ms: int
    size: int
    audio: Mapping[str, int]
    error: str = ""
    stereo: str = ""
    whole: tuple[str, ...] = ()
    again: bool = False
    silent: tuple[str, ...] = ()


# --- people and policy -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Consult(Event):
    """The dialplan asks before Dial: `uniqueid` is about to call `callees` (extensions or numbers).

    `monitored`: somebody else's MixMonitor was started on it before, and Asterisk's event may be on its way still.
    """

    channel: str
    uniqueid: str
    linkedid: str
    caller_id_num: str
    exten: str
    context: str
    callees: tuple[str, ...]
    monitored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Event):
    """Somebody asks to `toggle`, `start`, `stop`, `pause` or `resume` the recording of their conversation,
    or `pausing`: to pause it or to go on, whichever it does not.

    `uniqueid` is the channel it is about; `by` names who asked (an extension, a user of the panel), and
    `source` the way it came (`feature-code`, `agi`, `cli`, `panel`, `sip-info`). `id` names the press.
    """

    id: str
    action: str
    uniqueid: str
    by: str
    source: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFailed(Event):
    """The prompt before a call could not be played to this channel."""

    uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(Event):
    """A new policy is in force from `at` on, for running conversations too."""

    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrWritten(Event):
    """Asterisk wrote a call detail record."""

    cdr: Cdr


# --- the link to Asterisk itself ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChannel:
    """One channel as CoreShowChannels and Status list it, for `Resync`.

    `application` tells a caller (`Dial`, `Queue`) from a callee (`AppDial`, `AppQueue`). `lane_id` and
    `mixmonitor_id` are our channel variables RECORDERD and RECORDERD_ID, empty where we record nothing.
    `answered` is when its present call was answered, 0 where Asterisk does not say. `foreign_file` and
    `foreign_ids` are what its variables say of somebody else's recorder, as in `ForeignSeen`. `replaced`: by lane, the
    ids of ours that were given up there on a frozen disk and are still to be stopped.
    """

    channel: str
    uniqueid: str
    linkedid: str
    caller_id_num: str = ""
    caller_id_name: str = ""
    exten: str = ""
    context: str = ""
    application: str = ""
    bridge_uniqueid: str = ""
    bridge_technology: str = ""
    answered: float = 0.0
    lane_id: str = ""
    mixmonitor_id: str = ""
    recording_file: str = ""
    foreign_file: str = ""
    foreign_ids: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync(Event):
    """All that lives in Asterisk at `at`: whatever is not here is gone.

    `ended` tells of channels that are gone when that was, by their uniqueid, where the edge found it out.
    """

    channels: tuple[LiveChannel, ...]
    ended: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """From `at` until the next `Resync` nobody tells us anything."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown(Event):
    """Asterisk has gone down, and every channel with it. `ended` is as in `Resync`."""

    ended: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Event):
    """Time passed. Sent a few times a second so that deadlines fall due."""
