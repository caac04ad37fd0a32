"""What a refusal looks like: one sentence, and a way on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import partial_wanted, show
from recorderd.panel.ports import Refused, Throttled


async def page(request: Request, refused: Refused) -> Response:
    """The refusal as a page, or as a line in the place that htmx fills."""
    template = "refused-piece.html" if partial_wanted(request) else "refused.html"
    answer = show(request, template, refused.status, refused=refused)
    if isinstance(refused, Throttled):
        answer.headers["Retry-After"] = str(refused.retry_after)
    return answer
