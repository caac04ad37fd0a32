"""How it is: the proof, the recorder, the disk, alarms, the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Services, Who

router = APIRouter(tags=["watch"])

Word = Annotated[str, Query(max_length=200)]


@router.get("/coverage")
async def coverage(
    viewer: Who, panel: Services, since: Annotated[str, Query(max_length=40)] = "today"
) -> Mapping[str, Any]:
    """The proof since a day (`today`, `yesterday`, `2026-11-23`), with every fault."""
    return await panel.admin.coverage(viewer, since)


@router.get("/status")
async def status(viewer: Who, panel: Services) -> Mapping[str, Any]:
    """How the recorder is."""
    return await panel.admin.status(viewer)


@router.get("/storage")
async def storage(viewer: Who, panel: Services) -> Mapping[str, Any]:
    """The disk, and how long it lasts."""
    return await panel.admin.storage(viewer)


@router.get("/alarms", response_model=list[schema.Alarm])
async def alarms(
    viewer: Who, panel: Services, days: Annotated[int, Query(ge=1, le=92)] = 7
) -> Sequence[Mapping[str, Any]]:
    """Newest first."""
    return await panel.admin.alarms(viewer, days)


@router.get("/audit")
async def audit(
    viewer: Who,
    panel: Services,
    who: Word = "",
    action: Word = "",
    object: Word = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> schema.AuditPage:
    """The trail of plays, downloads, exports, changes and refusals, newest first."""
    page = await panel.audit.page(viewer, cursor=cursor, who=who, action=action, object=object, limit=limit)
    return schema.AuditPage(rows=list(page.rows), older=page.older)
