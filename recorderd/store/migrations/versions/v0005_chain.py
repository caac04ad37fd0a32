"""The chain of evidence and its signed heads, which nothing can change or delete afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _column(name: str, kind: object = _words, *, key: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, primary_key=key, nullable=False, autoincrement=False)  # type: ignore[arg-type]


def upgrade() -> None:
    op.create_table(
        "chain",
        _column("sequence", _number, key=True),
        _column("at", _instant),
        _column("kind"),
        _column("recording_id"),
        _column("object"),
        _column("detail", sa.JSON()),
        _column("digest"),
        _column("previous"),
        _column("hash"),
    )
    op.create_index("chain_recording_id", "chain", ["recording_id", "kind", "object"], unique=True)
    op.create_table(
        "chain_heads",
        _column("number", _number, key=True),
        _column("day"),
        _column("at", _instant),
        _column("sequence", _number),
        _column("hash"),
        _column("previous"),
        _column("public_key"),
        _column("signature"),
    )
    for table in ("chain", "chain_heads"):
        _append_only(table)


def _append_only(table: str) -> None:
    sentence = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
