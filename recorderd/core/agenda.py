"""What is thought about now, and what waits for its turn: very many channels are an agenda, most urgent first.

Owns around which channels it is found out what should be recorded, around which only the plan is made again, and what
cannot be asked for until the link is back. Must not know events, nor what is decided (`following`) or asked for
(`plan`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

from recorderd.core import hearing
from recorderd.core.arming import Arming
from recorderd.core.calls import Calls
from recorderd.core.conversations import Talks
from recorderd.core.following import Following
from recorderd.core.lanes import Lanes
from recorderd.core.plan import Plan
from recorderd.core.policy import Policy

# More channels than this are thought about in lots; and so many are looked at in a step that only looks.
AT_ONCE = 50

_Thing = TypeVar("_Thing")


class Agenda:
    """`think` about channels, or `replan` around them; then `step` until nothing is `waiting`.

    `at_once`: more channels than this wait for their turn. `deaf`: there is no link to Asterisk, nothing can be asked.
    """

    def __init__(
        self, calls: Calls, talks: Talks, lanes: Lanes, following: Following, arming: Arming, plan: Plan
    ) -> None:
        self.at_once = AT_ONCE
        self.deaf = True
        self.waiting: deque[Iterator[object]] = deque()
        self._calls = calls
        self._talks = talks
        self._lanes = lanes
        self._following = following
        self._arming = arming
        self._plan = plan
        self._unplanned: set[str] = set()

    def step(self) -> None:
        """A little of what waits. What fails is over, the rest goes on."""
        if next(self.waiting[0], self) is self:
            self.waiting.popleft()

    def think(self, touched: set[str], at: float, policy: Policy, *, found: bool = False) -> None:
        """Now if they are few; else lot by lot. One that fails does not keep the others from their turn."""
        if len(touched) <= self.at_once:
            self.think_now(touched, at, policy, found=found)
        else:
            lots = self._talks.apart(self._urgent_first(touched))
            self.waiting.append(map(partial(self.think_now, at=at, policy=policy, found=found), lots))

    def think_now(self, touched: set[str], at: float, policy: Policy, *, found: bool = False) -> None:
        """Find out what should be recorded around these channels; then make the plan.

        `found`: nobody told us for a while, as in `Talks.settle`.
        """
        if not touched:
            return
        touched = self._following.settle(touched, at, policy, found=found)
        if waiting := [caller.uniqueid for u in touched for caller in hearing.callers_of(self._calls, u)]:
            touched = touched.union(waiting)
        for uniqueid in touched:
            self._arming.foresee(uniqueid, policy, at)
        self._replan_now(touched, at, policy)

    def replan(self, touched: Collection[str], at: float, policy: Policy) -> None:
        """The same where only the plan is to be made again."""
        if len(touched) <= self.at_once:
            self._replan_now(touched, at, policy)
        else:
            parts = in_parts(self._urgent_first(touched))
            self.waiting.append(map(partial(self._replan_now, at=at, policy=policy), parts))

    def _replan_now(self, touched: Iterable[str], at: float, policy: Policy) -> None:
        """What cannot be asked for now, is when the link is back."""
        if self.deaf:
            self._unplanned.update(touched)
        else:
            self._plan.make(touched, at, policy.zone)

    def hears_again(self) -> set[str]:
        """The link is back; return the channels for which nothing could be asked meanwhile."""
        self.deaf = False
        unplanned, self._unplanned = self._unplanned, set()
        return unplanned

    def _urgent_first(self, uniqueids: Iterable[str]) -> Iterator[str]:
        """Those first who are with others and have no recorder."""
        rest = []
        for uniqueid in sorted(uniqueids):
            channel = self._calls.channels.get(uniqueid)
            if channel is not None and channel.bridge and self._lanes.on(uniqueid) is None:
                yield uniqueid
            else:
                rest.append(uniqueid)
        yield from rest


def in_parts(things: Iterable[_Thing]) -> Iterator[list[_Thing]]:
    """So many at a time that looking at them takes no longer than thinking about one conversation."""
    rest = iter(things)
    while part := list(islice(rest, AT_ONCE)):
        yield part
