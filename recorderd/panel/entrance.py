"""Getting in: passwords, one-time codes, and the beginning of every session.

Owns the rules of getting in. Must not know how a session travels, nor who may be a user. A login that is not
there, a wrong password, a code that is over and a disabled user are one sentence: who asks learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recorderd.panel import passwords
from recorderd.panel.accounts import LOGIN
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import LANGUAGES, _
from recorderd.panel.passwords import Passwords
from recorderd.panel.ports import Conflict, FaultyInput, NotFound, Refused, Signed, Throttled, Viewer
from recorderd.panel.sessions import SessionKeeper
from recorderd.panel.throttle import Throttle
from recorderd.store.abc import Store
from recorderd.store.panel import UserRow


class EntranceKeeper:
    """See `ports.Entrance`; `sign_on` uses the rest. `https` says of the present request how it came."""

    def __init__(
        self,
        store: Store,
        sessions: SessionKeeper,
        audit: AuditTrail,
        clock: Callable[[], float],
        https: Callable[[], bool],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._audit = audit
        self._clock = clock
        self._https = https
        self._passwords = Passwords()
        self._throttle = Throttle(store.panel, clock)

    # --- with a password -------------------------------------------------------------------------

    async def sign_in(self, login: str, secret: str, *, language: str, address: str, agent: str) -> Signed:
        login = login.strip().lower()[:100]
        await self.attempt(login, address)
        user = await self._proven(login, secret)
        if user is None:
            shown = login if LOGIN.fullmatch(login) else ""
            await self._audit.note(None, "login-refused", shown, {"address": address})
            raise Refused(_("This login and password do not go together."))
        await self.forgive(user.login, address)
        return await self.admit(user, "password", language=language, address=address, agent=agent)

    async def _proven(self, login: str, secret: str) -> UserRow | None:
        """The user whose password or one-time code this is. A code works once, and then a password is due."""
        user = await self._store.panel.user(login) if LOGIN.fullmatch(login) else None
        usable = user is not None and not user.disabled
        code = passwords.bare_code(secret)
        if user is not None and usable and code and user.code and (user.code_until or 0) > self._clock():
            if await self._passwords.matches(user.code, code):
                return await self._store.panel.change_user(
                    user.login, code="", code_until=None, must_change=True
                )
            return None
        right = await self._passwords.matches(user.password if user and usable else "", secret)
        return user if right and user is not None and user.password else None

    async def change_password(self, viewer: Viewer, old: str, new: str, again: str) -> Signed:
        if viewer.sign_on != "password":
            raise Conflict(_("You have not come in with a password: whoever let you in keeps it."))
        user = await self._store.panel.user(viewer.login)
        if user is None:
            raise NotFound(_("There is no such user."))
        faults = {}
        if not user.must_change and not await self._matches_throttled(user, old, viewer.address):
            faults["old"] = _("That is not your present password.")
        if sentence := passwords.fault(new, user.login, user.extension, user.name):
            faults["new"] = sentence
        elif user.password and await self._passwords.matches(user.password, new):
            faults["new"] = _("That is your present password.")
        if new != again:
            faults["again"] = _("The two are not the same.")
        if faults:
            raise FaultyInput(faults)
        await self._audit.note(viewer, "password-changed")
        hashed = await self._passwords.hash(new)
        changed = await self._store.panel.change_user(
            user.login, password=hashed, must_change=False, code="", code_until=None
        )
        reasons = await self._sessions.reasons(viewer)
        await self._store.panel.end_sessions(user.login)
        return await self._sessions.begin(
            changed or user, address=viewer.address, agent="", secure=self._https(), reasons=reasons
        )

    async def _matches_throttled(self, user: UserRow, old: str, address: str) -> bool:
        """A session left open on a desk is no place to guess its owner's password either."""
        await self.attempt(user.login, address)
        right = await self._passwords.matches(user.password, old)
        if right:
            await self.forgive(user.login, address)
        return right

    async def set_language(self, viewer: Viewer, language: str) -> None:
        if language not in LANGUAGES:
            raise FaultyInput({"language": _("There is no such language.")})
        await self._store.panel.change_user(viewer.login, language=language)

    # --- whichever way ---------------------------------------------------------------------------

    async def attempt(self, login: str, address: str) -> None:
        """Count a try before it is checked; `forgive` takes it back. Without a login or an address not for that.
        Throttled.
        """
        if wait := await self._throttle.attempt(login, address):
            raise Throttled(_("Too many tries. Wait {seconds} s.").format(seconds=wait), wait)

    async def forgive(self, login: str, address: str) -> None:
        """That try was right, and so were those before it of this login."""
        await self._throttle.succeeded(login, address)

    async def admit(
        self, user: UserRow, sign_on: str, *, language: str, address: str, agent: str, **changed: Any
    ) -> Signed:
        """He has proven who he is: his session, and what else has `changed` of him. Audited."""
        if language in LANGUAGES:
            changed["language"] = language
        user = await self._store.panel.change_user(user.login, last_login_at=self._clock(), **changed) or user
        signed = await self._sessions.begin(
            user, address=address, agent=agent, secure=self._https(), sign_on=sign_on
        )
        await self._audit.note(signed.viewer, "login", "", {"sign_on": sign_on})
        return signed

    async def sweep(self) -> int:
        """Forget old failures to get in; how many."""
        return await self._throttle.sweep()
