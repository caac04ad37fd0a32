"""Conferences: people come and go, and one of them is never recorded."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, O, Scenario, X, parties
from tests.live.transfers.steps import Dial, HangUp, Pause, Press, Talk, Up

_ROOM = "exten => {s},1,Answer()\n same => n,ConfBridge({s},rig_bridge,rig_user)\n same => n,Hangup()"


def enters(who: str) -> tuple[Dial, Up]:
    """`who` dials the room and is let in."""
    return Dial(who, "{s}"), Up(who)


SCENARIOS = (
    Scenario(
        name="conference, one who is never recorded joins and leaves",
        parties=parties(a=A, b=A, c=N),
        dialplan=_ROOM,
        steps=(
            *(*enters("a"), *enters("b"), Talk("ab"), *enters("c"), Talk("abc")),
            *(HangUp("c"), Talk("ab"), HangUp("a"), HangUp("b")),
        ),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="conference, begun by one who is never recorded",
        parties=parties(c=N, a=A, b=A),
        dialplan=_ROOM,
        steps=(
            *(*enters("c"), *enters("a"), Talk("ac"), *enters("b"), Talk("abc")),
            *(HangUp("c"), Talk("ab"), HangUp("b"), HangUp("a")),
        ),
        stories=1,
    ),
    Scenario(
        name="conference, four in it, who leave one by one",
        parties=parties(a=A, b=A, x=X, d=O),
        dialplan=_ROOM,
        steps=(
            *(*enters("a"), *enters("b"), Talk("ab"), *enters("x"), Talk("abx"), *enters("d"), Talk("abdx")),
            *(HangUp("a"), Talk("bdx"), HangUp("b"), Talk("dx", recorded=False), HangUp("d"), HangUp("x")),
        ),
        stories=1,
        short=True,
    ),
    Scenario(
        name="conference, one leaves and comes back",
        parties=parties(a=A, b=A),
        dialplan=_ROOM,
        steps=(
            *(*enters("a"), *enters("b"), Talk("ab"), HangUp("b"), Pause(0.6)),
            *(*enters("b"), Talk("ab"), HangUp("a"), HangUp("b")),
        ),
        stories=1,
    ),
    Scenario(
        name="conference, recorded on demand until one who is never recorded joins",
        parties=parties(a=O, b=O, c=N),
        dialplan=_ROOM,
        steps=(
            *(
                *enters("a"),
                *enters("b"),
                Talk("ab", recorded=False),
                Press("a", "started"),
                Talk("ab", recorded=True),
            ),
            *(*enters("c"), Talk("abc"), Press("b", "denied"), HangUp("c"), Talk("ab", recorded=True)),
            *(HangUp("a"), HangUp("b")),
        ),
        stories=1,
    ),
    Scenario(
        name="conference, alone in it",
        parties=parties(a=A),
        dialplan=_ROOM,
        steps=(*enters("a"), Pause(1.5), HangUp("a")),
        stories=0,
    ),
)
