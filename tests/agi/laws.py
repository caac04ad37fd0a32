"""What a call does when nobody answers: one table that holds the Python and the dialplan to the same law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLOSED = "closed-before"


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """`astdb` is family recorderd. Expected: may it go on, which mode held, which prompt is played first."""

    name: str
    astdb: Mapping[str, str]
    caller: str = "101"
    callees: tuple[str, ...] = ("102",)
    dialled: str = "102"
    allow: bool = True
    fail_mode: str = "open"
    prompt: str = ""

    @property
    def verb(self) -> str:
        return "refuse" if not self.allow else "announce" if self.prompt else "allow"

    def __str__(self) -> str:
        return self.name


FALLBACKS = (
    Fallback(name="nothing mirrored is open", astdb={}),
    Fallback(name="the default holds", astdb={"fail/default": CLOSED}, allow=False, fail_mode=CLOSED),
    Fallback(
        name="the default announces",
        astdb={"fail/default": "announce"},
        fail_mode="announce",
        prompt="not-recorded",
    ),
    Fallback(name="the caller's own beats the default", astdb={"fail/default": CLOSED, "fail/101": "open"}),
    Fallback(name="the callee's own beats the default", astdb={"fail/default": CLOSED, "fail/102": "open"}),
    Fallback(
        name="the stricter of the two, the callee's",
        astdb={"fail/101": "announce", "fail/102": CLOSED},
        allow=False,
        fail_mode=CLOSED,
    ),
    Fallback(
        name="the stricter of the two, the caller's",
        astdb={"fail/101": "announce", "fail/102": "open"},
        fail_mode="announce",
        prompt="not-recorded",
    ),
    Fallback(name="closed-during is open before the call", astdb={"fail/101": "closed-during"}),
    Fallback(name="a word that is no mode is open", astdb={"fail/101": "perhaps"}),
    Fallback(
        name="one of a ring group closes",
        astdb={"fail/103": CLOSED, "fail/102": "open"},
        callees=("102", "103"),
        dialled="601",
        allow=False,
        fail_mode=CLOSED,
    ),
    Fallback(
        name="an emergency number is exempt",
        astdb={"fail/default": CLOSED, "fail/101": CLOSED, "emergency/112": "1"},
        callees=("112",),
        dialled="112",
    ),
    Fallback(
        name="an emergency number behind a prefix is exempt",
        astdb={"fail/101": CLOSED, "emergency/112": "1"},
        callees=("112",),
        dialled="9112",
    ),
    Fallback(
        name="an emergency number as dialled is exempt",
        astdb={"fail/101": CLOSED, "emergency/112": "1"},
        callees=("5550112",),
        dialled="112",
    ),
    Fallback(
        name="one emergency number among several is exempt",
        astdb={"fail/101": CLOSED, "emergency/112": "1"},
        callees=("102", "112"),
        dialled="601",
    ),
)
