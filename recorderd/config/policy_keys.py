"""The keys of `policy:` that are more than one value: owns how each is read into `core.policy`.

Must not know the other sections. What a rule may say is `core.rules`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from recorderd.config.keys import items, mapping
from recorderd.config.scalars import name
from recorderd.core.conditions import ConditionFault, Numbers
from recorderd.core.policy import ExtensionPolicy, FailMode, Mode, Precedence, Strength
from recorderd.core.rules import EXTENSION_KEYS, Path, Reader

E = TypeVar("E", bound=StrEnum)
# A lock outweighs other people's choices: a default is nobody's choice, so it has none.
_DEFAULT_KEYS = EXTENSION_KEYS[:4]


def default(reader: Reader, value: object, path: Path) -> ExtensionPolicy | None:
    """One mode for everything, or a mapping of modes by direction."""
    before = len(reader.faults)
    if isinstance(value, Mapping):
        reader.known(value, _DEFAULT_KEYS, path)
        value = {key: value[key] for key in value if key in _DEFAULT_KEYS}
    if isinstance(value, str) and reader.word(Mode, value, path) is None:
        return None
    found = reader.extension("", value, path)
    return found if len(reader.faults) == before else None


def fail_mode(reader: Reader, value: object, path: Path) -> FailMode | None:
    """What a call does when it cannot be recorded."""
    return reader.word(FailMode, value, path)


def _list_member(value: str) -> str:
    """A number or a dialplan pattern; lists do not name lists."""
    if value.startswith("@"):
        raise ValueError("a list cannot name another list")
    try:
        Numbers.parse(value, {})
    except ConditionFault as error:
        raise ValueError(str(error)) from error
    if "," in value:
        raise ValueError(f"{value!r} is several numbers in one: write them one by one")
    return value


def lists(reader: Reader, value: object, path: Path) -> Mapping[str, tuple[str, ...]] | None:
    """Named sets of numbers."""
    return mapping(name, items(_list_member))(reader, value, path)


def precedence(reader: Reader, value: object, path: Path) -> Precedence | None:
    """What outweighs what: every strength and every mode exactly once, strongest first."""
    if not isinstance(value, Mapping):
        reader.fault(path, "is a section with the keys strengths, modes")
        return None
    reader.known(value, ("strengths", "modes"), path)
    strengths = _order(reader, Strength, value, (*path, "strengths"), Precedence().strengths)
    modes = _order(reader, Mode, value, (*path, "modes"), Precedence().modes)
    return Precedence(strengths=strengths, modes=modes) if strengths and modes else None


def _order(
    reader: Reader, kind: type[E], section: Mapping[str, object], path: Path, usual: tuple[E, ...]
) -> tuple[E, ...] | None:
    written = section.get(str(path[-1]))
    if written is None:
        return usual
    words = [member.value for member in kind]
    if not isinstance(written, list) or not all(isinstance(word, str) for word in written):
        reader.fault(path, f"is a list of {', '.join(words)}, strongest first")
        return None
    found = [reader.word(kind, word, (*path, i)) for i, word in enumerate(written)]
    if None in found:
        return None
    if sorted(found, key=str) != sorted(kind, key=str):
        reader.fault(path, f"names each of {', '.join(words)} exactly once, strongest first")
        return None
    return tuple(word for word in found if word is not None)
