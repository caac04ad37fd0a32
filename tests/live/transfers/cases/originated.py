"""Calls that Asterisk itself sets up: click-to-call and the like."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, O, Scenario, X, parties
from tests.live.transfers.steps import Answer, Consult, HangUp, Join, Originate, Press, Refer, Talk

SCENARIOS = (
    Scenario(
        name="click-to-call",
        parties=parties(a=A, b=A),
        steps=(Originate("a", "b"), Answer("a"), Answer("b"), Talk("ab"), HangUp("a")),
        stories=1,
        short=True,
        on16=True,
    ),
    Scenario(
        name="click-to-call through a Local channel",
        parties=parties(a=A, x=X),
        steps=(Originate("a", "x", local=True), Answer("a"), Answer("x"), Talk("ax", 2.5), HangUp("x")),
        stories=1,
        short=True,
    ),
    Scenario(
        name="click-to-call to one who is never recorded, transferred blind",
        parties=parties(a=A, b=N, c=A),
        steps=(
            *(Originate("a", "b"), Answer("a"), Answer("b"), Talk("ab")),
            *(Refer("b", "c"), Answer("c"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="click-to-call, transferred after a consultation",
        parties=parties(a=A, x=X, c=A),
        steps=(
            *(Originate("a", "x"), Answer("a"), Answer("x"), Talk("ax")),
            *(Consult("a", "c"), Talk("ac"), Join("a"), Talk("xc"), HangUp("x")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="click-to-call, recorded on demand",
        parties=parties(a=O, b=O),
        steps=(
            *(Originate("a", "b"), Answer("a"), Answer("b"), Talk("ab", recorded=False)),
            *(Press("b", "started", True), Talk("ab", recorded=True), HangUp("b")),
        ),
        stories=1,
    ),
)
