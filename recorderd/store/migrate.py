"""Brings a database up to the schema of this code, or refuses one that is ahead of it.

Owns the walk and its lock. Must not know any table. Alembic is imported only here, and only where there is a step
to take: it costs the daemon's start a fifth of a second, and each time recorderd starts calls may be waiting for it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from recorderd.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

# Any number will do, as long as every recorderd takes the same one: "recorderd" in a telephone's letters.
_LOCK = 732673733
_STEPS = Path(__file__).with_name("migrations") / "versions"
_STEP = re.compile(r"v(\d{4})_\w+\.py")


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Walk up to `revision` in the open transaction, which must hold the write lock on SQLite.

    In PostgreSQL an advisory lock makes a second process wait here until the first has committed.
    """
    if revision == "head" and _told(connection) == newest():
        return
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


def newest() -> str:
    """The schema of this code, by the names of its steps."""
    return max(found[1] for file in _STEPS.iterdir() if (found := _STEP.fullmatch(file.name)))


def _told(connection: sa.Connection) -> str | None:
    """What Alembic's own table says, as `current` does."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    told: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return told


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
