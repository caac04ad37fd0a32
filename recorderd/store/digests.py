"""The digest of a row as the chain of evidence names it.

Owns the row's spelling for it: the codec's, without what is as by default, so that a field that is added to a
row in a later version changes no digest of before. (A default must therefore never change its value.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recorderd.core import chain, rows
from recorderd.store import codec

_known: dict[type, dict[str, Any]] = {}


def name_of(row: rows.Row) -> str:
    """`Interval:1b2c`, `CdrLink:1795500000.1:1:r7`: the row in one word."""
    return ":".join([type(row).__name__, *map(str, codec.key(row))])


def spelled(row: rows.Row) -> list[Any]:
    """The row's type and data, as they are hashed."""
    cls = type(row)
    told = chain.trimmed(codec.to_plain(row), _defaults(cls))
    # Where a thing is may change (a node gets a name, another takes its place); what it is may not.
    told.pop("node", None)
    return [cls.__name__, told]


def digests(found: Iterable[rows.Row]) -> dict[str, str]:
    """The digest of each row by its name. The rows must come from the store, which rounds their times."""
    return {name_of(row): chain.digest(spelled(row)) for row in found}


def _defaults(cls: type[rows.Row]) -> dict[str, Any]:
    if cls not in _known:
        _known[cls] = codec.encode(cls, chain.has_default(cls))
    return _known[cls]
