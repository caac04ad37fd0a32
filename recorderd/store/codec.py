"""Rows as plain data and back: the one spelling of a row on paper.

Owns how a row looks in JSON, in the journal, in a dump and in the columns of a database. Must not know any
of those places. Codecs are derived from the dataclasses' own annotations, so a new field needs no line here;
a new type of row needs one in `KEYS`.

Text is made fit for every back end on its way out: PostgreSQL takes no NUL, and no UTF-8 can hold the lone
surrogates by which a caller's undecodable name is kept (PEP 383). Both become U+FFFD.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any

from recorderd.core import rows
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.core.entries import CallEntry
from recorderd.core.keeping import Copy, Erasure, Hold, Kept, Tag
from recorderd.store.abc import AlarmRow, AuditRow, PolicyLogRow
from recorderd.store.panel import TokenRow, UserRow, WebhookRow

Plain = dict[str, Any]
Convert = Callable[[Any], Any]
_UNFIT = re.compile("[\0\ud800-\udfff]")
# Made once: json.dumps makes one for every row. What `to_plain` made cannot hold itself.
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode

# What makes a row itself: a second row of the same key takes the place of the first.
KEYS: dict[type[rows.Row], tuple[str, ...]] = {
    rows.Conversation: ("id",),
    rows.Interval: ("id",),
    rows.Recording: ("id",),
    rows.Lane: ("id",),
    rows.Cdr: ("uniqueid", "sequence"),
    rows.CdrLink: ("uniqueid", "sequence", "recording_id"),
    rows.Mark: ("id",),
    AlarmRow: ("id",),
    AuditRow: ("id",),
    PolicyLogRow: ("version",),
    Kept: ("recording_id",),
    Hold: ("id",),
    Erasure: ("id",),
    Tag: ("recording_id", "tag"),
    Copy: ("recording_id", "path"),
    CallEntry: ("story_id", "owner"),
    UserRow: ("login",),
    TokenRow: ("id",),
    WebhookRow: ("id",),
    ChainEntry: ("sequence",),
    ChainHead: ("number",),
}
NAMES: dict[str, type[rows.Row]] = {cls.__name__: cls for cls in KEYS}


def key(row: rows.Row) -> tuple[Any, ...]:
    """The row's key, without its type, as a back end keeps it."""
    values = (getattr(row, name) for name in KEYS[type(row)])
    return tuple(clean(value) if isinstance(value, str) else value for value in values)


def to_plain(thing: Any) -> Plain:
    """A dataclass as a dict of JSON's types, one entry a field, in the order of its fields.

    ValueError for a value that its field's type does not allow, a NaN among them: SQLite would take it.
    """
    return {name: encode(getattr(thing, name)) for name, encode, _, _ in _fields_of(type(thing))}


def from_plain(cls: type[Any], plain: Any) -> Any:
    """The reverse of `to_plain`. ValueError for anything that `to_plain` cannot have made."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{cls.__name__} is not a mapping")
    codecs = _fields_of(cls)
    unknown = plain.keys() - {name for name, *_ in codecs}
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {sorted(unknown)[0]!r}")
    values = {}
    for name, _, decode, required in codecs:
        if name in plain:
            try:
                values[name] = decode(plain[name])
            except ValueError as error:
                raise ValueError(f"{cls.__name__}.{name}: {error}") from None
        elif required:
            raise ValueError(f"{cls.__name__} lacks {name!r}")
    return cls(**values)


def encode(cls: type[Any], values: Mapping[str, Any]) -> Plain:
    """Some of a dataclass's fields, as `to_plain` has them. KeyError for a field that it has not."""
    encoders = {name: encoder for name, encoder, _, _ in _fields_of(cls)}
    return {name: encoders[name](value) for name, value in values.items()}


def to_line(row: rows.Row) -> bytes:
    """One line of JSON, newline included. ValueError as above, and for what is no row."""
    if type(row) not in KEYS:
        raise ValueError(f"no store keeps a {type(row).__name__}")
    return _JSON([type(row).__name__, to_plain(row)]).encode("ascii") + b"\n"


def from_line(line: bytes) -> rows.Row:
    """The reverse of `to_line`. ValueError for a torn or foreign line."""
    try:
        match json.loads(line):
            case [str(name), dict(plain)] if name in NAMES:
                row: rows.Row = from_plain(NAMES[name], plain)
                return row
    except RecursionError:
        raise ValueError("nested too deeply") from None
    raise ValueError("not a row")


def clean(text: str) -> str:
    """The text, fit for every back end."""
    return text if text.isascii() and "\0" not in text else _UNFIT.sub("\ufffd", text)


# --- how one value is converted, by its annotation -------------------------------------------------

_FieldCodec = tuple[str, Convert, Convert, bool]
_derived: dict[type, tuple[_FieldCodec, ...]] = {}


def _fields_of(cls: type) -> tuple[_FieldCodec, ...]:
    """Name, encoder, decoder and `required` of each field; derived once for each class."""
    if cls not in _derived:
        hints = typing.get_type_hints(cls)
        _derived[cls] = tuple(
            (f.name, *_codec(hints[f.name]), f.default is MISSING and f.default_factory is MISSING)
            for f in fields(cls)
        )
    return _derived[cls]


def _codec(kind: Any) -> tuple[Convert, Convert]:
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in _GENERICS:
        return _GENERICS[origin](arguments)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return (lambda value: kind(value).value), kind
    if isinstance(kind, type) and is_dataclass(kind):
        return to_plain, lambda plain: from_plain(kind, plain)
    raise TypeError(f"no codec for a field of type {kind!r}")


def _optional(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    inner = [kind for kind in arguments if kind is not types.NoneType]
    if len(inner) != 1 or len(arguments) != 2:
        raise TypeError(f"no codec for a union of {arguments!r}")
    encode, decode = _codec(inner[0])
    return (
        lambda value: None if value is None else encode(value),
        lambda value: None if value is None else decode(value),
    )


def _tuple(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        encode, decode = _codec(arguments[0])
        return (
            lambda values: [encode(value) for value in values],
            lambda values: tuple(decode(value) for value in _list(values)),
        )
    codecs = [_codec(kind) for kind in arguments]

    def decode_each(values: Any) -> tuple[Any, ...]:
        if len(_list(values)) != len(codecs):
            raise ValueError(f"{len(codecs)} values wanted")
        return tuple(decode(value) for (_, decode), value in zip(codecs, values, strict=True))

    return lambda values: [enc(value) for (enc, _), value in zip(codecs, values, strict=True)], decode_each


def _mapping(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    encode, decode = _codec(arguments[1])
    return (
        lambda mapping: {_str(name): encode(value) for name, value in mapping.items()},
        lambda mapping: {_str(name): decode(value) for name, value in _dict(mapping).items()},
    )


def _tree(value: Any) -> Any:
    """Free data of JSON's types, cleaned. ValueError for anything else."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_str(name): _tree(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tree(item) for item in value]
    raise ValueError(f"{type(value).__name__} is none of JSON's types")


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text wanted")
    return clean(value)


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("whole number wanted")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("number wanted")
    return float(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false wanted")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("list wanted")
    return value


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError("mapping wanted")
    return value


_SCALARS: dict[Any, tuple[Convert, Convert]] = {
    str: (_str, _str),
    int: (_int, _int),
    float: (_float, _float),
    bool: (_bool, _bool),
    typing.Any: (_tree, _tree),
}
_GENERICS: dict[Any, Callable[[tuple[Any, ...]], tuple[Convert, Convert]]] = {
    types.UnionType: _optional,
    typing.Union: _optional,
    tuple: _tuple,
    Mapping: _mapping,
}
