"""What is too old goes, and what may go makes room: retention carried out.

Owns the walks from old to new. Must not know how anything is deleted (`keeper`) or what a rule says
(`core.retention`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from recorderd.core import retention
from recorderd.core.keeping import Hold, KeepState, Subject
from recorderd.core.retention import FOREVER, Keep, Verdict
from recorderd.daemon.keeper import Keeper
from recorderd.errors import AudioError, BucketFault
from recorderd.store.keeping import KeepingStore

# Everything that has audio; what is being encoded this moment is left for the next time.
_WITH_AUDIO = (
    KeepState.WAITING, KeepState.ENCODED, KeepState.LINKED, KeepState.STORED, KeepState.KEPT,
)  # fmt: skip
_BATCH = 200
WHO = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A recording that went, or would go; `error` when it could not. `waits`: its deletion is written down, and the
    bucket does not answer.
    """

    recording_id: str
    started_at: float
    why: str
    size: int = 0
    error: str = ""
    waits: bool = False


class Expiry:
    """`rules` and `default` say how long; see `core.retention`."""

    def __init__(self, keeper: Keeper, keeping: KeepingStore, rules: Sequence[Keep], default: Keep) -> None:
        self._keeper = keeper
        self._keeping = keeping
        self._rules = rules
        self._default = default

    async def expire(self, now: float, *, dry_run: bool = False) -> list[Gone]:
        """Delete everything whose time is over; with `dry_run` only say what it would be."""
        ages = [rule.maximum for rule in (*self._rules, self._default) if rule.maximum is not None]
        youngest = min(ages, default=FOREVER)
        if youngest == FOREVER:
            return []
        gone = []
        async for each in self._judged(now - youngest, partial(retention.expires, now=now)):
            gone.append(each if dry_run else await self._delete(each))
        return gone

    async def make_room(self, now: float, enough: Callable[[], bool]) -> list[Gone]:
        """Delete the oldest that may go until there is `enough` room, or nothing more may go."""
        gone: list[Gone] = []
        if enough():
            return gone
        async for each in self._judged(now, partial(retention.yields, now=now)):
            gone.append(await self._delete(each))
            if enough():
                break
        return gone

    async def _judged(
        self, until: float, judge: Callable[[Keep, Subject, Sequence[Hold]], Verdict]
    ) -> AsyncIterator[Gone]:
        holds = await self._keeping.holds()
        after = None
        node = self._keeper.node
        while page := await self._keeping.walk(
            _WITH_AUDIO, until=until, after=after, limit=_BATCH, node=node
        ):
            after = (page[-1].started_at, page[-1].recording_id)
            subjects = await self._keeper.subjects([kept.recording_id for kept in page])
            for kept in page:
                subject = subjects.get(kept.recording_id)
                if subject is None:
                    continue
                verdict = judge(retention.keep_of(self._rules, self._default, subject), subject, holds)
                if verdict.goes:
                    yield Gone(
                        recording_id=kept.recording_id,
                        started_at=kept.started_at,
                        why=verdict.why,
                        size=kept.size,
                    )

    async def _delete(self, each: Gone) -> Gone:
        try:
            verdict = await self._keeper.delete(each.recording_id, WHO, each.why)
        except BucketFault as error:
            return replace(each, error=str(error), waits=True)
        except AudioError as error:
            return replace(each, error=str(error))
        return each if verdict.goes else replace(each, error=verdict.why)
