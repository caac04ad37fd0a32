"""Extensions and rules as a file: owns policy.yaml and its CSV form, in both directions.

Must not know the store. A file is taken whole or not at all: every fault of it is told at once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from recorderd.config import document, scalars
from recorderd.config.faults import FaultyConfig, Located
from recorderd.core.conditions import Lists
from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.core.rules import EXTENSION_KEYS, Fault, Path, Reader, did_you_mean

CSV_COLUMNS = ("extension", "name", *EXTENSION_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRule:
    """One rule: `body` is its mapping as written, without `name` and `enabled`."""

    name: str
    body: Mapping[str, object]
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What a policy file holds. None for a part that the file does not speak of."""

    extensions: tuple[ExtensionPolicy, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[FileRule, ...] | None = None


def read_policy(text: str, name: str, lists: Lists, *, form: str = "yaml") -> PolicyFile:
    """Read a policy file (`form` is yaml or csv). Raises FaultyConfig with every fault."""
    return {"yaml": _read_yaml, "csv": _read_csv}[form](text, name, lists)


def write_policy(policy: PolicyFile, *, form: str = "yaml") -> str:
    """The text that `read_policy` reads back. The CSV form has no rules."""
    return {"yaml": _write_yaml, "csv": _write_csv}[form](policy)


# --- YAML --------------------------------------------------------------------------------------


def _read_yaml(text: str, name: str, lists: Lists) -> PolicyFile:
    found = document.parse(text, name)
    reader = Reader(lists)
    reader.faults.extend(found.faults)
    value = {} if found.value is None else found.value
    if not isinstance(value, Mapping):
        raise FaultyConfig([Located(name, 1, 1, "", "is a mapping with the keys extensions and rules")])
    reader.known(value, ("extensions", "rules"), ())
    extensions, names = _yaml_extensions(reader, value.get("extensions"))
    rules = _yaml_rules(reader, value.get("rules"))
    if reader.faults:
        raise FaultyConfig(found.located(reader.faults))
    return PolicyFile(extensions=extensions, names=names, rules=rules)


def _yaml_extensions(
    reader: Reader, value: object
) -> tuple[tuple[ExtensionPolicy, ...] | None, dict[str, str]]:
    names: dict[str, str] = {}
    if value is None:
        return None, names
    if not isinstance(value, Mapping):
        reader.fault(("extensions",), "is a mapping from extensions to their policies")
        return None, names
    found = []
    for extension, written in value.items():
        path = ("extensions", extension)
        if isinstance(written, Mapping):
            written = dict(written)
            display = written.pop("name", None)
            if display is not None:
                names[extension] = _text(reader, display, (*path, "name"))
        found.append(_extension(reader, extension, written, path))
    return tuple(e for e in found if e), names


def _extension(reader: Reader, extension: str, written: object, path: Path) -> ExtensionPolicy | None:
    try:
        scalars.extension(extension)
    except ValueError as error:
        reader.fault(path, str(error))
    # One word that is no mode is one fault, not one for each direction.
    if isinstance(written, str) and reader.word(Mode, written, path) is None:
        return None
    return reader.extension(extension, written, path)


def _yaml_rules(reader: Reader, value: object) -> tuple[FileRule, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        reader.fault(("rules",), "rules must be a list")
        return None
    bodies: list[object] = []
    found: list[FileRule] = []
    for i, written in enumerate(value):
        if not isinstance(written, Mapping):
            bodies.append(written)
            continue
        body = {key: item for key, item in written.items() if key != "enabled"}
        bodies.append(body)
        enabled = _boolean(reader, written.get("enabled"), ("rules", i, "enabled"))
        name = str(body.get("name") or "")
        rest = {key: item for key, item in body.items() if key != "name"}
        found.append(FileRule(name=name, body=rest, enabled=enabled))
    reader.rules(bodies)
    return tuple(found)


def _boolean(reader: Reader, value: object, path: Path) -> bool:
    try:
        return True if value is None else scalars.boolean(str(value))
    except ValueError as error:
        reader.fault(path, str(error))
        return True


def _text(reader: Reader, value: object, path: Path) -> str:
    try:
        return scalars.text(str(value))
    except ValueError as error:
        reader.fault(path, str(error))
        return ""


def extension_mapping(policy: ExtensionPolicy, name: str = "") -> dict[str, object]:
    """An extension's policy as its YAML mapping: what is not set is left out."""
    written: dict[str, object] = {"name": name} if name else {}
    for key in EXTENSION_KEYS:
        value = getattr(policy, key)
        if value not in (None, "", False):
            written[key] = value if isinstance(value, bool) else str(value)
    return written


def _write_yaml(policy: PolicyFile) -> str:
    whole: dict[str, object] = {}
    if policy.extensions is not None:
        whole["extensions"] = {
            e.extension: extension_mapping(e, policy.names.get(e.extension, "")) for e in policy.extensions
        }
    if policy.rules is not None:
        whole["rules"] = [_rule_mapping(rule) for rule in policy.rules]
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100))


def _rule_mapping(rule: FileRule) -> dict[str, object]:
    off = {} if rule.enabled else {"enabled": False}
    body = {key: value for key, value in rule.body.items() if key != "name"}
    return {"name": rule.name, **off, **body}


# --- CSV ---------------------------------------------------------------------------------------


def _read_csv(text: str, name: str, lists: Lists) -> PolicyFile:
    reader = Reader(lists)
    lines: dict[int, int] = {}
    rows = _csv_rows(text, name)
    header = next(rows, (1, []))[1]
    _check_header(header, name)
    found: list[ExtensionPolicy | None] = []
    names: dict[str, str] = {}
    seen: set[str] = set()
    for i, (line, cells) in enumerate(rows):
        lines[i] = line
        if len(cells) != len(header):
            reader.fault((i,), f"has {len(cells)} columns where the first line has {len(header)}")
            continue
        row = {key: cell.strip() for key, cell in zip(header, cells, strict=True) if cell.strip()}
        extension, display = row.pop("extension", ""), row.pop("name", None)
        if extension in seen:
            reader.fault((i, "extension"), f"{extension!r} is written twice")
        seen.add(extension)
        if display is not None:
            names[extension] = _text(reader, display, (i, "name"))
        found.append(_extension(reader, extension, row, (i,)))
    if reader.faults:
        raise FaultyConfig(_csv_located(fault, name, header, lines) for fault in reader.faults)
    return PolicyFile(extensions=tuple(e for e in found if e), names=names)


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that has any; comma or semicolon, as spreadsheets write them."""
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise FaultyConfig([Located(name, reader.line_num, 1, "", f"is not CSV: {error}")]) from error


def _check_header(header: Sequence[str], name: str) -> None:
    faults = [
        Located(name, 1, i + 1, column, f"unknown column {column!r}{did_you_mean(column, CSV_COLUMNS)}")
        for i, column in enumerate(header)
        if column not in CSV_COLUMNS
    ]
    faults += [
        Located(name, 1, 1, column, "this column is missing")
        for column in ("extension", "inbound", "outbound")
        if column not in header
    ]
    if len(set(header)) != len(header):
        faults.append(Located(name, 1, 1, "", "a column is written twice"))
    if faults:
        raise FaultyConfig(faults)


def _csv_located(fault: Fault, name: str, header: Sequence[str], lines: Mapping[int, int]) -> Located:
    """The column of a fault is the number of the cell, which is what a spreadsheet shows."""
    path, sentence = fault.path, fault.sentence
    line = lines.get(int(path[0]), 1) if path else 1
    key = str(path[1]) if len(path) > 1 else ""
    return Located(name, line, header.index(key) + 1 if key in header else 1, key, sentence)


def _write_csv(policy: PolicyFile) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for extension in policy.extensions or ():
        mapping = extension_mapping(extension, policy.names.get(extension.extension, ""))
        cells = {"extension": extension.extension, **mapping}
        writer.writerow(_cell(cells.get(column, "")) for column in CSV_COLUMNS)
    return out.getvalue()


def _cell(value: object) -> str:
    return "true" if value is True else str(value)
