"""What people at their telephones do, and what others make Asterisk do: the words of a scenario.

Each step is a small frozen dataclass that plays itself on a `Stage`. Parties are letters; where a number may be
dialled, a letter stands for that party's, and `{s}` for a service number of the scenario's own. A step waits for
what it causes, with a deadline, and never sleeps but to let people talk.
"""

from tests.live.transfers.steps.base import Step
from tests.live.transfers.steps.calling import (
    Answer,
    Call,
    Cancel,
    Dial,
    Ended,
    HangUp,
    Moved,
    Refuse,
    Rings,
    Up,
)
from tests.live.transfers.steps.commanding import (
    AmiAtxfer,
    AmiBlind,
    Bridge,
    Originate,
    Parked,
    Press,
    Redirect,
    Staffed,
)
from tests.live.transfers.steps.talking import Hold, Music, Pause, Swap, Talk, Unhold
from tests.live.transfers.steps.transferring import Consult, Join, Keys, Refer, Referred

__all__ = [
    "AmiAtxfer",
    "AmiBlind",
    "Answer",
    "Bridge",
    "Call",
    "Cancel",
    "Consult",
    "Dial",
    "Ended",
    "HangUp",
    "Hold",
    "Join",
    "Keys",
    "Moved",
    "Music",
    "Originate",
    "Parked",
    "Pause",
    "Press",
    "Redirect",
    "Refer",
    "Referred",
    "Refuse",
    "Rings",
    "Staffed",
    "Step",
    "Swap",
    "Talk",
    "Unhold",
    "Up",
]
