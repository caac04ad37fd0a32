"""The question everyone asks: how long can recordings be kept on this disk?"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from recorderd.panel.pages.render import panel, show, viewer

_GIGABYTE, _MEBIBYTE = 10**9, 2**20
# A date later than this is arithmetic, not foresight: ten years, in seconds.
_FORESEEABLE = 10 * 365.25 * 86_400


async def page(request: Request) -> Response:
    """The disk as it is, and a disk as it might be."""
    disk = _positive(request.query_params.get("disk", ""), 250)
    minutes = _positive(request.query_params.get("minutes", ""), 5)
    storage = await panel(request).admin.storage(viewer(request))
    full_at = storage["full_at"]
    foreseeable = full_at is not None and full_at < panel(request).clock() + _FORESEEABLE
    return show(
        request,
        "admin/storage.html",
        storage=storage,
        full_at=full_at if foreseeable else None,
        disk=disk,
        minutes=minutes,
        hours=hours(disk, minutes),
    )


def hours(disk_gb: float, minutes_per_mb: float) -> float:
    """Hours of talk on a disk. Disks are sold in GB of 10⁹ bytes; audio is spoken of in MB of 2²⁰ bytes."""
    return disk_gb * _GIGABYTE / _MEBIBYTE * minutes_per_mb / 60


def _positive(text: str, otherwise: float) -> float:
    """A number that somebody typed, with a point or a comma; `otherwise` if it is none."""
    text = text.strip().replace(",", ".")
    value = float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", text) else 0.0
    return value or otherwise
