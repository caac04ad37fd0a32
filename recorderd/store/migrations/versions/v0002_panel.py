"""The panel's tables: entries of the lists of calls, users, sessions, tokens, webhooks and their outbox."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
_bool, _json = sa.Boolean(), sa.JSON()


def _table(name: str, key: str, columns: dict[str, Any], null: str = "", counted: bool = False) -> None:
    keys, nullable = key.split(), null.split()
    op.create_table(
        name,
        *(
            sa.Column(
                n, kind, primary_key=n in keys, nullable=n in nullable, autoincrement=counted and n in keys
            )
            for n, kind in columns.items()
        ),
    )


def _index(table: str, name: str, *columns: str, unique: bool = False) -> None:
    op.create_index(f"{table}_{name}", table, columns, unique=unique)


def upgrade() -> None:
    _entries()
    _people()
    _machines()
    for column in ("who", "object", "action"):
        _index("audit", column, column, "at")


def _entries() -> None:
    _table(
        "call_entries",
        "story_id owner",
        {
            "story_id": _words,
            "owner": _words,
            "started_at": _instant,
            "ended_at": _instant,
            "way": _words,
            "result": _words,
            "caller_number": _words,
            "caller_name": _words,
            "caller_extension": _words,
            "source": _words,
            "destination": _words,
            "talk_s": _number,
            "mode": _words,
            "wanted": _bool,
            "reason": _words,
            "outcome": _words,
            "recordings": _json,
            "parts": _number,
            "recorded": _bool,
            "search": _words,
        },
        null="ended_at",
    )
    columns = ("owner", "started_at", "story_id", "talk_s", "way", "result", "recorded", "search")
    _index("call_entries", "list", *columns)


def _people() -> None:
    _table(
        "users",
        "login",
        {
            "login": _words,
            "name": _words,
            "role": _words,
            "extension": _words,
            "scope": _json,
            "rights": _json,
            "password": _words,
            "must_change": _bool,
            "disabled": _bool,
            "code": _words,
            "code_until": _instant,
            "language": _words,
            "created_at": _instant,
            "last_login_at": _instant,
        },
        null="rights code_until last_login_at",
    )
    _table(
        "sessions",
        "id",
        {
            "id": _words,
            "login": _words,
            "csrf": _words,
            "started_at": _instant,
            "seen_at": _instant,
            "until": _instant,
            "address": _words,
            "agent": _words,
            "reasons": _json,
        },
    )
    _index("sessions", "login", "login", "started_at")


def _machines() -> None:
    _table(
        "tokens",
        "id",
        {
            "id": _words,
            "hash": _words,
            "name": _words,
            "login": _words,
            "scopes": _json,
            "created_at": _instant,
            "until": _instant,
            "used_at": _instant,
        },
        null="until used_at",
    )
    _index("tokens", "hash", "hash", unique=True)
    _index("tokens", "login", "login")
    _table(
        "webhooks",
        "id",
        {
            "id": _words,
            "url": _words,
            "secret": _words,
            "events": _json,
            "enabled": _bool,
            "created_by": _words,
            "created_at": _instant,
            "position": _number,
            "alarm_at": _instant,
            "last_at": _instant,
            "last_error": _words,
        },
        null="last_at",
    )
    _table(
        "outbox",
        "number",
        {"number": _number, "at": _instant, "kind": _words, "object": _words},
        counted=True,
    )
    _index("outbox", "object", "kind", "object", unique=True)
    _index("outbox", "at", "at")
