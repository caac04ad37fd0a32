"""What lives in Asterisk: a channel, a bridge, and whose channel it is by its name.

Owns what we hold of each. Must not know what changes them. Only the channel's name tells the extension (measured on
Asterisk 16 and 22): AccountCode, CallerIDNum and Exten lie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from recorderd.core.rows import Direction, Party

# Technologies whose channels are plumbing, not people: the two halves of Local, a conference's announcer and
# recorder, parking's announcer, the transfer machinery (main/core_unreal.c, bridges/bridge_softmix.c).
PLUMBING = frozenset(
    (
        "Local",
        "CBAnn",
        "CBRec",
        "Announcer",
        "Recorder",
        "Surrogate",
        "Snoop",
        "Bridge",
        "Message",
        "UnicastRTP",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which extension a channel belongs to.

    `pattern` has a group `extension`, `devices` are exceptions to it; both are held against the name without
    its suffix: `PJSIP/101` of `PJSIP/101-0000002a`.
    """

    pattern: re.Pattern[str] = re.compile(r"(?:PJSIP|SIP|IAX2|SCCP)/(?P<extension>\d{2,6})")
    devices: Mapping[str, str] = field(default_factory=dict)

    def extension(self, channel: str) -> str:
        """The extension of a channel, empty for the outside world."""
        device = device_of(channel)
        if device in self.devices:
            return self.devices[device]
        match = self.pattern.fullmatch(device)
        return match["extension"] if match else ""


def device_of(channel: str) -> str:
    """`PJSIP/trunk` of `PJSIP/trunk-00000004`."""
    return channel.rpartition("-")[0] or channel


@dataclass(slots=True)
class Channel:
    """A live channel. `real` ones have a person (or a trunk) behind them.

    `called`: it was dialled; otherwise it dialled. `ringing` are the channels it is dialling now, `rung_by`
    the channel that dials it, and `consulted` whom the dialplan said it would dial. `dialled` are the numbers
    it asked for, first one first. `monitored`: we know of every recorder of others that was started on it until now.
    """

    uniqueid: str
    name: str
    linkedid: str
    extension: str = ""
    real: bool = True
    number: str = ""
    caller_name: str = ""
    called: bool = False
    originated: bool = False
    bridge: str | None = None
    entered_at: float = 0.0
    sent_away: bool = False
    took_place: bool = False
    dialled: tuple[str, ...] = ()
    context: str = ""
    ringing: tuple[str, ...] = ()
    rung_by: str | None = None
    consulted: tuple[str, ...] = ()
    monitored: bool = False

    def party(self) -> Party:
        """This channel as a party of a conversation."""
        return Party(
            uniqueid=self.uniqueid,
            channel=self.name,
            extension=self.extension,
            number=self.extension or self.number,
            name=self.caller_name,
            direction=Direction.INBOUND if self.called else Direction.OUTBOUND,
        )

    def __str__(self) -> str:
        where = f" in {self.bridge[:8]}" if self.bridge else ""
        return f"{self.name}{where}{f' ringing {len(self.ringing)}' if self.ringing else ''}"


@dataclass(slots=True)
class Bridge:
    """A bridge and who is in it, in the order of entering."""

    uniqueid: str
    technology: str
    members: tuple[str, ...] = ()

    def add(self, uniqueid: str) -> None:
        """It comes in, or is in already."""
        if uniqueid not in self.members:
            self.members += (uniqueid,)
