"""Extensions and their policies: edit many at once, bring a file, take one away."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.language import _, ngettext
from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import FaultyInput

_FIELDS = (
    "inbound",
    "outbound",
    "internal_inbound",
    "internal_outbound",
    "locked",
    "lock_reason",
    "fail_mode",
    "lookback",
    "announce",
    "beep",
    "name",
)
# A policy file of 100,000 extensions has some 5 MB.
_LARGEST = 16 << 20


async def page(request: Request) -> Response:
    """The table; POST changes the extensions that are ticked, and those that are written in `more`."""
    faults: dict[str, str] = {}
    chosen: list[str] = []
    if request.method == "POST":
        form = await request.form()
        chosen = [str(e) for e in form.getlist("extension")] + str(form.get("more", "")).split()
        change = {name: str(form[name]) for name in _FIELDS if form.get(name)}
        try:
            done = await _change(request, chosen, change, follow=form.get("do") == "follow")
        except FaultyInput as faulty:
            faults = faulty.faults
        else:
            return see("/admin/extensions", done=str(done), find=request.query_params.get("find", ""))
    return await _table(request, faults, chosen)


async def _change(request: Request, chosen: list[str], change: dict[str, str], *, follow: bool) -> int:
    """How many extensions were changed."""
    admin, who = panel(request).admin, viewer(request)
    if not chosen:
        raise FaultyInput({"extension": _("Tick the extensions that you want to change.")})
    if follow:
        for extension in chosen:
            await admin.delete_extension(who, extension)
    elif not change:
        raise FaultyInput({"change": _("Say what should change.")})
    else:
        await admin.save_extensions(who, chosen, change)
    return len(chosen)


async def _table(request: Request, faults: dict[str, str], chosen: list[str]) -> Response:
    find = request.query_params.get("find", "").strip().casefold()
    rows = await panel(request).admin.extensions(viewer(request))
    found = [r for r in rows if find in r.policy.extension or find in r.name.casefold()] if find else rows
    done = request.query_params.get("done", "")
    said = ""
    if done.isdecimal():
        said = ngettext("%s extension is changed.", "%s extensions are changed.", int(done)) % done
    return show(
        request,
        "admin/extensions.html",
        422 if faults else 200,
        rows=found,
        find=find,
        faults=faults,
        chosen=chosen,
        said=said,
    )


async def export(request: Request) -> Response:
    """All of them as a CSV file, which `bring` takes back."""
    text = await panel(request).admin.export_policy(viewer(request), "csv")
    headers = {"Content-Disposition": 'attachment; filename="policy.csv"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


async def bring(request: Request) -> Response:
    """Bring a CSV or YAML file, whole or not at all."""
    faults: list[str] = []
    text = ""
    if request.method == "POST":
        form = await request.form()
        try:
            text, kind = await _file(form.get("file"), str(form.get("text", "")))
            replace = form.get("replace") == "yes"
            done = await panel(request).admin.import_policy(viewer(request), text, kind, replace=replace)
        except FaultyInput as faulty:
            faults = [line for fault in faulty.faults.values() for line in fault.splitlines()]
        else:
            return see("/admin/extensions", done=str(done))
    return show(request, "admin/import.html", 422 if faults else 200, faults=faults, text=text)


async def _file(sent: object, pasted: str) -> tuple[str, str]:
    """The text and its form: of the file that was sent, or else of what was pasted."""
    if isinstance(sent, UploadFile) and sent.filename:
        if sent.size and sent.size > _LARGEST:
            raise FaultyInput({"file": _("The file is too large.")})
        try:
            text = (await sent.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise FaultyInput({"file": _("The file is not text in UTF-8.")}) from None
        return text, "yaml" if sent.filename.endswith((".yaml", ".yml")) else "csv"
    if not pasted.strip():
        raise FaultyInput({"file": _("Choose a file, or paste its text.")})
    first = pasted.lstrip().partition("\n")[0]
    return pasted, "csv" if "," in first or ";" in first else "yaml"
