"""An extension's policy grows: looking back, the prompt before a recorded call, the beep while it is recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("extensions", sa.Column("lookback", _words, nullable=True))
    op.add_column("extensions", sa.Column("announce", _words, nullable=False, server_default=""))
    op.add_column("extensions", sa.Column("beep", _number, nullable=False, server_default="0"))
