"""The tables of the chain of evidence: see `tables`, whose types and metadata they share."""

from __future__ import annotations

import sqlalchemy as sa

from recorderd.core import rows
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.store.tables import Instant, Json, Number, metadata
from recorderd.store.tables import _column as column

chain = sa.Table(
    "chain",
    metadata,
    column("sequence", Number, key=True),
    column("at", Instant),
    column("kind"),
    column("recording_id"),
    column("object"),
    column("detail", Json),
    column("digest"),
    column("previous"),
    column("hash"),
    # The database's own word for what `ChainStore.append` promises.
    sa.Index("chain_recording_id", "recording_id", "kind", "object", unique=True),
)

chain_heads = sa.Table(
    "chain_heads",
    metadata,
    column("number", Number, key=True),
    column("day"),
    column("at", Instant),
    column("sequence", Number),
    column("hash"),
    column("previous"),
    column("public_key"),
    column("signature"),
)

# Where each type of row is kept, and its key.
TABLES: dict[type[rows.Row], sa.Table] = {ChainEntry: chain, ChainHead: chain_heads}
