"""My calls: the list, its filter, its pages and its export; the calls of this moment on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from recorderd.panel.filters import KEYWORDS
from recorderd.panel.language import current
from recorderd.panel.pages import live, opened
from recorderd.panel.pages.render import panel, see, show, viewer
from recorderd.panel.ports import CallDetail, Entry, FaultyInput, Filter, NotFound, Page, Right

# The fields of the form beneath the line; see `ports.Calls.from_form`.
_FORM = ("words", "longer", "shorter", "from", "to", "direction", "recorded")
EXAMPLES = ("107", "107 >60s", "today", "missed", "recorded")


async def page(request: Request) -> Response:
    """The list. `q` is the filter's line, `of` an extension, `cursor` a place in it, `play` an entry."""
    query = request.query_params
    form = {name: query[name] for name in _FORM if query.get(name)}
    of = query.get("of", "")
    calls = panel(request).calls
    if any(name in query for name in _FORM):
        # The form is another way to write the line: one address for one list.
        try:
            filter = calls.from_form({**form, "words": form.get("words", "")})
        except FaultyInput as faulty:
            return await _list(request, "", of, None, form=form, faults=faulty.faults)
        return see("/", q=filter.line, of=of)
    return await _list(request, query.get("q", ""), of, query.get("cursor"), play=query.get("play", ""))


async def _list(
    request: Request,
    line: str,
    of: str,
    cursor: str | None,
    *,
    play: str = "",
    form: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Response:
    calls = panel(request).calls
    who = viewer(request)
    filter = Filter()
    rows: Page[Entry] = Page(rows=())
    faults = dict(faults or {})
    if not faults:
        try:
            filter = calls.parse(line)
        except FaultyInput as faulty:
            faults = faulty.faults
    if not faults:
        rows = await calls.page(who, filter, extension=of or None, cursor=cursor)
    under = await _under(request, play) if play else None
    return show(
        request,
        "calls.html",
        422 if faults else 200,
        line=filter.line or line,
        of=of,
        cursor=cursor,
        form=form if form is not None else calls.form(filter),
        faults=faults,
        rows=rows,
        under=under,
        # As somebody would type them: the filter knows its words in each language.
        examples=[KEYWORDS.get(word, {}).get(current(), (word,))[0] for word in EXAMPLES],
        names=await calls.names(),
        many=who.scope is None or len(who.scope) > 1,
        live=await live.now(request),
        may_play=who.may(Right.PLAY),
        may_download=who.may(Right.DOWNLOAD),
    )


async def _under(request: Request, id: str) -> dict[str, Any] | None:
    """What stands under one row where the browser has no script to fetch it."""
    try:
        detail: CallDetail = await panel(request).calls.detail(viewer(request), id)
    except NotFound:
        return None
    return opened.of(detail, playing=True)


async def csv(request: Request) -> Response:
    """The same list as CSV, streamed. The filter must be whole before the first byte goes out."""
    query = request.query_params
    calls = panel(request).calls
    lines = calls.csv(viewer(request), calls.parse(query.get("q", "")), extension=query.get("of") or None)
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="calls.csv"', "Cache-Control": "no-store"},
    )
