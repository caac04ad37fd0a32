"""Events written the way `asterisk-facts` writes them: one short line for each.

    new 101-00 ext=102          a channel PJSIP/101-00000000, uniqueid 1700000000.0, linkedid its own
    new 102-01 l=00             linkedid of 101-00
    dial 101-00 102-01          DialBegin; `dial - 101-2f` for an Originate's, which names no caller
    dialend 102-01 ANSWER
    enter 102-01 B1 swap=L05;1 tech=softmix
    leave 101-00 B1             destroy B1             hangup 101-00
    pickup 104-2b 102-2a        blind 102-01 101-00 103
    consult 101-00 102 103      press 101-00 toggle    monitor 101-00    unmonitor 101-00
    wait 2000                   nothing for so many milliseconds

`L05;1` is a half of a Local channel. Every line happens one millisecond after the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recorderd.core import events

T = 1_700_000_000.0
_EPOCH = "1700000000"


def name(token: str) -> str:
    """`PJSIP/101-00000000` of `101-00`, `Local/x@from-phones-00000005;1` of `L05;1`."""
    if token.startswith("L"):
        number, _, half = token[1:].partition(";")
        return f"Local/x@from-phones-{number:0>8};{half}"
    device, _, number = token.rpartition("-")
    if device == "CBAnn":
        return f"CBAnn/800-{number:0>8}"
    return f"PJSIP/{device}-{number:0>8}"


def uid(token: str) -> str:
    """`1700000000.0` of `101-00`: the counter is the channel's suffix, as it nearly is in Asterisk."""
    if token.startswith("L"):
        number, _, half = token[1:].partition(";")
        return f"{_EPOCH}.{int(number, 16)}{half}"
    return f"{_EPOCH}.{int(token.rpartition('-')[2], 16)}"


Fields = dict[str, str]


def _linked(token: str, more: Fields) -> str:
    given = more.get("l")
    if given is None:
        return uid(token)
    return uid(given) if "-" in given else f"{_EPOCH}.{int(given, 16)}"


def _number(token: str) -> str:
    device = token.rpartition("-")[0]
    return device if device.isdigit() else ""


def _new(at: float, words: list[str], more: Fields) -> events.Event:
    (token,) = words
    return events.Newchannel(
        at=at,
        channel=name(token),
        uniqueid=uid(token),
        linkedid=_linked(token, more),
        caller_id_num=more.get("cid", _number(token)),
        exten=more.get("ext", "s"),
        context=more.get("ctx", "from-phones"),
    )


def _dial(at: float, words: list[str], more: Fields) -> events.Event:
    caller, dest = words
    return events.DialBegin(
        at=at,
        channel=None if caller == "-" else name(caller),
        uniqueid=None if caller == "-" else uid(caller),
        linkedid=_linked(dest if caller == "-" else caller, more),
        exten=more.get("ext", _number(dest)),
        context=more.get("ctx", "from-phones"),
        dest_channel=name(dest),
        dest_uniqueid=uid(dest),
        dest_linkedid=_linked(dest, more),
    )


def _dialend(at: float, words: list[str], more: Fields) -> events.Event:
    dest, status = words
    caller = more.get("by")
    return events.DialEnd(
        at=at,
        uniqueid=uid(caller) if caller else None,
        dest_channel=name(dest),
        dest_uniqueid=uid(dest),
        dial_status=status,
    )


def _enter(at: float, words: list[str], more: Fields) -> events.Event:
    token, bridge = words
    return events.BridgeEnter(
        at=at,
        bridge_uniqueid=bridge,
        bridge_technology=more.get("tech", "simple_bridge"),
        channel=name(token),
        uniqueid=uid(token),
        linkedid=_linked(token, more),
        caller_id_num=more.get("cid", ""),
        swap_uniqueid=uid(more["swap"]) if "swap" in more else None,
    )


def _leave(at: float, words: list[str], more: Fields) -> events.Event:
    token, bridge = words
    return events.BridgeLeave(
        at=at, bridge_uniqueid=bridge, channel=name(token), uniqueid=uid(token), linkedid=_linked(token, more)
    )


def _consult(at: float, words: list[str], more: Fields) -> events.Event:
    token, *callees = words
    return events.Consult(
        at=at,
        channel=name(token),
        uniqueid=uid(token),
        linkedid=_linked(token, more),
        caller_id_num=_number(token),
        exten=more.get("ext", callees[0]),
        context="from-phones",
        callees=tuple(callees),
        monitored="monitored" in more,
    )


def press(token: str, action: str, at: float, source: str = "feature-code") -> events.Press:
    """A press of the feature code on this channel."""
    return events.Press(
        id=f"press-{at:.6f}", at=at, action=action, uniqueid=uid(token), by=_number(token), source=source
    )


_LINES: dict[str, Callable[[float, list[str], Fields], events.Event]] = {
    "new": _new,
    "dial": _dial,
    "dialend": _dialend,
    "enter": _enter,
    "leave": _leave,
    "consult": _consult,
    "destroy": lambda at, w, _: events.BridgeDestroy(at=at, bridge_uniqueid=w[0]),
    "hangup": lambda at, w, m: events.Hangup(
        at=at, channel=name(w[0]), uniqueid=uid(w[0]), linkedid=_linked(w[0], m)
    ),
    "pickup": lambda at, w, _: events.Pickup(
        at=at, channel=name(w[0]), uniqueid=uid(w[0]), target_uniqueid=uid(w[1])
    ),
    "blind": lambda at, w, _: events.BlindTransfer(at=at, transferer_uniqueid=uid(w[0]), extension=w[2]),
    "press": lambda at, w, _: press(w[0], w[1], at),
    "monitor": lambda at, w, _: events.MixMonitorStart(at=at, channel=name(w[0]), uniqueid=uid(w[0])),
    "unmonitor": lambda at, w, _: events.MixMonitorStop(at=at, channel=name(w[0]), uniqueid=uid(w[0])),
    "shutdown": lambda at, _w, _m: events.Shutdown(at=at),
}


def tape(text: str, start: float = T) -> Iterator[events.Event]:
    """The events of a text, one by one."""
    at = start
    for line in filter(str.strip, text.splitlines()):
        verb, *rest = line.split("#")[0].split()
        if verb == "wait":
            at += int(rest[0]) / 1000
            continue
        at = round(at + 0.001, 6)
        words = [word for word in rest if "=" not in word]
        more = dict(word.split("=", 1) for word in rest if "=" in word)
        yield _LINES[verb](at, words, more)
