"""A recording may be somebody else's file, taken as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("recordings", sa.Column("linked", sa.Boolean(), nullable=False, server_default=sa.false()))
