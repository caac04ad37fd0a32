"""How policy is written down, and what is wrong with it when it is.

Owns the step from plain mappings (as YAML, JSON or the store give them) to `policy` objects. Must not know
where the text came from: a fault carries the path of its key, and `config` knows line and column of that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from recorderd.core.conditions import CONDITIONS, ConditionFault, Lists
from recorderd.core.policy import ExtensionPolicy, FailMode, Lookback, Mode, Rule

E = TypeVar("E", bound=StrEnum)
Path = tuple[str | int, ...]

RULE_KEYS = ("name", "when", "mode", "reason", "fail_mode", "lookback", "announce", "beep")
EXTENSION_KEYS = (
    "inbound",
    "outbound",
    "internal_inbound",
    "internal_outbound",
    "locked",
    "lock_reason",
    "fail_mode",
    "lookback",
    "announce",
    "beep",
)
_PROMPT = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BEEP_SECONDS = range(5, 601)
_RULES: Path = ("rules",)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (the path of keys), what, and perhaps what was meant."""

    path: Path
    sentence: str

    def __str__(self) -> str:
        where = ".".join(str(step) for step in self.path)
        return f"{where}: {self.sentence}" if where else self.sentence


class Reader:
    """Reads mappings and collects every fault instead of stopping at the first."""

    def __init__(self, lists: Lists | None = None) -> None:
        self.lists = lists or {}
        self.faults: list[Fault] = []

    def fault(self, path: Path, sentence: str) -> None:
        """Remember a fault and go on."""
        self.faults.append(Fault(path, sentence))

    def known(self, mapping: Mapping[str, object], keys: Sequence[str], path: Path) -> None:
        """Every key must be one of `keys`."""
        for key in mapping:
            if key not in keys:
                self.fault((*path, key), f"unknown key {key!r}{did_you_mean(key, keys)}")

    def word(self, kind: type[E], value: object, path: Path) -> E | None:
        """A member of an enumeration, None (and a fault) when it is not one."""
        try:
            return kind(str(value))
        except ValueError:
            words = [member.value for member in kind]
            hint = did_you_mean(str(value), words)
            self.fault(path, f"{value!r} is not one of {', '.join(words)}{hint}")
            return None

    def rules(self, value: object) -> tuple[Rule, ...]:
        """The rules in their order; faulty ones are left out and reported."""
        if not isinstance(value, list | tuple):
            self.fault(_RULES, "rules must be a list")
            return ()
        rules = [self._rule(item, (*_RULES, i)) for i, item in enumerate(value)]
        names = [rule.name for rule in rules if rule]
        for name in sorted({n for n in names if names.count(n) > 1}):
            self.fault(_RULES, f"two rules are called {name!r}")
        return tuple(rule for rule in rules if rule)

    def _rule(self, value: object, path: Path) -> Rule | None:
        if not isinstance(value, Mapping):
            self.fault(path, "a rule is a mapping with name, when and mode")
            return None
        before = len(self.faults)
        self.known(value, RULE_KEYS, path)
        name = str(value.get("name") or "")
        if not name:
            self.fault(path, "a rule needs a name")
        if "mode" not in value:
            self.fault(path, f"rule {name!r} needs a mode: always, on-demand or never")
            return None
        mode = self.word(Mode, value["mode"], (*path, "mode"))
        fail_mode = (
            self.word(FailMode, value["fail_mode"], (*path, "fail_mode")) if "fail_mode" in value else None
        )
        when = value.get("when", {})
        if not isinstance(when, Mapping):
            self.fault((*path, "when"), "`when` is a mapping of conditions")
            return None
        self.known(when, tuple(CONDITIONS), (*path, "when"))
        conditions = []
        for key, written in when.items():
            if key in CONDITIONS:
                try:
                    conditions.append(CONDITIONS[key](written, self.lists))
                except ConditionFault as error:
                    self.fault((*path, "when", key), str(error))
        if mode is None or len(self.faults) > before:
            return None  # without its broken condition it would hold for every call
        reason = str(value.get("reason") or "")
        return Rule(
            name=name,
            mode=mode,
            reason=reason,
            conditions=tuple(conditions),
            fail_mode=fail_mode,
            lookback=self._lookback(value, path),
            announce=self._announce(value, path),
            beep=self._beep(value, path),
        )

    def _lookback(self, mapping: Mapping[str, object], path: Path) -> Lookback | None:
        written = mapping.get("lookback")
        return None if written in (None, "") else self.word(Lookback, written, (*path, "lookback"))

    def _announce(self, mapping: Mapping[str, object], path: Path) -> str | None:
        """The name of a prompt, empty for none."""
        written = mapping.get("announce")
        if written is None:
            return None
        if str(written) and not _PROMPT.fullmatch(str(written)):
            self.fault(
                (*path, "announce"), f"{written!r} is not the name of a prompt: letters, digits, - and _"
            )
            return None
        return str(written)

    def _beep(self, mapping: Mapping[str, object], path: Path) -> int | None:
        """Seconds between two beeps, 0 for none."""
        written = mapping.get("beep")
        if written in (None, ""):
            return None
        text = str(written)
        if not text.isdecimal() or (int(text) not in _BEEP_SECONDS and int(text) != 0):
            self.fault((*path, "beep"), f"{written!r} is not a number of seconds: 5 to 600, or 0 for none")
            return None
        return int(text)

    def extension(self, name: str, value: object, path: Path) -> ExtensionPolicy | None:
        """One extension's policy: a mapping, or one mode for everything."""
        if isinstance(value, str):
            value = {"inbound": value, "outbound": value}
        if not isinstance(value, Mapping):
            self.fault(path, "give a mode, or a mapping with inbound and outbound")
            return None
        before = len(self.faults)
        self.known(value, EXTENSION_KEYS, path)
        modes: dict[str, Mode | None] = {}
        for key in EXTENSION_KEYS[:4]:
            written = value.get(key)
            modes[key] = None if written is None else self.word(Mode, written, (*path, key))
        for key in ("inbound", "outbound"):
            if value.get(key) is None:
                self.fault((*path, key), f"{key} is missing: always, on-demand or never")
        locked = value.get("locked", False)
        if not isinstance(locked, bool) and str(locked).lower() not in ("true", "false", "yes", "no"):
            self.fault((*path, "locked"), f"{locked!r} is not true or false")
        fail = value.get("fail_mode")
        fail_mode = None if fail is None else self.word(FailMode, fail, (*path, "fail_mode"))
        lookback = self._lookback(value, path)
        announce, beep = self._announce(value, path), self._beep(value, path)
        if len(self.faults) > before or modes["inbound"] is None or modes["outbound"] is None:
            return None
        return ExtensionPolicy(
            extension=name,
            inbound=modes["inbound"],
            outbound=modes["outbound"],
            internal_inbound=modes["internal_inbound"],
            internal_outbound=modes["internal_outbound"],
            locked=locked is True or str(locked).lower() in ("true", "yes"),
            lock_reason=str(value.get("lock_reason") or ""),
            fail_mode=fail_mode,
            lookback=lookback,
            announce=announce or "",
            beep=beep or 0,
        )


def one_value(key: str, text: str) -> Any:
    """What an extension may have under one key, as in a file. ValueError with the sentence for anything else."""
    reader = Reader()
    found = reader.extension("", {"inbound": Mode.NEVER, "outbound": Mode.NEVER, key: text}, ())
    if found is None:
        raise ValueError(reader.faults[0].sentence)
    return getattr(found, key)


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """` (did you mean 'x'?)` or nothing."""
    close = get_close_matches(str(word), words, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
