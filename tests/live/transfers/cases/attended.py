"""Attended transfers: a consultation first, then the join, or no join after all."""

from __future__ import annotations

from tests.live.transfers.scenario import A, N, O, Scenario, X, parties
from tests.live.transfers.steps import (
    AmiAtxfer,
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
    Pause,
    Press,
    Refuse,
    Rings,
    Swap,
    Talk,
    Unhold,
)

SCENARIOS = (
    Scenario(
        name="attended by REFER, by the callee",
        parties=parties(a=A, b=A, c=A),
        steps=(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), Join("b"), Talk("ac"), HangUp("a")),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="attended by REFER, by the caller",
        parties=parties(a=A, b=A, c=A),
        steps=(Call("a", "b"), Talk("ab"), Consult("a", "c"), Talk("ac"), Join("a"), Talk("bc"), HangUp("b")),
        stories=1,
        transfer=True,
        short=True,
    ),
    Scenario(
        name="attended by REFER, to one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), Join("b"), Talk("ac"), HangUp("a")),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="attended by REFER, by one who is never recorded",
        parties=parties(a=A, b=N, c=A),
        steps=(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), Join("b"), Talk("ac"), HangUp("c")),
        stories=1,
        transfer=True,
        short=True,
    ),
    Scenario(
        name="attended by REFER, of one who is never recorded",
        parties=parties(a=N, b=A, c=A),
        steps=(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), Join("b"), Talk("ac"), HangUp("a")),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by REFER, from outside to outside",
        parties=parties(x=X, b=A, y=X),
        steps=(Call("x", "b"), Talk("xb"), Consult("b", "y"), Talk("by"), Join("b"), Talk("xy"), HangUp("x")),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by REFER, two incoming calls joined",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b"), Talk("ab"), Hold("b"), Dial("c", "b"), Answer("b"), Talk("bc")),
            *(Join("b"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by REFER, back and forth before the join",
        parties=parties(a=A, b=A, c=O),
        steps=(
            *(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), Swap("b"), Talk("ab")),
            *(Swap("b"), Talk("bc"), Join("b"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
    ),
    Scenario(
        name="attended by REFER, a consultation is a conversation of its own",
        parties=parties(a=O, b=O, c=O),
        steps=(
            *(Call("a", "b"), Press("a", "started"), Talk("ab", recorded=True)),
            *(Consult("b", "c"), Talk("bc", recorded=False), Join("b"), Talk("ac", recorded=True), HangUp("a")),
        ),
        stories=1,
        short=True,
    ),
    Scenario(
        name="attended by REFER, the third refuses and the call goes on",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Hold("b"), Dial("b", "c"), Refuse("c")),
            *(Unhold("b"), Talk("ab"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by REFER, the third hangs up and the call goes on",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), HangUp("c")),
            *(Pause(0.3), Unhold("b"), Talk("ab"), HangUp("b")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by REFER, the first hangs up during the consultation",
        parties=parties(a=A, b=A, c=A),
        steps=(Call("a", "b"), Talk("ab"), Consult("b", "c"), Talk("bc"), HangUp("a"), Talk("bc"), HangUp("c")),
    ),
    Scenario(
        name="blonde by REFER, joined while the third still rings",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b"), Talk("ab"), Hold("b"), Dial("b", "c"), Rings("c"), Join("b")),
            *(Pause(0.5), Answer("c"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="blonde by REFER, to one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b"), Talk("ab"), Hold("b"), Dial("b", "c"), Rings("c"), Join("b")),
            *(Pause(0.5), Answer("c"), Talk("ac"), HangUp("c")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, by the callee",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Answer("c"), Talk("bc")),
            *(HangUp("b"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="attended by feature code, by the caller",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("a", "*2", "c"), Answer("c"), Talk("ac")),
            *(HangUp("a"), Talk("bc"), HangUp("b")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, to one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Answer("c"), Talk("bc")),
            *(HangUp("b"), Talk("ac"), HangUp("c")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, by one who is never recorded",
        parties=parties(a=A, b=N, c=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Answer("c"), Talk("bc")),
            *(HangUp("b"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, a consultation is a conversation of its own",
        parties=parties(a=O, b=O, c=O),
        steps=(
            *(Call("a", "b", True), Press("a", "started"), Talk("ab", recorded=True)),
            *(Keys("b", "*2", "c"), Answer("c"), Talk("bc", recorded=False)),
            *(HangUp("b"), Talk("ac", recorded=True), HangUp("a")),
        ),
        stories=1,
        short=True,
    ),
    Scenario(
        name="attended by feature code, the third refuses and the call goes on",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Refuse("c")),
            *(Talk("ab"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, the third hangs up and the call goes on",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Music("a"), Answer("c"), Talk("bc")),
            *(HangUp("c"), Talk("ab"), HangUp("b")),
        ),
        stories=1,
        transfer=True,
        short=True,
    ),
    Scenario(
        name="blonde by feature code, the transferer hangs up while the third rings",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Rings("c"), HangUp("b")),
            *(Pause(0.4), Answer("c"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="blonde by feature code, nobody answers and the transferer is called back",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Rings("c"), HangUp("b")),
            *(Ended("c"), Answer("b", 15), Talk("ab"), HangUp("a")),
        ),
        stories=1,
    ),
    Scenario(
        name="attended by AMI, for the callee",
        parties=parties(a=A, b=A, c=A),
        steps=(
            *(Call("a", "b", True), Talk("ab"), AmiAtxfer("b", "c"), Answer("c"), Talk("bc")),
            *(HangUp("b"), Talk("ac"), HangUp("a")),
        ),
        stories=1,
        transfer=True,
        short=True,
        on16=True,
    ),
    Scenario(
        name="attended by AMI, for the caller, to one who is never recorded",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), AmiAtxfer("a", "c"), Answer("c"), Talk("ac")),
            *(HangUp("a"), Talk("bc"), HangUp("b")),
        ),
        stories=1,
        transfer=True,
    ),
    Scenario(
        name="attended by feature code, made a conference of three",
        parties=parties(a=A, b=A, c=N),
        steps=(
            *(Call("a", "b", True), Talk("ab"), Keys("b", "*2", "c"), Answer("c"), Talk("bc")),
            *(Keys("b", "*3"), Talk("abc"), HangUp("c"), Talk("ab"), HangUp("a")),
        ),
        stories=1,
        short=True,
    ),
)
