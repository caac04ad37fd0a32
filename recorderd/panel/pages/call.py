"""One entry, opened: its player, its intervals and segments, and why it was decided so."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.language import _
from recorderd.panel.pages import opened
from recorderd.panel.pages.render import panel, partial_wanted, see, show, viewer
from recorderd.panel.ports import FaultyInput, NotFound


async def page(request: Request) -> Response:
    """The entry as a page, or as what htmx puts under its row. `play=1`: the player only, and it begins."""
    detail = await panel(request).calls.detail(viewer(request), request.path_params["id"])
    playing = request.query_params.get("play") == "1"
    piece = partial_wanted(request)
    under = opened.of(detail, playing=playing, autoplay=playing and piece)
    return show(request, "opened.html" if piece else "call.html", under=under, entry=detail.entry)


async def reason(request: Request) -> Response:
    """Why an auditor listens; then the player."""
    id = request.path_params["id"]
    given = str((await request.form()).get("reason", ""))
    media = panel(request).media
    detail = await panel(request).calls.detail(viewer(request), id)
    try:
        for sound in detail.sounds:
            if sound.may_play and sound.needs_reason:
                await media.give_reason(viewer(request), sound.id, given)
    except FaultyInput as faulty:
        under = opened.of(detail, playing=True) | {"fault": str(faulty)}
        piece = partial_wanted(request)
        return show(request, "opened.html" if piece else "call.html", 422, under=under, entry=detail.entry)
    if partial_wanted(request):
        detail = await panel(request).calls.detail(viewer(request), id)
        under = opened.of(detail, playing=True, autoplay=True)
        return show(request, "opened.html", under=under, entry=detail.entry)
    return see(f"/calls/{id}")


async def delete(request: Request) -> Response:
    """Ask for the reason, then delete one recording's audio; its row stays and says who and why."""
    id, sound_id = request.path_params["id"], request.path_params["sound"]
    detail = await panel(request).calls.detail(viewer(request), id)
    sound = next((s for s in detail.sounds if s.id == sound_id), None)
    if sound is None:
        raise NotFound(_("There is no such recording."))
    fault = ""
    if request.method == "POST":
        given = str((await request.form()).get("reason", ""))
        try:
            await panel(request).media.delete(viewer(request), sound_id, given)
        except FaultyInput as faulty:
            fault = str(faulty)
        else:
            return see(f"/calls/{id}")
    return show(request, "delete.html", 422 if fault else 200, entry=detail.entry, sound=sound, fault=fault)
