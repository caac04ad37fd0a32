"""Policy in force: from the store, from the snapshot while the store is away, mirrored into AstDB.

Owns the walk of policy from where it is kept to the engine. Must not know how it decides. A faulty rule is
left out and told of; a store that is away leaves the old policy in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Protocol

from recorderd.config import Config, merge_policy
from recorderd.core.policy import ExtensionPolicy, FailMode, Mode, Policy
from recorderd.errors import AmiError, StoreError
from recorderd.store.abc import PolicyRows
from recorderd.store.snapshot import load_snapshot, save_snapshot

log = logging.getLogger("recorderd.policy")

FAMILY = "recorderd"
_AGAIN = 0.5
# A call is better decided by the policy of before than not at all.
_BEGIN_SECONDS = 5.0


class AstDb(Protocol):
    """Asterisk's own little database, as `ami.AsteriskLink` has it."""

    async def db_put(self, family: str, key: str, value: str) -> None: ...
    async def db_del_tree(self, family: str) -> None: ...
    async def db_get_tree(self, family: str) -> dict[str, str]: ...


class Source(Protocol):
    """Where policy is kept: see `store.abc.Store`."""

    async def migrate(self) -> None: ...
    async def load_policy(self) -> PolicyRows: ...
    def policy_changes(self) -> AsyncGenerator[int, None]: ...


class Policies:
    """`policy` is the one in force; `changed` is called after each change, in the loop."""

    def __init__(
        self,
        config: Config,
        store: Source,
        changed: Callable[[Policy], None],
        complain: Callable[[str, str], None],
    ) -> None:
        self.config = config
        self.policy: Policy = config.base_policy()
        self._store = store
        self._changed = changed
        self._complain = complain
        self._rows = PolicyRows()
        self._snapshot = config.snapshot

    async def begin(self) -> None:
        """Have a policy before the first call: the store's, else the last one that was seen."""
        try:
            async with asyncio.timeout(_BEGIN_SECONDS):
                await self._store.migrate()
                await self._take(await self._store.load_policy())
        except (StoreError, TimeoutError) as error:
            why = str(error) or "The database has not answered yet"
            self._complain("store", f"{why}; policy is taken from {self._snapshot}")
            try:
                rows = load_snapshot(str(self._snapshot))
            except StoreError as broken:
                self._complain("store", str(broken))
                rows = None
            self._use(rows or PolicyRows())

    async def follow(self) -> None:
        """Take each change within a second, until cancelled."""
        await self._until_migrated()
        async for version in self._store.policy_changes():
            if version == self._rows.version:
                continue
            while True:
                try:
                    await self._take(await self._store.load_policy())
                    break
                except StoreError as error:
                    log.warning("%s", error)
                    await asyncio.sleep(_AGAIN)

    async def _until_migrated(self) -> None:
        while True:
            try:
                await self._store.migrate()
                return
            except StoreError:
                await asyncio.sleep(_AGAIN)

    def reconfigure(self, config: Config) -> None:
        """A new configuration file: the same rows, read with its lists and defaults."""
        self.config = config
        self._use(self._rows)

    async def _take(self, rows: PolicyRows) -> None:
        self._use(rows)
        try:
            await asyncio.to_thread(save_snapshot, str(self._snapshot), rows)
        except StoreError as error:
            self._complain("state", str(error))

    def _use(self, rows: PolicyRows) -> None:
        policy, faults = merge_policy(self.config, rows.extensions, rows.rules, rows.version)
        for fault in faults:
            self._complain("policy", f"a rule is left out, {fault}")
        self._rows, self.policy = rows, policy
        log.info(
            "policy %d in force: %d extensions, %d rules",
            policy.version,
            len(policy.extensions),
            len(policy.rules),
        )
        self._changed(policy)

    # --- the mirror ----------------------------------------------------------------------------

    async def mirror(self, database: AstDb) -> None:
        """Write fail modes and emergency numbers where the dialplan finds them while we are dead."""
        wanted = mirrored(self.policy)
        try:
            there = await database.db_get_tree(FAMILY)
            if not there.keys() <= wanted.keys():
                await database.db_del_tree(FAMILY)
                there = {}
            for key, value in wanted.items():
                if there.get(key) != value:
                    await database.db_put(FAMILY, key, value)
        except AmiError as error:
            log.warning("the fail modes were not mirrored into AstDB: %s", error)


def mirrored(policy: Policy) -> dict[str, str]:
    """What AstDB is to hold. An extension that is never recorded needs no recorder: it is `open`."""
    fails = {f"fail/{e.extension}": _fail_mode(e, policy) for e in policy.extensions.values()}
    fails["fail/default"] = _fail_mode(policy.default, policy)
    return fails | {f"emergency/{number}": "1" for number in sorted(policy.emergency)}


def _fail_mode(extension: ExtensionPolicy, policy: Policy) -> str:
    modes = (
        extension.inbound,
        extension.outbound,
        extension.internal_inbound,
        extension.internal_outbound,
    )
    recorded = Mode.ALWAYS in modes or any(rule.mode is Mode.ALWAYS for rule in policy.rules)
    return str((extension.fail_mode or policy.fail_mode) if recorded else FailMode.OPEN)


def state_folder(config: Config) -> Path:
    """Where journal and snapshot are; made if it is not there."""
    try:
        config.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The state folder {config.state} cannot be made: {error.strerror}") from error
    return config.state
