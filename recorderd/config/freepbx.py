"""FreePBX's recording policies as ours: owns what its words in AstDB become, and what of them is lost.

Must not know where the entries came from nor the store. An entry that cannot be one refuses the whole; what
our policy cannot say is told for each extension. docs/freepbx.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from recorderd.config import scalars
from recorderd.config.faults import FaultyConfig, Located
from recorderd.config.policy_file import PolicyFile
from recorderd.core.policy import ExtensionPolicy, Mode

FAMILY = "AMPUSER"
LOCK_REASON = "FreePBX: Force or Never"
LONGEST = 5_000_000

# The legacy words, as FreePBX itself still reads them.
_LEGACY = {"always": "force", "delayed": "yes", "": "dontcare"}
_WORDS = ("force", "yes", "dontcare", "no", "never")
_ON_DEMAND = ("disabled", "enabled", "override")
_HIGHEST_PRIORITY = 20
# Each field of FreePBX's and ours.
FIELDS = {
    "in/external": "inbound",
    "out/external": "outbound",
    "in/internal": "internal_inbound",
    "out/internal": "internal_outbound",
}

_LINE = re.compile(r"(/[^:]*?) *: ?(.*)")
_TAIL = re.compile(r"\d+ results? found\.?")


@dataclass(slots=True)
class Entry:
    """What AstDB says of one extension."""

    fields: dict[str, str] = field(default_factory=lambda: dict.fromkeys(FIELDS, "dontcare"))
    priority: int = 0
    on_demand: str = "disabled"
    name: str = ""
    recording: bool = False

    @property
    def silent(self) -> bool:
        """It leaves every call to the other party, and nobody may press."""
        return self.on_demand == "disabled" and set(self.fields.values()) == {"dontcare"}

    @property
    def locked(self) -> bool:
        """Force and Never are the administrator's."""
        return bool({"force", "never"} & set(self.fields.values()))


def read_freepbx(text: str, name: str) -> tuple[PolicyFile, Mapping[str, tuple[str, ...]]]:
    """What `asterisk -rx 'database show AMPUSER'` printed, and what is lost of each extension's.

    Raises FaultyConfig with every fault.
    """
    if len(text) > LONGEST:
        raise FaultyConfig([Located(name, 1, 1, "", f"is longer than {LONGEST} characters")])
    return map_freepbx(list(_lines(text, name)), name)


def map_freepbx(
    entries: Iterable[tuple[int, str, str]], name: str
) -> tuple[PolicyFile, Mapping[str, tuple[str, ...]]]:
    """The same of entries `(number, key below AMPUSER, value)`."""
    faults: list[Located] = []
    found: dict[str, Entry] = {}
    for number, key, value in entries:
        try:
            _take(found, key, value)
        except ValueError as error:
            faults.append(Located(name, number, 1, "", str(error)))
    told = {extension: entry for extension, entry in found.items() if entry.recording}
    if not told and not faults:
        faults.append(Located(name, 1, 1, "", f"holds no /{FAMILY}/EXTENSION/recording/..."))
    if faults:
        raise FaultyConfig(faults)
    loud = {extension: entry for extension, entry in told.items() if not entry.silent}
    policies = tuple(policy_of(extension, entry) for extension, entry in loud.items())
    names = {extension: entry.name for extension, entry in loud.items() if entry.name}
    lost = {extension: tuple(losses(entry)) for extension, entry in told.items()}
    return PolicyFile(extensions=policies, names=names), {e: why for e, why in lost.items() if why}


def policy_of(extension: str, entry: Entry) -> ExtensionPolicy:
    """Our nearest to it."""
    return ExtensionPolicy(
        extension=extension,
        locked=entry.locked,
        lock_reason=LOCK_REASON if entry.locked else "",
        **{ours: _mode(entry, theirs) for theirs, ours in FIELDS.items()},  # type: ignore[arg-type]
    )


def _mode(entry: Entry, theirs: str) -> Mode:
    match entry.fields[theirs]:
        case "force" | "yes":
            return Mode.ALWAYS
        case "no" if entry.on_demand != "disabled":
            return Mode.ON_DEMAND
        case "dontcare":
            return Mode.ON_DEMAND
        case _:
            return Mode.NEVER


def losses(entry: Entry) -> Iterator[str]:
    """One sentence for each thing that our policy does not do as FreePBX does."""
    if entry.silent:
        yield "cares about no call and may not press: not imported, it follows the default"
    if entry.priority:
        yield f"priority {entry.priority}: there are none here; locks outweigh choices, then never, always, on-demand"
    for theirs, word in entry.fields.items():
        if word in ("yes", "no") and entry.locked:
            yield f"{theirs} {word}: is locked with the rest, a lock holds for the whole extension"
        if word == "dontcare" and entry.locked:
            yield f"{theirs} dontcare: on-demand under the lock, which outweighs what the other party chose"
        if word == "dontcare" and entry.on_demand == "disabled" and not entry.silent:
            yield f"{theirs} dontcare: on-demand, so the feature code may be pressed, unlike in FreePBX"
        if word == "yes" and entry.on_demand != "disabled":
            yield f"{theirs} yes: always, which the feature code does not end"
        if word == "force" and entry.on_demand == "override":
            yield f"{theirs} force: the feature code does not end it, on-demand override or not"


def _take(found: dict[str, Entry], key: str, value: str) -> None:
    """Raises ValueError for an entry that FreePBX would not write."""
    extension, _, rest = key.partition("/")
    if rest != "cidname" and not rest.startswith("recording"):
        return
    scalars.extension(extension)
    entry = found.setdefault(extension, Entry())
    if rest == "cidname":
        entry.name = scalars.text(value) if value else ""
        return
    entry.recording = True
    what = rest.removeprefix("recording/")
    word = value.strip().lower()
    if what in FIELDS:
        word = _LEGACY.get(word, word)
        if word not in _WORDS:
            raise ValueError(f"{extension} {what}: {value[:40]!r} is not one of {', '.join(_WORDS)}")
        entry.fields[what] = word
    elif what == "priority":
        if not re.fullmatch(r"[0-9]{0,3}", word) or int(word or 0) > _HIGHEST_PRIORITY:
            raise ValueError(f"{extension} priority: {value[:40]!r} is not 0 to {_HIGHEST_PRIORITY}")
        entry.priority = int(word or 0)
    elif what == "ondemand":
        if word not in (*_ON_DEMAND, ""):
            raise ValueError(f"{extension} ondemand: {value[:40]!r} is not one of {', '.join(_ON_DEMAND)}")
        entry.on_demand = word or "disabled"
    elif what != "recording":
        raise ValueError(f"{extension}: FreePBX has no {what[:60]!r}")


def _lines(text: str, name: str) -> Iterator[tuple[int, str, str]]:
    """The entries of the family. Anything else on a line would be a value that runs on, or no export at all."""
    faults = []
    seen: set[str] = set()
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.rstrip()
        match = _LINE.fullmatch(line)
        if not line or _TAIL.fullmatch(line):
            continue
        if match is None or not match[1].startswith(f"/{FAMILY}/"):
            why = f"{line[:60]!r} is no line of `database show {FAMILY}`"
            faults.append(Located(name, number, 1, "", why))
        elif match[1] in seen:
            faults.append(Located(name, number, 1, "", f"{match[1][:60]!r} is written twice"))
        else:
            seen.add(match[1])
            yield number, match[1].removeprefix(f"/{FAMILY}/"), match[2]
    if faults:
        raise FaultyConfig(faults)
