"""Several nodes and one bucket: whose a row is, and where a kept file is beside its disk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_cached = sa.text("(local AND object <> '' AND state = 'kept')")


def upgrade() -> None:
    for table in ("conversations", "recordings", "lanes", "kept"):
        op.add_column(table, sa.Column("node", _words, nullable=False, server_default=""))
    op.add_column("kept", sa.Column("object", _words, nullable=False, server_default=""))
    op.add_column("kept", sa.Column("local", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index("kept_cached", "kept", ["node", "size"], sqlite_where=_cached, postgresql_where=_cached)
