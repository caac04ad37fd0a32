"""The room that remembers.

    abc           the contract: what every store does, and the plain data that cross it
    codec         rows as JSON and back
    sql           the store on a database:  engines, tables, queries, writes, sql_policy, changes, migrate
    memory        the store in memory, which forgets when it is closed
    dump          backup and restore, from any back end to any other
    journal       rows on disk while the database is away
    snapshot      policy on disk, to decide by while the database is away
    asterisk_cdr  Asterisk's own table of call detail records

`open_store(url)` is the way in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from recorderd.errors import StoreError
from recorderd.store.abc import Store


def _sql(url: str, clock: Callable[[], float]) -> Store:
    # Only here: the daemon writes to its journal, and starts the sooner without a database's libraries.
    from recorderd.store import engines
    from recorderd.store.sql import SqlStore

    return SqlStore(engines.parse(url), clock)


def _memory(_url: str, clock: Callable[[], float]) -> Store:
    from recorderd.store.memory import MemoryStore

    return MemoryStore(clock)


# The scheme of an address, and what makes the store. A new back end is a line here.
_SCHEMES: dict[str, Callable[[str, Callable[[], float]], Store]] = {
    "sqlite": _sql,
    "postgresql": _sql,
    "postgres": _sql,
    "memory": _memory,
}


def open_store(url: str, clock: Callable[[], float] = time.time) -> Store:
    """The store at this address. Connects to nothing yet; StoreError only when the address cannot be one.

    `sqlite:////var/lib/recorderd/recorderd.db`, `postgresql://user:secret@host/name`,
    `postgresql://user@/name?host=/run/postgresql`, `memory:`.
    """
    scheme = url.partition(":")[0]
    if scheme not in _SCHEMES:
        known = ", ".join(f"{name}:" for name in _SCHEMES)
        raise StoreError(f"An address of a database begins with one of {known}")
    return _SCHEMES[scheme](url, clock)
