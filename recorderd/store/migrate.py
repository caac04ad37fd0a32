"""Brings a database up to the schema of this code, or refuses one that is ahead of it.

Owns the walk and its lock. Must not know any table. Alembic is imported only here, and only when called: it
costs the daemon's start a fifth of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from recorderd.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

# Any number will do, as long as every recorderd takes the same one: "recorderd" in a telephone's letters.
_LOCK = 732673733


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Walk up to `revision` in the open transaction, which must hold the write lock on SQLite.

    In PostgreSQL an advisory lock makes a second process wait here until the first has committed.
    """
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = current(connection)
    if found is not None and found not in revisions():
        raise StoreError(
            f"The database's schema is {found}, newer than this recorderd knows "
            f"({revisions()[-1]}): upgrade recorderd"
        )
    command.upgrade(_config(connection), revision)


def current(connection: sa.Connection) -> str | None:
    """The schema that the database has, None where there is none yet."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """Every schema that this code knows, oldest first."""
    from alembic.script import ScriptDirectory

    walk = ScriptDirectory.from_config(_config()).walk_revisions()
    return [step.revision for step in walk][::-1]


def _config(connection: sa.Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
