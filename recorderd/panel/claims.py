"""Who somebody is by an OpenID Connect provider's claims, read strictly.

Owns which claim becomes a login, a role and an extension. Must not know how the claims came here or were proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorderd.config.sections import Oidc
from recorderd.errors import RecorderdError
from recorderd.panel.accounts import LOGIN
from recorderd.panel.rights import EXTENSION


class ProviderError(RecorderdError):
    """The provider's fault, or of what came in its name; one sentence for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is by the provider's word. `subject` is its issuer and its `sub`, which no other has.

    `role` and `extension` are None where it has no say in them. `outside`: it has, and gives him no role.
    """

    subject: str
    login: str
    name: str
    role: str | None
    extension: str | None
    outside: bool


def read_identity(settings: Oidc, claims: Mapping[str, Any]) -> Identity:
    """Who these claims make of somebody, read strictly. Raises ProviderError for what cannot be a login here."""
    login = found(claims, settings.login_claim)
    if settings.login_claim == "email" and claims.get("email_verified") is not True:
        raise ProviderError("it has not verified the address")
    if not isinstance(login, str) or not LOGIN.fullmatch(login.lower()):
        raise ProviderError(f"its claim {settings.login_claim} is no login: {printable(repr(login))}")
    name = claims.get("name")
    fits = isinstance(name, str) and len(name) <= 100 and name.isprintable()
    role = _role(settings, found(claims, settings.role_claim)) if settings.role_claim else None
    extension = None
    if settings.extension_claim:
        extension = _extension(settings, found(claims, settings.extension_claim))
    return Identity(
        subject=f"{claims['iss']} {claims['sub']}",
        login=login.lower(),
        name=str(name) if fits else "",
        role=role,
        extension=extension,
        outside=bool(settings.role_claim) and role is None,
    )


def found(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name; of `realm_access.roles`, what lies at the end of that path. None without."""
    if name in claims:
        return claims[name]
    inner: Any = claims
    for step in name.split("."):
        inner = inner.get(step) if isinstance(inner, Mapping) else None
    return inner


def _role(settings: Oidc, said: object) -> str | None:
    words = said if isinstance(said, list) else [said]
    return next((role for word, role in settings.roles.items() if word in words), None)


def _extension(settings: Oidc, said: object) -> str:
    if said is None or said == "":
        return ""
    text = str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
    if not EXTENSION.fullmatch(text):
        raise ProviderError(f"its claim {settings.extension_claim} is no extension: {printable(repr(said))}")
    return text


def printable(text: str) -> str:
    """What came from elsewhere, so that it may stand in a log."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
