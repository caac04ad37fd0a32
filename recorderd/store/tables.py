"""The tables of the database, as this version of the code wants them.

Owns every table, column and index, in SQLAlchemy's words. Must not know how they come to be: `migrations`
builds them step by step, and a test compares the two. A column is named as the field of the row it keeps.

There are few foreign keys, on purpose: rows reach the store from several hands and through the journal, and
one that comes before what it points at must wait for nobody. Coverage finds what points nowhere.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from recorderd.core import rows
from recorderd.store.abc import LANE_ENDS, RECORDING_ENDS, AlarmRow, AuditRow, PolicyLogRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[float]):
    """Seconds since the epoch, UTC, to the microsecond.

    In PostgreSQL a timestamptz, which people and other tools read. SQLite has no type for time: there whole
    microseconds, since they keep the grain, the order and a short index, and text would have to be parsed.
    """

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        micros = round(value * 1_000_000)
        return _EPOCH + micros * _MICROSECOND if dialect.name == "postgresql" else micros

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> float | None:
        if value is None:
            return None
        micros = (value - _EPOCH) // _MICROSECOND if dialect.name == "postgresql" else value
        return float(micros / 1_000_000)


# Compared byte by byte, so that both databases and Python agree on what comes first.
Words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# Plain JSON: jsonb would lose the order of a rule's keys.
Json = sa.JSON()
# SQLite counts up by itself only where the type is spelled INTEGER.
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData()


def _column(name: str, kind: Any = Words, *, key: bool = False, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _index(name: str, *columns: str, where: sa.TextClause | None = None) -> sa.Index:
    if where is None:
        return sa.Index(name, *columns)
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


def _none_of(states: tuple[StrEnum, ...]) -> sa.TextClause:
    """In literal SQL, since the condition of an index takes no parameters."""
    return sa.text("state NOT IN ({})".format(", ".join(f"'{state.value}'" for state in states)))


# What is not finished. Each is the condition of an index too, and must be asked in the same words.
recording_open = _none_of(RECORDING_ENDS)
lane_open = sa.text(f"({_none_of(LANE_ENDS).text} OR (state <> 'discarded' AND recording_id = ''))")
conversation_open = sa.text("ended_at IS NULL")
interval_open = sa.text("(ended_at IS NULL OR outcome IS NULL)")
alarm_active = sa.text("cleared_at IS NULL")

conversations = sa.Table(
    "conversations",
    metadata,
    _column("id", key=True),
    _column("started_at", Instant),
    _column("ended_at", Instant, null=True),
    _column("linkedids", Json),
    _column("joined", null=True),
    _column("node"),
    _index("conversations_started_at", "started_at"),
    _index("conversations_open", "id", where=conversation_open),
)

conversation_linkedids = sa.Table(
    "conversation_linkedids",
    metadata,
    sa.Column(
        "conversation_id",
        Words,
        sa.ForeignKey("conversations.id", name="conversation_linkedids_conversation", ondelete="CASCADE"),
        primary_key=True,
    ),
    _column("linkedid", key=True),
    _index("conversation_linkedids_linkedid", "linkedid"),
)

intervals = sa.Table(
    "intervals",
    metadata,
    _column("id", key=True),
    _column("conversation_id"),
    _column("started_at", Instant),
    _column("ended_at", Instant, null=True),
    _column("parties", Json),
    _column("mode"),
    _column("wanted", sa.Boolean),
    _column("masked", sa.Boolean),
    _column("reason"),
    _column("trace", Json),
    _column("policy_version", Number),
    _column("recording_id", null=True),
    _column("offset_ms", Number, null=True),
    _column("outcome", null=True),
    _column("missing_ms", Number),
    _column("note"),
    _column("cdr_uniqueid"),
    _index("intervals_conversation_id", "conversation_id", "started_at"),
    _index("intervals_recording_id", "recording_id"),
    _index("intervals_cdr_uniqueid", "cdr_uniqueid"),
    _index("intervals_started_at", "started_at"),
    _index("intervals_open", "id", where=interval_open),
)

# Who took part, for the list of an extension's calls and for the link from a channel to its audio.
interval_parties = sa.Table(
    "interval_parties",
    metadata,
    sa.Column(
        "interval_id",
        Words,
        sa.ForeignKey("intervals.id", name="interval_parties_interval", ondelete="CASCADE"),
        primary_key=True,
    ),
    _column("position", Number, key=True),
    _column("uniqueid"),
    _column("channel"),
    _column("extension"),
    _column("started_at", Instant),
    _index("interval_parties_extension", "extension", "started_at", "interval_id"),
    _index("interval_parties_uniqueid", "uniqueid", "started_at", "interval_id"),
)

recordings = sa.Table(
    "recordings",
    metadata,
    _column("id", key=True),
    _column("conversation_id"),
    _column("segment", Number),
    _column("folder"),
    _column("name"),
    _column("state"),
    _column("started_at", Instant),
    _column("ended_at", Instant, null=True),
    _column("duration_ms", Number),
    _column("size", Number),
    _column("lanes", Json),
    _column("reason"),
    _column("stereo"),
    _column("node"),
    _column("linked", sa.Boolean),
    _index("recordings_conversation_id", "conversation_id", "segment"),
    _index("recordings_started_at", "started_at"),
    _index("recordings_state", "state", "started_at"),
    _index("recordings_open", "id", where=recording_open),
)

# A lane may serve two recordings, one after the other.
recording_lanes = sa.Table(
    "recording_lanes",
    metadata,
    sa.Column(
        "recording_id",
        Words,
        sa.ForeignKey("recordings.id", name="recording_lanes_recording", ondelete="CASCADE"),
        primary_key=True,
    ),
    _column("lane_id", key=True),
)

lanes = sa.Table(
    "lanes",
    metadata,
    _column("id", key=True),
    _column("recording_id"),
    _column("uniqueid"),
    _column("channel"),
    _column("label"),
    _column("path"),
    _column("state"),
    _column("stretches", Json),
    _column("duration_ms", Number),
    _column("note"),
    _column("node"),
    _index("lanes_recording_id", "recording_id"),
    _index("lanes_open", "id", where=lane_open),
)

cdrs = sa.Table(
    "cdrs",
    metadata,
    _column("uniqueid", key=True),
    _column("sequence", Number, key=True),
    _column("linkedid"),
    _column("start", Instant),
    _column("answer", Instant, null=True),
    _column("end", Instant),
    _column("src"),
    _column("dst"),
    _column("dcontext"),
    _column("clid"),
    _column("channel"),
    _column("dstchannel"),
    _column("lastapp"),
    _column("disposition"),
    _column("duration", Number),
    _column("billsec", Number),
    _column("accountcode"),
    _column("recordingfile"),
    _index("cdrs_linkedid", "linkedid"),
    _index("cdrs_start", "start"),
)

cdr_links = sa.Table(
    "cdr_links",
    metadata,
    _column("uniqueid", key=True),
    _column("sequence", Number, key=True),
    _column("recording_id", key=True),
    _index("cdr_links_recording_id", "recording_id"),
)

marks = sa.Table(
    "marks",
    metadata,
    _column("id", key=True),
    _column("conversation_id"),
    _column("at", Instant),
    _column("kind"),
    _column("who"),
    _column("text"),
    _index("marks_conversation_id", "conversation_id", "at"),
)

extensions = sa.Table(
    "extensions",
    metadata,
    _column("extension", key=True),
    _column("display_name"),
    _column("inbound"),
    _column("outbound"),
    _column("internal_inbound", null=True),
    _column("internal_outbound", null=True),
    _column("locked", sa.Boolean),
    _column("lock_reason"),
    _column("fail_mode", null=True),
    _column("lookback", null=True),
    sa.Column("announce", Words, nullable=False, server_default=""),
    sa.Column("beep", Number, nullable=False, server_default="0"),
)

rules = sa.Table(
    "rules",
    metadata,
    _column("position", Number, key=True),
    _column("name"),
    _column("body", Json),
    _column("enabled", sa.Boolean),
)

# One row: the counter that every change of policy moves by one.
policy_version = sa.Table(
    "policy_version", metadata, _column("id", Number, key=True), _column("version", Number)
)

policy_log = sa.Table(
    "policy_log",
    metadata,
    _column("version", Number, key=True),
    _column("at", Instant),
    _column("who"),
    _column("what"),
    _column("detail", Json),
)

audit = sa.Table(
    "audit",
    metadata,
    _column("id", key=True),
    _column("at", Instant),
    _column("who"),
    _column("action"),
    _column("object"),
    _column("detail", Json),
    _index("audit_at", "at"),
)

alarms = sa.Table(
    "alarms",
    metadata,
    _column("id", key=True),
    _column("at", Instant),
    _column("kind"),
    _column("sentence"),
    _column("keys", Json),
    _column("cleared_at", Instant, null=True),
    _index("alarms_at", "at"),
    _index("alarms_active", "at", where=alarm_active),
)

# Where each type of row is kept.
TABLES: dict[type[rows.Row], sa.Table] = {
    rows.Conversation: conversations,
    rows.Interval: intervals,
    rows.Recording: recordings,
    rows.Lane: lanes,
    rows.Cdr: cdrs,
    rows.CdrLink: cdr_links,
    rows.Mark: marks,
    AlarmRow: alarms,
    AuditRow: audit,
    PolicyLogRow: policy_log,
}
