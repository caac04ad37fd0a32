"""How a command reaches the store: owns opening, closing and the hints when there is none to open.

Must not know what is asked of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from recorderd.config import Config
from recorderd.errors import StoreError

if TYPE_CHECKING:
    from recorderd.store.abc import Store

T = TypeVar("T")


def with_store(config: Config, work: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """Open the store, do the work, close it. Raises StoreError.

    Unless `create`, an SQLite file that is not there is an error: opening would leave an empty one, owned by
    whoever ran the command, where the daemon could not write.
    """
    file = sqlite_file(config)
    if file is not None and not create and not file.exists():
        raise StoreError(f"there is no database at {file}: `recorderd db migrate` makes it")
    return asyncio.run(_with_store(config, work))


async def _with_store(config: Config, work: Callable[[Store], Awaitable[T]]) -> T:
    # Only here: the database's libraries take longer to load than a command that needs none takes in all.
    from recorderd.store import open_store

    store = open_store(config.store.url)
    try:
        return await work(store)
    except StoreError as error:
        if "no such table" in str(error) or "does not exist" in str(error):
            raise StoreError(f"{error}: `recorderd db migrate` brings it up to date") from error
        raise
    finally:
        await store.close()


def sqlite_file(config: Config) -> Path | None:
    """The database's file, None where it is a server."""
    parts = urlsplit(config.store.url)
    # sqlite:////var/... has an empty host and the path //var/...
    return Path(unquote(parts.path)[1:]) if parts.scheme == "sqlite" else None


def who() -> str:
    """Who runs this command, for the policy log: the person behind sudo where there is one."""
    uid = os.getuid()
    name = os.environ.get("SUDO_USER") if uid == 0 else None
    if not name:
        import pwd

        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
    return f"cli:{name}"
