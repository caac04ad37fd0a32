"""How often somebody may try to get in: owns the count of failures, by login and by address.

The count is in the store: a restart forgives nobody. Must not know what a try is. What was typed as a login may
be anything, a password too; so only hashes are kept. The sweep bounds how many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from recorderd.panel.passwords import digest
from recorderd.store.panel import PanelStore, Tries

# Failures that cost nothing, and the longest wait in seconds. A login's wait stays short, since others can
# cause it; an address's grows until guessing is hopeless.
_BOUNDS = {"login": (5, 60.0), "address": (20, 900.0)}
_FORGET = 3600.0
_MOST = 20_000


class Throttle:
    """`attempt` before a try; `succeeded` where it was right. `clock` is in seconds since the epoch."""

    def __init__(self, store: PanelStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        # Looked up and counted in one go, so that many tries at once are not one.
        self._turn = asyncio.Lock()

    async def attempt(self, login: str, address: str) -> int:
        """Whole seconds until a try is allowed. 0: it is, and counts as a failure until it has succeeded.

        Without a login it counts for the address only.
        """
        async with self._turn:
            known, now = await self._known(login, address), self._clock()
            wait = max((_wait(one, now) for one in known), default=0.0)
            if wait <= 0:
                await self._store.put_tries([_failed(one, now) for one in known])
            return max(0, int(wait + 0.999))

    async def succeeded(self, login: str, address: str) -> None:
        """He is in: his login's failures are forgotten, and this try was none of the address's. Its others
        stay: it may try others' logins. A whole office may come from one address.
        """
        async with self._turn:
            known = await self._known(login, address)
            left = [0 if one.kind == "login" else one.failures - 1 for one in known]
            await self._store.put_tries([replace(t, failures=n) for t, n in zip(known, left, strict=True)])

    async def sweep(self) -> int:
        """Forget old failures, and the oldest where there are very many; how many."""
        return await self._store.forget_tries(self._clock() - _FORGET, _MOST)

    async def _known(self, login: str, address: str) -> list[Tries]:
        asked = {kind: digest(who) for kind, who in (("login", login), ("address", address)) if who}
        found = {one.kind: one for one in await self._store.tries(list(asked.items()))}
        return [found.get(k) or Tries(kind=k, who=who, failures=0, last_at=0.0) for k, who in asked.items()]


def _wait(tries: Tries, now: float) -> float:
    """Seconds until the next; each failure beyond the free ones doubles them. A clock that was put back makes
    nobody wait longer than the longest.
    """
    free, longest = _BOUNDS[tries.kind]
    if tries.failures < free:
        return 0.0
    wait = min(longest, 2.0 ** min(tries.failures - free, 20))
    return min(wait, tries.last_at + wait - now)


def _failed(tries: Tries, now: float) -> Tries:
    fresh = now - tries.last_at > _FORGET
    return replace(tries, failures=1 if fresh else tries.failures + 1, last_at=now)
