"""Rows to keep: each of them whole and valid, with what a test cares about changed by keyword."""

from __future__ import annotations

from typing import Any

from recorderd.core import rows
from recorderd.core.policy import ExtensionPolicy, FailMode, Mode
from recorderd.store.abc import AlarmRow, AuditRow

T = 1_795_500_000.123456


def party(extension: str = "101", uniqueid: str = "1795500000.1", **changed: Any) -> rows.Party:
    values: dict[str, Any] = {
        "uniqueid": uniqueid,
        "channel": f"PJSIP/{extension}-00000001",
        "extension": extension,
        "number": extension,
        "name": "Иван Ö",
        "direction": rows.Direction.OUTBOUND,
    }
    return rows.Party(**{**values, **changed})


def conversation(id: str = "c1", **changed: Any) -> rows.Conversation:
    values: dict[str, Any] = {"started_at": T, "ended_at": T + 60, "linkedids": ("1795500000.1",)}
    return rows.Conversation(**{"id": id, **values, **changed})


def interval(id: str = "i1", **changed: Any) -> rows.Interval:
    values: dict[str, Any] = {
        "conversation_id": "c1",
        "started_at": T,
        "ended_at": T + 60,
        "parties": (party(), party("102", "1795500000.2", direction=rows.Direction.INBOUND)),
        "mode": "always",
        "wanted": True,
        "masked": False,
        "reason": "extension 101 records outbound calls",
        "trace": ("extension 101: outbound always: wins", "default: on-demand: weaker"),
        "policy_version": 7,
        "recording_id": "r1",
        "offset_ms": 0,
        "outcome": rows.Outcome.RECORDED,
    }
    return rows.Interval(**{"id": id, **values, **changed})


def recording(id: str = "r1", **changed: Any) -> rows.Recording:
    values: dict[str, Any] = {
        "conversation_id": "c1",
        "segment": 1,
        "folder": "2026/11/24",
        "name": f"internal-102-101-20261124-060000-{id}.wav",
        "state": rows.RecordingState.CLOSED,
        "started_at": T,
        "ended_at": T + 60,
        "duration_ms": 60_000,
        "size": 960_044,
        "lanes": ("l1",),
    }
    return rows.Recording(**{"id": id, **values, **changed})


def lane(id: str = "l1", **changed: Any) -> rows.Lane:
    values: dict[str, Any] = {
        "recording_id": "r1",
        "uniqueid": "1795500000.1",
        "channel": "PJSIP/101-00000001",
        "label": "101",
        "path": f"/var/spool/asterisk/monitor/.lanes/{id}.wav",
        "state": rows.LaneState.CLOSED,
        "stretches": ((T, T + 20.000001), (T + 30, None)),
        "duration_ms": 50_000,
    }
    return rows.Lane(**{"id": id, **values, **changed})


def cdr(uniqueid: str = "1795500000.1", sequence: int = 1, **changed: Any) -> rows.Cdr:
    values: dict[str, Any] = {
        "linkedid": "1795500000.1",
        "start": 1_795_500_000.0,
        "answer": 1_795_500_003.0,
        "end": 1_795_500_060.0,
        "src": "101",
        "dst": "102",
        "dcontext": "from-phones",
        "clid": '"Иван" <101>',
        "channel": "PJSIP/101-00000001",
        "dstchannel": "PJSIP/102-00000002",
        "lastapp": "Dial",
        "disposition": "ANSWERED",
        "duration": 60,
        "billsec": 57,
        "recordingfile": "internal-102-101-20261124-060000-1795500000.1.wav",
    }
    return rows.Cdr(**{"uniqueid": uniqueid, "sequence": sequence, **values, **changed})


def link(uniqueid: str = "1795500000.1", sequence: int = 1, recording_id: str = "r1") -> rows.CdrLink:
    return rows.CdrLink(uniqueid=uniqueid, sequence=sequence, recording_id=recording_id)


def mark(id: str = "m1", **changed: Any) -> rows.Mark:
    values: dict[str, Any] = {
        "conversation_id": "c1",
        "at": T + 5,
        "kind": "press",
        "who": "101",
        "text": "x",
    }
    return rows.Mark(**{"id": id, **values, **changed})


def alarm(id: str = "a1", **changed: Any) -> AlarmRow:
    values: dict[str, Any] = {
        "at": T,
        "kind": "file-missing",
        "sentence": "No file came.",
        "keys": {"path": "/x"},
    }
    return AlarmRow(**{"id": id, **values, **changed})


def audit(id: str = "u1", **changed: Any) -> AuditRow:
    values: dict[str, Any] = {
        "at": T,
        "who": "admin",
        "action": "listen",
        "object": "r1",
        "detail": {"n": [1, 2]},
    }
    return AuditRow(**{"id": id, **values, **changed})


def one_of_each() -> tuple[rows.Row, ...]:
    return (
        conversation(),
        interval(),
        recording(),
        lane(),
        cdr(),
        link(),
        mark(),
        alarm(),
        audit(),
    )


def extension(number: str = "101", **changed: Any) -> ExtensionPolicy:
    values: dict[str, Any] = {
        "inbound": Mode.ALWAYS,
        "outbound": Mode.ON_DEMAND,
        "internal_inbound": Mode.NEVER,
        "internal_outbound": None,
        "locked": True,
        "lock_reason": "the works council",
        "fail_mode": FailMode.ANNOUNCE,
    }
    return ExtensionPolicy(**{"extension": number, **values, **changed})
