"""Policy in the database: read, changed, counted and logged.

Owns the policy tables. Must not know connections or transactions: every function works inside the caller's.
Each change moves the version by one, writes one row of the log and, in PostgreSQL, notifies the listeners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from recorderd.core.policy import ExtensionPolicy
from recorderd.errors import StoreError
from recorderd.store import changes, codec, tables
from recorderd.store.abc import PolicyRows, RuleRow

Plain = dict[str, Any]


async def load(connection: AsyncConnection) -> PolicyRows:
    """All of policy. The caller's transaction must see one instant."""
    version = await changes.version(connection)
    extensions = await _all(connection, sa.select(tables.extensions).order_by(tables.extensions.c.extension))
    rules = await _all(connection, sa.select(tables.rules).order_by(tables.rules.c.position))
    return PolicyRows(
        version=version,
        names={row["extension"]: row["display_name"] for row in extensions},
        extensions=tuple(_extension(row) for row in extensions),
        rules=tuple(
            codec.from_plain(RuleRow, {n: row[n] for n in ("name", "body", "enabled")}) for row in rules
        ),
    )


async def set_extension(
    connection: AsyncConnection, policy: ExtensionPolicy, name: str | None, who: str, at: float
) -> int:
    version = await _next_version(connection)
    before = await _one_extension(connection, policy.extension)
    if name is None:
        name = before["display_name"] if before else ""
    after = _extension_row(policy, name)
    await _delete_extension(connection, policy.extension)
    await connection.execute(sa.insert(tables.extensions), [after])
    await _log(
        connection, version, at, who, f"set extension {policy.extension}", {"before": before, "after": after}
    )
    return version


async def delete_extension(connection: AsyncConnection, extension: str, who: str, at: float) -> int:
    version = await _next_version(connection)
    before = await _one_extension(connection, extension)
    if before is None:
        raise StoreError(f"There is no policy for extension {extension}")
    await _delete_extension(connection, extension)
    await _log(
        connection, version, at, who, f"deleted extension {extension}", {"before": before, "after": None}
    )
    return version


async def replace_rules(connection: AsyncConnection, rules: Sequence[RuleRow], who: str, at: float) -> int:
    version = await _next_version(connection)
    before = [codec.to_plain(rule) for rule in (await load(connection)).rules]
    after = await _put_rules(connection, rules)
    await _log(connection, version, at, who, "replaced the rules", {"before": before, "after": after})
    return version


async def import_policy(
    connection: AsyncConnection,
    extensions: Sequence[ExtensionPolicy],
    rules: Sequence[RuleRow],
    names: Mapping[str, str],
    who: str,
    at: float,
) -> int:
    version = await _next_version(connection)
    before = codec.to_plain(await load(connection))
    await _put_extensions(connection, extensions, names)
    await _put_rules(connection, rules)
    after = codec.to_plain(await load(connection))
    what = f"imported {len(extensions)} extensions and {len(rules)} rules"
    await _log(connection, version, at, who, what, {"before": before, "after": after})
    return version


async def fill(connection: AsyncConnection, policy: PolicyRows) -> None:
    """Take over policy as it was elsewhere, its version included; nothing is logged."""
    await _put_extensions(connection, policy.extensions, policy.names)
    await _put_rules(connection, policy.rules)
    await connection.execute(sa.update(tables.policy_version).values(version=policy.version))
    await _notify(connection, policy.version)


# --- the tables one by one --------------------------------------------------------------------------


async def _next_version(connection: AsyncConnection) -> int:
    """Asked for first of all: the row stays locked until the commit, so changes come one after another."""
    counter = tables.policy_version
    query = sa.update(counter).values(version=counter.c.version + 1).returning(counter.c.version)
    version = int((await connection.execute(query)).scalar_one())
    await _notify(connection, version)
    return version


async def _notify(connection: AsyncConnection, version: int) -> None:
    """Delivered at the commit. SQLite's watchers see the commit itself."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.pg_notify(changes.CHANNEL, str(version))))


async def _log(
    connection: AsyncConnection, version: int, at: float, who: str, what: str, detail: Mapping[str, Any]
) -> None:
    row = {"version": version, "at": at, "who": codec.clean(who), "what": codec.clean(what), "detail": detail}
    await connection.execute(sa.insert(tables.policy_log), [row])


async def _put_extensions(
    connection: AsyncConnection, extensions: Sequence[ExtensionPolicy], names: Mapping[str, str]
) -> None:
    await connection.execute(sa.delete(tables.extensions))
    if extensions:
        plain = [_extension_row(policy, names.get(policy.extension, "")) for policy in extensions]
        await connection.execute(sa.insert(tables.extensions), plain)


async def _put_rules(connection: AsyncConnection, rules: Sequence[RuleRow]) -> list[Plain]:
    plain = [codec.to_plain(rule) for rule in rules]
    await connection.execute(sa.delete(tables.rules))
    if plain:
        numbered = [{"position": position, **rule} for position, rule in enumerate(plain, start=1)]
        await connection.execute(sa.insert(tables.rules), numbered)
    return plain


async def _delete_extension(connection: AsyncConnection, extension: str) -> None:
    table = tables.extensions
    await connection.execute(sa.delete(table).where(table.c.extension == extension))


async def _one_extension(connection: AsyncConnection, extension: str) -> Plain | None:
    table = tables.extensions
    found = await _all(connection, sa.select(table).where(table.c.extension == extension))
    return found[0] if found else None


async def _all(connection: AsyncConnection, query: sa.Select[Any]) -> list[Plain]:
    return [dict(row) for row in (await connection.execute(query)).mappings()]


def _extension(row: Plain) -> ExtensionPolicy:
    policy: ExtensionPolicy = codec.from_plain(
        ExtensionPolicy, {name: value for name, value in row.items() if name != "display_name"}
    )
    return policy


def _extension_row(policy: ExtensionPolicy, name: str) -> Plain:
    return {**codec.to_plain(policy), "display_name": codec.clean(name)}
