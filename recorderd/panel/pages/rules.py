"""Rules: edited as text, tried on real calls before they hold, and asked about one call that might be."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import FaultyInput

_QUESTION = ("caller", "callee", "at", "did", "trunk", "context", "pressed")


async def page(request: Request) -> Response:
    """The rules; POST tries them on past calls, or saves them."""
    admin, who = panel(request).admin, viewer(request)
    faults: list[str] = []
    tried: Any = None
    text = await admin.rules_text(who)
    if request.method == "POST":
        form = await request.form()
        text = str(form.get("rules", "")).replace("\r\n", "\n")
        try:
            if form.get("do") == "save":
                await admin.save_rules(who, text)
                return see("/admin/rules", said="saved")
            tried = await admin.what_if(who, text)
        except FaultyInput as faulty:
            faults = [line for fault in faulty.faults.values() for line in fault.splitlines()]
    return show(
        request,
        "admin/rules.html",
        422 if faults else 200,
        rules=await admin.rules(who),
        text=text,
        faults=faults,
        tried=tried,
        saved=request.query_params.get("said") == "saved",
    )


async def explain(request: Request) -> Response:
    """“What if A called B?”: the decision with every reason."""
    question = {name: request.query_params.get(name, "").strip() for name in _QUESTION}
    answer: Any = None
    faults: dict[str, str] = {}
    if question["caller"] or question["callee"]:
        try:
            answer = await panel(request).admin.explain(viewer(request), question)
        except FaultyInput as faulty:
            faults = faulty.faults
    status = 422 if faults else 200
    return show(request, "admin/explain.html", status, question=question, answer=answer, faults=faults)
