"""The `dataclass` of everything that is made thousands of times a second: events, commands, rows.

Owns how a fact is kept from being changed: mypy sees `dataclasses.dataclass` with `frozen=True`, and refuses. At run
time it is an ordinary one with slots, for Python's own freezing makes the making of one take twice as long (every
field goes through `object.__setattr__`), and making them was a fifth of what the engine did.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, **options: Any) -> Any:
        """As `dataclasses.dataclass`; equal facts have one hash, as frozen ones have."""
        return dataclasses.dataclass(unsafe_hash=frozen, **options)
