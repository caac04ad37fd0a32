"""Calls: past ones, one opened, and those of this moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Services, Who
from recorderd.panel.ports import CallDetail, Press

router = APIRouter(tags=["calls"])

Words = Annotated[str, Query(max_length=300, description="The filter in one line: `107 >60s today missed`")]
Whose = Annotated[str | None, Query(max_length=64, description="One extension's; else everything in sight")]
Id = Annotated[str, Path(max_length=150)]


@router.get("/calls")
async def calls(
    viewer: Who,
    panel: Services,
    q: Words = "",
    extension: Whose = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> schema.EntryPage:
    """The list of calls, newest first."""
    page = await panel.calls.page(
        viewer, panel.calls.parse(q), extension=extension, cursor=cursor, limit=limit
    )
    return schema.EntryPage(
        rows=list(page.rows), older=page.older, newer=page.newer, searched_to=page.searched_to
    )


@router.get("/calls.csv", response_class=StreamingResponse)
async def csv(viewer: Who, panel: Services, q: Words = "", extension: Whose = None) -> StreamingResponse:
    """The same as a file, at most 100,000 rows."""
    lines = panel.calls.csv(viewer, panel.calls.parse(q), extension=extension)
    # The first line is asked for here, so that a refusal is an answer and not half a file.
    first = await anext(lines)

    async def whole() -> AsyncIterator[str]:
        yield first
        async for line in lines:
            yield line

    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return StreamingResponse(whole(), media_type="text/csv", headers=headers)


@router.get("/calls/{id}")
async def detail(viewer: Who, panel: Services, id: Id) -> CallDetail:
    """One call with its parts, its recordings, its marks and Asterisk's own rows."""
    return await panel.calls.detail(viewer, id)


@router.get("/live")
async def live(viewer: Who, panel: Services) -> schema.LiveCalls:
    """The calls of this moment."""
    return schema.LiveCalls(calls=list(await panel.live.calls(viewer)))


@router.post("/live/{id}/{action}")
async def press(
    viewer: Who, panel: Services, id: Id, action: Literal["start", "stop", "pause", "resume"]
) -> Press:
    """Press for oneself; what comes of it is policy's."""
    return await panel.live.press(viewer, id, action)
