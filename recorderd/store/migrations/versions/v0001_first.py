"""The first tables: conversations, the ledger, recordings, CDRs, policy, alarms and the audit trail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
_bool, _json = sa.Boolean(), sa.JSON()


def _table(name: str, key: str, columns: dict[str, Any], *more: Any, null: str = "") -> None:
    keys, nullable = key.split(), null.split()
    op.create_table(
        name,
        *(
            sa.Column(n, kind, primary_key=n in keys, nullable=n in nullable, autoincrement=False)
            for n, kind in columns.items()
        ),
        *more,
    )


def _index(table: str, name: str, *columns: str, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(f"{table}_{name}", table, columns, sqlite_where=condition, postgresql_where=condition)


def _owner(name: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete="CASCADE")


def upgrade() -> None:
    _conversations()
    _recordings()
    _cdrs()
    _policy()
    _told()
    for table in ("policy_log", "audit"):
        _append_only(table)


def _conversations() -> None:
    _table(
        "conversations",
        "id",
        {"id": _words, "started_at": _instant, "ended_at": _instant, "linkedids": _json, "joined": _words},
        null="ended_at joined",
    )
    _index("conversations", "started_at", "started_at")
    _index("conversations", "open", "id", where="ended_at IS NULL")
    _table(
        "conversation_linkedids",
        "conversation_id linkedid",
        {"conversation_id": _words, "linkedid": _words},
        _owner("conversation_linkedids_conversation", "conversation_id", "conversations.id"),
    )
    _index("conversation_linkedids", "linkedid", "linkedid")
    _table(
        "intervals",
        "id",
        {
            "id": _words,
            "conversation_id": _words,
            "started_at": _instant,
            "ended_at": _instant,
            "parties": _json,
            "mode": _words,
            "wanted": _bool,
            "masked": _bool,
            "reason": _words,
            "trace": _json,
            "policy_version": _number,
            "recording_id": _words,
            "offset_ms": _number,
            "outcome": _words,
            "missing_ms": _number,
            "note": _words,
            "cdr_uniqueid": _words,
        },
        null="ended_at recording_id offset_ms outcome",
    )
    _index("intervals", "conversation_id", "conversation_id", "started_at")
    _index("intervals", "recording_id", "recording_id")
    _index("intervals", "cdr_uniqueid", "cdr_uniqueid")
    _index("intervals", "started_at", "started_at")
    _index("intervals", "open", "id", where="(ended_at IS NULL OR outcome IS NULL)")
    _table(
        "interval_parties",
        "interval_id position",
        {
            "interval_id": _words,
            "position": _number,
            "uniqueid": _words,
            "channel": _words,
            "extension": _words,
            "started_at": _instant,
        },
        _owner("interval_parties_interval", "interval_id", "intervals.id"),
    )
    _index("interval_parties", "extension", "extension", "started_at", "interval_id")
    _index("interval_parties", "uniqueid", "uniqueid", "started_at", "interval_id")
    _table(
        "marks",
        "id",
        {
            "id": _words,
            "conversation_id": _words,
            "at": _instant,
            "kind": _words,
            "who": _words,
            "text": _words,
        },
    )
    _index("marks", "conversation_id", "conversation_id", "at")


def _recordings() -> None:
    _table(
        "recordings",
        "id",
        {
            "id": _words,
            "conversation_id": _words,
            "segment": _number,
            "folder": _words,
            "name": _words,
            "state": _words,
            "started_at": _instant,
            "ended_at": _instant,
            "duration_ms": _number,
            "size": _number,
            "lanes": _json,
            "reason": _words,
        },
        null="ended_at",
    )
    _index("recordings", "conversation_id", "conversation_id", "segment")
    _index("recordings", "name", "name")
    _index("recordings", "started_at", "started_at")
    _index("recordings", "state", "state", "started_at")
    _index("recordings", "open", "id", where="state NOT IN ('closed', 'failed', 'discarded')")
    _table(
        "recording_lanes",
        "recording_id lane_id",
        {"recording_id": _words, "lane_id": _words},
        _owner("recording_lanes_recording", "recording_id", "recordings.id"),
    )
    _index("recording_lanes", "lane_id", "lane_id")
    _table(
        "lanes",
        "id",
        {
            "id": _words,
            "recording_id": _words,
            "uniqueid": _words,
            "channel": _words,
            "label": _words,
            "path": _words,
            "state": _words,
            "stretches": _json,
            "duration_ms": _number,
            "note": _words,
        },
    )
    _index("lanes", "recording_id", "recording_id")
    ends = "state NOT IN ('closed', 'refused', 'lost', 'discarded')"
    _index("lanes", "open", "id", where=f"({ends} OR (state <> 'discarded' AND recording_id = ''))")


def _cdrs() -> None:
    _table(
        "cdrs",
        "uniqueid sequence",
        {
            "uniqueid": _words,
            "sequence": _number,
            "linkedid": _words,
            "start": _instant,
            "answer": _instant,
            "end": _instant,
            "src": _words,
            "dst": _words,
            "dcontext": _words,
            "clid": _words,
            "channel": _words,
            "dstchannel": _words,
            "lastapp": _words,
            "disposition": _words,
            "duration": _number,
            "billsec": _number,
            "accountcode": _words,
            "recordingfile": _words,
        },
        null="answer",
    )
    _index("cdrs", "linkedid", "linkedid")
    _index("cdrs", "start", "start")
    _table(
        "cdr_links",
        "uniqueid sequence recording_id",
        {"uniqueid": _words, "sequence": _number, "recording_id": _words},
    )
    _index("cdr_links", "recording_id", "recording_id")


def _policy() -> None:
    _table(
        "extensions",
        "extension",
        {
            "extension": _words,
            "display_name": _words,
            "inbound": _words,
            "outbound": _words,
            "internal_inbound": _words,
            "internal_outbound": _words,
            "locked": _bool,
            "lock_reason": _words,
            "fail_mode": _words,
        },
        null="internal_inbound internal_outbound fail_mode",
    )
    _table("rules", "position", {"position": _number, "name": _words, "body": _json, "enabled": _bool})
    _table("policy_version", "id", {"id": _number, "version": _number})
    op.execute("INSERT INTO policy_version (id, version) VALUES (1, 0)")
    _table(
        "policy_log",
        "version",
        {"version": _number, "at": _instant, "who": _words, "what": _words, "detail": _json},
    )
    _index("policy_log", "at", "at")


def _told() -> None:
    _table(
        "audit",
        "id",
        {"id": _words, "at": _instant, "who": _words, "action": _words, "object": _words, "detail": _json},
    )
    _index("audit", "at", "at")
    _table(
        "alarms",
        "id",
        {
            "id": _words,
            "at": _instant,
            "kind": _words,
            "sentence": _words,
            "keys": _json,
            "cleared_at": _instant,
        },
        null="cleared_at",
    )
    _index("alarms", "at", "at")
    _index("alarms", "active", "at", where="cleared_at IS NULL")


def _append_only(table: str) -> None:
    """The database itself refuses to change or delete what was written down once."""
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
