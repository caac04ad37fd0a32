"""How recorderd is at this moment, and what it was alarmed by."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import panel, show, viewer


async def page(request: Request) -> Response:
    """The daemon's own word; the page says so when it cannot be reached."""
    admin = panel(request).admin
    return show(
        request,
        "admin/status.html",
        status=200,
        told=await admin.status(viewer(request)),
        alarms=await admin.alarms(viewer(request)),
    )
