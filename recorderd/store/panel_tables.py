"""The tables of the panel's part of the store: see `tables`, whose types and metadata they share."""

from __future__ import annotations

import sqlalchemy as sa

from recorderd.core import rows
from recorderd.core.entries import CallEntry
from recorderd.store import chain_tables, keeping_tables, tables
from recorderd.store.panel import TokenRow, UserRow, WebhookRow
from recorderd.store.tables import Instant, Json, Number, _column, _index, metadata

# The list is read from the first index alone, in its order; what a filter asks of a row stands in it too, so
# that a row that is passed over costs no look at the table.
call_entries = sa.Table(
    "call_entries",
    metadata,
    _column("story_id", key=True),
    _column("owner", key=True),
    _column("started_at", Instant),
    _column("ended_at", Instant, null=True),
    _column("way"),
    _column("result"),
    _column("caller_number"),
    _column("caller_name"),
    _column("caller_extension"),
    _column("source"),
    _column("destination"),
    _column("talk_s", Number),
    _column("mode"),
    _column("wanted", sa.Boolean),
    _column("reason"),
    _column("outcome"),
    _column("recordings", Json),
    _column("parts", Number),
    _column("recorded", sa.Boolean),
    _column("search"),
    _index(
        "call_entries_list",
        "owner",
        "started_at",
        "story_id",
        "talk_s",
        "way",
        "result",
        "recorded",
        "search",
    ),
)

users = sa.Table(
    "users",
    metadata,
    _column("login", key=True),
    _column("name"),
    _column("role"),
    _column("extension"),
    _column("scope", Json),
    _column("rights", Json, null=True),
    _column("password"),
    _column("must_change", sa.Boolean),
    _column("disabled", sa.Boolean),
    _column("code"),
    _column("code_until", Instant, null=True),
    _column("language"),
    _column("created_at", Instant),
    _column("last_login_at", Instant, null=True),
    _column("subject"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    _column("id", key=True),
    _column("login"),
    _column("csrf"),
    _column("started_at", Instant),
    _column("seen_at", Instant),
    _column("until", Instant),
    _column("address"),
    _column("agent"),
    _column("reasons", Json),
    _column("sign_on"),
    _index("sessions_login", "login", "started_at"),
)

login_tries = sa.Table(
    "login_tries",
    metadata,
    _column("kind", key=True),
    _column("who", key=True),
    _column("failures", Number),
    _column("last_at", Instant),
    _index("login_tries_last_at", "last_at"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _column("id", key=True),
    _column("hash"),
    _column("name"),
    _column("login"),
    _column("scopes", Json),
    _column("created_at", Instant),
    _column("until", Instant, null=True),
    _column("used_at", Instant, null=True),
    sa.Index("tokens_hash", "hash", unique=True),
    _index("tokens_login", "login"),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    _column("id", key=True),
    _column("url"),
    _column("secret"),
    _column("events", Json),
    _column("enabled", sa.Boolean),
    _column("created_by"),
    _column("created_at", Instant),
    _column("position", Number),
    _column("alarm_at", Instant),
    _column("last_at", Instant, null=True),
    _column("last_error"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", Number, primary_key=True, autoincrement=True),
    _column("at", Instant),
    _column("kind"),
    _column("object"),
    sa.Index("outbox_object", "kind", "object", unique=True),
    _index("outbox_at", "at"),
)

# The audit trail is asked for by who and by what was done, newest first.
sa.Index("audit_who", tables.audit.c.who, tables.audit.c.at)
sa.Index("audit_object", tables.audit.c.object, tables.audit.c.at)
sa.Index("audit_action", tables.audit.c.action, tables.audit.c.at)

# Where each type of row is kept: the panel's and the archive's, beside all others.
TABLES: dict[type[rows.Row], sa.Table] = {
    **tables.TABLES,
    **keeping_tables.TABLES,
    **chain_tables.TABLES,
    CallEntry: call_entries,
    UserRow: users,
    TokenRow: tokens,
    WebhookRow: webhooks,
}
