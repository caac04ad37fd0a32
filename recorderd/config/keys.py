"""How a section of a file becomes a frozen dataclass: owns `key`, which says how a field is read.

Must not know any section. A field made with `key` is a key of the file, and its parser says what is wrong
with what stands there; every fault goes to the reader, so that one run shows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar

from recorderd.core.rules import Path, Reader

T = TypeVar("T")
# Gives the value, or reports a fault to the reader and gives None.
Parse = Callable[[Reader, object, Path], T | None]


def key(parse: Parse[T], default: Any = MISSING, *, hidden: bool = False) -> Any:
    """A dataclass field that is a key of the file; without a default it must be given.

    `hidden` keeps a secret out of the `repr`.
    """
    metadata = {"parse": parse, "required": default is MISSING}
    if isinstance(default, Mapping):  # which dataclasses refuse as a default, frozen or not
        return field(default_factory=lambda: default, repr=not hidden, metadata=metadata)
    return field(default=default, repr=not hidden, metadata=metadata)


def keys_of(kind: type) -> tuple[str, ...]:
    """The keys of a section."""
    return tuple(f.name for f in fields(kind) if "parse" in f.metadata)


def section(kind: type[T]) -> Parse[T]:
    """A nested section."""

    def parse(reader: Reader, value: object, path: Path) -> T | None:
        values = read(kind, reader, value, path)
        return None if values is None else kind(**values)

    parse.section = kind  # type: ignore[attr-defined]  # the test of the sample walks the sections by it
    return parse


def read(kind: type, reader: Reader, value: object, path: Path) -> dict[str, Any] | None:
    """The section's values by key; None, and every fault with the reader, when something is wrong."""
    given: object = {} if value is None else value
    before = len(reader.faults)
    if not isinstance(given, Mapping):
        reader.fault(path, f"is a section with the keys {', '.join(keys_of(kind))}")
        return None
    reader.known(given, keys_of(kind), path)
    values: dict[str, Any] = {}
    for item in fields(kind):
        if "parse" not in item.metadata:
            continue
        written = given.get(item.name)
        if written is not None:
            values[item.name] = item.metadata["parse"](reader, written, (*path, item.name))
        elif item.metadata["required"]:
            # A missing section is read as an empty one, so that its own missing keys are named.
            if hasattr(item.metadata["parse"], "section"):
                values[item.name] = item.metadata["parse"](reader, None, (*path, item.name))
            else:
                reader.fault((*path, item.name), "is missing")
    return None if len(reader.faults) > before else values


def scalar(convert: Callable[[str], T]) -> Parse[T]:
    """One text, converted; a ValueError's text becomes the fault."""

    def parse(reader: Reader, value: object, path: Path) -> T | None:
        if not isinstance(value, str):
            reader.fault(path, "is one value, not a list or a section")
            return None
        try:
            return convert(value)
        except ValueError as error:
            reader.fault(path, str(error))
            return None

    return parse


def items(convert: Callable[[str], T]) -> Parse[tuple[T, ...]]:
    """A list of texts, each converted; one text alone is a list of one."""
    one = scalar(convert)

    def parse(reader: Reader, value: object, path: Path) -> tuple[T, ...] | None:
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            reader.fault(path, "is a list")
            return None
        found = [one(reader, item, (*path, i)) for i, item in enumerate(value)]
        return tuple(item for item in found if item is not None)

    return parse


def mapping(convert_key: Callable[[str], str], parse_value: Parse[T]) -> Parse[dict[str, T]]:
    """A mapping whose keys are the administrator's own words."""

    def parse(reader: Reader, value: object, path: Path) -> dict[str, T] | None:
        if not isinstance(value, Mapping):
            reader.fault(path, "is a mapping")
            return None
        found: dict[str, T] = {}
        for name, written in value.items():
            try:
                name = convert_key(name)
            except ValueError as error:
                reader.fault((*path, name), str(error))
            read_value = parse_value(reader, written, (*path, name))
            if read_value is not None:
                found[name] = read_value
        return found

    return parse
