"""Getting in by the word of somebody else: an OpenID Connect provider, or the proxy before us.

Owns whom such a word makes of somebody: which user, with which role and extension, and who is not believed.
Must not know the protocol (`oidc`) nor how a header came (`trusted`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from recorderd.panel.accounts import POWER
from recorderd.panel.audit import AuditTrail
from recorderd.panel.claims import Identity, ProviderError
from recorderd.panel.entrance import EntranceKeeper
from recorderd.panel.language import LANGUAGES, _
from recorderd.panel.oidc import Provider
from recorderd.panel.ports import Departure, NotFound, Refused, Role, Signed
from recorderd.store.abc import Store
from recorderd.store.panel import UserRow

log = logging.getLogger("recorderd.panel")


class SignOnKeeper:
    """See `ports.SignOn`. Without a `provider` only a proxy's word counts."""

    def __init__(
        self,
        store: Store,
        entrance: EntranceKeeper,
        audit: AuditTrail,
        provider: Provider | None,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._entrance = entrance
        self._audit = audit
        self._provider = provider
        self._clock = clock

    @property
    def label(self) -> str:
        return self._provider.label if self._provider else ""

    # --- a provider ------------------------------------------------------------------------------

    async def depart(self, following: str, *, language: str, address: str) -> Departure:
        provider = self._known_provider()
        try:
            return await provider.depart(following, language)
        except ProviderError as error:
            # Or whoever asks on and on while it is away would fill the audit log.
            await self._entrance.attempt("", address)
            raise await self._failed(error, address) from error

    async def arrive(
        self, query: Mapping[str, str], ticket: str, *, address: str, agent: str
    ) -> tuple[Signed, str]:
        provider = self._known_provider()
        await self._entrance.attempt("", address)
        try:
            arrival = await provider.arrive(query, ticket)
        except ProviderError as error:
            raise await self._failed(error, address) from error
        user, changed = await self._taken_in(arrival.identity, address)
        await self._entrance.forgive(user.login, address)
        # A password that was still to be changed is void: he has shown in another way who he is.
        changed |= {"must_change": False} | ({"password": ""} if user.must_change else {})
        signed = await self._entrance.admit(
            user, "oidc", language=arrival.language, address=address, agent=agent, **changed
        )
        return signed, arrival.following

    async def farewell(self) -> str:
        try:
            return await self._provider.farewell() if self._provider else ""
        except ProviderError as error:
            log.warning("%s", error)
            return ""

    def _known_provider(self) -> Provider:
        if self._provider is None:
            raise NotFound(_("There is no such page."))
        return self._provider

    async def _failed(self, error: ProviderError, address: str) -> Refused:
        """Whoever tries learns that it failed, the log and the trail learn why."""
        log.warning("signing in with %s failed: %s", self.label, error)
        await self._note_refused("", "oidc", address, str(error))
        return Refused(_("Signing in with {label} did not succeed. Try again.").format(label=self.label))

    async def _taken_in(self, identity: Identity, address: str) -> tuple[UserRow, dict[str, Any]]:
        """The user that he is here, and what is to be changed of it. Refused, audited, if he is none."""
        user = await self._store.panel.user(identity.login)
        if why := _objection(identity, user):
            await self._note_refused(identity.login, "oidc", address, why)
            if identity.outside and user is not None and user.subject == identity.subject:
                # He may no more: nothing of his goes on either.
                await self._store.panel.end_sessions(user.login)
                await self._store.panel.end_tokens(user.login)
            raise Refused(
                _(
                    "{label} says that you are {login}, who may not come in here. Ask the administrator."
                ).format(label=self.label, login=identity.login)
            )
        given: dict[str, Any] = {"role": identity.role, "extension": identity.extension}
        ruled = {name: value for name, value in given.items() if value is not None}
        if user is None:
            fresh = UserRow(
                login=identity.login,
                name=identity.name,
                subject=identity.subject,
                created_at=self._clock(),
                **{"role": str(Role.USER), **ruled},
            )
            await self._audit.note(None, "user-added", fresh.login, {"sign_on": "oidc", **ruled})
            if await self._store.panel.add_user(fresh):
                return fresh, {}
            # Somebody was quicker; whether it was he is asked once more.
            return await self._taken_in(identity, address)
        changed: dict[str, Any] = {n: v for n, v in ruled.items() if getattr(user, n) != v}
        if changed:
            before = {name: getattr(user, name) for name in changed}
            detail = {"sign_on": "oidc", "before": before, "after": dict(changed)}
            await self._audit.note(None, "user-changed", user.login, detail)
        if any(name in POWER for name in changed):
            await self._store.panel.end_sessions(user.login)
        if not user.subject:
            await self._audit.note(None, "user-tied", user.login, {"subject": identity.subject})
        return user, changed | {"subject": identity.subject}

    # --- a proxy ---------------------------------------------------------------------------------

    async def by_header(self, login: str, *, language: str, address: str, agent: str) -> Signed:
        # Not by address: it may be the proxy's own, and everybody's.
        await self._entrance.attempt(login, "")
        user = await self._store.panel.user(login)
        if user is None or user.disabled:
            await self._note_refused(login, "header", address, "disabled" if user else "unknown")
            raise Refused(
                _("You have signed in as {login}, who may not come in here. Ask the administrator.").format(
                    login=login
                )
            )
        await self._entrance.forgive(login, "")
        spoken = language if user.last_login_at is None and language in LANGUAGES else ""
        changed = {"must_change": False} | ({"password": ""} if user.must_change else {})
        return await self._entrance.admit(
            user, "header", language=spoken, address=address, agent=agent, **changed
        )

    async def _note_refused(self, login: str, sign_on: str, address: str, why: str) -> None:
        detail = {"address": address, "sign_on": sign_on, "why": why[:200]}
        await self._audit.note(None, "login-refused", login, detail)


def _objection(identity: Identity, user: UserRow | None) -> str:
    """Why he does not come in, for the trail; empty if he does."""
    if identity.outside:
        return "no role for him"
    if user is None:
        return "" if identity.role is not None else "unknown"
    if user.disabled:
        return "disabled"
    if user.subject:
        return "" if user.subject == identity.subject else "tied to another subject"
    # Whoever can choose his name at the provider could else take over whom he likes.
    return "has a password of his own: a new one-time code opens the way" if user.password else ""
