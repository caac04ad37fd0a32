"""How rows are read: an answer of a database as rows of one type.

Owns what is said of a row that is none, and what the parts of a store are lent to ask with. Must not know
questions (`queries` does) or where a transaction comes from: `rows_of` works inside the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.errors import StoreError
from recorderd.store import codec

R = TypeVar("R")
Begin = Callable[[Mapping[str, bool]], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a transaction of the store's, with these options of `engines`."""


async def rows_of(connection: AsyncConnection, cls: type[R], query: Any) -> list[R]:
    found = (await connection.execute(query)).mappings().all()
    try:
        return [codec.from_plain(cls, dict(row)) for row in found]
    except ValueError as error:
        raise StoreError(f"The database holds a row that is none: {error}") from error
