"""How often somebody may try to get in: owns the count of failures, by login and by address.

Pure but for its memory, and bounded. Must not know what a try is. A restart forgets: the wait is there to
make guessing slow, and a hash of 19 MiB makes it dear in any case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Failures that cost nothing, and the longest wait in seconds. A login's wait stays short, since others can
# cause it; an address's grows until guessing is hopeless.
_LOGIN = (5, 60.0)
_ADDRESS = (20, 900.0)
_FORGET = 3600.0
_MOST = 20_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


class Throttle:
    """`wait` before a try, then `failed` or `succeeded`. `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait(self, login: str, address: str) -> int:
        """Whole seconds until the next try is allowed, 0 for now."""
        now = self._clock()
        found = (self._known.get(key) for key in (("login", login), ("address", address)))
        left = max((f.until - now for f in found if f), default=0.0)
        return max(0, int(left + 0.999))

    def failed(self, login: str, address: str) -> None:
        """A try was wrong: each beyond the free ones doubles the wait."""
        now = self._clock()
        for key, (free, longest) in ((("login", login), _LOGIN), (("address", address), _ADDRESS)):
            failures = self._known.pop(key, None) or _Failures()
            if now - failures.last > _FORGET:
                failures = _Failures()
            failures.count += 1
            failures.last = now
            if failures.count >= free:
                failures.until = now + min(longest, 2.0 ** min(failures.count - free, 20))
            self._known[key] = failures
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def succeeded(self, login: str, address: str) -> None:
        """He is in: his login's failures are forgotten, and this try was none of the address's. Its others
        stay: it may try others' logins. A whole office may come from one address.
        """
        self._known.pop(("login", login), None)
        if (failures := self._known.get(("address", address))) is not None:
            failures.count -= 1
            if failures.count < _ADDRESS[0]:
                failures.until = 0.0
