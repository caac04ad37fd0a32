"""Hold, presses, and recorders whose call is over before they run."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, O, Scenario, X, parties
from tests.live.transfers.steps import (
    Answer,
    Call,
    Cancel,
    Dial,
    Ended,
    HangUp,
    Hold,
    Music,
    Pause,
    Press,
    Refer,
    Rings,
    Talk,
    Unhold,
    Up,
)

SCENARIOS = (
    Scenario(
        name="hold with music, and back",
        parties=parties(a=A, b=A),
        steps=(
            Call("a", "b"),
            Talk("ab"),
            Hold("b"),
            Music("a"),
            Pause(1.0),
            Unhold("b"),
            Talk("ab"),
            HangUp("a"),
        ),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="hold, while the holder talks on at nobody",
        parties=parties(a=A, b=A),
        steps=(
            *(Call("a", "b"), Talk("ab"), Hold("b", silent=False), Music("a"), Pause(1.0)),
            *(Unhold("b"), Talk("ab"), HangUp("b")),
        ),
        stories=1,
    ),
    Scenario(
        name="hold, and the held one hangs up",
        parties=parties(x=X, b=A),
        steps=(Call("x", "b"), Talk("xb"), Hold("b"), Music("x"), HangUp("x"), Ended("b")),
        stories=1,
    ),
    Scenario(
        name="a press on one telephone, the end on the other",
        parties=parties(a=O, b=O),
        steps=(
            *(
                Call("a", "b"),
                Talk("ab", recorded=False),
                Press("a", "started", True),
                Talk("ab", recorded=True),
            ),
            *(
                Press("b", "stopped", True),
                Talk("ab", recorded=False),
                Press("b", "started"),
                Talk("ab", recorded=True),
            ),
            HangUp("a"),
        ),
        stories=1,
        short=True,
    ),
    Scenario(
        name="a channel that hangs up while a start is in flight",
        parties=parties(a=A, b=A),
        steps=tuple(
            step
            for _ in range(5)
            for step in (Dial("a", "b"), Rings("b"), Answer("b"), HangUp("b"), Ended("a"))
        ),
        short=True,
        on16=True,
    ),
    Scenario(
        name="a caller who gives up while a start is in flight",
        parties=parties(a=A, b=A),
        steps=tuple(step for _ in range(5) for step in (Dial("a", "b"), Rings("b"), Cancel("a"), Ended("b"))),
        stories=0,
    ),
    Scenario(
        name="one who is never recorded joins while a start is in flight",
        parties=parties(a=A, b=A, c=N),
        dialplan="exten => {s},1,Answer()\n same => n,ConfBridge({s},rig_bridge,rig_user)\n same => n,Hangup()",
        steps=(
            *(Dial("a", "{s}"), Up("a"), Dial("c", "{s}"), Dial("b", "{s}"), Up("b"), Up("c"), Talk("abc")),
            *(HangUp("c"), HangUp("b"), HangUp("a")),
        ),
    ),
    Scenario(
        name="transferred twice within a second",
        parties=parties(a=A, b=A, c=A, d=A),
        steps=(
            *(
                Call("a", "b"),
                Talk("ab", 0.1),
                Refer("b", "c"),
                Answer("c"),
                Talk("ac", 0.1),
                Refer("c", "d"),
                Answer("d"),
            ),
            *(Talk("ad"), HangUp("d")),
        ),
        stories=1,
    ),
)
