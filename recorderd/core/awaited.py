"""Lanes for which something is awaited on their channel, most often an event that names the channel only.

Owns whose turn it is: on each channel the lane that has waited longest. Must not know what is awaited.
"""

from __future__ import annotations


class Awaited:
    """Thousands may wait at once, after a lost link: nothing here looks through all of them."""

    def __init__(self) -> None:
        self._channel_of: dict[str, str] = {}
        self._on: dict[str, tuple[str, ...]] = {}

    def __contains__(self, uniqueid: str) -> bool:
        return uniqueid in self._on

    def add(self, lane_id: str, uniqueid: str) -> None:
        """This lane waits on this channel."""
        if lane_id not in self._channel_of:
            self._channel_of[lane_id] = uniqueid
            self._on[uniqueid] = (*self._on.get(uniqueid, ()), lane_id)

    def take(self, uniqueid: str) -> str | None:
        """The lane that has waited longest on this channel, None if none does; it waits no more."""
        waiting = self._on.get(uniqueid)
        if waiting is None:
            return None
        self.drop(waiting[0])
        return waiting[0]

    def drop(self, lane_id: str) -> bool:
        """It waits no more; whether it did."""
        uniqueid = self._channel_of.pop(lane_id, None)
        if uniqueid is None:
            return False
        left = tuple(one for one in self._on.pop(uniqueid) if one != lane_id)
        if left:
            self._on[uniqueid] = left
        return True

    def forget(self, uniqueid: str) -> tuple[str, ...]:
        """The channel is gone; the lanes that waited there."""
        lanes = self._on.pop(uniqueid, ())
        for lane_id in lanes:
            del self._channel_of[lane_id]
        return lanes

    def clear(self) -> None:
        """Nothing is told any more."""
        self._channel_of.clear()
        self._on.clear()
