"""How somebody got in, and who he is to the provider through which he does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("users", sa.Column("subject", _words, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("sign_on", _words, nullable=False, server_default="password"))
