"""Failed tries to get in, so that a restart forgives nobody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "login_tries",
        sa.Column("kind", _words, primary_key=True, nullable=False),
        sa.Column("who", _words, primary_key=True, nullable=False),
        sa.Column("failures", _number, nullable=False),
        sa.Column("last_at", _instant, nullable=False),
    )
    op.create_index("login_tries_last_at", "login_tries", ["last_at"])
