"""A recording, and playing and saving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recorderd.panel.ports.people import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One recording that can be played: a segment of a conversation.

    `state` is `ready`, `recording`, `making` (the mix is not made yet), `failed`, `elsewhere` (on
    another node's disk alone; `note` says which), `gone` (expired, erased or deleted; `note` says why and who) or
    `withheld` (this viewer may not play it). URLs, all GET:
    `/media/{id}` plays (Range, HEAD), `/media/{id}/download` saves under `file_name`, `/media/{id}/peaks`
    is the waveform (`Media.peaks`). `needs_reason`: this viewer has still to say why, before any of the
    three answers anything but 428.
    """

    id: str
    segment: int
    started_at: float
    duration_ms: int
    size: int
    state: str
    media_type: str
    file_name: str
    may_play: bool
    may_download: bool
    may_delete: bool
    needs_reason: bool = False
    note: str = ""


class Media(Protocol):
    """Playing and saving. The paths below /media are served by the back end; pages only link to them."""

    async def sound(self, viewer: Viewer, id: str) -> Sound:
        """What is known of one recording. NotFound."""

    async def give_reason(self, viewer: Viewer, id: str, reason: str) -> None:
        """Why he listens: holds for this recording until his session ends; audited. FaultyInput if empty."""

    async def peaks(self, viewer: Viewer, id: str) -> Mapping[str, Any]:
        """`{"version": 1, "duration_ms": int, "bucket_ms": int, "lanes": [{"label": str, "peaks":
        [0..255]}]}`.

        One lane (the mix) or two (left: the outside party or the caller, right: the others).
        """

    async def heard(self, viewer: Viewer, id: str, ranges: Sequence[tuple[int, int]]) -> None:
        """The player tells which milliseconds were really heard: POST /media/{id}/heard with JSON
        `{"ranges": [[from_ms, to_ms], ...]}` and the header X-CSRF-Token does it; audited.
        """

    async def delete(self, viewer: Viewer, id: str, reason: str) -> None:
        """Delete the audio, keep the row and say who and why. Refused, NotFound, Conflict (a legal hold)."""
