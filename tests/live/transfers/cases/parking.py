"""Parked, retrieved, forgotten."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, Scenario, X, parties
from tests.live.transfers.steps import Answer, Call, Dial, HangUp, Keys, Music, Parked, Refer, Talk

SCENARIOS = (
    Scenario(
        name="parked by REFER and retrieved by a third",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b"), Talk("ab"), Refer("b", "700"), Parked("a"), Music("a")),
            *(Dial("c", "{slot}"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="parked and retrieved by one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Refer("b", "700"), Parked("a"), Music("a")),
            *(Dial("c", "{slot}"), Talk("ac"), HangUp("c")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="parked by one who is never recorded",
        parties=parties(x=X, b=N, c=A),
        steps=(
            *(Call("x", "b"), Talk("xb"), Refer("b", "700"), Parked("x"), Music("x")),
            *(Dial("c", "{slot}"), Talk("xc"), HangUp("x")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="parked by feature code and retrieved by the parker",
        parties=parties(a=A, b=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "#72"), Parked("a"), Music("a"), HangUp("b")),
            *(Dial("b", "{slot}"), Talk("ab"), HangUp("b")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="parked too long, and back at the parker",
        parties=parties(a=A, b=A),
        steps=(
            *(Call("a", "b"), Talk("ab"), Refer("b", "750"), Parked("a"), Music("a")),
            *(Answer("b", 15), Talk("ab"), HangUp("a")),
        ),
        stories=1,
        short=True,
    ),
)
