"""How long can recordings be kept on this disk? Owns how the answer is told.

Must not know how it is reckoned: `daemon.outlook` does, for the command line and for the alarm too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recorderd.config import Config
from recorderd.store.abc import Store

if TYPE_CHECKING:
    from recorderd.daemon.outlook import Outlook

MIB = 1 << 20
# The figure by which recorders have always been sold; its megabyte is the old one.
SOLD = "5 minutes per MB"
_SOLD_BYTES_PER_HOUR = 12.0 * MIB
_DAY = 86_400.0


async def look(store: Store, config: Config, now: float) -> Mapping[str, Any]:
    """See `ports.Admin.storage`. Raises StoreError, AudioError."""
    # Only here: with these comes the whole daemon.
    from recorderd.daemon import outlook
    from recorderd.daemon.ids import new_id
    from recorderd.daemon.keeper import Keeper

    keeper = Keeper(store, config.spool.monitor, config.state, lambda: now, new_id)
    return report(await outlook.look(store, keeper, config, now), now, outlook.DISKS)


def report(found: Outlook, now: float, disks: Mapping[str, int]) -> Mapping[str, Any]:
    """The outlook as plain data, with how many hours such disks hold."""
    full_in = found.forecast.full_in
    sizes = {each.name: each.bytes_per_hour for each in found.formats} | {SOLD: _SOLD_BYTES_PER_HOUR}
    return {
        "total": found.disk.total,
        "used": found.disk.used,
        "free": found.disk.free,
        "recordings": found.recordings,
        "seconds": round(found.seconds),
        "bytes": round(found.bytes),
        "bytes_per_hour": round(found.bytes_per_hour),
        "hours_left": round(found.hours_left),
        "full_at": None if full_in is None else now + full_in * _DAY,
        "formats": [
            {
                "name": name,
                "mb_per_hour": round(size / (MIB if name == SOLD else 10**6), 2),
                "bytes_per_hour": round(size),
                "hours": {disk: round(room / size) for disk, room in disks.items()},
            }
            for name, size in sizes.items()
        ],
    }
