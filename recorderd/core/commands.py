"""What is to be done: the vocabulary of commands that the engine returns.

Owns the shape of every command. Must not know how one is carried out: `ami.actions` spells those for
Asterisk, the daemon hands the others to the store, the watcher and the archive. Every answer comes back
as an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from recorderd.core.facts import dataclass
from recorderd.core.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to be done."""


# --- for Asterisk ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MixMonitor(Command):
    """Take the own voice of a channel into `path` (absolute). Answered by LaneStarted or LaneRefused.

    Always with option `b`: nothing is written while the channel is in no bridge. The channel's variable
    RECORDERD becomes `lane_id` and RECORDERD_ID the MixMonitorID, so that a restart finds both.
    """

    lane_id: str
    uniqueid: str
    path: str
    beep_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMixMonitor(Command):
    """Stop our lane, and only ours. Answered by LaneStopped or LaneStopFailed.

    `replaced`: it ran on while another of ours was begun beside it, so that the channel's marks may be the other's.
    """

    lane_id: str
    uniqueid: str
    mixmonitor_id: str
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtForeign(Command):
    """Read what a channel's variables say of somebody else's MixMonitor there. Answered by ForeignSeen."""

    uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopForeign(Command):
    """Stop somebody else's MixMonitor on a channel by the first of these ids that is there, and never ours.

    `newest`: where none is, the newest on the channel, unless that may be ours. Answered by its MixMonitorStop, or
    by ForeignGone.
    """

    uniqueid: str
    mixmonitor_ids: tuple[str, ...] = ()
    newest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MixMonitorMute(Command):
    """Write silence instead of the lane's voice (`muted`), or the voice again."""

    lane_id: str
    uniqueid: str
    mixmonitor_id: str
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setvar(Command):
    """Set a channel variable or a function such as CDR(recordingfile)."""

    uniqueid: str
    variable: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFeature(Command):
    """Append our feature code to the channel's DYNAMIC_FEATURES, keeping what stands there."""

    uniqueid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTalk(Command):
    """People who may not talk on unrecorded: send their channels to our prompt, or hang them up."""

    uniqueids: tuple[str, ...]


# --- for the watcher, the archive and the disk -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Command):
    """Report FileSeen, then FileFault as soon as the file fails. `growing`: its channel is bridged now.

    `notes`: how it grows is written down beside it, for the mixer.
    """

    lane_id: str
    path: str
    growing: bool
    notes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwatch(Command):
    """The lane is closed: its file may rest."""

    lane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile(Command):
    """Delete a lane's file that holds nothing anyone may keep."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Seconds `[start, end)` of Asterisk's time during which a lane was in a bridge and running."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MixLane:
    """One voice for the mixer. `stretches` say when its file grew; `keep` what of that may be heard.

    `forbidden`: when policy forbade to record it, so that sound which may be from then is left out as well;
    None where that is not known any more: all that is not in `keep`. `alone`: when nobody heard it, so that
    time may be lacking there. `thawed_at`: its disk was frozen until then, and what is lacking is lacking just before.
    `seen`: its file was there once, for all that is known.

    `left`: it belongs on the left of a stereo file; see `core.sides`.
    """

    lane_id: str
    path: str
    outside: bool
    left: bool = False
    stretches: tuple[Stretch, ...]
    keep: tuple[Stretch, ...]
    forbidden: tuple[Stretch, ...] | None = None
    alone: tuple[Stretch, ...] = ()
    thawed_at: float | None = None
    seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix(Command):
    """Lay the lanes on one time line and write them to `path`, cut back to `keep`. Answered by Mixed.

    `timeline` are the stretches that the file holds, in order, end to end. `stereo`: where the same goes in
    two channels, for the archive; empty for nowhere. `patient`: rather not now than without a lane whose disk
    is away.
    """

    recording_id: str
    path: str
    timeline: tuple[Stretch, ...]
    lanes: tuple[MixLane, ...]
    stereo: str = ""
    patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Command):
    """Say how long the file `path` is, which somebody else's recorder made. Answered by Mixed, without lanes.

    `cut_ms`: so much of its end may not be kept, and is cut off before.
    """

    recording_id: str
    path: str
    cut_ms: int = 0


# --- for the store and for people --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Save(Command):
    """Remember this row; a row of the same key is replaced."""

    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Command):
    """The answer to a Press: `started`, `stopped`, `paused`, `resumed`, `unchanged` or `denied`, and why."""

    press_id: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm(Command):
    """Tell people now. `kind` is a short stable word, `sentence` is for a person, `keys` for a machine."""

    at: float
    kind: str
    sentence: str
    keys: Mapping[str, str] = field(default_factory=dict)
