"""Names for rows: sortable by age, unguessable, safe in a file name."""

from __future__ import annotations

import secrets
import time


def new_id() -> str:
    """23 hexadecimal digits: milliseconds since the epoch, then 48 bits of chance."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(6)}"
