"""One AMI event in, one core event out: Asterisk's spelling ends here.

Owns the names and headers of every event we listen to, as 16 to 22 send them. Pure; must not know the
connection, nor what any event leads to. `PARSERS` is the list of what we ask Asterisk for.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo

from recorderd.core import events, rows
from recorderd.core.facts import dataclass
from recorderd.errors import AmiError

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """The headers of one event, and how to read them. `tz` is the zone of Asterisk's own local times."""

    headers: Mapping[str, str]
    at: float
    tz: tzinfo

    def id(self, name: str) -> str:
        """A header that must be there: what Asterisk itself will know the thing by, byte for byte."""
        value = known(self.headers.get(name, ""))
        if not value:
            raise AmiError(f"no {name}")
        return value

    def maybe(self, name: str) -> str | None:
        """A header that Asterisk leaves out where there is nothing to say."""
        value = self.headers.get(name)
        return None if value is None else known(value)

    def text(self, name: str) -> str:
        """A header made for people: clean enough for any log, page or database; empty if unknown."""
        return printable(known(self.headers.get(name, "")))

    def number(self, name: str) -> int:
        """A whole number, 0 if there is none."""
        value = known(self.headers.get(name, ""))
        if not value:
            return 0
        if not _NUMBER.fullmatch(value):
            raise AmiError(f"{name} is {printable(value)[:40]!r}, not a number")
        return int(value)


def known(value: str) -> str:
    """`<unknown>` is Asterisk's word for an empty caller id, `(null)` its printf's for an unset variable."""
    return "" if value in ("<unknown>", "(null)") else value


def printable(value: str) -> str:
    """Foreign bytes become U+FFFD and control characters blanks: databases and logs take neither."""
    if value.isprintable():
        return value
    return _SURROGATES.sub("\ufffd", _UNPRINTABLE.sub(" ", value))


def timestamp(headers: Mapping[str, str]) -> float | None:
    """Asterisk's own clock, if `timestampevents=yes` lets it say so."""
    try:
        at = float(headers.get("Timestamp", ""))
    except ValueError:
        return None
    return at if math.isfinite(at) and at > 0 else None


# --- channels and who dials whom ---------------------------------------------------------------


def newchannel(m: Message) -> events.Event:
    return events.Newchannel(
        at=m.at,
        channel=m.id("Channel"),
        uniqueid=m.id("Uniqueid"),
        linkedid=m.id("Linkedid"),
        caller_id_num=m.text("CallerIDNum"),
        caller_id_name=m.text("CallerIDName"),
        exten=m.text("Exten"),
        context=m.text("Context"),
    )


def dial_begin(m: Message) -> events.Event:
    dest_linkedid = m.id("DestLinkedid")
    return events.DialBegin(
        at=m.at,
        channel=m.maybe("Channel"),
        uniqueid=m.maybe("Uniqueid"),
        linkedid=m.maybe("Linkedid") or dest_linkedid,
        caller_id_num=m.text("CallerIDNum"),
        exten=m.text("Exten"),
        context=m.text("Context"),
        dest_channel=m.id("DestChannel"),
        dest_uniqueid=m.id("DestUniqueid"),
        dest_linkedid=dest_linkedid,
    )


def dial_end(m: Message) -> events.Event:
    return events.DialEnd(
        at=m.at,
        uniqueid=m.maybe("Uniqueid"),
        dest_channel=m.id("DestChannel"),
        dest_uniqueid=m.id("DestUniqueid"),
        dial_status=m.text("DialStatus"),
    )


def pickup(m: Message) -> events.Event:
    return events.Pickup(
        at=m.at, channel=m.id("Channel"), uniqueid=m.id("Uniqueid"), target_uniqueid=m.id("TargetUniqueid")
    )


def hangup(m: Message) -> events.Event:
    return events.Hangup(
        at=m.at,
        channel=m.id("Channel"),
        uniqueid=m.id("Uniqueid"),
        linkedid=m.id("Linkedid"),
    )


# --- bridges -----------------------------------------------------------------------------------


def bridge_enter(m: Message) -> events.Event:
    return events.BridgeEnter(
        at=m.at,
        bridge_uniqueid=m.id("BridgeUniqueid"),
        bridge_technology=m.text("BridgeTechnology"),
        channel=m.id("Channel"),
        uniqueid=m.id("Uniqueid"),
        linkedid=m.id("Linkedid"),
        caller_id_num=m.text("CallerIDNum"),
        exten=m.text("Exten"),
        context=m.text("Context"),
        swap_uniqueid=m.maybe("SwapUniqueid"),
    )


def bridge_leave(m: Message) -> events.Event:
    return events.BridgeLeave(
        at=m.at,
        bridge_uniqueid=m.id("BridgeUniqueid"),
        channel=m.id("Channel"),
        uniqueid=m.id("Uniqueid"),
        linkedid=m.id("Linkedid"),
    )


def bridge_destroy(m: Message) -> events.Event:
    return events.BridgeDestroy(at=m.at, bridge_uniqueid=m.id("BridgeUniqueid"))


def blind_transfer(m: Message) -> events.Event | None:
    """A transfer that failed (`Invalid`, `Not Permitted`, `Fail`) moved nobody."""
    if m.text("Result") not in ("", "Success"):
        return None
    return events.BlindTransfer(
        at=m.at,
        transferer_uniqueid=m.id("TransfererUniqueid"),
        extension=m.text("Extension"),
    )


# --- recorders, people, records ----------------------------------------------------------------


def mixmonitor_start(m: Message) -> events.Event:
    return events.MixMonitorStart(at=m.at, channel=m.id("Channel"), uniqueid=m.id("Uniqueid"))


def mixmonitor_stop(m: Message) -> events.Event:
    return events.MixMonitorStop(at=m.at, channel=m.id("Channel"), uniqueid=m.id("Uniqueid"))


PRESSES: dict[str, str] = {
    "RecorderdToggle": "toggle",
    "RecorderdStart": "start",
    "RecorderdStop": "stop",
    "RecorderdPause": "pause",
    "RecorderdResume": "resume",
    "RecorderdPausing": "pausing",
}
"""`UserEvent(NAME)` in the dialplan or in features.conf, and what the presser asks for with it."""


UNPLAYED = "RecorderdUnplayed"
"""What the dialplan include says when a prompt could not be played."""


def user_event(m: Message) -> events.Event | None:
    """Any other UserEvent is somebody else's. The channel is the presser's own."""
    if m.text("UserEvent") == UNPLAYED:
        return events.PromptFailed(at=m.at, uniqueid=m.id("Uniqueid"))
    action = PRESSES.get(m.text("UserEvent"))
    if action is None:
        return None
    uniqueid = m.id("Uniqueid")
    return events.Press(
        at=m.at,
        id=f"{uniqueid}-{m.at:.6f}",
        action=action,
        uniqueid=uniqueid,
        by=m.text("Channel"),
        source="feature-code",
    )


def cdr(m: Message) -> events.Event:
    """Header names as cdr_manager writes them; the mapped ones in whatever case the administrator chose."""
    low = Message({name.lower(): value for name, value in m.headers.items()}, m.at, m.tz)
    duration, billsec = low.number("duration"), low.number("billableseconds")
    end = _local(low, "endtime", low.at)
    answer = _local(low, "answertime", end - billsec) if low.text("answertime") else None
    record = rows.Cdr(
        uniqueid=low.id("uniqueid"),
        sequence=low.number("sequence") if low.text("sequence") else _made_up_sequence(low),
        linkedid=low.maybe("linkedid") or "",
        start=_local(low, "starttime", end - duration),
        answer=answer,
        end=end,
        src=low.text("source"),
        dst=low.text("destination"),
        dcontext=low.text("destinationcontext"),
        clid=low.text("callerid"),
        channel=low.maybe("channel") or "",
        dstchannel=low.maybe("destinationchannel") or "",
        lastapp=low.text("lastapplication"),
        disposition=low.text("disposition"),
        duration=duration,
        billsec=billsec,
        accountcode=low.text("accountcode"),
        recordingfile=low.text("recordingfile"),
    )
    return events.CdrWritten(at=m.at, cdr=record)


def _local(m: Message, name: str, near: float) -> float:
    """Seconds of a local time. Of the hour that comes twice a year the one nearer to `near` is meant."""
    written = m.id(name)
    try:
        if not _TIME.fullmatch(written):
            raise ValueError
        local = datetime.fromisoformat(written).replace(tzinfo=m.tz)
    except ValueError:
        raise AmiError(f"{name} is {m.text(name)[:40]!r}, not a time") from None
    return min((local.replace(fold=fold).timestamp() for fold in (0, 1)), key=lambda at: abs(at - near))


_TOLD_APART_BY = (
    *("starttime", "answertime", "endtime", "destination", "channel", "destinationchannel"),
    *("lastapplication", "lastdata", "disposition"),
)


def _made_up_sequence(m: Message) -> int:
    """Rows of one uniqueid differ by sequence; where cdr_manager maps none, a stable one below 0."""
    told = "|".join(m.text(name) for name in _TOLD_APART_BY)
    return -1 - (zlib.crc32(told.encode()) & 0x7FFFFFFF)


def shutdown(m: Message) -> events.Event:
    return events.Shutdown(at=m.at)


PARSERS: dict[str, Callable[[Message], events.Event | None]] = {
    "Newchannel": newchannel,
    "DialBegin": dial_begin,
    "DialEnd": dial_end,
    "Pickup": pickup,
    "Hangup": hangup,
    "BridgeEnter": bridge_enter,
    "BridgeLeave": bridge_leave,
    "BridgeDestroy": bridge_destroy,
    "BlindTransfer": blind_transfer,
    "MixMonitorStart": mixmonitor_start,
    "MixMonitorStop": mixmonitor_stop,
    "UserEvent": user_event,
    "Cdr": cdr,
    "Shutdown": shutdown,
}
"""Every event we want of Asterisk. The names are exact: HangupRequest is not Hangup.

Nobody leaves a bridge for a Hold or an Unhold, and an AttendedTransfer says nothing that bridges do not."""


def read(headers: Mapping[str, str], at: float, tz: tzinfo) -> events.Event | None:
    """The core's event, or None where this one means nothing to us. `at` is when it happened.

    Raises AmiError, one sentence, for an event without what it cannot do without; the next event is not affected.
    """
    name = headers.get("Event", "")
    parser = PARSERS.get(name)
    if parser is None:
        return None
    try:
        return parser(Message(headers, at, tz))
    except AmiError as error:
        raise AmiError(f"an AMI event {name} was not understood: {error}") from None
