"""Whom to tell of finished recordings and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.pages.words import N_
from recorderd.panel.ports import FaultyInput

EVENTS = {"recording.finished": N_("a recording is finished"), "alarm": N_("an alarm is raised")}


async def page(request: Request) -> Response:
    """The list; POST adds one, and shows its secret this once, or removes one."""
    faults: dict[str, str] = {}
    added: Mapping[str, Any] | None = None
    url = ""
    if request.method == "POST":
        form = await request.form()
        if form.get("remove"):
            await panel(request).webhooks.remove(viewer(request), str(form["remove"]))
            return see("/admin/webhooks")
        url = str(form.get("url", "")).strip()
        try:
            events = [str(event) for event in form.getlist("events")]
            added = await panel(request).webhooks.add(viewer(request), url, events)
            url = ""
        except FaultyInput as faulty:
            faults = faulty.faults
    return show(
        request,
        "admin/webhooks.html",
        422 if faults else 200,
        hooks=await panel(request).webhooks.list(viewer(request)),
        added=added,
        url=url,
        faults=faults,
        events=EVENTS,
    )
