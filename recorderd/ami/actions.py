"""How each command of the core is said to Asterisk: command in, headers out.

Owns the spelling of every action we send, and what may stand in it. Pure; must not know the connection, nor
what comes back. Builders raise AmiError, before anything is sent, for a value that Asterisk would misread.

Nothing here ever reads MIXMONITOR(id,filename): for a recorder with an empty File, which ours all are, that
kills Asterisk 16.28 and 22.10 on the spot (seen 23 Nov 2026).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from recorderd.ami.snapshot import FOREIGN_FILE, LANE, MIXMONITOR_ID
from recorderd.ami.wire import Headers
from recorderd.core import commands
from recorderd.errors import AmiError

_PATH = re.compile(r"/[A-Za-z0-9_./+@=~-]+")
_LANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_MIXMONITOR_ID = re.compile(r"0x[0-9a-fA-F]{1,16}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\([A-Za-z0-9_]+\))?")
_FEATURE = re.compile(r"[A-Za-z0-9_-]{1,70}")


def path(value: str) -> str:
    """An absolute path that the options parser leaves whole.

    A comma would end the options, a parenthesis the argument, `..` leaves the spool (asterisk-facts 2.3).
    """
    if not _PATH.fullmatch(value) or ".." in value.split("/"):
        raise AmiError(f"{value!r} is not a path that MixMonitor can be given")
    return value


def _fit(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise AmiError(f"{value!r} is not {what}")
    return value


def channel(uniqueid: str) -> str:
    """Exactly one channel: empty would mean a global variable in Setvar, `/.../` a pattern in Hangup."""
    if not uniqueid or uniqueid.startswith("/"):
        raise AmiError(f"{uniqueid!r} is not a channel's id")
    return uniqueid


def mixmonitor(command: commands.MixMonitor, ami_version: str = "") -> Headers:
    """Only the own voice (`r`), only while bridged (`b`), the id into our variable (`i`).

    Never `p` or `P`: they block the whole manager session for half a second (asterisk-facts 2.7).
    """
    beep = f"B({int(command.beep_seconds)})" if command.beep_seconds > 0 else ""
    silence = "S" if _cuts_silence_out(ami_version) else ""
    return {
        "Action": "MixMonitor",
        "Channel": channel(command.uniqueid),
        "File": "",
        "Options": f"br({path(command.path)}){silence}i({MIXMONITOR_ID}){beep}",
    }


def _cuts_silence_out(ami_version: str) -> bool:
    """Whether a lane would lose every moment in which its own telephone sends nothing, while the peer talks.

    22 (AMI 11) fills it with silence; 16 (AMI 5) does so with option `S` only (docs/lanes.md), on which 22
    would log a NOTICE each time. Those in between take it as either.
    """
    major = ami_version.partition(".")[0]
    return major.isascii() and major.isdigit() and int(major) < 11


def stop_mixmonitor(command: commands.StopMixMonitor) -> Headers:
    return {
        "Action": "StopMixMonitor",
        "Channel": channel(command.uniqueid),
        "MixMonitorID": _fit(_MIXMONITOR_ID, command.mixmonitor_id, "a MixMonitorID"),
    }


def stop_foreign(command: commands.StopForeign, mixmonitor_id: str = "") -> Headers:
    """Without an id Asterisk stops the newest on the channel."""
    newest = {"Action": "StopMixMonitor", "Channel": channel(command.uniqueid)}
    if not mixmonitor_id:
        return newest
    return {**newest, "MixMonitorID": _fit(_MIXMONITOR_ID, mixmonitor_id, "a MixMonitorID")}


def foreign_read(command: commands.LookAtForeign) -> Headers:
    """Of the variables that tell of it, the file's; the rest are read the same way."""
    return variable_get(command.uniqueid, FOREIGN_FILE)


def mixmonitor_mute(command: commands.MixMonitorMute) -> Headers:
    """22 mutes the one recorder named; 16 ignores the id and mutes every recorder of the channel.

    The own voice of a channel is what Asterisk reads from it; a neighbour's other half stays audible on 16.
    """
    return {
        "Action": "MixMonitorMute",
        "Channel": channel(command.uniqueid),
        "Direction": "read",
        "State": "1" if command.muted else "0",
        "MixMonitorID": _fit(_MIXMONITOR_ID, command.mixmonitor_id, "a MixMonitorID"),
    }


_DEADLOCKS = re.compile(r"(18\.1[89]|20\.[34])\.|certified[-/]18\.9")


def mute_deadlocks(asterisk_version: str, ami_version: str) -> bool:
    """Whether MixMonitorMute may lock a channel for ever, and the whole manager session with it.

    asterisk issue 233: from 18.18, 20.3 and certified 18.9 on, a mute that finds no recorder on the channel, for it has
    just ended, never lets go of it; mended in 18.20 and 20.5. Until the version is known, both lines are suspect
    by their manager's version (7 and 9).
    """
    if asterisk_version:
        return bool(_DEADLOCKS.search(asterisk_version))
    return ami_version.startswith(("7.", "9."))


def setvar(command: commands.Setvar) -> Headers:
    return variable_set(command.uniqueid, command.variable, command.value)


def variable_set(uniqueid: str, variable: str, value: str) -> Headers:
    """Asterisk does not expand `${...}` in a Setvar's value."""
    _fit(_VARIABLE, variable, "the name of a variable")
    return {"Action": "Setvar", "Channel": channel(uniqueid), "Variable": variable, "Value": value}


def variable_get(uniqueid: str, variable: str) -> Headers:
    _fit(_VARIABLE, variable, "the name of a variable")
    if variable.upper().startswith("MIXMONITOR("):
        raise AmiError("MIXMONITOR() kills Asterisk and is never read")
    return {"Action": "Getvar", "Channel": channel(uniqueid), "Variable": variable}


def packets_read(uniqueid: str) -> Headers:
    """RTP statistics of a channel, 16 and 22 alike: `rxcount` is from its telephone, `txcount` to it."""
    return {"Action": "Getvar", "Channel": channel(uniqueid), "Variable": "CHANNEL(rtcp,all)"}


def lane_set(uniqueid: str, lane_id: str) -> Headers:
    """Our mark on the channel, by which a restart knows the recorder there as ours."""
    return variable_set(uniqueid, LANE, _fit(_LANE_ID, lane_id, "a lane's id") if lane_id else "")


def id_forgotten(uniqueid: str) -> Headers:
    return variable_set(uniqueid, MIXMONITOR_ID, "")


def features_read(command: commands.OfferFeature) -> Headers:
    return variable_get(command.uniqueid, "DYNAMIC_FEATURES")


def features_push(uniqueid: str, features: Sequence[str]) -> Headers:
    """Ours appended by Asterisk itself: to read first and then to write takes three times as long."""
    ours = "#".join(_fit(_FEATURE, name, "the name of a feature") for name in features)
    return {
        "Action": "Setvar",
        "Channel": channel(uniqueid),
        "Variable": "PUSH(DYNAMIC_FEATURES,#)",
        "Value": ours,
    }


def features_with(offered: str, features: Sequence[str]) -> str:
    """DYNAMIC_FEATURES with ours appended, each once, what the dialplan put there kept."""
    there = offered.split("#")
    return "#".join(filter(None, (offered, *(name for name in features if name not in there))))


def db_put(family: str, key: str, value: str) -> Headers:
    return {"Action": "DBPut", "Family": family, "Key": key, "Val": value}


def db_del_tree(family: str) -> Headers:
    return {"Action": "DBDelTree", "Family": family}


def db_get_tree(family: str) -> Headers:
    return {"Action": "DBGetTree", "Family": family}


def hangup(uniqueid: str) -> Headers:
    return {"Action": "Hangup", "Channel": channel(uniqueid), "Cause": "16"}


def redirect(uniqueid: str, context: str, exten: str) -> Headers:
    return {
        "Action": "Redirect",
        "Channel": channel(uniqueid),
        "Context": context,
        "Exten": exten,
        "Priority": "1",
    }


def end_talk(command: commands.EndTalk) -> Headers:
    """Two who talk with each other go to our prompt together: one alone would hang the other up."""
    if len(command.uniqueids) != 2:
        raise AmiError("only two can be sent to the prompt together")
    first, second = map(channel, command.uniqueids)
    return {
        **redirect(first, ENDED, "s"),
        "ExtraChannel": second,
        "ExtraContext": ENDED,
        "ExtraExten": "s",
        "ExtraPriority": "1",
    }


ENDED = "recorderd-ended"
"""The context of the dialplan include that says why a call ends."""

BUILDERS: dict[type[commands.Command], Callable[..., Headers]] = {
    commands.MixMonitor: mixmonitor,
    commands.StopMixMonitor: stop_mixmonitor,
    commands.LookAtForeign: foreign_read,
    commands.StopForeign: stop_foreign,
    commands.MixMonitorMute: mixmonitor_mute,
    commands.Setvar: setvar,
    commands.OfferFeature: features_read,
    commands.EndTalk: end_talk,
}
"""Every command that is for Asterisk, and the action it ends in; OfferFeature begins with a question."""

NEEDED = frozenset(
    {
        *("MixMonitor", "StopMixMonitor", "MixMonitorMute", "Setvar", "Getvar", "Status", "BridgeList"),
        *("Filter", "Events", "Ping", "DBPut", "DBDelTree", "DBGetTree", "Hangup", "Redirect"),
    }
)
"""The actions we use: they ask for `write = system,call` and nothing more."""
