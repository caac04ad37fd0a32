"""Who may sign in: accounts, their roles and one-time codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.language import _
from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import Conflict, FaultyInput, NotFound, Right, Role

_FIELDS = ("login", "name", "role", "extension", "scope")


async def _fields(request: Request) -> dict[str, str]:
    """What the form says; the rights are ticked one by one, and none ticked means the role's own."""
    form = await request.form()
    sent = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    return {**sent, "rights": " ".join(str(right) for right in form.getlist("rights"))}


async def page(request: Request) -> Response:
    """The list; POST adds an account and shows its one-time code, this once."""
    faults: dict[str, str] = {}
    form: dict[str, str] = {}
    added, code = None, ""
    accounts = panel(request).accounts
    if request.method == "POST":
        form = await _fields(request)
        try:
            # An empty field is no field: the extension is then the login, where that is a number.
            given = {name: text for name, text in form.items() if text}
            added, code = await accounts.add(viewer(request), given)
            form = {}
        except FaultyInput as faulty:
            faults = faulty.faults
    return show(
        request,
        "admin/users.html",
        422 if faults else 200,
        users=await accounts.list(viewer(request)),
        added=added,
        code=code,
        form=form,
        faults=faults,
        roles=list(Role),
        rights=list(Right),
    )


async def one(request: Request) -> Response:
    """One account; POST does what its button says."""
    login = request.path_params["login"]
    faults: dict[str, str] = {}
    code = ""
    if request.method == "POST":
        done = str((await request.form()).get("do", ""))
        try:
            code = await _DEEDS.get(done, _change)(request, login)
        except FaultyInput as faulty:
            faults = faulty.faults
        except Conflict as refused:
            faults = {"": str(refused)}
        if not faults and not code:
            return see(f"/admin/users/{login}", said="saved")
    account = next((a for a in await panel(request).accounts.list(viewer(request)) if a.login == login), None)
    if account is None:
        raise NotFound(_("There is no such user."))
    return show(
        request,
        "admin/user.html",
        422 if faults else 200,
        account=account,
        code=code,
        faults=faults,
        roles=list(Role),
        rights=list(Right),
        saved=request.query_params.get("said") == "saved",
    )


async def _change(request: Request, login: str) -> str:
    form = await _fields(request)
    await panel(request).accounts.change(
        viewer(request), login, {k: v for k, v in form.items() if k != "login"}
    )
    return ""


async def _code(request: Request, login: str) -> str:
    return await panel(request).accounts.new_code(viewer(request), login)


async def _disable(request: Request, login: str) -> str:
    await panel(request).accounts.set_disabled(viewer(request), login, True)
    return ""


async def _enable(request: Request, login: str) -> str:
    await panel(request).accounts.set_disabled(viewer(request), login, False)
    return ""


_DEEDS: Mapping[str, Callable[[Request, str], Awaitable[str]]] = {
    "change": _change,
    "code": _code,
    "disable": _disable,
    "enable": _enable,
}
