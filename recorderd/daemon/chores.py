"""What the archive does now and then: water marks, expiry, erasures again, and a look ahead.

Owns when each falls due and what people are told of it. Must not know how any of them is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from recorderd.archive import disk
from recorderd.archive.disk import Level
from recorderd.archive.plot import size
from recorderd.config import Config
from recorderd.daemon import outlook
from recorderd.daemon.expiry import Expiry, Gone
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.troubles import Troubles
from recorderd.errors import AudioError
from recorderd.store.abc import Store

log = logging.getLogger("recorderd.archive")

_DAY = 86_400.0


class Chores:
    """`due` does those whose time has come, `all` every one of them. Both raise StoreError."""

    def __init__(
        self,
        config: Config,
        store: Store,
        keeper: Keeper,
        troubles: Troubles,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._store = store
        self._keeper = keeper
        self._troubles = troubles
        self._clock = clock
        settings = config.archive
        self._expiry = Expiry(keeper, store.keeping, settings.rules, settings.default)
        # Every so many seconds; in this order, since what is erased need not be expired.
        self._chores: tuple[tuple[float, Callable[[float], Awaitable[None]]], ...] = (
            (_DAY, self._erase_again),
            (3600.0, self._expire),
            (60.0, self._watch_water),
            (6 * 3600.0, self._look_ahead),
        )
        self._done_at: dict[int, float] = {}

    async def due(self, now: float) -> None:
        """Those whose time has come."""
        for number, (every, chore) in enumerate(self._chores):
            if now - self._done_at.get(number, float("-inf")) >= every:
                await chore(now)
                self._done_at[number] = now

    async def all(self, now: float) -> None:
        """Every one, now."""
        self._done_at.clear()
        await self.due(now)

    async def _erase_again(self, _now: float) -> None:
        """A restored backup may have brought back what was erased or deleted."""
        try:
            erased = await self._keeper.apply_erasures()
            again = await self._keeper.sweep_deleted()
        except AudioError as error:
            self._troubles.tell("archive-delete", f"Erasures cannot be applied again: {error}")
            return
        self._troubles.over("archive-delete")
        if erased.deleted or again:
            log.warning("%d recordings were erased again, %d deleted again", len(erased.deleted), again)
        if erased.held:
            log.warning("a legal hold keeps %d recordings from being erased", len(erased.held))

    async def _expire(self, now: float) -> None:
        self._told(await self._expiry.expire(now))

    async def _watch_water(self, now: float) -> None:
        marks = self._config.archive.disk
        try:
            place = await asyncio.to_thread(disk.usage, self._config.spool.monitor)
            level = place.level(marks.low_water, marks.high_water)
            if level is Level.HIGH and marks.when_full == "expire":
                self._told(await self._expiry.make_room(now, self._is_fine))
                place = await asyncio.to_thread(disk.usage, self._config.spool.monitor)
                level = place.level(marks.low_water, marks.high_water)
        except AudioError as error:
            self._troubles.tell("archive-disk", str(error), "usage")
            return
        self._troubles.over("archive-disk", "usage")
        used = f"{place.percent:.0f} % of the disk is used, {size(place.free)} are free"
        if level is Level.HIGH:
            what = {
                "alarm": "nothing is deleted, and when nothing fits any more calls go by their fail_mode",
                "stop": "no recording is begun until the low mark is reached again, and nothing is deleted",
                "expire": "nothing more may be deleted: all that is left is held or younger than its minimum",
            }[marks.when_full]
            self._troubles.tell("disk-high-water", f"{used}: {what}")
        elif place.percent < marks.high_water - 1:
            self._troubles.over("disk-high-water")
        if level is not Level.FINE:
            self._troubles.tell("disk-low-water", used)
        elif place.percent < marks.low_water - 1:
            self._troubles.over("disk-low-water")

    def _is_fine(self) -> bool:
        marks = self._config.archive.disk
        return disk.usage(self._config.spool.monitor).percent < marks.low_water

    async def _look_ahead(self, now: float) -> None:
        try:
            ahead = await outlook.look(self._store, self._keeper, self._config, now)
        except AudioError as error:
            self._troubles.tell("archive-disk", str(error), "usage")
            return
        days = ahead.forecast.full_in
        if days is not None and days * _DAY <= self._config.archive.warn:
            self._troubles.tell("disk-soon-full", ahead.sentence)
        else:
            self._troubles.over("disk-soon-full")

    def _told(self, gone: list[Gone]) -> None:
        for each in gone:
            if each.error:
                self._troubles.tell("archive-delete", each.error, each.recording_id)
        well = [each for each in gone if not each.error]
        if well:
            log.info("%d recordings expired, %s", len(well), size(sum(each.size for each in well)))
