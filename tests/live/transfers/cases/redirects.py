"""Redirect, Bridge: somebody moves channels from outside."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, Scenario, X, parties
from tests.live.transfers.steps import Answer, Bridge, Call, HangUp, Redirect, Talk

SCENARIOS = (
    Scenario(
        name="redirect of the caller",
        parties=parties(a=A, b=A, c=A),
        steps=(Call("a", "b"), Talk("ab"), Redirect("a", "c"), Answer("c"), Talk("ac"), HangUp("a")),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="redirect of the callee, to one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(Call("a", "b"), Talk("ab"), Redirect("b", "c"), Answer("c"), Talk("bc"), HangUp("b")),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="redirect of a caller from outside",
        parties=parties(x=X, b=N, c=A),
        steps=(Call("x", "b"), Talk("xb"), Redirect("x", "c"), Answer("c"), Talk("xc"), HangUp("x")),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="redirect of both, each to another",
        parties=parties(a=A, b=A, c=A, d=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Redirect("a", "c", "b", "d"), Answer("c"), Answer("d")),
            *(Talk("ac"), Talk("bd"), HangUp("a"), HangUp("b")),
        ),
        transfer=True,
        short=True,
    ),
    Scenario(
        name="redirect of both into a conference",
        parties=parties(a=A, b=A),
        dialplan="exten => {s},1,Answer()\n same => n,ConfBridge({s},rig_bridge,rig_user)",
        steps=(
            Call("a", "b"),
            Talk("ab"),
            Redirect("a", "{s}", "b", "{s}"),
            Talk("ab"),
            HangUp("a"),
            HangUp("b"),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="merge of two calls by AMI Bridge",
        parties=parties(a=A, b=A, c=A, d=A),
        steps=(
            *(Call("a", "b"), Call("c", "d"), Talk("ab"), Talk("cd")),
            *(Bridge("a", "c"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
        short=True,
    ),
    Scenario(
        name="merge of a recorded call with one that is never recorded",
        parties=parties(a=A, b=A, c=N, d=A),
        steps=(
            *(Call("a", "b"), Call("c", "d"), Talk("ab"), Talk("cd")),
            *(Bridge("b", "c"), Talk("bc"), HangUp("c")),
        ),
        transfer=True,
    ),
)
