"""Several telephones ring: queues, ring groups, follow-me, forwards, pickups."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, Scenario, X, parties
from tests.live.transfers.steps import (
    Answer,
    Call,
    Cancel,
    Dial,
    Ended,
    HangUp,
    Moved,
    Music,
    Pause,
    Refer,
    Refuse,
    Rings,
    Staffed,
    Talk,
    Up,
)

_QUEUE = "exten => {s},1,Queue(q{s},,,,60)\n same => n,Hangup()"
_TEAM = """
[q{s}]
strategy = ringall
timeout = {{timeout}}
retry = 1
ringinuse = no
member => {b_device}
member => {c_device}
"""


def team(timeout: int = 20) -> str:
    """A queue with the members b and c, who ring for so many seconds at a time."""
    return _TEAM.replace("{{timeout}}", str(timeout))


SCENARIOS = (
    Scenario(
        name="queue, all ring and one is recorded",
        parties=parties(x=X, b=A, c=N),
        dialplan=_QUEUE,
        queues=team(),
        steps=(Staffed(), Dial("x", "{s}"), Rings("c"), Answer("b"), Up("x"), Talk("xb"), HangUp("x")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="queue, all ring and one who is never recorded answers",
        parties=parties(x=X, b=A, c=N),
        dialplan=_QUEUE,
        queues=team(),
        steps=(Staffed(), Dial("x", "{s}"), Rings("b"), Answer("c"), Up("x"), Talk("xc"), HangUp("c")),
        stories=0,
    ),
    Scenario(
        name="queue, nobody answers at first",
        parties=parties(a=A, b=A, c=A),
        dialplan="exten => {s},1,Answer()\n same => n,Queue(q{s},,,,60)\n same => n,Hangup()",
        queues=team(3),
        steps=(
            *(
                Staffed(),
                Dial("a", "{s}"),
                Rings("b"),
                Up("a"),
                Music("a"),
                Refuse("b"),
                Rings("c"),
                Ended("c"),
            ),
            *(Answer("b"), Talk("ab"), HangUp("b")),
        ),
        stories=1,
        short=True,
    ),
    Scenario(
        name="queue, given up while all ring",
        parties=parties(a=A, b=A, c=A),
        dialplan=_QUEUE,
        queues=team(),
        steps=(Staffed(), Dial("a", "{s}"), Rings("b"), Pause(1.0), HangUp("a"), Ended("bc")),
        stories=0,
    ),
    Scenario(
        name="queue, an agent transfers",
        parties=parties(x=X, b=A, c=A, d=N),
        dialplan=_QUEUE,
        queues=team(),
        steps=(
            *(Staffed(), Dial("x", "{s}"), Answer("b"), Up("x"), Talk("xb")),
            *(Refer("b", "d"), Answer("d"), Talk("xd"), HangUp("x")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="queue, an agent sends the caller back into it",
        parties=parties(x=X, b=A, c=A),
        dialplan=_QUEUE,
        queues=team(),
        steps=(
            *(Staffed(), Dial("x", "{s}"), Answer("b"), Up("x"), Talk("xb"), Refer("b", "{s}")),
            *(Answer("c"), Talk("xc"), HangUp("x")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="queue, members behind Local channels that stay",
        parties=parties(x=X, b=A, c=N),
        dialplan=_QUEUE,
        queues="[q{s}]\nstrategy = ringall\ntimeout = 20\nretry = 1\n"
        "member => Local/{b}@from-phones/n\nmember => Local/{c}@from-phones/n\n",
        steps=(Dial("x", "{s}"), Rings("c"), Answer("b"), Up("x"), Talk("xb"), HangUp("x")),
        stories=1,
        short=True,
    ),
    Scenario(
        name="ring group, the other one answers",
        parties=parties(a=A, b=N, c=A),
        dialplan="exten => {s},1,Dial({b_device}&{c_device},20)\n same => n,Hangup()",
        steps=(Dial("a", "{s}"), Rings("b"), Answer("c"), Up("a"), Talk("ac"), HangUp("a")),
        stories=1,
        short=True,
    ),
    Scenario(
        name="ring group, armed, and the one who is never recorded is quicker",
        parties=parties(a=A, b=N, c=A),
        dialplan="exten => {s},1,Dial({c_device},1)\n same => n,Dial({b_device}&{c_device},20)\n same => n,Hangup()",
        steps=(
            *(Dial("a", "{s}"), Rings("c"), Ended("c"), Rings("c"), Answer("b")),
            *(Up("a"), Talk("ab"), HangUp("a")),
        ),
        stories=0,
    ),
    Scenario(
        name="follow-me through a Local channel that is optimised away",
        parties=parties(a=A, b=A),
        dialplan="exten => {s},1,Dial(Local/{b}@from-phones,30)\n same => n,Hangup()",
        steps=(Dial("a", "{s}"), Answer("b"), Up("a"), Talk("ab", 2.5), HangUp("a")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="follow-me through a Local channel that stays",
        parties=parties(a=A, b=A),
        dialplan="exten => {s},1,Dial(Local/{b}@from-phones/n,30)\n same => n,Hangup()",
        steps=(Dial("a", "{s}"), Answer("b"), Up("a"), Talk("ab"), HangUp("b")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="follow-me, the desk first and then the mobile outside, through two Local channels",
        parties=parties(x=X, b=N, y=X, c=A),
        dialplan="exten => {s},1,Dial(Local/{t}@from-phones/n,30)\n same => n,Hangup()\n"
        "exten => {t},1,Dial({b_device},1)\n same => n,Dial(Local/{y}@from-phones&Local/{c}@from-phones,30)\n"
        " same => n,Hangup()",
        steps=(
            Dial("x", "{s}"),
            Rings("b"),
            Ended("b"),
            Rings("y"),
            Answer("c"),
            Up("x"),
            Talk("xc"),
            HangUp("c"),
        ),
        stories=1,
    ),
    Scenario(
        name="follow-me through a Local channel that stays, transferred",
        parties=parties(a=A, b=A, c=N),
        dialplan="exten => {s},1,Dial(Local/{b}@from-phones/n,30)\n same => n,Hangup()",
        steps=(
            *(Dial("a", "{s}"), Answer("b"), Up("a"), Talk("ab"), Refer("b", "c")),
            *(Answer("c"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="forwarded by the telephone, 302",
        parties=parties(a=A, b=N, c=A),
        steps=(Dial("a", "b"), Moved("b", "c"), Answer("c"), Up("a"), Talk("ac"), HangUp("a")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="forwarded by the telephone, to one who is never recorded",
        parties=parties(x=X, b=A, c=N),
        steps=(Dial("x", "b"), Moved("b", "c"), Answer("c"), Up("x"), Talk("xc"), HangUp("x")),
        stories=0,
    ),
    Scenario(
        name="forwarded by the dialplan on no answer",
        parties=parties(x=X, b=N, c=A),
        dialplan="exten => {s},1,Dial({b_device},1)\n same => n,Goto(from-phones,{c},1)",
        steps=(Dial("x", "{s}"), Rings("b"), Ended("b"), Answer("c"), Up("x"), Talk("xc"), HangUp("c")),
        stories=1,
    ),
    Scenario(
        name="forwarded to outside",
        parties=parties(x=X, b=A, y=X),
        steps=(Dial("x", "b"), Moved("b", "y"), Answer("y"), Up("x"), Talk("xy"), HangUp("x")),
        stories=0,
    ),
    Scenario(
        name="pickup of a ringing telephone",
        parties=parties(a=A, b=A, c=A),
        dialplan="exten => {s},1,PickupChan({b_device})\n same => n,Hangup()",
        steps=(Dial("a", "b"), Rings("b"), Pause(0.5), Dial("c", "{s}"), Up("a"), Talk("ac"), HangUp("a")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="pickup by one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        dialplan="exten => {s},1,PickupChan({b_device})\n same => n,Hangup()",
        steps=(Dial("a", "b"), Rings("b"), Pause(0.5), Dial("c", "{s}"), Up("a"), Talk("ac"), HangUp("c")),
        stories=0,
        short=True,
    ),
    Scenario(
        name="pickup of a telephone that is never recorded, then transferred back",
        parties=parties(x=X, b=N, c=A),
        dialplan="exten => {s},1,PickupChan({b_device})\n same => n,Hangup()",
        steps=(
            *(Dial("x", "b"), Rings("b"), Pause(0.5), Dial("c", "{s}"), Up("x"), Talk("xc")),
            *(Refer("c", "b"), Answer("b"), Talk("xb"), HangUp("x")),
        ),
        stories=1,
    ),
    Scenario(
        name="pickup by the group's code",
        parties=parties(a=A, b=A, c=A),
        steps=(Dial("a", "b"), Rings("b"), Pause(0.5), Dial("c", "*8"), Up("a"), Talk("ac"), HangUp("a")),
        stories=1,
        alone=True,
    ),
    Scenario(
        name="an internal call that nobody takes, then one that is taken",
        parties=parties(a=A, b=A),
        steps=(Dial("a", "b"), Rings("b"), Cancel("a"), Call("a", "b"), Talk("ab"), HangUp("b")),
        stories=1,
    ),
)
