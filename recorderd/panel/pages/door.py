"""Getting in and out: login, language, the password that must be chosen, sign out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recorderd.panel import language as tongue
from recorderd.panel.language import _
from recorderd.panel.oidc import TICKET_SECONDS
from recorderd.panel.pages.render import panel, partial_wanted, see, show, viewer
from recorderd.panel.ports import FaultyInput, Refused, Right, Signed, Throttled
from recorderd.panel.sessions import remember_language

# What one may choose at the door, and where it leads.
_DOORS = {"user": "/", "administration": "/admin/status"}
# Between the way to a provider and the way back; no other page sees it.
TICKET_COOKIE = "recorderd_ticket"
_TICKET_PATH = "/login/oidc"


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
    if request.method == "POST":
        return await _sign_in(request, door, following)
    if partial_wanted(request):
        # A session has ended, and a piece of a page was asked for: the whole page goes to the login.
        return Response(headers={"HX-Redirect": "/login"})
    if request.state.viewer is not None:
        return see(following)
    out = request.query_params.get("out", "")
    if request.state.named and not out:
        return await _named(request, door, following)
    return _shown(request, door, following, out=out, farewell=await _farewell(request, out))


async def _sign_in(request: Request, door: str, following: str) -> Response:
    form = await request.form()
    name, secret = str(form.get("login", "")), str(form.get("secret", ""))
    spoken = tongue.use(str(form.get("language", "")))
    try:
        signed = await panel(request).entrance.sign_in(name, secret, language=spoken, **_whence(request))
    except Refused as refused:
        return _shown(request, door, following, refused, login=name)
    return _in(request, signed, "/password" if signed.viewer.must_change else following, door)


async def _named(request: Request, door: str, following: str) -> Response:
    """The proxy has said who it is."""
    try:
        signed = await panel(request).sign_on.by_header(
            request.state.named, language=tongue.current(), **_whence(request)
        )
    except Refused as refused:
        return _shown(request, door, following, refused)
    return _in(request, signed, following, door)


async def depart(request: Request) -> Response:
    """To the provider."""
    following = inside(request.query_params.get("next", ""))
    wanted = request.query_params.get("language", "")
    address = _whence(request)["address"]
    try:
        way = await panel(request).sign_on.depart(following, language=wanted, address=address)
    except Refused as refused:
        return _shown(request, "user", following, refused)
    gone = RedirectResponse(way.url, status_code=303, headers={"Cache-Control": "no-store"})
    gone.set_cookie(
        TICKET_COOKIE, way.ticket, TICKET_SECONDS, path=_TICKET_PATH, secure=_secure(request), httponly=True,
        samesite="lax",
    )  # fmt: skip
    return gone


async def arrive(request: Request) -> Response:
    """Back from the provider. The ticket is good for this once, whatever comes of it."""
    told = request.query_params.multi_items()
    # What is said twice may be read in two ways.
    query = dict(told) if len(dict(told)) == len(told) else {}
    ticket = request.cookies.get(TICKET_COOKIE, "")
    try:
        signed, following = await panel(request).sign_on.arrive(query, ticket, **_whence(request))
    except Refused as refused:
        answer = _shown(request, "user", "/", refused)
    else:
        answer = _in(request, signed, inside(following), "user")
    answer.delete_cookie(
        TICKET_COOKIE, path=_TICKET_PATH, secure=_secure(request), httponly=True, samesite="lax"
    )
    return answer


def _shown(
    request: Request, door: str, following: str, refused: Refused | None = None, **more: str
) -> Response:
    """The page of the login, with what was refused."""
    values = {"door": door, "following": following, "login": "", "out": "", "farewell": ""} | more
    label = panel(request).sign_on.label
    fault = str(refused) if refused else ""
    answer = show(
        request, "login.html", refused.status if refused else 200, fault=fault, label=label, **values
    )
    if isinstance(refused, Throttled):
        answer.headers["Retry-After"] = str(refused.retry_after)
    return answer


def _in(request: Request, signed: Signed, following: str, door: str) -> Response:
    """Somebody is in: remember it, and go there."""
    if following == "/" and signed.viewer.may(Right.AUDIT):
        following = _DOORS[door]
    gone_in = see(following)
    panel(request).sessions.remember(gone_in, signed)
    return gone_in


async def _farewell(request: Request, out: str) -> str:
    """Where to sign out of the provider too."""
    return await panel(request).sign_on.farewell() if out == "oidc" else ""


def _whence(request: Request) -> dict[str, str]:
    address = request.client.host if request.client else ""
    return {"address": address, "agent": request.headers.get("User-Agent", "")}


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


async def language(request: Request) -> Response:
    """Another language, from any page; remembered."""
    form = await request.form()
    wanted = str(form.get("language", ""))
    await panel(request).entrance.set_language(viewer(request), wanted)
    changed = see(inside(str(form.get("next", ""))))
    remember_language(changed, wanted, secure=_secure(request))
    return changed


async def logout(request: Request) -> Response:
    """Sign out. Whoever let one in may still know one: the page of the login says so."""
    how = viewer(request).sign_on
    gone = see("/login", out="" if how == "password" else how)
    await panel(request).sessions.end(viewer(request), gone)
    return gone


async def password(request: Request) -> Response:
    """Choose a password; after a one-time code nothing else is possible before."""
    faults: dict[str, str] = {}
    if request.method == "POST":
        form = {k: str(v) for k, v in (await request.form()).items()}
        try:
            signed = await panel(request).entrance.change_password(
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
