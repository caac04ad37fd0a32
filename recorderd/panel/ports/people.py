"""Who somebody is to the services: his role, his rights, and whose calls are his to see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here. A role brings rights and a scope; see `rights`."""

    USER = "user"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """What somebody may do within his scope. AUDIT and ADMINISTER open the administrator's pages."""

    LIST = "list"
    PLAY = "play"
    DOWNLOAD = "download"
    DELETE = "delete"
    POLICY = "policy"
    PRESS = "press"
    AUDIT = "audit"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who is signed in, as every service sees him.

    `extension` is his own, empty for one without a telephone. `scope` are the extensions whose calls he sees,
    his own included; None means everybody's. `needs_reason`: he must say why before he listens or downloads.
    `must_change`: he may do nothing before he has chosen a password. `via` is `session` or `token`; `sign_on` how
    a session began: `password`, `oidc` (a provider) or `header` (a proxy).
    """

    login: str
    name: str
    role: Role
    extension: str
    scope: frozenset[str] | None
    rights: frozenset[Right]
    language: str = "en"
    needs_reason: bool = False
    must_change: bool = False
    via: str = "session"
    sign_on: str = "password"
    session_id: str = ""
    address: str = ""

    def sees(self, extension: str) -> bool:
        """Whether this extension's calls are his to see."""
        return self.scope is None or (extension != "" and extension in self.scope)

    def may(self, right: Right, extension: str | None = None) -> bool:
        """Whether he has the right at all; with an extension, whether he has it there.

        POLICY reaches no further than his own extension, but for an administrator.
        """
        if right not in self.rights:
            return False
        if extension is None:
            return True
        if right is Right.POLICY and self.role is not Role.ADMINISTRATOR:
            return extension != "" and extension == self.extension
        return self.sees(extension)
