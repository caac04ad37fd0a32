"""The archive's tables: what is kept, tags, holds, erasures and copies; and a recording's stereo file."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
_json = sa.JSON()


def _table(name: str, key: str, columns: dict[str, Any], null: str = "") -> None:
    keys, nullable = key.split(), null.split()
    op.create_table(
        name,
        *(
            sa.Column(n, kind, primary_key=n in keys, nullable=n in nullable, autoincrement=False)
            for n, kind in columns.items()
        ),
    )


def _index(table: str, name: str, *columns: str, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(f"{table}_{name}", table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.add_column("recordings", sa.Column("stereo", _words, nullable=False, server_default=""))
    _kept()
    _people()


def _kept() -> None:
    _table(
        "kept",
        "recording_id",
        {
            "recording_id": _words,
            "state": _words,
            "started_at": _instant,
            "folder": _words,
            "name": _words,
            "mix": _words,
            "format": _words,
            "channels": _number,
            "rate": _number,
            "size": _number,
            "duration_ms": _number,
            "sha256": _words,
            "levels": _json,
            "findings": _json,
            "archived_at": _instant,
            "attempts": _number,
            "not_before": _instant,
            "error": _words,
            "deleted_at": _instant,
            "deleted_by": _words,
            "deleted_why": _words,
            "was": _words,
        },
        null="archived_at deleted_at was",
    )
    _index("kept", "started_at", "started_at", "recording_id")
    _index("kept", "unfinished", "not_before", where="state NOT IN ('kept', 'deleted')")
    _index("kept", "name", "name")


def _people() -> None:
    _table(
        "holds",
        "id",
        {
            "id": _words,
            "at": _instant,
            "who": _words,
            "reason": _words,
            "recording_id": _words,
            "conversation_id": _words,
            "person": _words,
            "since": _instant,
            "until": _instant,
            "released_at": _instant,
            "released_by": _words,
            "release_reason": _words,
        },
        null="since until released_at",
    )
    _table(
        "erasures",
        "id",
        {"id": _words, "at": _instant, "who": _words, "reason": _words, "person": _words},
    )
    _table(
        "tags",
        "recording_id tag",
        {"recording_id": _words, "tag": _words, "at": _instant, "who": _words, "removed_at": _instant},
        null="removed_at",
    )
    _table(
        "copies",
        "recording_id path",
        {"recording_id": _words, "path": _words, "at": _instant, "kind": _words},
    )
