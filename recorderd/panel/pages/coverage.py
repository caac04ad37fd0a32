"""The proof: every answered call accounted for, with its faults listed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.filters import in_the_readers_words, keyword
from recorderd.panel.language import _
from recorderd.panel.pages.render import panel, show, viewer
from recorderd.panel.ports import FaultyInput


async def page(request: Request) -> Response:
    """Since when, as people say it: today, yesterday, 7d, a date."""
    since = in_the_readers_words(request.query_params.get("since", "").strip() or "today")
    fault, proof = "", None
    try:
        proof = await panel(request).admin.coverage(viewer(request), since)
    except FaultyInput as faulty:
        fault = str(faulty)
    spans = (
        (keyword("today"), _("today")),
        (keyword("yesterday"), _("since yesterday")),
        ("7d", _("7 days")),
        ("30d", _("30 days")),
    )
    return show(
        request,
        "admin/coverage.html",
        422 if fault else 200,
        since=since,
        proof=proof,
        fault=fault,
        spans=spans,
        unusual=_unusual(proof),
    )


def _unusual(proof: Any) -> bool:
    """Whether there is anything to look into."""
    return bool(proof) and not proof.get("proven", False)
