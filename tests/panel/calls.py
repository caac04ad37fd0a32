"""Calls to look at: whole stories with their rows, made of a few words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from recorderd.core import rows
from recorderd.core.channels import Names
from recorderd.core.rows import Direction, Outcome, RecordingState
from tests.panel.conftest import NOW

NAMES = Names()
ZONE = ZoneInfo("Europe/Moscow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`caller` called `callee`, `ago` seconds before NOW, and they talked for `talk` (0: nobody answered).

    A number of two to six digits is an extension, all else comes through the trunk.
    """

    number: int
    caller: str = "101"
    callee: str = "102"
    ago: float = 3600.0
    talk: int = 30
    recorded: bool = True
    mode: str = "always"
    name: str = ""
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def linkedid(self) -> str:
        return f"{int(self.start)}.{self.number}"

    @property
    def start(self) -> float:
        return NOW - self.ago

    def channel(self, who: str, half: int) -> str:
        device = who if NAMES.extension(f"PJSIP/{who}-0") else "trunk"
        return f"PJSIP/{device}-{self.number:07x}{half}"

    def party(self, who: str, half: int) -> rows.Party:
        channel = self.channel(who, half)
        return rows.Party(
            uniqueid=self.linkedid if half == 0 else f"{int(self.start)}.{self.number}9",
            channel=channel,
            extension=NAMES.extension(channel),
            number=who,
            name=self.name if half == 0 else "",
            direction=Direction.OUTBOUND if half == 0 else Direction.INBOUND,
        )

    @property
    def recording(self) -> rows.Recording:
        values: dict[str, Any] = {
            "id": f"r{self.number}",
            "conversation_id": f"c{self.number}",
            "segment": 1,
            "folder": datetime.fromtimestamp(self.start, ZONE).strftime("%Y/%m/%d"),
            "name": f"internal-{self.number}.wav",
            "state": RecordingState.CLOSED,
            "started_at": self.start + 2,
            "ended_at": self.start + 2 + self.talk,
            "duration_ms": self.talk * 1000,
            "size": self.talk * 16000 + 44,
        }
        return rows.Recording(**{**values, **self.changed})

    def rows(self) -> list[rows.Row]:
        answered = self.talk > 0
        found: list[rows.Row] = [
            rows.Cdr(
                uniqueid=self.linkedid,
                sequence=self.number,
                linkedid=self.linkedid,
                start=self.start,
                answer=self.start + 2 if answered else None,
                end=self.start + 2 + self.talk,
                src=self.caller,
                dst=self.callee,
                dcontext="phones",
                clid=f'"{self.name}" <{self.caller}>',
                channel=self.channel(self.caller, 0),
                dstchannel=self.channel(self.callee, 1),
                lastapp="Dial",
                disposition="ANSWERED" if answered else "NO ANSWER",
                duration=self.talk + 2,
                billsec=self.talk,
            )
        ]
        if not answered:
            return found
        found += [
            rows.Conversation(
                id=f"c{self.number}",
                started_at=self.start + 2,
                ended_at=self.start + 2 + self.talk,
                linkedids=(self.linkedid,),
            ),
            rows.Interval(
                id=f"i{self.number}",
                conversation_id=f"c{self.number}",
                started_at=self.start + 2,
                ended_at=self.start + 2 + self.talk,
                parties=(self.party(self.caller, 0), self.party(self.callee, 1)),
                mode=self.mode,
                wanted=self.recorded,
                masked=False,
                reason=f"{self.caller} chose {self.mode}",
                trace=(f"{self.caller} chose {self.mode}: wins",),
                policy_version=1,
                recording_id=f"r{self.number}" if self.recorded else None,
                offset_ms=0 if self.recorded else None,
                outcome=Outcome.RECORDED if self.recorded else Outcome.NOT_BY_POLICY,
            ),
        ]
        return [*found, self.recording] if self.recorded else found
