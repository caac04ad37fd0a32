"""Keys for machines: made here, shown once, taken back here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import FaultyInput


async def page(request: Request) -> Response:
    """One's own tokens; POST makes one."""
    faults: dict[str, str] = {}
    made, form = "", dict[str, str]()
    if request.method == "POST":
        sent = await request.form()
        form = {"name": str(sent.get("name", "")), "days": str(sent.get("days", ""))}
        try:
            days = _days(form["days"].strip())
            scopes = [str(scope) for scope in sent.getlist("scopes")]
            made = await panel(request).tokens.add(viewer(request), form["name"], scopes, days)
        except FaultyInput as faulty:
            faults = faulty.faults
    mine = await panel(request).tokens.list(viewer(request))
    rights = sorted(viewer(request).rights)
    return show(
        request,
        "tokens.html",
        422 if faults else 200,
        tokens=mine,
        made=made,
        form=form,
        faults=faults,
        rights=rights,
    )


def _days(text: str) -> int | None:
    """None for nothing; what is no number is none that a token may have."""
    if not text:
        return None
    return int(text) if text.isdecimal() and len(text) < 10 else 0


async def revoke(request: Request) -> Response:
    """It ends at once."""
    await panel(request).tokens.revoke(viewer(request), request.path_params["id"])
    return see("/settings/tokens")
