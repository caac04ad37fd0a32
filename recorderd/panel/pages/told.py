"""What alarms and the lines of the audit log are called, for people, and what such a line says besides.

Owns one word or a few for each kind. The kind itself is what is filtered for, and stands in the log and in
docs/operations.md; the sentence of an alarm is the log's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recorderd.panel.language import _
from recorderd.panel.pages import words
from recorderd.panel.pages.words import N_

ALARMS: Mapping[str, str] = {
    "asterisk": N_("Asterisk not reached"),
    "link-lost": N_("connection to Asterisk lost"),
    "recorder-failed": N_("recorder failed"),
    "stop-failed": N_("recorder not stopped"),
    "call-ended": N_("call ended"),
    "prompt-failed": N_("prompt not played"),
    "partial": N_("partly recorded"),
    "FAULT-not-recorded": N_("fault: not recorded"),
    "FAULT-recorded-in-error": N_("fault: recorded in error"),
    "one-sided": N_("one voice missing"),
    "mix-waits": N_("file waits"),
    "mix-failed": N_("file not made"),
    "place-failed": N_("folder failed"),
    "spool": N_("folder of recordings"),
    "recordings-stopped": N_("recording stopped: disk full"),
    "disk-low-water": N_("disk: first mark passed"),
    "disk-high-water": N_("disk: second mark passed"),
    "disk-soon-full": N_("disk full soon"),
    "store": N_("store not read"),
    "clerk": N_("the process that stores rows has ended"),
    "database-away": N_("database away"),
    "journal-off-disk": N_("journal in memory only"),
    "journal-torn": N_("journal torn"),
    "row-refused": N_("row refused"),
    "rows-lost": N_("rows lost"),
    "config": N_("faulty configuration"),
    "policy": N_("faulty rule"),
    "state": N_("snapshot of policy"),
    "evidence": N_("chain of evidence"),
    "archive-encoder": N_("archive: encoder"),
    "archive-key": N_("archive: key"),
    "archive-disk": N_("archive: disk"),
    "archive-failed": N_("archive: recording not kept"),
    "archive-store": N_("archive: database"),
    "archive-cdr": N_("archive: CDR not rewritten"),
    "archive-delete": N_("archive: file not deleted"),
    "archive-bucket": N_("archive: bucket"),
    "archive-object": N_("archive: object"),
}
ACTIONS: Mapping[str, str] = {
    "login": N_("signed in"),
    "login-refused": N_("sign-in refused"),
    "logout": N_("signed out"),
    "password-changed": N_("password changed"),
    "session-revoked": N_("session ended"),
    "refused": N_("refused"),
    "play": N_("opened to listen"),
    "heard": N_("heard"),
    "sent": N_("sent to the player"),
    "download": N_("saved to disk"),
    "export": N_("exported"),
    "reason": N_("said why"),
    "delete": N_("deleted"),
    "delete again": N_("deleted again"),
    "erase": N_("erased"),
    "hold": N_("legal hold"),
    "release": N_("hold released"),
    "tag": N_("tagged"),
    "untag": N_("tag removed"),
    "press": N_("pressed"),
    "policy": N_("policy changed"),
    "import": N_("policies imported"),
    "rules": N_("rules changed"),
    "user-added": N_("user added"),
    "user-changed": N_("user changed"),
    "user-code": N_("one-time code given"),
    "user-disabled": N_("user disabled"),
    "user-enabled": N_("user enabled"),
    "user-tied": N_("tied to a provider"),
    "token-added": N_("key added"),
    "token-revoked": N_("key revoked"),
    "webhook-added": N_("webhook added"),
    "webhook-removed": N_("webhook removed"),
}
# What a line says besides.
DETAILS: Mapping[str, str] = {
    "address": N_("address"),
    "role": N_("role"),
    "via": N_("by"),
    "sign_on": N_("sign-on"),
    "why": N_("why"),
    "reason": N_("why"),
    "right": N_("right"),
    "rights": N_("rights"),
    "ms": N_("stretch"),
    "name": N_("name"),
    "extension": N_("extension"),
    "extensions": N_("extensions"),
    "scope": N_("may see"),
    "scopes": N_("rights"),
    "subject": N_("subject at the provider"),
    "host": N_("host"),
    "filter": N_("filter"),
    "form": N_("form"),
    "replace": N_("replaces all"),
    "rules": N_("rules"),
    "channel": N_("channel"),
    "action": N_("press"),
    "deleted": N_("follows the default again"),
    "inbound": N_("incoming"),
    "outbound": N_("outgoing"),
    "internal_inbound": N_("internal incoming"),
    "internal_outbound": N_("internal outgoing"),
    "locked": N_("locked"),
    "lock_reason": N_("reason of the lock"),
    "fail_mode": N_("if it cannot be recorded"),
    "lookback": N_("on demand holds"),
    "announce": N_("announcement"),
    "beep": N_("seconds between beeps"),
}
_VIA: Mapping[str, str] = {
    "session": N_("a session"),
    "token": N_("a key"),
}
_SIGN_ONS: Mapping[str, str] = {
    "password": N_("password"),
    "oidc": N_("provider"),
    "header": N_("proxy"),
}
_MODES = {**words.MODES, "same": N_("as other calls")}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "via": _VIA,
    "sign_on": _SIGN_ONS,
    "role": words.ROLES,
    "right": words.RIGHTS,
    "rights": words.RIGHTS,
    "scopes": words.RIGHTS,
    "inbound": _MODES,
    "outbound": _MODES,
    "internal_inbound": _MODES,
    "internal_outbound": _MODES,
    "locked": {"yes": N_("yes"), "no": N_("no")},
    "fail_mode": words.FAIL_MODES,
    "lookback": words.LOOKBACKS,
}


def details(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a line says besides, in order: what it is called and what it is. A change is `was → is`."""
    before, after = detail.get("before"), detail.get("after")
    for name, value in detail.items():
        if name == "before":
            continue
        if name == "after" and isinstance(before, Mapping) and isinstance(after, Mapping):
            for part in after:
                if before.get(part) != after[part]:
                    yield _name(part), f"{_value(part, before.get(part))} → {_value(part, after[part])}"
        elif name == "set" and isinstance(value, Mapping):
            yield from ((_name(part), _value(part, chosen)) for part, chosen in value.items())
        elif isinstance(value, Mapping) and value.keys() == {"was", "is"}:
            yield _name(name), f"{_value(name, value['was'])} → {_value(name, value['is'])}"
        else:
            yield _name(name), _value(name, value)


def _name(name: str) -> str:
    return words.word(DETAILS, name)


def _value(name: str, value: object) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "ms" and isinstance(value, list):
        pairs = value if isinstance(value[0], list) else [value]
        return ", ".join("–".join(words.clock(ms / 1000) for ms in pair) for pair in pairs)
    if isinstance(value, list):
        return ", ".join(_value(name, item) for item in value)
    return words.word(_VALUES.get(name, {}), value)
