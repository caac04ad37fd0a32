"""Recordings: what is known of one, its sound, its waveform, what was heard of it, its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Services, Who
from recorderd.panel.media import Listening
from recorderd.panel.ports import Sound

router = APIRouter(tags=["recordings"])

Id = Annotated[str, Path(max_length=64)]
Why = Annotated[str, Header(alias="X-Reason", max_length=200, description="An auditor's reason, in ASCII")]
_SOUND: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it", "content": {"audio/wav": {}, "audio/ogg": {}}},
    206: {"description": "The range asked for", "content": {"audio/wav": {}, "audio/ogg": {}}},
    304: {"description": "It is as it was"},
    416: {"description": "There is no such range"},
}


def _listening(request: Request) -> Listening:
    listening: Listening = request.app.state.listening
    return listening


Player = Annotated[Listening, Depends(_listening)]


@router.get("/recordings/{id}")
async def sound(viewer: Who, panel: Services, id: Id) -> Sound:
    """What is known of it, and what one may do with it."""
    return await panel.media.sound(viewer, id)


@router.get("/recordings/{id}/media", response_class=Response, responses=_SOUND)
async def play(request: Request, viewer: Who, player: Player, id: Id, why: Why = "") -> Response:
    """Listen: ranges, validators and HEAD as RFC 9110 has them."""
    return await player.play(viewer, id, request.headers, save=False, reason=why)


@router.head("/recordings/{id}/media", response_class=Response, responses=_SOUND)
async def look(request: Request, viewer: Who, player: Player, id: Id, why: Why = "") -> Response:
    """How long it is, and when it was made."""
    return await player.play(viewer, id, request.headers, save=False, reason=why)


@router.get("/recordings/{id}/download", response_class=Response, responses=_SOUND)
async def download(request: Request, viewer: Who, player: Player, id: Id, why: Why = "") -> Response:
    """Save it, under a good name."""
    return await player.play(viewer, id, request.headers, save=True, reason=why)


@router.get("/recordings/{id}/peaks", response_model=schema.Waveform)
async def peaks(viewer: Who, player: Player, id: Id, why: Why = "") -> Mapping[str, Any]:
    """The waveform: how loud, from 0 to 255, bucket by bucket."""
    return await player.peaks(viewer, id, why)


@router.post("/recordings/{id}/reason", status_code=204)
async def reason(asked: schema.Reason, viewer: Who, panel: Services, id: Id) -> None:
    """Why one listens; holds until the session ends."""
    await panel.media.give_reason(viewer, id, asked.reason)


@router.post("/recordings/{id}/heard", status_code=204)
async def heard(asked: schema.Heard, viewer: Who, panel: Services, id: Id) -> None:
    """What was really heard of it."""
    await panel.media.heard(viewer, id, asked.ranges)


@router.delete("/recordings/{id}", status_code=204)
async def delete(asked: schema.Reason, viewer: Who, panel: Services, id: Id) -> None:
    """Delete its sound. The row stays, and says who did it, when and why."""
    await panel.media.delete(viewer, id, asked.reason)
