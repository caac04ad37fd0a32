"""The calls of this moment, and the buttons that record, stop and pause them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from recorderd.errors import RecorderdError
from recorderd.panel.pages import sentences, words
from recorderd.panel.pages.render import panel, partial_wanted, see, show, viewer


async def now(request: Request, said: str = "") -> dict[str, Any]:
    """The values of `live.html`; a daemon that does not answer is said in words, and the list still works."""
    try:
        return {"calls": await panel(request).live.calls(viewer(request)), "trouble": "", "said": said}
    except RecorderdError as error:
        return {"calls": (), "trouble": str(error), "said": said}


async def page(request: Request) -> Response:
    """The piece that htmx fetches again and again; without a script there is the list."""
    if not partial_wanted(request):
        return see("/")
    return show(request, "live.html", live=await now(request))


async def press(request: Request) -> Response:
    """Press for somebody, and say what came of it."""
    id, action = request.path_params["id"], request.path_params["action"]
    came = await panel(request).live.press(viewer(request), id, action)
    said = words.word(words.PRESSED, came.outcome)
    if came.outcome in ("denied", "unchanged") and came.reason:
        said = f"{said} {sentences.reader(came.reason)}"
    if partial_wanted(request):
        return show(request, "live.html", live=await now(request, said))
    return see("/")
