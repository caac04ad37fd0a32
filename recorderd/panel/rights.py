"""What each role may, and of whom: owns the two tables and the making of a Viewer.

Must not know how somebody proved who he is. To change what a role may, change a line here; the generated
matrix in tests/panel holds every path against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from recorderd.panel.ports import Right, Role, Viewer
from recorderd.store.panel import UserRow

R = Right

# What a role brings when nothing else is said for somebody.
DEFAULTS: Mapping[Role, frozenset[Right]] = {
    Role.USER: frozenset((R.LIST, R.PLAY, R.DOWNLOAD, R.POLICY, R.PRESS)),
    Role.SUPERVISOR: frozenset((R.LIST, R.PLAY, R.DOWNLOAD, R.POLICY, R.PRESS)),
    Role.AUDITOR: frozenset((R.LIST, R.PLAY, R.AUDIT)),
    Role.ADMINISTRATOR: frozenset(Right),
}
# What may be given to somebody of this role. An auditor reads, and changes nothing.
MOST: Mapping[Role, frozenset[Right]] = {
    Role.USER: DEFAULTS[Role.USER] | {R.DELETE},
    Role.SUPERVISOR: DEFAULTS[Role.SUPERVISOR] | {R.DELETE},
    Role.AUDITOR: DEFAULTS[Role.AUDITOR] | {R.DOWNLOAD},
    Role.ADMINISTRATOR: frozenset(Right),
}
# Who sees everybody's calls.
_ALL = (Role.AUDITOR, Role.ADMINISTRATOR)
# An account's extension: a number, as people and providers write it. The configuration knows extensions with letters
# too (`scalars.extension`); here a login, or what a provider says in a number's place, must not be taken for one.
EXTENSION = re.compile(r"[0-9*#+]{1,32}")


def rights_of(user: UserRow) -> frozenset[Right]:
    """His rights: those given to him as far as his role allows, or else his role's own."""
    role = Role(user.role)
    if user.rights is None:
        return DEFAULTS[role]
    return frozenset(Right(word) for word in user.rights) & MOST[role]


def scope_of(user: UserRow, lists: Mapping[str, Iterable[str]]) -> frozenset[str] | None:
    """The extensions whose calls he sees, None for all. `@sales` stands for the list of that name."""
    if Role(user.role) in _ALL:
        return None
    seen = {user.extension}
    if Role(user.role) is Role.SUPERVISOR:
        for word in user.scope:
            seen.update(lists.get(word[1:], ()) if word.startswith("@") else (word,))
    return frozenset(word for word in seen if EXTENSION.fullmatch(word))


def viewer(
    user: UserRow,
    lists: Mapping[str, Iterable[str]],
    *,
    via: str,
    session_id: str = "",
    address: str = "",
    sign_on: str = "password",
    scopes: Iterable[str] | None = None,
) -> Viewer:
    """Somebody as the services see him. `scopes` narrow his rights to those of a token."""
    rights = rights_of(user)
    if scopes is not None:
        rights &= {Right(word) for word in scopes}
    return Viewer(
        login=user.login,
        name=user.name or user.login,
        role=Role(user.role),
        extension=user.extension,
        scope=scope_of(user, lists),
        rights=rights,
        language=user.language,
        needs_reason=user.role == Role.AUDITOR,
        must_change=user.must_change,
        via=via,
        sign_on=sign_on,
        session_id=session_id,
        address=address,
    )
