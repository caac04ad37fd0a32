"""Rows of the panel to keep, as `sample` has them for the rest."""

from __future__ import annotations

from typing import Any

from recorderd.core import rows
from recorderd.core.entries import CallEntry, Result, Way
from recorderd.store.panel import SessionRow, TokenRow, UserRow, WebhookRow

T = 1_795_500_000.0


def entry(number: int, owner: str = "101", **changed: Any) -> CallEntry:
    """The entry of the story with this number, which began as many seconds after T."""
    values: dict[str, Any] = {
        "owner": owner,
        "story_id": f"1795500000.{number}",
        "started_at": T + number,
        "ended_at": T + number + 30,
        "way": Way.OUT,
        "result": Result.ANSWERED,
        "caller_number": "101",
        "caller_name": "Иван",
        "caller_extension": "101",
        "source": "101",
        "destination": "102",
        "talk_s": 30,
        "mode": "always",
        "wanted": True,
        "reason": "101 chose always for internal outbound calls",
        "outcome": "recorded",
        "recordings": (f"r{number}",),
        "recorded": True,
        "parts": 1,
        "search": "101 иван 102",
    }
    return CallEntry(**{**values, **changed})


def user(login: str = "101", **changed: Any) -> UserRow:
    values: dict[str, Any] = {"name": "Ann", "role": "user", "extension": "101", "created_at": T}
    return UserRow(**{"login": login, **values, **changed})


def session(id: str = "s1", **changed: Any) -> SessionRow:
    values: dict[str, Any] = {
        "login": "101",
        "csrf": "x",
        "started_at": T,
        "seen_at": T,
        "until": T + 100,
        "reasons": {},
    }
    return SessionRow(**{"id": id, **values, **changed})


def token(id: str = "t1", **changed: Any) -> TokenRow:
    values: dict[str, Any] = {"name": "crm", "login": "101", "scopes": ("list",), "created_at": T}
    return TokenRow(**{"id": id, "hash": f"h{id}", **values, **changed})


def webhook(id: str = "w1", **changed: Any) -> WebhookRow:
    values: dict[str, Any] = {"url": "http://x", "secret": "s", "events": ("alarm",), "created_at": T}
    return WebhookRow(**{"id": id, **values, **changed})


def one_of_each() -> tuple[rows.Row, ...]:
    return entry(1), user(), token(), webhook()
