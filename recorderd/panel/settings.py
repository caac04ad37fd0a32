"""One's own policy: whether one's calls are recorded.

Owns what somebody may choose for himself. Must not know what comes of it: the store keeps it, and the daemon
follows the store within a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from recorderd.config import Config
from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import _
from recorderd.panel.ports import Choice, Conflict, NotFound, OwnPolicy, Right, Viewer
from recorderd.store.abc import PolicyRows, Store

_MODES = ("inbound", "outbound", "internal_inbound", "internal_outbound")


class OwnSettings:
    """See `ports.Settings`."""

    def __init__(self, store: Store, audit: AuditTrail, config: Callable[[], Config]) -> None:
        self._store = store
        self._audit = audit
        self._config = config

    async def own(self, viewer: Viewer) -> OwnPolicy:
        return self._own(viewer, await self._store.load_policy())

    async def choose(self, viewer: Viewer, choice: Choice) -> OwnPolicy:
        rows = await self._store.load_policy()
        before = self._own(viewer, rows)
        if not viewer.may(Right.POLICY, viewer.extension):
            raise await self._audit.refused(viewer, Right.POLICY, viewer.extension)
        if before.locked:
            await self._audit.note(viewer, "refused", viewer.extension, {"right": "policy", "locked": True})
            why = f": {before.lock_reason}" if before.lock_reason else ""
            raise Conflict(_("The administrator has locked this{why}.").format(why=why))
        chosen: dict[str, Any] = {
            name: Mode(value) if value else None for name, value in asdict(choice).items()
        }
        changed = replace(self._policy(viewer, rows), **chosen)
        if changed == self._policy(viewer, rows) and not before.by_default:
            return before
        await self._audit.note(viewer, "policy", viewer.extension, _change(before, changed))
        await self._store.set_extension(changed, f"panel:{viewer.login}")
        return self._own(viewer, await self._store.load_policy())

    def _own(self, viewer: Viewer, rows: PolicyRows) -> OwnPolicy:
        policy = self._policy(viewer, rows)
        return OwnPolicy(
            extension=policy.extension,
            name=rows.names.get(policy.extension, ""),
            inbound=policy.inbound,
            outbound=policy.outbound,
            internal_inbound=policy.internal_inbound,
            internal_outbound=policy.internal_outbound,
            locked=policy.locked,
            lock_reason=policy.lock_reason,
            by_default=all(e.extension != policy.extension for e in rows.extensions),
            version=rows.version,
        )

    def _policy(self, viewer: Viewer, rows: PolicyRows) -> ExtensionPolicy:
        if not viewer.extension:
            raise NotFound(_("You have no extension, and so no calls to record."))
        own = next((e for e in rows.extensions if e.extension == viewer.extension), None)
        return own or replace(self._config().policy.default, extension=viewer.extension)


def _change(before: OwnPolicy, after: ExtensionPolicy) -> dict[str, Any]:
    """What the trail says: was and is, of what changed."""

    def word(mode: Mode | None) -> str:
        return str(mode) if mode else "same"

    pairs = {n: (word(getattr(before, n)), word(getattr(after, n))) for n in _MODES}
    return {name: {"was": was, "is": now} for name, (was, now) in pairs.items() if was != now}
