"""What the fake Asterisk knows, and how it answers: channels, variables, recorders, AstDB, all very small.

Owns the answers of 22.10, action by action. Must not know a socket, nor any fault.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from recorderd.ami import wire

Action = Mapping[str, str]
Answer = Callable[[Action], bytes]


def message(*headers: tuple[str, str], **more: str) -> bytes:
    """One message as it goes over the wire, surrogates as the bytes they came from."""
    lines = [f"{name}: {value}\r\n" for name, value in (*headers, *more.items())]
    return ("".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def event(name: str, **headers: str) -> bytes:
    """An event with the time of now."""
    return message(Event=name, Privilege="call,all", Timestamp=f"{time.time():.6f}", **headers)


def ok(action: Action, **headers: str) -> bytes:
    return message(("Response", "Success"), ("ActionID", action.get("ActionID", "")), **headers)


def fail(action: Action, reason: str) -> bytes:
    return message(("Response", "Error"), ("ActionID", action.get("ActionID", "")), Message=reason)


def listing(action: Action, complete: str, items: list[bytes]) -> bytes:
    """A list: the answer, its events, and the event that ends it."""
    action_id = action.get("ActionID", "")
    own = f"ActionID: {action_id}\r\n\r\n".encode()
    told = [item.removesuffix(wire.EOL) + own for item in items]
    end = message(Event=complete, ActionID=action_id, EventList="Complete", ListItems=str(len(items)))
    return b"".join([ok(action, EventList="start", Message="will follow"), *told, end])


class FakePbx:
    """Everything may be looked at and changed by a test; `answers` too, action by action."""

    def __init__(self) -> None:
        self.version = "22.10.1"
        self._next_id = 0x7F0000001000
        self.channels: list[dict[str, str]] = []
        """What Status tells: headers without Event and ActionID."""
        self.bridges: list[dict[str, str]] = []
        self.variables: dict[str, dict[str, str]] = defaultdict(dict)
        self.database: dict[str, str] = {}
        self.recorders: dict[str, list[str]] = defaultdict(list)
        """The ids of the MixMonitors on each channel."""
        self.answers: dict[str, Answer] = {
            "Ping": lambda action: ok(action, Ping="Pong", Timestamp=f"{time.time():.6f}"),
            "Filter": ok,
            "Status": self._status,
            "BridgeList": self._bridge_list,
            "CoreSettings": lambda action: ok(action, AsteriskVersion=self.version),
            "Setvar": self._setvar,
            "Getvar": self._getvar,
            "MixMonitor": self._mixmonitor,
            "StopMixMonitor": self._stop_mixmonitor,
            "MixMonitorMute": ok,
            "DBPut": self._db_put,
            "DBDelTree": self._db_del_tree,
            "DBGetTree": self._db_get_tree,
            "Hangup": ok,
            "Redirect": ok,
        }

    def _status(self, action: Action) -> bytes:
        wanted = [name for name in action.get("Variables", "").split(",") if name]
        items = []
        for headers in self.channels:
            own = self.variables[headers.get("Uniqueid", "")]
            variables = [("Variable", f"{name}={own.get(name, '(null)')}") for name in wanted]
            items.append(message(("Event", "Status"), *headers.items(), *variables))
        return listing(action, "StatusComplete", items)

    def _bridge_list(self, action: Action) -> bytes:
        items = [message(("Event", "BridgeListItem"), *headers.items()) for headers in self.bridges]
        return listing(action, "BridgeListComplete", items)

    def _setvar(self, action: Action) -> bytes:
        name, value = action.get("Variable", ""), action.get("Value", "")
        own = self.variables[action.get("Channel", "")]
        if name.startswith("PUSH("):
            name, delimiter = name[5:-1].split(",")
            value = delimiter.join(filter(None, (own.get(name, ""), value)))
        own[name] = value
        return ok(action, Message="Variable Set")

    def _getvar(self, action: Action) -> bytes:
        value = self.variables[action.get("Channel", "")].get(action.get("Variable", ""), "")
        return ok(action, Variable=action.get("Variable", ""), Value=value)

    def _mixmonitor(self, action: Action) -> bytes:
        mixmonitor_id = hex(self._next_id)
        self._next_id += 16
        self.recorders[action.get("Channel", "")].append(mixmonitor_id)
        self.variables[action.get("Channel", "")]["RECORDERD_ID"] = mixmonitor_id
        return ok(action, MixMonitorID=mixmonitor_id)

    def _stop_mixmonitor(self, action: Action) -> bytes:
        running = self.recorders[action.get("Channel", "")]
        mixmonitor_id = action.get("MixMonitorID") or (running[-1] if running else "")
        if mixmonitor_id not in running:
            return fail(action, "Could not stop monitoring channel")
        running.remove(mixmonitor_id)
        return ok(action)

    def _db_put(self, action: Action) -> bytes:
        self.database[f"/{action['Family']}/{action['Key']}"] = action.get("Val", "")
        return ok(action, Message="Updated database successfully")

    def _db_del_tree(self, action: Action) -> bytes:
        below = [key for key in self.database if key.startswith(f"/{action['Family']}/")]
        for key in below:
            del self.database[key]
        return ok(action) if below else fail(action, "Database entry not found")

    def _db_get_tree(self, action: Action) -> bytes:
        found = [
            message(Event="DBGetTreeResponse", Key=key, Val=value)
            for key, value in self.database.items()
            if key.startswith(f"/{action['Family']}/")
        ]
        return listing(action, "DBGetTreeComplete", found)
