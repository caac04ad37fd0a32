"""Status and BridgeList, as 22.10 spells them, become one Resync."""

from __future__ import annotations

import pytest

from recorderd.ami import snapshot
from recorderd.core import events

STATUS = """Event: Status\r
Privilege: Call\r
Channel: PJSIP/101-00000000\r
ChannelState: 6\r
ChannelStateDesc: Up\r
CallerIDNum: 101\r
CallerIDName: Иван\r
ConnectedLineNum: <unknown>\r
Context: from-phones\r
Exten: 102\r
Uniqueid: 1795414926.2\r
Linkedid: 1795414926.0\r
Type: PJSIP\r
BridgeID: b1\r
Application: Dial\r
Data: PJSIP/102\r
Seconds: 7\r
Variable: RECORDERD=lane=1\r
Variable: RECORDERD_ID=0x7f1\r
Variable: CDR(recordingfile)=\r
ActionID: 4""".encode()

ITEM = b"Event: BridgeListItem\r\nBridgeUniqueid: b1\r\nBridgeTechnology: simple_bridge\r\nActionID: 4"

CHANNEL = events.LiveChannel(
    channel="PJSIP/101-00000000",
    uniqueid="1795414926.2",
    linkedid="1795414926.0",
    caller_id_num="101",
    caller_id_name="Иван",
    exten="102",
    context="from-phones",
    application="Dial",
    bridge_uniqueid="b1",
    lane_id="lane=1",
    mixmonitor_id="0x7f1",
    recording_file="",
)


def test_a_status_event_is_a_live_channel_with_our_marks() -> None:
    assert snapshot.channel(STATUS, {}) == CHANNEL


def test_variables_that_were_never_set_are_empty() -> None:
    unset = STATUS.replace(b"=lane=1", b"=(null)").replace(b"=0x7f1", b"=(null)")
    one = snapshot.channel(unset, {})
    assert one is not None
    assert (one.lane_id, one.mixmonitor_id) == ("", "")


def test_a_bridges_technology_comes_from_the_list_of_bridges() -> None:
    technologies = dict([snapshot.bridge(ITEM)])
    one = snapshot.channel(STATUS, technologies)
    assert one is not None
    assert one.bridge_technology == "simple_bridge"


def test_a_status_event_without_a_channel_is_left_out() -> None:
    assert snapshot.channel(b"Event: Status\r\nChannel: x", {}) is None


@pytest.mark.parametrize("said", ["1795٧.5", "1e9", "-1.0", "179541884027968.4", ""])
def test_hostile_numbers_are_no_time(said: str) -> None:
    answer = f"Variable: {snapshot.ANSWERED}={said}\r\nActionID".encode()
    one = snapshot.channel(STATUS.replace(b"ActionID", answer), {})
    assert one is not None
    assert one.answered == 0.0


FILE = "/spool/monitor/2026/11/26/exten-102-101-20261126-120000-1.2.wav"


def told(**variables: str) -> tuple[str, tuple[str, ...]]:
    said = "".join(f"Variable: {name}={value}\r\n" for name, value in variables.items()).encode()
    one = snapshot.channel(STATUS.replace(b"ActionID", said + b"ActionID"), {})
    assert one is not None
    return one.foreign_file, one.foreign_ids


def test_the_variables_tell_of_somebody_elses_recorder() -> None:
    assert told(MIXMONITOR_FILENAME=FILE, LOCAL_MIXMON_ID="0xa", MIXMON_ID="0xb") == (FILE, ("0xa", "0xb"))
    assert told(LOCAL_MIXMON_ID="0xa") == ("", ("0xa",)), "ours, started later, empties Asterisk's own"


def test_an_inherited_id_alone_is_no_recorder_on_this_channel() -> None:
    assert told(MIXMON_ID="0xa") == ("", ())


def test_a_recorder_that_was_stopped_is_none() -> None:
    assert told(MIXMONITOR_FILENAME=FILE, LOCAL_MIXMON_ID="0xa", REC_STATUS="STOPPED") == ("", ())


def test_our_own_id_and_what_is_none_are_never_somebody_elses() -> None:
    assert told(MIXMONITOR_FILENAME=FILE, LOCAL_MIXMON_ID="0x7f1", MIXMON_ID="x") == (FILE, ())


@pytest.mark.parametrize(
    ("said", "replaced"),
    [
        ("1a2b=0x7f2", {"1a2b": "0x7f2"}),
        ("1a2b=0x7f2,1a2c=0x7f3", {"1a2b": "0x7f2", "1a2c": "0x7f3"}),
        ("", {}),
        ("1a2b", {}),
        ("1a2b=7f2", {}),
    ],
)
def test_a_channel_tells_who_of_ours_is_still_to_be_stopped_there(
    said: str, replaced: dict[str, str]
) -> None:
    marked = STATUS.replace(
        b"Variable: CDR", f"Variable: RECORDERD_REPLACED={said}\r\nVariable: CDR".encode()
    )
    one = snapshot.channel(marked, {})
    assert one is not None
    assert one.replaced == replaced
