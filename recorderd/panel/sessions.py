"""Who is signed in: sessions kept in the store, of whose tokens only hashes are kept.

Owns the cookie and the life of a session. Must not know passwords. A session ends when it is old, idle,
signed out, revoked, or when its owner is disabled or changes his password.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence

from starlette.responses import Response

from recorderd.config import Config
from recorderd.panel import rights
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import _
from recorderd.panel.passwords import digest, new_token
from recorderd.panel.ports import NotFound, Session, Signed, Viewer
from recorderd.store.abc import Store
from recorderd.store.panel import SessionRow, UserRow

# With `__Host-` a browser itself refuses the cookie from anywhere but here, by anything but https.
COOKIE, SECURE_COOKIE = "recorderd", "__Host-recorderd"
LANGUAGE_COOKIE = "recorderd_language"
_YEAR = 365 * 86_400
# A session's last use is written no more often than this.
_TOUCH = 60.0
# What is shown of a session: enough to know it again.
_SHOWN = 16


class SessionKeeper:
    """See `ports.Sessions`; the app and the accounts use the rest."""

    def __init__(self, store: Store, audit: AuditTrail, config: Config, clock: Callable[[], float]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._lists: Mapping[str, Iterable[str]] = config.policy.lists
        self._settings = config.panel

    # --- for the pages ---

    def remember(self, response: Response, signed: Signed) -> None:
        secure = self._secure(signed.secure)
        name = SECURE_COOKIE if secure else COOKIE
        most = self._settings.session_hours * 3600
        response.set_cookie(name, signed.token, most, path="/", secure=secure, httponly=True, samesite="lax")
        remember_language(response, signed.viewer.language, secure=secure)

    async def end(self, viewer: Viewer, response: Response) -> None:
        await self._audit.note(viewer, "logout")
        await self._store.panel.end_session(viewer.session_id)
        for name in (COOKIE, SECURE_COOKIE):
            response.delete_cookie(
                name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="lax"
            )

    async def list(self, viewer: Viewer) -> Sequence[Session]:
        found = await self._store.panel.sessions(viewer.login)
        return [
            Session(
                id=row.id[:_SHOWN],
                started_at=row.started_at,
                seen_at=row.seen_at,
                address=row.address,
                agent=row.agent,
                current=row.id == viewer.session_id,
            )
            for row in found
            if not self._over(row)
        ]

    async def revoke(self, viewer: Viewer, id: str) -> None:
        for row in await self._store.panel.sessions(viewer.login):
            if row.id[:_SHOWN] == id:
                await self._audit.note(viewer, "session-revoked", id)
                await self._store.panel.end_session(row.id)
                return
        raise NotFound(_("There is no such session."))

    # --- for the app and the accounts ---

    async def begin(
        self,
        user: UserRow,
        *,
        address: str,
        agent: str,
        secure: bool,
        sign_on: str = "password",
        reasons: Mapping[str, str] | None = None,
    ) -> Signed:
        """A new session, with a token that nobody had before. `sign_on` is how he got in."""
        token, now = new_token(), self._clock()
        row = SessionRow(
            id=digest(token),
            login=user.login,
            csrf=secrets.token_urlsafe(24),
            started_at=now,
            seen_at=now,
            until=now + self._settings.session_hours * 3600,
            address=address[:64],
            agent=agent[:200],
            reasons=reasons or {},
            sign_on=sign_on,
        )
        await self._store.panel.put_session(row)
        return Signed(viewer=self._viewer(user, row, address), token=token, csrf=row.csrf, secure=secure)

    async def find(
        self, cookies: Mapping[str, str], address: str, named: str = "", *, polled: bool = False
    ) -> tuple[Viewer, str] | None:
        """Whose request this is, and the CSRF token that it must show; None when nobody is signed in.

        `polled`: a page asks for itself, and nobody has done anything. `named` is whom a proxy that is believed
        says it is: what began by its word lasts as long as its word.
        """
        token = cookies.get(SECURE_COOKIE) or cookies.get(COOKIE)
        row = await self._store.panel.session(digest(token)) if token else None
        if row is None or self._over(row) or (row.sign_on == "header" and row.login != named):
            return None
        user = await self._store.panel.user(row.login)
        if user is None or user.disabled:
            return None
        now = self._clock()
        if now - row.seen_at > _TOUCH and not polled:
            await self._store.panel.touch_session(row.id, now)
        return self._viewer(user, row, address), row.csrf

    async def reasons(self, viewer: Viewer) -> Mapping[str, str]:
        """Why he listens, by recording."""
        row = await self._store.panel.session(viewer.session_id) if viewer.session_id else None
        return row.reasons if row else {}

    async def sweep(self) -> int:
        """Forget the sessions that are over; how many."""
        now = self._clock()
        return await self._store.panel.expire_sessions(now, now - self._settings.idle_minutes * 60)

    def _over(self, row: SessionRow) -> bool:
        now = self._clock()
        return now >= row.until or now - row.seen_at > self._settings.idle_minutes * 60

    def _viewer(self, user: UserRow, row: SessionRow, address: str) -> Viewer:
        return rights.viewer(
            user, self._lists, via="session", session_id=row.id, address=address, sign_on=row.sign_on
        )

    def _secure(self, https: bool) -> bool:
        return {"always": True, "never": False}.get(self._settings.secure_cookies, https)


def remember_language(response: Response, language: str, *, secure: bool) -> None:
    """For the login of next time, when nobody knows yet who it is."""
    response.set_cookie(LANGUAGE_COOKIE, language, _YEAR, path="/", secure=secure, samesite="lax")
