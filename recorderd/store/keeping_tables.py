"""The tables of the archive's part of the store: see `tables`, whose types and metadata they share."""

from __future__ import annotations

import sqlalchemy as sa

from recorderd.core import rows
from recorderd.core.keeping import Copy, Erasure, Hold, KeepState, Kept, Tag
from recorderd.store.tables import Instant, Json, Number, metadata
from recorderd.store.tables import _column as column
from recorderd.store.tables import _index as index

# What the archive still has work with; the condition of an index too, to be asked in the same words.
kept_unfinished = sa.text(f"state NOT IN ('{KeepState.KEPT}', '{KeepState.DELETED}')")

# What is in the bucket and has its file here too: that may make room.
kept_cached = sa.text(f"(local AND object <> '' AND state = '{KeepState.KEPT}')")

# What is kept and not in a bucket, and could be.
kept_apart = sa.text(f"(object = '' AND name <> '' AND state = '{KeepState.KEPT}')")

kept = sa.Table(
    "kept",
    metadata,
    column("recording_id", key=True),
    column("state"),
    column("started_at", Instant),
    column("folder"),
    column("name"),
    column("mix"),
    column("format"),
    column("channels", Number),
    column("rate", Number),
    column("size", Number),
    column("duration_ms", Number),
    column("sha256"),
    column("levels", Json),
    column("findings", Json),
    column("archived_at", Instant, null=True),
    column("attempts", Number),
    column("not_before", Instant),
    column("error"),
    column("deleted_at", Instant, null=True),
    column("deleted_by"),
    column("deleted_why"),
    column("was", null=True),
    column("node"),
    column("object"),
    column("local", sa.Boolean),
    index("kept_started_at", "started_at", "recording_id"),
    index("kept_unfinished", "not_before", where=kept_unfinished),
    index("kept_cached", "node", "size", where=kept_cached),
    index("kept_apart", "node", "started_at", "recording_id", where=kept_apart),
)

holds = sa.Table(
    "holds",
    metadata,
    column("id", key=True),
    column("at", Instant),
    column("who"),
    column("reason"),
    column("recording_id"),
    column("conversation_id"),
    column("person"),
    column("since", Instant, null=True),
    column("until", Instant, null=True),
    column("released_at", Instant, null=True),
    column("released_by"),
    column("release_reason"),
)

erasures = sa.Table(
    "erasures",
    metadata,
    column("id", key=True),
    column("at", Instant),
    column("who"),
    column("reason"),
    column("person"),
)

tags = sa.Table(
    "tags",
    metadata,
    column("recording_id", key=True),
    column("tag", key=True),
    column("at", Instant),
    column("who"),
    column("removed_at", Instant, null=True),
)

copies = sa.Table(
    "copies",
    metadata,
    column("recording_id", key=True),
    column("path", key=True),
    column("at", Instant),
    column("kind"),
    column("node"),
)

# Where each type of row is kept, and its key.
TABLES: dict[type[rows.Row], sa.Table] = {
    Kept: kept,
    Hold: holds,
    Erasure: erasures,
    Tag: tags,
    Copy: copies,
}
