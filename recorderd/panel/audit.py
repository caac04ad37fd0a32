"""The audit trail as the panel writes and shows it.

Owns how a line is spelled and paged. Must not know what is worth a line: the services do. A line is written
before the thing is done, so that a store that is away stops the thing and not the line.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from recorderd.panel.language import _
from recorderd.panel.ports import Page, Refused, Right, Viewer
from recorderd.store.abc import AuditRow, Store
from recorderd.store.panel import Place

_LONGEST = 200


class AuditTrail:
    """See `ports.Audit`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def note(
        self, viewer: Viewer | None, action: str, object: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        at = self._clock()
        by = {"address": viewer.address, "role": str(viewer.role), "via": viewer.via} if viewer else {}
        who = viewer.login if viewer else ""
        row = AuditRow(
            id=new_id(at),
            at=at,
            who=who[:_LONGEST],
            action=action,
            object=object[:_LONGEST],
            detail={**by, **(detail or {})},
        )
        await self._store.audit_append(row)

    async def refused(self, viewer: Viewer, right: Right, object: str) -> Refused:
        """Write down that he may not, and give what to raise."""
        await self.note(viewer, "refused", object, {"right": str(right)})
        return Refused(_("You may not do that."))

    async def page(
        self,
        viewer: Viewer,
        *,
        cursor: str | None = None,
        who: str = "",
        action: str = "",
        object: str = "",
        limit: int = 100,
    ) -> Page[AuditRow]:
        if not viewer.may(Right.AUDIT):
            raise await self.refused(viewer, Right.AUDIT, "audit")
        given = {"who": who, "action": action, "object": object}
        equal = {name: value[:_LONGEST] for name, value in given.items() if value}
        rows = await self._store.panel.audit_page(equal, before=read_place(cursor), limit=limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows=rows, older=write_place((rows[-1].at, rows[-1].id)) if more else None)


_count = itertools.count()


def new_id(at: float) -> str:
    """Sortable by age, lines of one moment too: milliseconds since the epoch, a count, 32 bits of chance."""
    return f"{int(at * 1000):011x}{next(_count) & 0xFFFFFF:06x}{secrets.token_hex(4)}"


def write_place(place: Place) -> str:
    """A place in a list as text for a URL."""
    text = f"{round(place[0] * 1_000_000)}.{place[1]}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_place(text: str | None) -> Place | None:
    """The reverse; None for anything that `write_place` did not make."""
    if not text or len(text) > 400:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        micros, _dot, key = raw.partition(".")
        at = int(micros) / 1_000_000
    except (ValueError, UnicodeError):
        return None
    return (at, key) if 0 <= at < 4e9 and key and key.isprintable() else None
