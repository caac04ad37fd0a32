"""What users of other recorders complain of in public, each played as it was told."""

from __future__ import annotations

from tests.live.transfers.cases.groups import team
from tests.live.transfers.scenario import A, N, O, Scenario, X, parties
from tests.live.transfers.steps import (
    Answer,
    Call,
    Consult,
    Dial,
    Ended,
    HangUp,
    Hold,
    Join,
    Keys,
    Music,
    Parked,
    Pause,
    Press,
    Refer,
    Refuse,
    Rings,
    Staffed,
    Talk,
    Unhold,
    Up,
)

_QUEUE = "exten => {s},1,Queue(q{s},,,,60)\n same => n,Hangup()"

SCENARIOS = (
    Scenario(
        name="complaint 1, the recording ends at an attended transfer of an outbound call",
        complaint=1,
        parties=parties(a=A, x=X, c=A),
        steps=(
            Call("a", "x"),
            Talk("ax"),
            Consult("a", "c"),
            Talk("ac"),
            Join("a"),
            Talk("xc", 3.0),
            HangUp("x"),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="complaint 2, not resumed after a failed transfer",
        complaint=2,
        parties=parties(x=X, b=A, c=A),
        steps=(
            *(Call("x", "b", True), Talk("xb"), Keys("b", "*2", "c"), Music("x"), Refuse("c"), Talk("xb")),
            *(Hold("b"), Dial("b", "c"), Refuse("c", 480), Unhold("b"), Talk("xb"), HangUp("x")),
        ),
        stories=1,
        transfer=True,
        short=True,
    ),
    Scenario(
        name="complaint 3, recorded but not linked",
        complaint=3,
        parties=parties(x=X, b=A, c=A),
        dialplan="exten => {s},1,Answer()\n same => n,Wait(0.5)\n same => n,Dial(Local/{t}@from-phones,30)\n"
        " same => n,Hangup()\nexten => {t},1,Dial({b_device},1)\n same => n,Dial({c_device},30)\n same => n,Hangup()",
        steps=(Dial("x", "{s}"), Rings("b"), Ended("b"), Answer("c"), Talk("xc", 4.0), HangUp("x")),
        stories=1,
        short=True,
    ),
    Scenario(
        name="complaint 4, a race between parallel agents",
        complaint=4,
        parties=parties(x=X, b=A, c=A, y=X),
        dialplan=_QUEUE,
        queues=team(),
        steps=(
            *(
                Staffed(),
                Dial("x", "{s}"),
                Dial("y", "{s}"),
                Answer("b"),
                Answer("c"),
                Up("x"),
                Up("y"),
                Pause(2.5),
            ),
            *(HangUp("x"), HangUp("y")),
        ),
        stories=2,
        short=True,
        on16=True,
    ),
    Scenario(
        name="complaint 5, orphans of picked up and abandoned calls",
        complaint=5,
        parties=parties(a=A, b=A, c=A),
        dialplan="exten => {s},1,PickupChan({b_device})\n same => n,Hangup()",
        steps=(
            *(Dial("a", "b"), Rings("b"), Dial("c", "{s}"), Up("a"), Talk("ac"), HangUp("c"), Ended("a")),
            *(Dial("a", "b"), Rings("b"), HangUp("a"), Ended("b"), Dial("a", "b"), Refuse("b"), Ended("a")),
        ),
        stories=1,
    ),
    Scenario(
        name="complaint 6, one side only after a blind transfer",
        complaint=6,
        parties=parties(x=X, b=A, c=A, d=A),
        steps=(
            *(Call("x", "b"), Talk("xb"), Refer("b", "c"), Answer("c"), Talk("xc")),
            *(Refer("c", "d"), Answer("d"), Talk("xd", 3.0), HangUp("x")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="complaint 7, empty files of inbound calls that must be recorded",
        complaint=7,
        parties=parties(x=X, b=A, y=X, c=A),
        steps=(
            *(Call("x", "b"), Call("y", "c"), Talk("xb"), Talk("yc"), HangUp("x"), HangUp("c")),
            *(Ended("bxyc"), Call("x", "b"), Talk("xb", 0.6), HangUp("b")),
        ),
        stories=3,
    ),
    Scenario(
        name="complaint 8, ringing and unanswered calls leave files",
        complaint=8,
        parties=parties(x=X, b=A, c=A),
        dialplan="exten => {s},1,Dial({b_device}&{c_device},1)\n same => n,Hangup()",
        steps=(
            *(Dial("x", "b"), Rings("b"), HangUp("x"), Ended("b"), Dial("x", "b"), Refuse("b"), Ended("x")),
            *(Dial("x", "{s}"), Rings("b"), Ended("x"), Dial("c", "b"), Rings("b"), Pause(1.0), HangUp("c")),
        ),
        stories=0,
        short=True,
    ),
    Scenario(
        name="complaint 11, the code works though it is disabled",
        complaint=11,
        parties=parties(a=O, b=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Press("a", "denied", True), Talk("ab"), Press("b", "denied", True)),
            *(Talk("ab"), HangUp("a")),
        ),
        stories=0,
        short=True,
    ),
    Scenario(
        name="complaint 13, a trunk call is lost after parking",
        complaint=13,
        parties=parties(x=X, b=A, c=A),
        steps=(
            *(Call("x", "b"), Talk("xb"), Refer("b", "700"), Parked("x"), Music("x")),
            *(Dial("c", "{slot}"), Talk("xc", 3.0), HangUp("x")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
)
