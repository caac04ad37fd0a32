"""One entry opened: what its player and its course are drawn from.

Owns the step from a call's detail to what the template shows. Must not know HTTP answers.
"""

from __future__ import annotations

from typing import Any

from recorderd.panel.ports import CallDetail, Part, Sound, TimeMark


def of(detail: CallDetail, *, playing: bool, autoplay: bool = False) -> dict[str, Any]:
    """The values of `opened.html`. `playing`: only the player, its course folded away."""
    playable = [s for s in detail.sounds if s.state == "ready" and s.may_play]
    return {
        "id": detail.entry.story_id,
        "detail": detail,
        "playing": playing,
        "autoplay": autoplay,
        "playable": playable,
        "others": [s for s in detail.sounds if s not in playable],
        "needs_reason": any(s.needs_reason for s in playable),
        "marks": {sound.id: _marks(sound, detail.marks) for sound in detail.sounds},
        "why": _why(detail),
    }


def _marks(sound: Sound, marks: tuple[TimeMark, ...]) -> list[TimeMark]:
    """The time marks that lie in this recording, in their order."""
    return [m for m in marks if m.sound_id == sound.id and m.offset_ms is not None]


def _why(detail: CallDetail) -> Part | None:
    """The part whose decision the row's word tells: the one with that mode and reason, else the first."""
    entry = detail.entry
    matching = (p for p in detail.parts if p.mode == entry.mode and p.reason == entry.reason)
    return next(matching, detail.parts[0] if detail.parts else None)
