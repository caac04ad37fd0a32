"""Indexes that nobody searched cost each call time, and a large database room."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for name, table in (
        ("recordings_name", "recordings"),
        ("recording_lanes_lane_id", "recording_lanes"),
        ("policy_log_at", "policy_log"),
        ("kept_name", "kept"),
    ):
        op.drop_index(name, table_name=table)
