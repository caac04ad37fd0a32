"""How to reach each database: one SQLAlchemy engine for each scheme of address, and its errors in our words.

Owns drivers, connection settings and the translation of errors. Must not know a table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from asyncpg.exceptions import InterfaceError, PostgresError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, Pool

from recorderd.errors import StoreError
from recorderd.store.abc import RowRefused

# Execution options: this transaction will write; or it reads several times and wants one instant; or it is one
# question, or several that need no common instant: no BEGIN and no COMMIT is said around it (each word is a way to
# SQLite's thread, or to PostgreSQL, and back).
WRITES = {"recorderd_writes": True}
ONE_QUESTION = {"recorderd_one_question": True}
ONE_INSTANT = {"recorderd_one_instant": True}

CONNECT_SECONDS = 5
# A statement that takes longer has met a dead server or a lost packet, not a slow table.
STATEMENT_SECONDS = 30
BUSY_MS = 5000


def sqlite(url: sa.URL, *, alone: bool = False, busy_ms: int = BUSY_MS) -> AsyncEngine:
    """An engine on a database file. `alone`: no pool, each connection is made anew and closed after use.

    Durable at power loss (synchronous FULL). Writers take the write lock when they begin, so that two that
    read before they write cannot block each other for good.
    """
    if not url.database or url.database == ":memory:":
        raise StoreError(
            f"{_shown(url)}: an SQLite address names a file: sqlite:////var/lib/recorderd/recorderd.db"
        )
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), poolclass=_pool(alone))

    @sa.event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions of its own: `on_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={busy_ms}", "foreign_keys=ON", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if "recorderd_one_question" not in options:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if "recorderd_writes" in options else "BEGIN")

    return engine


def make_private(url: sa.URL) -> None:
    """Make the file, if it is not there, for its owner and group only: it says who called whom.

    Made by root it belongs to whom its folder belongs to: the daemon, which is not root, could not write it.
    SQLite gives the files beside it the same mode. What fails here SQLite will say itself. A file that is
    there is not even opened: closing it would drop every lock that this process holds on it, and another
    process would delete the write-ahead log under us (sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(OSError):
        path = Path(str(url.database))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(file, folder.st_uid, folder.st_gid)
        finally:
            os.close(file)


def postgresql(url: sa.URL, *, alone: bool = False) -> AsyncEngine:
    """An engine on a PostgreSQL server. `alone`: as above, and without a deadline for statements."""
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        poolclass=_pool(alone),
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": None if alone else STATEMENT_SECONDS,
            "server_settings": {"application_name": "recorderd", "timezone": "UTC"},
        },
    )

    if not alone:
        sa.event.listen(engine.sync_engine, "checkout", _answers_still)

    @sa.event.listens_for(engine.sync_engine, "set_connection_execution_options")
    def on_options(_connection: sa.Connection, options: dict[str, Any]) -> None:
        if "recorderd_one_question" in options:
            options["isolation_level"] = "AUTOCOMMIT"

    @sa.event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # SQLite's transactions see one instant anyhow. Writers keep PostgreSQL's READ COMMITTED, in which
        # two that meet on a row wait for each other instead of failing.
        if "recorderd_one_instant" in connection.get_execution_options():
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


def _answers_still(connection: Any, _record: object, _proxy: object) -> None:
    """A server that was restarted leaves dead connections in the pool: another is made in the place of one.

    `pool_pre_ping` would do it too, in a transaction of its own: three ways to the server and back, not one.
    """
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1"))
    except Exception as error:
        # Whatever it is: asyncpg has errors for it that belong to no family.
        raise sa.exc.DisconnectionError from error


def mariadb(url: sa.URL, *, alone: bool = False) -> AsyncEngine:
    """An engine on a MariaDB or MySQL server: FreePBX keeps Asterisk's CDRs in one. `alone`: as above.

    Its driver is an extra, since nothing of ours is kept there. Names come back whole whatever the table's
    own alphabet is: the session speaks utf8mb4.
    """
    query = {**url.query}
    connect = {"connect_timeout": CONNECT_SECONDS, "charset": query.pop("charset", "utf8mb4")}
    try:
        return create_async_engine(
            url.set(drivername="mysql+aiomysql", query=query),
            poolclass=_pool(alone),
            pool_pre_ping=not alone,
            connect_args=connect,
        )
    except ModuleNotFoundError:
        raise StoreError("MariaDB is read with aiomysql: pip install 'recorderd[mariadb]'") from None


ENGINES: dict[str, Callable[..., AsyncEngine]] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "postgres": postgresql,
}
# Where Asterisk may write its CDRs: we keep nothing of our own in the last two.
CDR_ENGINES: dict[str, Callable[..., AsyncEngine]] = {**ENGINES, "mysql": mariadb, "mariadb": mariadb}


def parse(url: str) -> sa.URL:
    """The address, understood. StoreError says what is wrong with it, never its password."""
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(
            "This is no address of a database; one looks like sqlite:////var/lib/recorderd/recorderd.db "
            "or postgresql://recorderd@localhost/recorderd"
        ) from None


@contextmanager
def errors_translated() -> Iterator[None]:
    """Every error of a driver becomes a StoreError, or a RowRefused where the data are at fault."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, PostgresError, InterfaceError) as error:
        raise _fault(error) from error
    except (OSError, TimeoutError) as error:
        raise StoreError(f"The database does not answer: {_first_line(error)}") from error
    except OverflowError as error:  # from SQLite's driver: a number of more than 64 bits
        raise RowRefused(f"The database refused a value: {_first_line(error)}") from error


def _fault(error: Exception) -> StoreError:
    cause = error.orig if isinstance(error, sa.exc.StatementError) and error.orig else error
    refused = (
        isinstance(error, sa.exc.DataError | sa.exc.IntegrityError)
        # A value that no type of ours could bind, or asyncpg could not encode.
        or (isinstance(error, sa.exc.StatementError) and not isinstance(error, sa.exc.DBAPIError))
        or "invalid input for query argument" in str(cause)
    )
    if refused:
        return RowRefused(f"The database refused a value: {_first_line(cause)}")
    return StoreError(f"The database does not answer as it should: {_first_line(cause)}")


def _first_line(error: BaseException) -> str:
    """SQLAlchemy puts `<class '...'>: ` before the driver's own words, and lines of its own behind."""
    words: tuple[object, ...] = error.args
    numbered = len(words) == 2 and isinstance(words[0], int)  # MariaDB's driver: a number and a sentence
    text = ((str(words[1]) if numbered else str(error)) or type(error).__name__).splitlines()[0]
    return text.partition("'>: ")[2] if text.startswith("<class '") else text


def _pool(alone: bool) -> type[Pool]:
    return NullPool if alone else AsyncAdaptedQueuePool


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=True)
