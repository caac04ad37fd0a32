"""What the dialplan is told about a call that is about to be dialled.

Owns the shape of an advice and its spelling in the one channel variable that carries it. Must not know
how it was reached or who asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLE = "RECORDERD_ADVICE"
CLOSED_BEFORE = "closed-before"

_REASON_CHARS = 120
# The variable is taken apart by CUT() and compared inside $[ ]: nothing that either of them reads as
# its own may stand in it.
_NOT_SPOKEN = re.compile(r"[^\w .:/+*#@-]+")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What policy says now: `record` is the decision, `mode` and `reason` are where it comes from.

    `fail_mode` is what the call does if it cannot be recorded; `announce` names a prompt (below the folder
    of our sounds) that the caller hears first, empty for none. An `emergency` call is never held up.
    """

    mode: str
    record: bool
    fail_mode: str
    announce: str = ""
    emergency: bool = False
    reason: str = ""

    @property
    def must_be_armed(self) -> bool:
        """True when the call may connect only once the recorder's file has been seen."""
        return self.record and self.fail_mode == CLOSED_BEFORE and not self.emergency


def spell(advice: Advice, *, allow: bool) -> str:
    """The value of RECORDERD_ADVICE: `verb,mode,record,fail mode,prompt,reason`.

    The verb is `allow`, `announce` (play the prompt, then go on) or `refuse`.
    """
    prompt = _name(advice.announce)
    return ",".join(
        (
            "refuse" if not allow else "announce" if prompt else "allow",
            _name(advice.mode),
            "1" if advice.record else "0",
            _name(advice.fail_mode),
            prompt,
            _NOT_SPOKEN.sub(" ", advice.reason).strip()[:_REASON_CHARS],
        )
    )


def from_mapping(data: object) -> Advice:
    """An Advice from decoded JSON; ValueError with one sentence when it is not one."""
    if not isinstance(data, Mapping):
        raise ValueError("an advice is a mapping")
    return Advice(
        mode=_text(data, "mode"),
        record=_flag(data, "record"),
        fail_mode=_text(data, "fail_mode"),
        announce=_text(data, "announce", ""),
        emergency=_flag(data, "emergency", False),
        reason=_text(data, "reason", ""),
    )


def _name(text: str) -> str:
    return _NOT_A_NAME.sub("", text)[:40]


def _text(data: Mapping[str, object], key: str, default: str | None = None) -> str:
    value = data.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"an advice's {key!r} must be text, not {value!r}")
    return value


def _flag(data: Mapping[str, object], key: str, default: bool | None = None) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"an advice's {key!r} must be true or false, not {value!r}")
    return value
