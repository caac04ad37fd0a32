"""What an administrator changes of many extensions at once, read field by field.

Owns which fields there are and what each takes. Must not know what the extensions have now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recorderd.core.policy import FailMode, Lookback, Mode
from recorderd.core.rules import one_value
from recorderd.panel.language import _
from recorderd.panel.ports import FaultyInput

_SAME = "same"


def _mode(text: str) -> Mode:
    if text not in list(Mode):
        raise ValueError(_("There is no such mode."))
    return Mode(text)


def _mode_or_same(text: str) -> Mode | None:
    return None if text == _SAME else _mode(text)


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(_("Say yes or no."))
    return text == "yes"


def _sentence(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError(_("This is one line of at most 200 characters."))
    return text


def _fail_mode(text: str) -> FailMode | None:
    if text not in ("default", *FailMode):
        raise ValueError(_("There is no such choice."))
    return None if text == "default" else FailMode(text)


def _lookback(text: str) -> Lookback:
    if text not in list(Lookback):
        raise ValueError(_("There is no such choice."))
    return Lookback(text)


def _announce(text: str) -> str:
    """The name of a prompt; a dash, or nothing, for none."""
    return "" if text == "-" else str(_as_in_a_file("announce", text, _("This is not the name of a prompt.")))


def _beep(text: str) -> int:
    return int(_as_in_a_file("beep", text, _("Seconds are 5 to 600, or 0 for none.")))


def _as_in_a_file(key: str, text: str, fault: str) -> Any:
    """A value as a policy file may have it. ValueError with this fault for any other."""
    try:
        return one_value(key, text)
    except ValueError:
        raise ValueError(fault) from None


CHANGES: Mapping[str, Callable[[str], Any]] = {
    "inbound": _mode,
    "outbound": _mode,
    "internal_inbound": _mode_or_same,
    "internal_outbound": _mode_or_same,
    "locked": _yes_or_no,
    "lock_reason": _sentence,
    "fail_mode": _fail_mode,
    "lookback": _lookback,
    "announce": _announce,
    "beep": _beep,
}
_MAY_BE_EMPTY = ("lock_reason", "announce")


def read_change(change: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """The values to set, and the name if one is given. FaultyInput with every fault."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, read in CHANGES.items():
        text = change.get(name, "").strip()
        # An empty field changes nothing, but for those that may be emptied.
        if name in change and (text or name in _MAY_BE_EMPTY):
            try:
                values[name] = read(text)
            except ValueError as error:
                faults[name] = str(error)
    display = change.get("name")
    if display is not None and (fault := fault_of(_sentence, display.strip())):
        faults["name"] = str(fault)
    if values.get("locked") is False:
        values["lock_reason"] = ""
    if not values and display is None and not faults:
        faults["change"] = _("Choose what to change.")
    if faults:
        raise FaultyInput(faults)
    return values, None if display is None else display.strip()


def fault_of(read: Callable[[str], object], text: str) -> ValueError | None:
    """What is wrong with it, None if it can be read."""
    try:
        read(text)
    except ValueError as error:
        return error
    return None
