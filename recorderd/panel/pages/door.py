"""Getting in and out: login, language, the password that must be chosen, sign out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel import language as tongue
from recorderd.panel.language import _
from recorderd.panel.pages.render import panel, partial_wanted, see, show, viewer
from recorderd.panel.ports import FaultyInput, Refused, Right, Throttled
from recorderd.panel.sessions import LANGUAGE_COOKIE

# What one may choose at the door, and where it leads.
_YEAR = 365 * 86_400
_DOORS = {"user": "/", "administration": "/admin/status"}


def inside(path: str) -> str:
    """A path of ours, or the calls: never another site (`//evil`, `/\\evil`, `https:…`)."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else "/"


async def login(request: Request) -> Response:
    """The first page: choose the panel, give extension and password, choose the language, press."""
    door = request.query_params.get("panel", "user")
    door = door if door in _DOORS else "user"
    wanted = request.query_params.get("language", "")
    if wanted in tongue.LANGUAGES:
        tongue.use(wanted)
    following = inside(request.query_params.get("next", ""))
    if request.method == "GET":
        if partial_wanted(request):
            # A session has ended, and a piece of a page was asked for: the whole page goes to the login.
            return Response(headers={"HX-Redirect": "/login"})
        if request.state.viewer is not None:
            return see(following)
        return show(request, "login.html", door=door, following=following, login="", fault="")
    return await _sign_in(request, door, following)


async def _sign_in(request: Request, door: str, following: str) -> Response:
    form = await request.form()
    name, secret = str(form.get("login", "")), str(form.get("secret", ""))
    spoken = tongue.use(str(form.get("language", "")))
    try:
        signed = await panel(request).accounts.sign_in(
            name,
            secret,
            language=spoken,
            address=request.client.host if request.client else "",
            agent=request.headers.get("User-Agent", ""),
        )
    except Refused as refused:
        answer = show(
            request,
            "login.html",
            refused.status,
            door=door,
            following=following,
            login=name,
            fault=str(refused),
        )
        if isinstance(refused, Throttled):
            answer.headers["Retry-After"] = str(refused.retry_after)
        return answer
    if signed.viewer.must_change:
        following = "/password"
    elif following == "/" and signed.viewer.may(Right.AUDIT):
        following = _DOORS[door]
    gone_in = see(following)
    panel(request).sessions.remember(gone_in, signed)
    return gone_in


async def language(request: Request) -> Response:
    """Another language, from any page; remembered."""
    form = await request.form()
    wanted = str(form.get("language", ""))
    await panel(request).accounts.set_language(viewer(request), wanted)
    changed = see(inside(str(form.get("next", ""))))
    # For the login of next time, when nobody knows yet who it is.
    changed.set_cookie(LANGUAGE_COOKIE, wanted, _YEAR, secure=request.url.scheme == "https", samesite="lax")
    return changed


async def logout(request: Request) -> Response:
    """Sign out."""
    gone = see("/login")
    await panel(request).sessions.end(viewer(request), gone)
    return gone


async def password(request: Request) -> Response:
    """Choose a password; after a one-time code nothing else is possible before."""
    faults: dict[str, str] = {}
    if request.method == "POST":
        form = {k: str(v) for k, v in (await request.form()).items()}
        try:
            signed = await panel(request).accounts.change_password(
                viewer(request), form.get("old", ""), form.get("new", ""), form.get("again", "")
            )
        except FaultyInput as refused:
            faults = refused.faults
        else:
            changed = see("/" if viewer(request).must_change else "/settings", said="password")
            panel(request).sessions.remember(changed, signed)
            return changed
    title = _("Choose a password") if viewer(request).must_change else _("Change the password")
    return show(request, "password.html", 422 if faults else 200, title=title, faults=faults)
