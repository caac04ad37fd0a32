"""The pages that people see: owns the one table of them, and what a refusal looks like.

Must not know a database or the daemon: a page asks the services of `panel.ports` and fills a template. To
add a page, write a module here and a template, and add one line to PAGES.
"""

from __future__ import annotations

from collections.abc import Mapping

from recorderd.panel.pages import (
    audit,
    call,
    calls,
    coverage,
    door,
    extensions,
    live,
    refusal,
    rules,
    settings,
    status,
    storage,
    tokens,
    users,
    webhooks,
)
from recorderd.panel.ports import PageRoute, Right

error = refusal.page

PAGES: Mapping[str, PageRoute] = {
    # getting in and out
    "login": PageRoute(path="/login", endpoint=door.login, methods=("GET", "POST"), right=None, public=True),
    "depart": PageRoute(path="/login/oidc", endpoint=door.depart, right=None, public=True),
    "arrive": PageRoute(path="/login/oidc/return", endpoint=door.arrive, right=None, public=True),
    "language": PageRoute(path="/language", endpoint=door.language, methods=("POST",), right=None),
    "logout": PageRoute(path="/logout", endpoint=door.logout, methods=("POST",), right=None),
    "password": PageRoute(path="/password", endpoint=door.password, methods=("GET", "POST"), right=None),
    # calls
    "calls": PageRoute(path="/", endpoint=calls.page),
    "csv": PageRoute(path="/calls.csv", endpoint=calls.csv),
    "call": PageRoute(path="/calls/{id}", endpoint=call.page),
    "reason": PageRoute(path="/calls/{id}/reason", endpoint=call.reason, methods=("POST",), right=Right.PLAY),
    "delete": PageRoute(
        path="/calls/{id}/delete/{sound}", endpoint=call.delete, methods=("GET", "POST"), right=Right.DELETE
    ),
    "live": PageRoute(path="/live", endpoint=live.page),
    "press": PageRoute(path="/live/{id}/{action}", endpoint=live.press, methods=("POST",), right=Right.PRESS),
    # settings
    "settings": PageRoute(path="/settings", endpoint=settings.page, methods=("GET", "POST"), right=None),
    "session": PageRoute(
        path="/settings/sessions/{id}/end", endpoint=settings.end_session, methods=("POST",), right=None
    ),
    "tokens": PageRoute(path="/settings/tokens", endpoint=tokens.page, methods=("GET", "POST"), right=None),
    "token": PageRoute(
        path="/settings/tokens/{id}/revoke", endpoint=tokens.revoke, methods=("POST",), right=None
    ),
    # administration
    "status": PageRoute(path="/admin/status", endpoint=status.page, right=Right.AUDIT),
    "coverage": PageRoute(path="/admin/coverage", endpoint=coverage.page, right=Right.AUDIT),
    "audit": PageRoute(path="/admin/audit", endpoint=audit.page, right=Right.AUDIT),
    "storage": PageRoute(path="/admin/storage", endpoint=storage.page, right=Right.ADMINISTER),
    "extensions": PageRoute(
        path="/admin/extensions", endpoint=extensions.page, methods=("GET", "POST"), right=Right.ADMINISTER
    ),
    "extensions-file": PageRoute(
        path="/admin/extensions.csv", endpoint=extensions.export, right=Right.ADMINISTER
    ),
    "extensions-import": PageRoute(
        path="/admin/extensions/import",
        endpoint=extensions.bring,
        methods=("GET", "POST"),
        right=Right.ADMINISTER,
    ),
    "rules": PageRoute(
        path="/admin/rules", endpoint=rules.page, methods=("GET", "POST"), right=Right.ADMINISTER
    ),
    "explain": PageRoute(path="/admin/explain", endpoint=rules.explain, right=Right.ADMINISTER),
    "users": PageRoute(
        path="/admin/users", endpoint=users.page, methods=("GET", "POST"), right=Right.ADMINISTER
    ),
    "user": PageRoute(
        path="/admin/users/{login}", endpoint=users.one, methods=("GET", "POST"), right=Right.ADMINISTER
    ),
    "webhooks": PageRoute(
        path="/admin/webhooks", endpoint=webhooks.page, methods=("GET", "POST"), right=Right.ADMINISTER
    ),
}

ROUTES: tuple[PageRoute, ...] = tuple(PAGES.values())
