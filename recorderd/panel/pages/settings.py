"""Settings: “call monitor settings” first, then language, password and the places where one is signed in."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from recorderd.core.policy import Mode
from recorderd.panel.language import _
from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import Choice, Conflict, FaultyInput, NotFound, OwnPolicy, Refused, Right

# What the page says after something was done, by the word in its address.
SAID = {
    "saved": lambda: _("Saved. It holds for your next call."),
    "password": lambda: _("The password is changed. All your other sessions have ended."),
    "ended": lambda: _("That session has ended."),
}


async def page(request: Request) -> Response:
    """Show the settings; POST chooses the policy."""
    fault = ""
    if request.method == "POST":
        try:
            choice = _choice(await request.form())
            await panel(request).settings.choose(viewer(request), choice)
        except (Conflict, FaultyInput) as refused:
            fault = str(refused)
        else:
            return see("/settings", said="saved")
    said = SAID.get(request.query_params.get("said", ""))
    return show(
        request,
        "settings.html",
        409 if fault else 200,
        own=await _own(request),
        sessions=await panel(request).sessions.list(viewer(request)),
        storage=await _storage(request),
        said=said() if said else "",
        fault=fault,
        may_choose=viewer(request).may(Right.POLICY),
    )


def _choice(form: FormData) -> Choice:
    return Choice(
        inbound=_mode(form, "inbound"),
        outbound=_mode(form, "outbound"),
        internal_inbound=_internal(form, "internal_inbound"),
        internal_outbound=_internal(form, "internal_outbound"),
    )


def _mode(form: FormData, name: str) -> Mode:
    try:
        return Mode(str(form.get(name, "")))
    except ValueError:
        raise FaultyInput({name: _("Choose one of the three.")}) from None


def _internal(form: FormData, name: str) -> Mode | None:
    return None if form.get(name, "same") in ("same", "") else _mode(form, name)


async def _own(request: Request) -> OwnPolicy | None:
    """None for somebody without a telephone of his own."""
    try:
        return await panel(request).settings.own(viewer(request))
    except NotFound:
        return None


async def _storage(request: Request) -> object:
    """How long recordings can be kept: left out for those who may not see it."""
    try:
        return await panel(request).admin.storage(viewer(request))
    except Refused:
        return None


async def end_session(request: Request) -> Response:
    """Sign out somewhere else."""
    await panel(request).sessions.revoke(viewer(request), request.path_params["id"])
    return see("/settings", said="ended")
