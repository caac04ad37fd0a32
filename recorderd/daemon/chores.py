"""What the archive does now and then: water marks, expiry, erasures again, and a look ahead.

Owns when each falls due and what people are told of it. Must not know how any of them is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from recorderd.archive import disk
from recorderd.archive.disk import Level
from recorderd.archive.plot import size
from recorderd.config import Config
from recorderd.daemon import outlook
from recorderd.daemon.expiry import Expiry, Gone
from recorderd.daemon.keeper import Keeper
from recorderd.daemon.stock import Stock
from recorderd.daemon.troubles import Troubles
from recorderd.errors import AudioError, BucketFault
from recorderd.store.abc import Store

log = logging.getLogger("recorderd.archive")

_DAY = 86_400.0
_SOON = 600.0


def bucket_waits(error: BucketFault) -> str:
    """What people are told."""
    return f"What is kept waits here for the bucket, and every source stays: {error}"


class Chores:
    """`due` does those whose time has come, `all` every one of them. Both raise StoreError."""

    def __init__(
        self,
        config: Config,
        store: Store,
        keeper: Keeper,
        troubles: Troubles,
        clock: Callable[[], float],
        stock: Stock | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._keeper = keeper
        self._troubles = troubles
        self._clock = clock
        self._stock = stock
        settings = config.archive
        self._expiry = Expiry(keeper, store.keeping, settings.rules, settings.default)
        # Every so many seconds, or as many as the chore itself says; in this order, since what is erased need not
        # be expired.
        self._chores: tuple[tuple[float, Callable[[float], Awaitable[float | None]]], ...] = (
            (_DAY, self._erase_again),
            (60.0, self._remove_copies),
            (3600.0, self._expire),
            (_DAY, self._sweep_bucket),
            (60.0, self._mind_bucket),
            (60.0, self._watch_water),
            (6 * 3600.0, self._look_ahead),
        )
        self._done_at: dict[int, float] = {}

    async def due(self, now: float) -> bool:
        """Those whose time has come; whether there is more of one of them at once."""
        again = False
        for number, (every, chore) in enumerate(self._chores):
            if now - self._done_at.get(number, float("-inf")) >= every:
                soon = await chore(now)
                self._done_at[number] = now if soon is None else now - every + soon
                again = again or soon == 0
        return again

    async def all(self, now: float) -> None:
        """Every one, now."""
        self._done_at.clear()
        while await self.due(now):
            pass

    async def _erase_again(self, _now: float) -> None:
        """A restored backup may have brought back what was erased or deleted."""
        try:
            erased = await self._keeper.apply_erasures()
            again = await self._keeper.sweep_deleted()
        except BucketFault as error:
            self._troubles.tell("archive-bucket", f"What was erased waits for the bucket: {error}")
            return
        except AudioError as error:
            self._troubles.tell("archive-delete", f"Erasures cannot be applied again: {error}")
            return
        self._troubles.over("archive-delete")
        if erased.deleted or again:
            log.warning("%d recordings were erased again, %d deleted again", len(erased.deleted), again)
        if erased.held:
            log.warning("a legal hold keeps %d recordings from being erased", len(erased.held))

    async def _remove_copies(self, _now: float) -> None:
        """An export of another node's recording, which was deleted there."""
        try:
            await self._keeper.remove_copies()
        except AudioError as error:
            self._troubles.tell("archive-delete", str(error), "copies")
        else:
            self._troubles.over("archive-delete", "copies")

    async def _expire(self, now: float) -> None:
        self._told(await self._expiry.expire(now))

    async def _mind_bucket(self, _now: float) -> float | None:
        """What was kept before there was a bucket goes there too, and files here make room for others."""
        if self._stock is None:
            return None
        try:
            older = await self._stock.bring_older()
            left = await self._stock.make_room()
        except BucketFault as error:
            self._troubles.tell("archive-bucket", bucket_waits(error))
            return None
        for id in older.done:
            self._troubles.over("archive-failed", id)
            self._troubles.over("archive-object", id)
        for id, sentence in older.failed.items():
            self._troubles.tell("archive-failed", sentence, id)
        for id, sentence in left.failed.items():
            self._troubles.tell("archive-object", sentence, id)
        if left.done:
            log.info("%d files made room here: they are played from the bucket", len(left.done))
        if not older.done:
            return None
        self._troubles.over("archive-bucket")
        return 0.0

    async def _sweep_bucket(self, _now: float) -> float | None:
        """A bucket that was restored may have what was deleted; and what must be there is looked for."""
        if self._stock is None:
            return None
        try:
            back, missing = await self._stock.sweep()
        except BucketFault as error:
            self._troubles.tell("archive-bucket", bucket_waits(error))
            return _SOON
        self._troubles.over("archive-bucket")
        if back:
            log.warning("%d deleted recordings were in the bucket again: deleted again", len(back))
        self._troubles.only("archive-object", missing)
        for id in missing:
            self._troubles.tell("archive-object", f"The object of recording {id} is gone from the bucket", id)
        return None

    async def _watch_water(self, now: float) -> None:
        marks = self._config.archive.disk
        try:
            place = await asyncio.to_thread(disk.usage, self._config.spool.monitor)
            level = place.level(marks.low_water, marks.high_water)
            if level is Level.HIGH and self._stock is not None:
                with contextlib.suppress(BucketFault):
                    await self._stock.make_room(self._is_fine)
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
            if each.waits:
                self._troubles.tell("archive-bucket", f"What expired waits for the bucket: {each.error}")
            elif each.error:
                self._troubles.tell("archive-delete", each.error, each.recording_id)
        well = [each for each in gone if not each.error]
        if well:
            log.info("%d recordings expired, %s", len(well), size(sum(each.size for each in well)))
