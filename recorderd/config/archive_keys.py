"""The keys of `archive:` that are more than one value: owns how each is read into `core.retention`.

Must not know the other sections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from recorderd.config.scalars import one_of, path, text
from recorderd.core.conditions import ConditionFault, Numbers
from recorderd.core.policy import Mode
from recorderd.core.retention import FOREVER, FORMATS, LEAST_STEREO_KBITS, Keep, Way, When
from recorderd.core.rules import Path, Reader

_AGE = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365.25 * 86_400}
KEEP_KEYS = ("name", "when", "format", "minimum", "maximum")
WHEN_KEYS = ("rule", "mode", "extension", "number", "direction", "tag")

form = one_of(*FORMATS)


def age(value: str) -> float:
    """`12h`, `90d`, `8w`, `10y`, or `forever`; in seconds."""
    if value == "forever":
        return FOREVER
    found = re.fullmatch(r"([0-9]{1,5})([hdwy])", value)
    if not found:
        raise ValueError(f"{value!r} is not an age such as 12h, 90d, 8w, 10y or forever")
    return float(int(found[1]) * _AGE[found[2]])


def pause(value: str) -> float:
    """`30s`, `5m`, `1h`; in seconds."""
    found = re.fullmatch(r"([0-9]{1,5})([smh])", value)
    if not found:
        raise ValueError(f"{value!r} is not a time such as 30s, 5m or 1h")
    return float(int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])


def percent(value: str) -> int:
    """A share of the disk, `85%`; the sign may be left out."""
    found = re.fullmatch(r"([0-9]{1,3})%?", value)
    if not found or not 1 <= int(found[1]) <= 100:
        raise ValueError(f"{value!r} is not a share from 1% to 100%")
    return int(found[1])


def kbits(value: str) -> int:
    """Kilobits per second of stereo Opus: less than that and the codec itself makes mono of it."""
    if not re.fullmatch(r"[0-9]{1,3}k?", value) or not LEAST_STEREO_KBITS <= int(value.rstrip("k")) <= 256:
        raise ValueError(
            f"{value!r} is not from {LEAST_STEREO_KBITS} to 256: with less, Opus silently puts both parties "
            "into one channel (opus-mono is for that)"
        )
    return int(value.rstrip("k"))


def key_id(value: str) -> str:
    """What a key is called, in files and here; empty for none."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,32}", value):
        raise ValueError(f"{value!r} is not an id of at most 32 letters, digits and _ . -")
    return value


def key_place(value: str) -> str:
    """Where a key is: an absolute path, or `credential:NAME` for one that systemd hands over."""
    if not re.fullmatch(r"credential:[A-Za-z0-9_-][A-Za-z0-9_.-]*", value):
        path(value)
    return value


def size(value: str) -> int:
    """Bytes: `500MB`, `50GB`, `2TB`, of 10⁶, 10⁹ and 10¹² bytes."""
    found = re.fullmatch(r"([0-9]{1,6}) ?([MGT])B", value)
    if not found:
        raise ValueError(f"{value!r} is not a size such as 500MB, 50GB or 2TB")
    return int(found[1]) * {"M": 10**6, "G": 10**9, "T": 10**12}[found[2]]


_BUCKETS = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "file")


def bucket(value: str) -> str:
    """Where objects go: s3://bucket/prefix, gs://…, az://account/container/prefix, file:///folder; empty for none."""
    parts = urlsplit(value)
    if value and (parts.scheme not in _BUCKETS or not (parts.netloc or parts.scheme == "file")):
        raise ValueError(
            f"{value!r} is not s3://bucket, gs://bucket, az://account/container or file:///folder"
        )
    if parts.scheme == "file":
        path(parts.path)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than a place: secrets go into `credentials`")
    return value.rstrip("/")


def node(value: str) -> str:
    """What a machine is called, in rows and in keys of objects; empty where there is but one."""
    if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9-]{0,31})?", value):
        raise ValueError(f"{value!r} is not a name of at most 32 letters, digits and -")
    return value


def rules(reader: Reader, value: object, path: Path) -> tuple[Keep, ...] | None:
    """The administrator's rules of keeping, in their order."""
    if not isinstance(value, list):
        reader.fault(path, "is a list of rules")
        return None
    before = len(reader.faults)
    found = [_rule(reader, item, (*path, index)) for index, item in enumerate(value)]
    return tuple(rule for rule in found if rule) if len(reader.faults) == before else None


def _rule(reader: Reader, value: object, path: Path) -> Keep | None:
    if not isinstance(value, Mapping):
        reader.fault(path, f"a rule is a mapping with {', '.join(KEEP_KEYS)}")
        return None
    reader.known(value, KEEP_KEYS, path)
    if not value.get("name"):
        reader.fault(path, "a rule needs a name")
    before = len(reader.faults)
    when = _when(reader, value.get("when") or {}, (*path, "when"))
    given = {
        key: _scalar(reader, convert, value[key], (*path, key))
        for key, convert in _PARTS.items()
        if key in value
    }
    if len(reader.faults) > before or when is None:
        return None
    if given.get("minimum", 0.0) > given.get("maximum", FOREVER):
        reader.fault((*path, "minimum"), "is more than maximum")
    return Keep(**{**given, "when": when})


def _when(reader: Reader, value: object, path: Path) -> When | None:
    if not isinstance(value, Mapping):
        reader.fault(path, f"is a mapping of {', '.join(WHEN_KEYS)}")
        return None
    reader.known(value, WHEN_KEYS, path)
    known = {key: value[key] for key in WHEN_KEYS if key in value}
    return When(**{key: _CONDITIONS[key](reader, written, (*path, key)) for key, written in known.items()})


def _scalar(reader: Reader, convert: Callable[[str], Any], value: object, path: Path) -> Any:
    try:
        return convert(str(value) if isinstance(value, str) else "")
    except ValueError as error:
        reader.fault(path, str(error))
        return None


def _word(convert: Callable[[str], Any]) -> Callable[[Reader, object, Path], Any]:
    return lambda reader, value, path: _scalar(reader, convert, value, path)


def _numbers(reader: Reader, value: object, path: Path) -> Numbers | None:
    try:
        return Numbers.parse(value, {})
    except ConditionFault as error:
        reader.fault(path, str(error))
        return None


_PARTS: Mapping[str, Callable[[str], Any]] = {"name": text, "format": form, "minimum": age, "maximum": age}
_CONDITIONS: Mapping[str, Callable[[Reader, object, Path], Any]] = {
    "rule": _word(text),
    "mode": _word(one_of(*Mode)),
    "extension": _numbers,
    "number": _numbers,
    "direction": lambda reader, value, path: reader.word(Way, value, path),
    "tag": _word(text),
}
