"""Asterisk's own table of call detail records: SQLite (cdr_sqlite3_custom), PostgreSQL, or FreePBX's MariaDB.

Owns the way from that table to `rows.Cdr`, and the one thing that is ever written there: the name of a
recording in a row that has none. Must not know what the rows are for. The table is the administrator's; its
columns are found by the names that Asterisk, its samples and FreePBX give them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.core import rows
from recorderd.errors import StoreError
from recorderd.store import codec, engines

# Each field of a row and the columns that may hold it, best first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "uniqueid": ("uniqueid",),
    "sequence": ("sequence",),
    "linkedid": ("linkedid",),
    "start": ("start", "calldate"),
    "answer": ("answer", "answerdate"),
    "end": ("end", "enddate", "hangupdate"),
    "src": ("src", "source"),
    "dst": ("dst", "destination"),
    "dcontext": ("dcontext", "destinationcontext"),
    "clid": ("clid", "callerid"),
    "channel": ("channel",),
    "dstchannel": ("dstchannel", "destinationchannel"),
    "lastapp": ("lastapp", "lastapplication"),
    "disposition": ("disposition",),
    "duration": ("duration",),
    "billsec": ("billsec", "billableseconds"),
    "accountcode": ("accountcode",),
    "recordingfile": ("recordingfile",),
}
# Without these a row cannot be told from another, found or accounted for.
NEEDED = (
    "uniqueid",
    "sequence",
    "linkedid",
    "start",
    "channel",
    "dstchannel",
    "disposition",
    "duration",
    "billsec",
)

# cdr_pgsql and the CDR engine write the disposition in words, some back ends as a number (cdr.h).
_DISPOSITIONS = {
    "0": "NO ANSWER",
    "1": "NO ANSWER",
    "2": "FAILED",
    "4": "BUSY",
    "8": "ANSWERED",
    "16": "CONGESTION",
}
# A clock that is set back makes local times that are an hour older than they look; nowhere is it two.
_FOLD = timedelta(hours=2)
_EPOCH_IN_UNIQUEID = re.compile(r"(\d{9,11})\.\d+$")
_LONGEST_TEXT = 4096


class AsteriskCdrTable:
    """Reads rows by their start, and completes those that have no recording's name.

    `url` as for `open_store`, or mysql://user:password@host/asteriskcdrdb (`?unix_socket=` for a socket);
    `zone` is Asterisk's local time, or UTC with its `usegmtime=yes`. `on_bad` hears one sentence for each row
    that cannot be one. Every method raises StoreError, one sentence.
    """

    def __init__(
        self,
        url: str,
        *,
        zone: tzinfo,
        table: str = "cdr",
        on_bad: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._zone = zone
        self._name = table
        self._on_bad = on_bad
        self._table: sa.Table | None = None
        address = engines.parse(url)
        if address.get_backend_name() not in engines.CDR_ENGINES:
            raise StoreError(f"Asterisk's CDR table cannot be read from {address.get_backend_name()}")
        # No pool: the file is Asterisk's, and may be replaced at any time.
        self._engine = engines.CDR_ENGINES[address.get_backend_name()](_existing(address), alone=True)

    async def since(self, start: float) -> list[rows.Cdr]:
        """The rows that began at `start` or later, oldest first. Bad rows are told of and left out."""
        async with self._open() as (connection, columns):
            query = sa.select(*(column.label(field) for field, column in columns.items()))
            query = query.where(columns["start"] >= self._bound(columns["start"], start))
            found = (await connection.execute(query)).mappings().all()
        parsed = [row for row in map(self._parse, found) if row is not None and row.start >= start]
        return sorted(parsed, key=lambda row: (row.start, row.uniqueid, row.sequence))

    async def complete(self, uniqueid: str, sequence: int, recordingfile: str) -> bool:
        """Write the recording's name where the row has none; whether it was written.

        StoreError where we may not write, or where the table has no column `recordingfile`.
        """
        async with self._open(writes=True) as (connection, columns):
            name = self._name_column(columns)
            done = await connection.execute(
                sa.update(name.table)
                .where(columns["uniqueid"] == uniqueid)
                .where(sa.cast(columns["sequence"], sa.Text) == str(sequence))
                .where(sa.or_(name.is_(None), name == ""))
                .values({name: recordingfile})
            )
            return bool(done.rowcount)

    async def rename(self, old: str, new: str, since: float) -> int:
        """Name `new` in every row that names `old` and began at `since` or later; how many there were.

        StoreError as for `complete`.
        """
        async with self._open(writes=True) as (connection, columns):
            name, start = self._name_column(columns), columns["start"]
            done = await connection.execute(
                sa.update(name.table)
                .where(start >= self._bound(start, since), name == old)
                .values({name: new})
            )
            return int(done.rowcount)

    async def check(self) -> None:
        """StoreError says what is wrong with the table, if anything is."""
        async with self._open():
            pass

    async def check_writable(self) -> None:
        """StoreError says why no name can be written there; writes nothing."""
        async with self._open(writes=True) as (connection, columns):
            name = self._name_column(columns)
            await connection.execute(sa.update(name.table).where(sa.false()).values({name: name}))

    @asynccontextmanager
    async def _open(
        self, *, writes: bool = False
    ) -> AsyncIterator[tuple[AsyncConnection, dict[str, sa.Column[Any]]]]:
        """A transaction on the table, and its column for each field.

        A server that falls silent holds up nobody for longer than a statement may take.
        """
        options = engines.WRITES if writes else {}
        with engines.errors_translated():
            async with asyncio.timeout(engines.STATEMENT_SECONDS), self._engine.connect() as connection:
                connection = await connection.execution_options(**options)
                async with connection.begin():
                    yield connection, _columns(await self._found(connection))

    def _name_column(self, columns: dict[str, sa.Column[Any]]) -> sa.Column[Any]:
        if "recordingfile" not in columns:
            raise StoreError(f"Asterisk's CDR table {self._name} has no column recordingfile")
        return columns["recordingfile"]

    async def close(self) -> None:
        """Let go of everything. Idempotent."""
        await self._engine.dispose()

    # --- at the door ---

    async def _found(self, connection: AsyncConnection) -> sa.Table:
        """The table as it is; looked at once, since an administrator who changes it restarts Asterisk too."""
        if self._table is None:
            names = await connection.run_sync(self._look)
            table = sa.Table(self._name, sa.MetaData(), *names)
            missing = [field for field in NEEDED if field not in _columns(table)]
            if missing:
                raise StoreError(
                    f"Asterisk's CDR table {self._name} lacks {', '.join(missing)}: "
                    "add the columns there and in Asterisk's configuration"
                )
            self._table = table
        return self._table

    def _look(self, connection: sa.Connection) -> list[sa.Column[Any]]:
        try:
            found = sa.inspect(connection).get_columns(self._name)
        except sa.exc.NoSuchTableError:
            raise StoreError(f"There is no table {self._name} of CDRs") from None
        # SQLite's columns hold whatever was put there; Asterisk puts text.
        loose = connection.dialect.name == "sqlite"
        return [
            sa.Column(column["name"], sa.types.NullType() if loose else column["type"]) for column in found
        ]

    def _bound(self, column: sa.Column[Any], start: float) -> Any:
        """`start` as the column spells it, early enough for an hour that comes twice."""
        if not isinstance(column.type, sa.DateTime):
            local = datetime.fromtimestamp(start, self._zone).replace(tzinfo=None)
            return (local - _FOLD).strftime("%Y-%m-%d %H:%M:%S")
        at = datetime.fromtimestamp(start, UTC) - _FOLD
        return at if column.type.timezone else at.astimezone(self._zone).replace(tzinfo=None)

    def _parse(self, found: sa.RowMapping) -> rows.Cdr | None:
        try:
            return self._cdr(dict(found))
        except (ValueError, OverflowError, OSError) as error:
            self._on_bad(f"A row of Asterisk's CDR table {self._name} is none: {error}")
            return None

    def _cdr(self, found: dict[str, Any]) -> rows.Cdr:
        uniqueid = _text(found, "uniqueid")
        if not uniqueid:
            raise ValueError("uniqueid is empty")
        start = self._instant(found["start"], uniqueid)
        if start is None:
            raise ValueError("start is empty")
        duration, billsec = _whole(found, "duration"), _whole(found, "billsec")
        disposition = _DISPOSITIONS.get(_text(found, "disposition"), _text(found, "disposition"))
        end = self._instant(found.get("end"), uniqueid)
        end = start + duration if end is None else end
        answer = self._instant(found.get("answer"), uniqueid)
        if answer is None and "answer" not in found and disposition == "ANSWERED":
            answer = end - billsec
        return rows.Cdr(
            uniqueid=uniqueid,
            sequence=_whole(found, "sequence"),
            start=start,
            answer=answer,
            end=end,
            disposition=disposition,
            duration=duration,
            billsec=billsec,
            **{field: _text(found, field) for field in _TEXTS},
        )

    def _instant(self, value: Any, uniqueid: str) -> float | None:
        """Seconds of UTC from a timestamp or a local text; None where there is none."""
        if value in (None, "", "0000-00-00 00:00:00"):  # the last is MariaDB's, where none was given
            return None
        when = value if isinstance(value, datetime) else datetime.fromisoformat(_short(str(value)).strip())
        if when.tzinfo is not None:
            return when.timestamp()
        early, late = (when.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1))
        made = _EPOCH_IN_UNIQUEID.search(uniqueid)
        # In the hour that comes twice only the channel's own name knows which of the two it was.
        if early != late and made is not None:
            return min(early, late, key=lambda at: abs(at - int(made[1])))
        return early


_TEXTS = (
    "linkedid",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "accountcode",
    "recordingfile",
)


def _columns(table: sa.Table) -> dict[str, sa.Column[Any]]:
    """The table's column for each field that it has."""
    by_name = {column.name.lower(): column for column in table.columns}
    found = {
        field: next((by_name[n] for n in names if n in by_name), None) for field, names in COLUMNS.items()
    }
    return {field: column for field, column in found.items() if column is not None}


def _text(found: dict[str, Any], field: str) -> str:
    value = found.get(field)
    return "" if value is None else codec.clean(_short(str(value)))


def _short(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"a text of {len(text)} characters")
    return text


def _whole(found: dict[str, Any], field: str) -> int:
    text = _text(found, field) or "0"
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{field} is {text[:40]!r}, not a whole number") from None
    if not 0 <= value < 2**63:
        raise ValueError(f"{field} is {value}")
    return value


def _existing(address: sa.URL) -> sa.URL:
    """An SQLite file that is not there must not be made: Asterisk would not find its table in it."""
    if address.get_backend_name() != "sqlite" or not address.database:
        return address
    return address.set(database=f"file:{quote(address.database)}", query={"mode": "rw", "uri": "true"})
