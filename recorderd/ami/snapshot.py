"""All that lives in Asterisk now, from the replies to Status and BridgeList.

Owns what these lists say. Pure; must not know when one is asked for. Status alone names every channel with
its Uniqueid, Linkedid, bridge, application and our variables, in one reply, so that no two lists can disagree
(CoreShowChannels adds nothing). BridgeList is asked for just before and adds each bridge's technology; a
bridge made in between has none here, and its BridgeEnter follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from recorderd.ami import wire
from recorderd.ami.translate import printable
from recorderd.core import events, stops, tags

LANE = "RECORDERD"
"""The channel variable that holds our lane's id."""

MIXMONITOR_ID = "RECORDERD_ID"
"""The channel variable into which Asterisk writes the MixMonitorID (option `i`)."""

RECORDING_FILE = tags.RECORDING_FILE

REPLACED = stops.REPLACED
"""The channel variable that holds `lane=id` of each recorder of ours that was given up on a frozen disk."""

ANSWERED = "CDR(answer,u)"
"""Seconds since the epoch, to the microsecond; Asterisk splits the list of variables outside of brackets only."""

FOREIGN_FILE = "MIXMONITOR_FILENAME"
"""Asterisk's own, on the channel itself: the file of the MixMonitor that was started there last."""

FOREIGN_ID = "LOCAL_MIXMON_ID"
"""Where FreePBX has Asterisk write the id of the recorder on this channel (option `i`)."""

INHERITED_ID = "MIXMON_ID"
"""Where FreePBX keeps it for its one-touch recording. Channels inherit it: it may be another channel's."""

FOREIGN_STATE = "REC_STATUS"
"""FreePBX's own word on it; what it does not call recording was stopped."""

FOREIGN_NAMES = (FOREIGN_FILE, FOREIGN_ID, INHERITED_ID)
"""What is asked of one that has just begun. FreePBX calls it recording only some steps of its dialplan later."""

FOREIGN = (*FOREIGN_NAMES, FOREIGN_STATE)

STATUS: wire.Headers = {
    "Action": "Status",
    "Variables": ",".join((LANE, MIXMONITOR_ID, REPLACED, RECORDING_FILE, ANSWERED, *FOREIGN)),
}
BRIDGES: wire.Headers = {"Action": "BridgeList"}


_READ = (
    *("Channel", "Uniqueid", "Linkedid", "CallerIDNum", "CallerIDName", "Exten", "Context"),
    *("BridgeID", "Application"),
)
_HEADERS = re.compile(rf"\r\n({'|'.join(_READ)}): (?!<unknown>(?:\r|\Z))([^\r]+)")
"""Only a third of what Status says: with ten thousand channels the rest would take longer than all this."""

_BRIDGE = re.compile(r"\r\n(BridgeUniqueid|BridgeTechnology): (?!<unknown>(?:\r|\Z))([^\r]+)")

_VARIABLE = re.compile(r"\r\nVariable: ([^\r=]*)=(?!(?:<unknown>|\(null\))(?:\r|\Z))([^\r]+)")
"""Each is a header of its own, after all others; of those that were asked for only what is set."""


def channel(message: bytes, technologies: Mapping[str, str]) -> events.LiveChannel | None:
    """One Status event; None if it names no channel."""
    text = wire.text(message)
    first = text.find("\r\nVariable: ")
    headers_end = first if first >= 0 else len(text)
    get = dict(_HEADERS.findall(text, 0, headers_end)).get
    uniqueid, name = get("Uniqueid"), get("Channel")
    if not uniqueid or not name:
        return None
    variables = dict(_VARIABLE.findall(text, headers_end))
    bridge_uniqueid = get("BridgeID", "")
    foreign_file, foreign_ids = foreign(variables) if variables else ("", ())
    return events.LiveChannel(
        channel=name,
        uniqueid=uniqueid,
        linkedid=get("Linkedid") or uniqueid,
        caller_id_num=printable(get("CallerIDNum", "")),
        caller_id_name=printable(get("CallerIDName", "")),
        exten=printable(get("Exten", "")),
        context=printable(get("Context", "")),
        application=printable(get("Application", "")),
        bridge_uniqueid=bridge_uniqueid,
        bridge_technology=technologies.get(bridge_uniqueid, ""),
        answered=_instant(variables.get(ANSWERED, "")),
        lane_id=variables.get(LANE, ""),
        mixmonitor_id=variables.get(MIXMONITOR_ID, ""),
        recording_file=printable(variables.get(RECORDING_FILE, "")),
        foreign_file=foreign_file,
        foreign_ids=foreign_ids,
        replaced=dict(_REPLACED_ONE.findall(variables.get(REPLACED, ""))),
    )


def foreign(variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """What a channel's variables say of somebody else's recorder on it: its file, and the ids it may have.

    Both are empty where nothing says that there is one. An id that is ours is never among them.
    """
    path, own = variables.get(FOREIGN_FILE, ""), variables.get(FOREIGN_ID, "")
    if not (path or own) or variables.get(FOREIGN_STATE, "RECORDING") not in ("", "RECORDING"):
        return "", ()
    ours = variables.get(MIXMONITOR_ID, "")
    ids = dict.fromkeys((own, variables.get(INHERITED_ID, "")))
    return printable(path), tuple(i for i in ids if _ID.fullmatch(i) and i != ours)


_ID = re.compile(r"0x[0-9a-fA-F]{1,16}")

_REPLACED_ONE = re.compile(r"([0-9A-Za-z]+)=(0x[0-9a-fA-F]{1,16})(?:,|\Z)")


def bridge(message: bytes) -> tuple[str, str]:
    """One BridgeListItem: the bridge's id and its technology."""
    get = dict(_BRIDGE.findall(wire.text(message))).get
    return get("BridgeUniqueid", ""), get("BridgeTechnology", "")


def _instant(value: str) -> float:
    """`1795418840.279684`; 0.0 for a call that nobody has answered, or no CDR."""
    return float(value) if value and re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,9}", value) else 0.0
