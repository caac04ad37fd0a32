"""The audit log: who did what, newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages import told
from recorderd.panel.pages.render import panel, show, viewer


async def page(request: Request) -> Response:
    """One page of it, narrowed by who, what and to which object."""
    asked = {name: request.query_params.get(name, "").strip() for name in ("who", "action", "object")}
    rows = await panel(request).audit.page(
        viewer(request),
        cursor=request.query_params.get("cursor"),
        who=asked["who"],
        action=asked["action"],
        object=asked["object"],
    )
    return show(request, "admin/audit.html", rows=rows, asked=asked, actions=told.ACTIONS)
