"""Every AMI event that we want, as a real Asterisk spells it, and as a hostile one might."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.ami import translate, wire
from recorderd.core import events, rows
from recorderd.errors import AmiError

AT = 1795414926.793274
SNAPSHOT = {
    "Privilege": "call,all",
    "Timestamp": f"{AT:.6f}",
    "Channel": "PJSIP/101-00000000",
    "ChannelState": "6",
    "CallerIDNum": "101",
    "CallerIDName": "Иван",
    "ConnectedLineNum": "<unknown>",
    "AccountCode": "",
    "Context": "from-phones",
    "Exten": "102",
    "Uniqueid": "1795414926.0",
    "Linkedid": "1795414926.0",
}
DEST = {
    "DestChannel": "PJSIP/102-00000001",
    "DestCallerIDNum": "102",
    "DestUniqueid": "1795414926.1",
    "DestLinkedid": "1795414926.0",
}
WHO = {"channel": "PJSIP/101-00000000", "uniqueid": "1795414926.0"}
WHOSE = {**WHO, "linkedid": "1795414926.0"}
CALLER = {"caller_id_num": "101", "exten": "102", "context": "from-phones"}
BRIDGE = {"BridgeUniqueid": "b1", "BridgeType": "basic", "BridgeTechnology": "simple_bridge"}
CDR = {
    "AccountCode": "acc101",
    "Source": "101",
    "Destination": "102",
    "DestinationContext": "from-phones",
    "CallerID": '"Иван" <101>',
    "Channel": "PJSIP/101-00000000",
    "DestinationChannel": "PJSIP/102-00000001",
    "LastApplication": "Dial",
    "StartTime": "2026-11-23 06:23:20",
    "AnswerTime": "2026-11-23 06:23:21",
    "EndTime": "2026-11-23 06:23:27",
    "Duration": "7",
    "BillableSeconds": "6",
    "Disposition": "ANSWERED",
    "UniqueID": "1795414926.0",
    "recordingfile": "x.wav",
    "linkedid": "1795414926.0",
    "sequence": "4",
}
NOON = datetime(2026, 11, 23, 6, 23, tzinfo=UTC).timestamp()

TABLE: list[tuple[str, dict[str, str], events.Event]] = [
    ("Newchannel", SNAPSHOT, events.Newchannel(at=AT, **WHOSE, **CALLER, caller_id_name="Иван")),
    (
        "DialBegin",
        {**SNAPSHOT, **DEST, "DialString": "102@x"},
        events.DialBegin(
            at=AT,
            **WHOSE,
            **CALLER,
            dest_channel="PJSIP/102-00000001",
            dest_uniqueid="1795414926.1",
            dest_linkedid="1795414926.0",
        ),
    ),
    (
        "DialBegin",  # an Originate's has no caller
        {"Timestamp": f"{AT:.6f}", **DEST, "DialString": "101"},
        events.DialBegin(
            at=AT,
            channel=None,
            uniqueid=None,
            linkedid="1795414926.0",
            dest_channel="PJSIP/102-00000001",
            dest_uniqueid="1795414926.1",
            dest_linkedid="1795414926.0",
        ),
    ),
    (
        "DialEnd",
        {**SNAPSHOT, **DEST, "DialStatus": "ANSWER"},
        events.DialEnd(
            at=AT,
            uniqueid="1795414926.0",
            dest_channel="PJSIP/102-00000001",
            dest_uniqueid="1795414926.1",
            dial_status="ANSWER",
        ),
    ),
    (
        "Pickup",
        {**SNAPSHOT, "TargetChannel": "PJSIP/102-2a", "TargetUniqueid": "1795414926.5"},
        events.Pickup(at=AT, **WHO, target_uniqueid="1795414926.5"),
    ),
    ("Hangup", {**SNAPSHOT, "Cause": "16"}, events.Hangup(at=AT, **WHOSE)),
    (
        "BridgeEnter",
        {**SNAPSHOT, **BRIDGE},
        events.BridgeEnter(
            at=AT,
            bridge_uniqueid="b1",
            bridge_technology="simple_bridge",
            **WHOSE,
            **CALLER,
            swap_uniqueid=None,
        ),
    ),
    (
        "BridgeEnter",
        {**SNAPSHOT, **BRIDGE, "SwapUniqueid": "1795414926.9"},
        events.BridgeEnter(
            at=AT,
            bridge_uniqueid="b1",
            bridge_technology="simple_bridge",
            **WHOSE,
            **CALLER,
            swap_uniqueid="1795414926.9",
        ),
    ),
    ("BridgeLeave", {**SNAPSHOT, **BRIDGE}, events.BridgeLeave(at=AT, bridge_uniqueid="b1", **WHOSE)),
    ("BridgeDestroy", {"Timestamp": f"{AT}", **BRIDGE}, events.BridgeDestroy(at=AT, bridge_uniqueid="b1")),
    (
        "BlindTransfer",
        {
            "Timestamp": f"{AT}",
            "Result": "Success",
            "TransfererUniqueid": "u.1",
            "TransfereeUniqueid": "u.0",
            "Extension": "103",
        },
        events.BlindTransfer(at=AT, transferer_uniqueid="u.1", extension="103"),
    ),
    ("MixMonitorStart", SNAPSHOT, events.MixMonitorStart(at=AT, **WHO)),
    ("MixMonitorStop", SNAPSHOT, events.MixMonitorStop(at=AT, **WHO)),
    (
        "UserEvent",
        {**SNAPSHOT, "UserEvent": "RecorderdToggle"},
        events.Press(
            at=AT,
            id="1795414926.0-1795414926.793274",
            action="toggle",
            uniqueid="1795414926.0",
            by="PJSIP/101-00000000",
            source="feature-code",
        ),
    ),
    (
        "UserEvent",
        {**SNAPSHOT, "UserEvent": "RecorderdUnplayed"},
        events.PromptFailed(at=AT, uniqueid="1795414926.0"),
    ),
    (
        "Cdr",
        {"Timestamp": f"{AT}", **CDR},
        events.CdrWritten(
            at=AT,
            cdr=rows.Cdr(
                uniqueid="1795414926.0",
                sequence=4,
                linkedid="1795414926.0",
                start=NOON + 20,
                answer=NOON + 21,
                end=NOON + 27,
                src="101",
                dst="102",
                dcontext="from-phones",
                clid='"Иван" <101>',
                channel="PJSIP/101-00000000",
                dstchannel="PJSIP/102-00000001",
                lastapp="Dial",
                disposition="ANSWERED",
                duration=7,
                billsec=6,
                accountcode="acc101",
                recordingfile="x.wav",
            ),
        ),
    ),
    ("Shutdown", {"Timestamp": f"{AT}", "Shutdown": "Cleanly"}, events.Shutdown(at=AT)),
]


def understood(name: str, headers: dict[str, str], zone: str = "UTC") -> events.Event | None:
    return read({"Event": name, **headers}, ZoneInfo(zone))


def read(headers: Mapping[str, str], tz: tzinfo = UTC) -> events.Event | None:
    return translate.read(headers, translate.timestamp(headers) or 1.0, tz)


@pytest.mark.parametrize(("name", "headers", "expected"), TABLE)
def test_what_asterisk_says_becomes_what_the_core_reads(
    name: str, headers: dict[str, str], expected: events.Event
) -> None:
    assert understood(name, headers) == expected


NOT_OVER_AMI = {
    *("Event", "LaneStarted", "LaneRefused", "LaneStopped", "LaneStopFailed", "FileSeen", "FileFault"),
    *("Mixed", "Consult", "PolicyChanged", "Resync", "ConnectionLost", "Tick"),
    *("LaneSilent", "ForeignSeen", "ForeignGone", "PlaceFault", "PlaceWell", "NoRoom", "Room"),
}


def test_every_event_of_the_core_that_comes_over_ami_has_a_parser_and_a_row_here() -> None:
    kinds = {
        name for name, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, events.Event)
    }
    assert {type(expected).__name__ for _, _, expected in TABLE} == kinds - NOT_OVER_AMI
    assert {name for name, _, _ in TABLE} == translate.PARSERS.keys()


@pytest.mark.parametrize(("action", "said"), [(a, n) for n, a in translate.PRESSES.items()])
def test_each_user_event_of_ours_is_a_press(action: str, said: str) -> None:
    press = understood("UserEvent", {**SNAPSHOT, "UserEvent": said})
    assert isinstance(press, events.Press)
    assert press.action == action


def test_another_ones_user_event_is_nothing_to_us() -> None:
    assert understood("UserEvent", {"UserEvent": "Fail2Ban"}) is None


@pytest.mark.parametrize(
    "name", ["HangupRequest", "VarSet", "", "hangup", "MixMonitorMute", "Hold", "AttendedTransfer"]
)
def test_an_event_that_we_did_not_ask_for_is_nothing_to_us(name: str) -> None:
    assert understood(name, SNAPSHOT) is None


@pytest.mark.parametrize("result", ["Fail", "Invalid", "Not Permitted"])
def test_a_transfer_that_failed_moved_nobody(result: str) -> None:
    assert understood("BlindTransfer", {"Result": result}) is None


def test_unknown_and_missing_are_empty() -> None:
    headers = {**SNAPSHOT, "CallerIDNum": "<unknown>", "CallerIDName": "<unknown>"}
    del headers["Exten"], headers["Context"]
    event = understood("Newchannel", headers)
    assert isinstance(event, events.Newchannel)
    assert (event.caller_id_num, event.caller_id_name, event.exten, event.context) == ("", "", "", "")


@pytest.mark.parametrize("stamp", [None, "", "nan", "inf", "-1", "0", "yesterday", "1e999"])
def test_an_unusable_timestamp_is_none(stamp: str | None) -> None:
    headers = {name: value for name, value in SNAPSHOT.items() if name != "Timestamp"}
    if stamp is not None:
        headers["Timestamp"] = stamp
    assert translate.timestamp(headers) is None


@pytest.mark.parametrize(
    ("name", "headers", "said"),
    [
        ("Newchannel", {"Channel": "x"}, "an AMI event Newchannel was not understood: no Uniqueid"),
        ("Newchannel", {}, "no Channel"),
        ("Hangup", {"Channel": "x"}, "no Uniqueid"),
        ("Cdr", {**CDR, "Duration": "9" * 5000}, "not a number"),
        ("DialBegin", SNAPSHOT, "no DestLinkedid"),
        ("BridgeEnter", SNAPSHOT, "no BridgeUniqueid"),
        ("BridgeDestroy", {"BridgeUniqueid": "<unknown>"}, "no BridgeUniqueid"),
        ("Cdr", {**CDR, "StartTime": "23/11/2026"}, "starttime is '23/11/2026', not a time"),
        ("Cdr", {**CDR, "UniqueID": ""}, "no uniqueid"),
        ("Cdr", {**CDR, "EndTime": ""}, "no endtime"),
        ("Cdr", {**CDR, "Duration": "-"}, "duration is '-', not a number"),
    ],
)
def test_a_malformed_event_is_one_clear_sentence(name: str, headers: dict[str, str], said: str) -> None:
    with pytest.raises(AmiError, match=said):
        understood(name, headers)


def test_a_cdr_without_an_answer_has_none() -> None:
    event = understood("Cdr", {**CDR, "AnswerTime": "", "Disposition": "NO ANSWER"})
    assert isinstance(event, events.CdrWritten)
    assert event.cdr.answer is None


def test_cdr_times_are_in_asterisks_own_zone() -> None:
    moscow, utc = understood("Cdr", CDR, "Europe/Moscow"), understood("Cdr", CDR)
    assert isinstance(moscow, events.CdrWritten)
    assert isinstance(utc, events.CdrWritten)
    assert utc.cdr.start - moscow.cdr.start == 3 * 3600


@pytest.mark.parametrize("fold", [0, 1])
def test_in_the_hour_that_comes_twice_a_cdr_lies_where_its_event_does(fold: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    end = datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold).timestamp()
    times = {
        "Timestamp": f"{end + 0.05:.6f}",
        "StartTime": "2026-10-25 02:10:00",
        "AnswerTime": "2026-10-25 02:10:05",
        "EndTime": "2026-10-25 02:30:00",
        "Duration": "1200",
        "BillableSeconds": "1195",
    }
    event = understood("Cdr", {**CDR, **times}, "Europe/Berlin")
    assert isinstance(event, events.CdrWritten)
    assert (event.cdr.start, event.cdr.answer, event.cdr.end) == (end - 1200, end - 1195, end)


def test_a_call_across_the_end_of_summer_time_keeps_its_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    end = datetime(2026, 10, 25, 2, 10, tzinfo=berlin, fold=1).timestamp()
    times = {
        "Timestamp": f"{end:.6f}",
        "StartTime": "2026-10-25 02:50:00",
        "EndTime": "2026-10-25 02:10:00",
        "AnswerTime": "",
        "Duration": "1200",
    }
    event = understood("Cdr", {**CDR, **times}, "Europe/Berlin")
    assert isinstance(event, events.CdrWritten)
    assert event.cdr.end - event.cdr.start == 1200


def test_cdr_rows_without_a_mapped_sequence_are_told_apart_and_stay_the_same() -> None:
    bare = {name: value for name, value in CDR.items() if name != "sequence"}
    first, again = understood("Cdr", bare), understood("Cdr", bare)
    second = understood("Cdr", {**bare, "Destination": "103"})
    assert isinstance(first, events.CdrWritten)
    assert isinstance(second, events.CdrWritten)
    assert isinstance(again, events.CdrWritten)
    assert first.cdr.sequence == again.cdr.sequence != second.cdr.sequence
    assert first.cdr.sequence < 0


def test_mapped_cdr_columns_may_have_any_case() -> None:
    headers = {name.upper(): value for name, value in CDR.items()}
    event = understood("Cdr", headers)
    assert isinstance(event, events.CdrWritten)
    assert event.cdr.recordingfile == "x.wav"


def test_names_made_for_people_come_out_printable_and_ids_untouched() -> None:
    raw = b"Event: Newchannel\r\nChannel: Local/\xff@c-1\r\nUniqueid: \xd0\xb0.1\r\nLinkedid: l\r\n"
    event = read(wire.parse(raw + b"CallerIDName: \xd6\x00\x1b[31m"))
    assert isinstance(event, events.Newchannel)
    assert event.caller_id_name == "\ufffd [31m"
    assert event.uniqueid == "а.1"
    assert event.channel.encode("utf-8", "surrogateescape") == b"Local/\xff@c-1"


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "streams").glob("*.stream")), ids=str)
def test_a_real_stream_is_understood_to_the_last_event(path: Path) -> None:
    messages = wire.Splitter().feed(path.read_bytes().partition(b"\r\n")[2])
    parsed = [wire.parse(wire.start(message)) for message in messages]
    wanted = [headers for headers in parsed if headers.get("Event") in translate.PARSERS]
    heard = [read(headers) for headers in wanted]
    assert len(heard) > 20
    assert None not in heard
    assert all(event is not None and event.at > 1.7e9 for event in heard)
    assert any(isinstance(event, events.Newchannel) for event in heard)


@given(
    st.sampled_from(sorted(translate.PARSERS)),
    st.dictionaries(
        st.sampled_from([*SNAPSHOT, *DEST, *BRIDGE, *CDR, "Cause", "Result"]), st.text(max_size=30)
    ),
)
def test_whatever_comes_is_an_event_nothing_or_one_sentence(name: str, headers: dict[str, str]) -> None:
    with contextlib.suppress(AmiError):
        event = understood(name, headers)
        assert event is None or isinstance(event, events.Event)
