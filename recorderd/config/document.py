"""YAML as text with places: owns the step from a file's bytes to plain mappings whose scalars are all text.

Must not know what any key means. Scalars stay text on purpose: YAML 1.1 reads `on` as true, `0101` as 65
and `12:30` as 750, so the schema converts, never the parser. Whatever a person could trip over (a key
written twice, an alias, a tag) is a fault, and every fault is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import yaml

from recorderd.config.faults import FaultyConfig, Located
from recorderd.core.rules import Fault, Path
from recorderd.errors import ConfigError

MAX_BYTES = 8 << 20
MAX_DEPTH = 20

# libyaml is ten times quicker and has the same marks; not every build of PyYAML has it. Only its events are
# used: its composer recurses in C, and a file of ten thousand brackets ends the process.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Document:
    """A file's content and where each part of it stands. `value` is None for an empty file."""

    name: str
    value: object = None
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def where(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of a key; of the nearest one above it where it is not there."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def located(self, faults: list[Fault]) -> tuple[Located, ...]:
        """The faults with their places, in the order of the file."""
        found = [
            Located(self.name, *self.where(f.path), ".".join(map(str, f.path)), f.sentence) for f in faults
        ]
        return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.line, f.column)))


def read_text(path: FilePath) -> str:
    """The text of a file. Raises ConfigError with one sentence when there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise FaultyConfig([Located(str(path), line, column, "", "is not UTF-8 text")]) from error


def parse(text: str, name: str) -> Document:
    """Read one YAML document. Raises FaultyConfig when it is no YAML at all."""
    document = Document(name)
    try:
        _Walk(document, yaml.parse(text, Loader=_LOADER)).whole()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = error.problem or error.context or "cannot be read"
        raise FaultyConfig([Located(name, line, column, "", f"is not YAML: {problem}")]) from error
    except yaml.YAMLError as error:
        raise FaultyConfig([_unmarked(text, name, error)]) from error
    return document


def _unmarked(text: str, name: str, error: yaml.YAMLError) -> Located:
    """A ReaderError, for a character that YAML forbids, has a position and no mark."""
    at = getattr(error, "position", 0)
    at = at if isinstance(at, int) else 0
    return Located(name, text.count("\n", 0, at) + 1, 1, "", "has a character that YAML does not allow")


class _Walk:
    """Turns the parser's events into plain values, leaving marks and faults in the document."""

    def __init__(self, document: Document, events: Iterator[yaml.Event]) -> None:
        self.document = document
        self.events = events

    def whole(self) -> None:
        """The one document that there may be."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if () in self.document.marks:
                    self.document.marks[("",)] = _place(event)
                    self.fault(("",), "a second document begins here")
                    return
                first = next(self.events)
                self.document.marks[()] = _place(first)
                self.document.value = self.value(first, ())

    def value(self, event: yaml.Event, path: Path) -> object:
        """What begins with this event, read to its end."""
        if isinstance(event, yaml.AliasEvent):
            self.fault(path, "aliases are not understood here")
            return None
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            self.fault(path, f"the tag {tag!r} is not understood here")
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style
            return None if plain and event.value in _NULLS else str(event.value)
        if len(path) > MAX_DEPTH:
            # No more can be told of such a file, and reading on is what its writer wants.
            raise FaultyConfig([Located(self.document.name, *_place(event), "", "is nested too deeply")])
        return self.sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self.mapping(path)

    def sequence(self, path: Path) -> list[object]:
        found: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(found))
            self.document.marks[here] = _place(event)
            found.append(self.value(event, here))
        return found

    def mapping(self, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            here = self.key(event, path, found)
            value = self.value(next(self.events), here)
            if here[-1] not in found and here[-1] != "":
                found[str(here[-1])] = value
        return found

    def key(self, event: yaml.Event, path: Path, found: Mapping[str, object]) -> Path:
        """The path of what this key holds; it ends in an empty step where the key is at fault."""
        if not isinstance(event, yaml.ScalarEvent) or not event.value:
            here: Path = (*path, "")
            sentence = "a key must be a plain text"
            self.value(event, here)
        elif event.value in found:
            here, sentence = (*path, event.value, ""), f"{event.value!r} is written twice"
        else:
            here = (*path, event.value)
            self.document.marks[here] = _place(event)
            return here
        self.document.marks[here] = _place(event)
        self.fault(here, sentence)
        return here

    def fault(self, path: Path, sentence: str) -> None:
        self.document.faults.append(Fault(path, sentence))


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
