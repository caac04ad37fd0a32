"""Who may sign in, and how: logins, passwords, one-time codes, and the administrator's hand on them.

Owns the rules of getting in. Must not know how a session travels. A login that is not there, a wrong
password, a code that is over and a disabled user are one sentence: who asks learns nothing from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recorderd.panel import passwords, rights
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import DEFAULT, LANGUAGES, _
from recorderd.panel.passwords import Passwords
from recorderd.panel.ports import (
    Account,
    Conflict,
    FaultyInput,
    NotFound,
    Refused,
    Right,
    Role,
    Signed,
    Throttled,
    Viewer,
)
from recorderd.panel.sessions import SessionKeeper
from recorderd.panel.throttle import Throttle
from recorderd.store.abc import Store
from recorderd.store.panel import UserRow

CODE_SECONDS = 86_400
_LOGIN = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,63}")
_EXTENSION = re.compile(r"[0-9*#+]{1,32}")
_SCOPE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9_.-]{0,63}|[0-9*#+]{1,32}")
_MOST_SCOPE = 500
# A change of one of these changes what somebody may: his sessions end, so that none has more than he has now.
_POWER = ("role", "scope", "rights", "extension")


class AccountKeeper:
    """See `ports.Accounts`. `https` says of the present request how it came; the app sets it."""

    def __init__(
        self,
        store: Store,
        sessions: SessionKeeper,
        audit: AuditTrail,
        clock: Callable[[], float],
        https: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._audit = audit
        self._clock = clock
        self._https = https
        self._passwords = Passwords()
        self._throttle = Throttle(store.panel, clock)

    # --- getting in ------------------------------------------------------------------------------

    async def sign_in(self, login: str, secret: str, *, language: str, address: str, agent: str) -> Signed:
        login = login.strip().lower()[:100]
        await self._attempt(login, address)
        user = await self._proven(login, secret)
        if user is None:
            shown = login if _LOGIN.fullmatch(login) else ""
            await self._audit.note(None, "login-refused", shown, {"address": address})
            raise Refused(_("This login and password do not go together."))
        await self._throttle.succeeded(login, address)
        changed = {"last_login_at": self._clock()}
        if language in LANGUAGES:
            changed["language"] = language  # type: ignore[assignment]
        user = await self._store.panel.change_user(user.login, **changed) or user
        signed = await self._sessions.begin(user, address=address, agent=agent, secure=self._https())
        await self._audit.note(signed.viewer, "login")
        return signed

    async def _proven(self, login: str, secret: str) -> UserRow | None:
        """The user whose password or one-time code this is. A code works once, and then a password is due."""
        user = await self._store.panel.user(login) if _LOGIN.fullmatch(login) else None
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
        user = await self._existing(viewer.login)
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
        await self._attempt(user.login, address)
        right = await self._passwords.matches(user.password, old)
        if right:
            await self._throttle.succeeded(user.login, address)
        return right

    async def _attempt(self, login: str, address: str) -> None:
        """Count a try before it is checked. Throttled."""
        if wait := await self._throttle.attempt(login, address):
            raise Throttled(_("Too many tries. Wait {seconds} s.").format(seconds=wait), wait)

    async def sweep(self) -> int:
        """Forget old failures to get in; how many."""
        return await self._throttle.sweep()

    async def set_language(self, viewer: Viewer, language: str) -> None:
        if language not in LANGUAGES:
            raise FaultyInput({"language": _("There is no such language.")})
        await self._store.panel.change_user(viewer.login, language=language)

    # --- the administrator's hand ----------------------------------------------------------------

    async def list(self, viewer: Viewer) -> Sequence[Account]:
        await self._demand(viewer, "users")
        return [account(user) for user in await self._store.panel.users()]

    async def add(self, viewer: Viewer, fields: Mapping[str, str]) -> tuple[Account, str]:
        await self._demand(viewer, "users")
        login = fields.get("login", "").strip().lower()
        faults = (
            {} if _LOGIN.fullmatch(login) else {"login": _("A login has letters, digits and . _ - @ only.")}
        )
        fresh = UserRow(
            login=login,
            name="",
            role=Role.USER,
            extension=login if _EXTENSION.fullmatch(login) else "",
            must_change=True,
            language=DEFAULT,
            created_at=self._clock(),
        )
        user = self._edited(fresh, fields, faults)
        code = passwords.new_code()
        hashed = await self._passwords.hash(passwords.bare_code(code))
        user = replace(user, code=hashed, code_until=self._clock() + CODE_SECONDS)
        if not await self._store.panel.add_user(user):
            raise FaultyInput({"login": _("This login is taken.")})
        await self._audit.note(viewer, "user-added", user.login, _shown(user))
        return account(user), code

    async def change(self, viewer: Viewer, login: str, fields: Mapping[str, str]) -> Account:
        await self._demand(viewer, login)
        user = await self._existing(login)
        edited = self._edited(user, fields, {})
        if viewer.login == login and edited.role != user.role:
            raise Conflict(_("You cannot take your own role away: let another administrator do it."))
        names = ("name", *_POWER)
        changed = {n: getattr(edited, n) for n in names if getattr(edited, n) != getattr(user, n)}
        if not changed:
            return account(user)
        await self._audit.note(
            viewer, "user-changed", login, {"before": _shown(user), "after": _shown(edited)}
        )
        after = await self._store.panel.change_user(login, **changed) or edited
        if any(name in changed for name in _POWER):
            await self._store.panel.end_sessions(login, but=viewer.session_id)
        return account(after)

    async def new_code(self, viewer: Viewer, login: str) -> str:
        await self._demand(viewer, login)
        await self._existing(login)
        code = passwords.new_code()
        await self._audit.note(viewer, "user-code", login)
        hashed = await self._passwords.hash(passwords.bare_code(code))
        until = self._clock() + CODE_SECONDS
        await self._store.panel.change_user(
            login, password="", must_change=True, code=hashed, code_until=until
        )
        await self._store.panel.end_sessions(login)
        return code

    async def set_disabled(self, viewer: Viewer, login: str, disabled: bool) -> None:
        await self._demand(viewer, login)
        await self._existing(login)
        if viewer.login == login:
            raise Conflict(_("You cannot disable yourself."))
        await self._audit.note(viewer, "user-disabled" if disabled else "user-enabled", login)
        await self._store.panel.change_user(login, disabled=disabled)
        if disabled:
            await self._store.panel.end_sessions(login)
            await self._store.panel.end_tokens(login)

    async def _demand(self, viewer: Viewer, object: str) -> None:
        if not viewer.may(Right.ADMINISTER):
            raise await self._audit.refused(viewer, Right.ADMINISTER, object)

    async def _existing(self, login: str) -> UserRow:
        user = await self._store.panel.user(login)
        if user is None:
            raise NotFound(_("There is no such user."))
        return user

    def _edited(self, user: UserRow, fields: Mapping[str, str], faults: dict[str, str]) -> UserRow:
        """The user with these fields, read one by one. Raises FaultyInput with every fault."""
        values: dict[str, Any] = {}
        for name, read in _FIELDS.items():
            if name in fields:
                try:
                    values[name] = read(fields[name].strip())
                except ValueError as error:
                    faults[name] = str(error)
        edited = replace(user, **values)
        if (
            not faults
            and edited.role in (Role.USER, Role.SUPERVISOR)
            and not (edited.extension or edited.scope)
        ):
            faults["extension"] = _("A user has an extension, a supervisor those that he supervises.")
        if not faults and edited.rights is not None:
            beyond = {Right(word) for word in edited.rights} - rights.MOST[Role(edited.role)]
            if beyond:
                words = ", ".join(sorted(beyond))
                faults["rights"] = _("This role cannot have: {rights}.").format(rights=words)
        if faults:
            raise FaultyInput(faults)
        return edited


def account(user: UserRow) -> Account:
    """A user without his secrets."""
    state = "active"
    if user.disabled:
        state = "disabled"
    elif user.must_change:
        state = "must-change" if user.password else "new"
    return Account(
        login=user.login,
        name=user.name,
        role=Role(user.role),
        extension=user.extension,
        scope=user.scope,
        rights=None if user.rights is None else tuple(Right(word) for word in user.rights),
        state=state,
        language=user.language,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
    )


def _shown(user: UserRow) -> dict[str, Any]:
    """What the trail says of a user."""
    rights = None if user.rights is None else list(user.rights)
    return {"role": user.role, "extension": user.extension, "scope": list(user.scope), "rights": rights}


def _name(text: str) -> str:
    if len(text) > 100 or not text.isprintable():
        raise ValueError(_("A name is one line of at most 100 characters."))
    return text


def _role(text: str) -> str:
    if text not in list(Role):
        raise ValueError(_("There is no such role."))
    return text


def _extension(text: str) -> str:
    if text and not _EXTENSION.fullmatch(text):
        raise ValueError(_("An extension has digits only."))
    return text


def _scope(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if len(words) > _MOST_SCOPE:
        raise ValueError(_("These are too many: name a list with @."))
    for word in words:
        if not _SCOPE.fullmatch(word):
            raise ValueError(
                _("“{text}” is not an extension or a list such as @sales.").format(text=word[:40])
            )
    return words


def _rights(text: str) -> tuple[str, ...] | None:
    words = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for word in words:
        if word not in list(Right):
            raise ValueError(_("“{text}” is not a right.").format(text=word[:40]))
    return words or None


_FIELDS: Mapping[str, Callable[[str], Any]] = {
    "name": _name,
    "role": _role,
    "extension": _extension,
    "scope": _scope,
    "rights": _rights,
}
