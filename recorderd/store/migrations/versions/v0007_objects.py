"""Several nodes and one bucket: whose a row is, and where a kept file is beside its disk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_cached = sa.text("(local AND object <> '' AND state = 'kept')")
_apart = sa.text("(object = '' AND name <> '' AND state = 'kept')")


def upgrade() -> None:
    for table in ("conversations", "recordings", "lanes", "kept", "copies"):
        op.add_column(table, sa.Column("node", _words, nullable=False, server_default=""))
    op.add_column("kept", sa.Column("object", _words, nullable=False, server_default=""))
    op.add_column("kept", sa.Column("local", sa.Boolean(), nullable=False, server_default=sa.true()))
    for name, columns, where in (
        ("kept_cached", ["node", "size"], _cached),
        ("kept_apart", ["node", "started_at", "recording_id"], _apart),
    ):
        op.create_index(name, "kept", columns, sqlite_where=where, postgresql_where=where)
