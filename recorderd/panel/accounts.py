"""Who may sign in: the administrator's hand on users, their roles and their one-time codes.

Owns what a user may be. Must not know how he gets in: that is `entrance` and `sign_on`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recorderd.panel import passwords, rights
from recorderd.panel.audit import AuditTrail
from recorderd.panel.language import DEFAULT, _
from recorderd.panel.passwords import Passwords
from recorderd.panel.ports import (
    Account,
    Conflict,
    FaultyInput,
    NotFound,
    Right,
    Role,
    Viewer,
)
from recorderd.panel.rights import EXTENSION
from recorderd.store.abc import Store
from recorderd.store.panel import UserRow

CODE_SECONDS = 86_400
LOGIN = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,63}")
_SCOPE = re.compile(rf"@[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}|{EXTENSION.pattern}")
_MOST_SCOPE = 500
# A change of one of these changes what somebody may: his sessions end, so that none has more than he has now.
POWER = ("role", "scope", "rights", "extension")


class AccountKeeper:
    """See `ports.Accounts`."""

    def __init__(self, store: Store, audit: AuditTrail, clock: Callable[[], float]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._passwords = Passwords()

    async def list(self, viewer: Viewer) -> Sequence[Account]:
        await self._demand(viewer, "users")
        return [account(user) for user in await self._store.panel.users()]

    async def add(self, viewer: Viewer, fields: Mapping[str, str]) -> tuple[Account, str]:
        await self._demand(viewer, "users")
        login = fields.get("login", "").strip().lower()
        faults = (
            {} if LOGIN.fullmatch(login) else {"login": _("A login has letters, digits and . _ - @ only.")}
        )
        fresh = UserRow(
            login=login,
            name="",
            role=Role.USER,
            extension=login if EXTENSION.fullmatch(login) else "",
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
        names = ("name", *POWER)
        changed = {n: getattr(edited, n) for n in names if getattr(edited, n) != getattr(user, n)}
        if not changed:
            return account(user)
        await self._audit.note(
            viewer, "user-changed", login, {"before": _shown(user), "after": _shown(edited)}
        )
        after = await self._store.panel.change_user(login, **changed) or edited
        if any(name in changed for name in POWER):
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
            login, password="", must_change=True, code=hashed, code_until=until, subject=""
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
        subject=user.subject,
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
    if text and not EXTENSION.fullmatch(text):
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
