"""Keys for machines: bearer tokens with scopes.

Owns their making and their finding. A token's rights are its scopes, as far as its owner has them at that
moment; it ends with its owner. Only its hash is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from recorderd.config import Config
from recorderd.panel import rights
from recorderd.panel.audit import AuditTrail, new_id
from recorderd.panel.language import _
from recorderd.panel.passwords import digest, new_token
from recorderd.panel.ports import Conflict, FaultyInput, NotFound, Right, Viewer
from recorderd.store.abc import Store
from recorderd.store.panel import TokenRow

# So that a leaked one is known for what it is, by people and by scanners.
PREFIX = "rdt_"
_MOST = 50
_MOST_DAYS = 3650
_TOUCH = 60.0


class TokenKeeper:
    """See `ports.Tokens`; the app uses `find`."""

    def __init__(self, store: Store, audit: AuditTrail, config: Config, clock: Callable[[], float]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._lists: Mapping[str, Iterable[str]] = config.policy.lists

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        return [_shown(row) for row in await self._store.panel.tokens(viewer.login)]

    async def add(self, viewer: Viewer, name: str, scopes: Sequence[str], days: int | None) -> str:
        if viewer.via == "token":
            await self._audit.note(viewer, "refused", "token", {"why": "by a token"})
            raise Conflict(_("A token cannot make another: sign in."))
        faults = self._faults(viewer, name, scopes, days)
        if faults:
            raise FaultyInput(faults)
        if len(await self._store.panel.tokens(viewer.login)) >= _MOST:
            raise Conflict(_("You have too many tokens: revoke one."))
        now, token = self._clock(), PREFIX + new_token()
        row = TokenRow(
            id=new_id(now),
            hash=digest(token),
            name=name.strip(),
            login=viewer.login,
            scopes=tuple(dict.fromkeys(scopes)),
            created_at=now,
            until=None if days is None else now + days * 86_400,
        )
        await self._audit.note(viewer, "token-added", row.id, {"name": row.name, "scopes": list(row.scopes)})
        await self._store.save([row])
        return token

    def _faults(self, viewer: Viewer, name: str, scopes: Sequence[str], days: int | None) -> dict[str, str]:
        faults = {}
        if not name.strip() or len(name) > 100 or not name.isprintable():
            faults["name"] = _("A token has a name of at most 100 characters.")
        unknown = [word for word in scopes if word not in list(Right)]
        if not scopes or unknown:
            faults["scopes"] = _("Say what the token may do.")
        elif any(Right(word) not in viewer.rights for word in scopes):
            faults["scopes"] = _("A token cannot do more than you may.")
        if days is not None and not 1 <= days <= _MOST_DAYS:
            faults["days"] = _("A token lasts from 1 to 3650 days, or until it is revoked.")
        return faults

    async def revoke(self, viewer: Viewer, id: str) -> None:
        if all(row.id != id for row in await self._store.panel.tokens(viewer.login)):
            raise NotFound(_("There is no such token."))
        await self._audit.note(viewer, "token-revoked", id)
        await self._store.panel.end_token(id)

    async def find(self, token: str, address: str) -> Viewer | None:
        """Whose token it is; None for one that is not, not any more, or whose owner may not sign in."""
        if not token.startswith(PREFIX) or len(token) > 200:
            return None
        row = await self._store.panel.token(digest(token))
        now = self._clock()
        if row is None or (row.until is not None and now >= row.until):
            return None
        user = await self._store.panel.user(row.login)
        # Before a first password is chosen, nobody knows who made the token.
        if user is None or user.disabled or user.must_change:
            return None
        if now - (row.used_at or 0.0) > _TOUCH:
            await self._store.panel.touch_token(row.id, now)
        return rights.viewer(user, self._lists, via="token", address=address, scopes=row.scopes)


def _shown(row: TokenRow) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": list(row.scopes),
        "created_at": row.created_at,
        "expires_at": row.until,
        "used_at": row.used_at,
    }
