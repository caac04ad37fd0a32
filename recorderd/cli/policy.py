"""policy list, show, set, delete: owns how one extension's policy is shown and changed.

Must not know the file forms (policy_files). Every change is one step in the store, under the name of whoever
made it; the running daemon follows by itself, and we say whether it has.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from recorderd.cli import policy_files
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import printable, show, table
from recorderd.cli.storing import who, with_store
from recorderd.config import Config, scalars
from recorderd.config.policy_file import extension_mapping
from recorderd.control.client import ControlClient
from recorderd.core.policy import ExtensionPolicy, FailMode, Lookback, Mode
from recorderd.core.rules import one_value
from recorderd.errors import ControlError

if TYPE_CHECKING:
    from recorderd.store.abc import PolicyRows, Store

T = TypeVar("T")
IN_FORCE_SECONDS = 2.0
DIRECTIONS = ("inbound", "outbound", "internal_inbound", "internal_outbound")
WHILE_RECORDED = ("lookback", "announce", "beep")
_UNSET = "same"
_NONE = "-"


def load_rows(config: Config) -> PolicyRows:
    """Extensions and rules as the store has them."""

    async def load(store: Store) -> PolicyRows:
        return await store.load_policy()

    return with_store(config, load)


def in_force(config: Config, version: int) -> str:
    """Waits a little for the daemon to follow, and says in words whether it has."""
    client = ControlClient(config.control.socket, deadline=1.0)
    deadline = time.monotonic() + IN_FORCE_SECONDS
    try:
        while client.policy_version() < version:
            if time.monotonic() > deadline:
                return f"the daemon still decides by policy {client.policy_version()}"
            time.sleep(0.05)
    except ControlError:
        return "the daemon is not reached; it reads it when it starts"
    return "the daemon has it"


# --- list and show -------------------------------------------------------------------------------


def _list(args: argparse.Namespace, config: Config) -> int:
    rows = load_rows(config)
    extensions = [
        {"extension": e.extension, **extension_mapping(e, rows.names.get(e.extension, ""))}
        for e in sorted(rows.extensions, key=lambda e: (len(e.extension), e.extension))
    ]
    default = extension_mapping(config.policy.default)
    show(args, {"version": rows.version, "default": default, "extensions": extensions}, _list_text)
    return Exit.OK


def _list_text(data: Mapping[str, Any]) -> str:
    headings = ("extension", "name", *(d.replace("_", " ") for d in DIRECTIONS), "locked", "fail mode")
    shown = [*data["extensions"], {"extension": "(default)", **data["default"]}]
    rows = [
        (
            e["extension"],
            e.get("name", ""),
            *(e.get(direction, "") for direction in DIRECTIONS),
            e.get("lock_reason") or e.get("locked") or "",
            e.get("fail_mode", ""),
        )
        for e in shown
    ]
    return f"{table(headings, rows)}\n\npolicy {data['version']}"


def _show(args: argparse.Namespace, config: Config) -> int:
    rows = load_rows(config)
    if args.extension is None:
        show(args, _whole(config, rows), _mapping_text)
        return Exit.OK
    found = next((e for e in rows.extensions if e.extension == args.extension), None)
    shown = extension_mapping(found or config.policy.default, rows.names.get(args.extension, ""))
    data = {"extension": args.extension, "own": found is not None, **shown}
    show(args, data, _mapping_text)
    return Exit.OK if found else Exit.NO


def _whole(config: Config, rows: PolicyRows) -> dict[str, Any]:
    """What holds for everybody: defaults of the file, rules of the store."""
    written = config.policy
    return {
        "version": rows.version,
        "default": extension_mapping(written.default),
        "fail_mode": str(written.fail_mode),
        "emergency": list(written.emergency),
        "strengths": [str(s) for s in written.precedence.strengths],
        "modes": [str(m) for m in written.precedence.modes],
        "lists": {name: list(numbers) for name, numbers in written.lists.items()},
        "rules": [{"name": r.name, "enabled": r.enabled, **r.body} for r in rows.rules],
        "extensions": len(rows.extensions),
    }


def _mapping_text(data: Mapping[str, Any]) -> str:
    width = max(len(key) for key in data)
    lines = []
    for key, value in data.items():
        # A list of mappings (rules, in their order) has a line for each.
        many = isinstance(value, list) and value and isinstance(value[0], Mapping)
        words = [_words(item) for item in value] if many else [_words(value)]
        heads = [key.replace("_", " "), *[""] * (len(words) - 1)]
        lines += [f"{head:{width}}  {word}" for head, word in zip(heads, words, strict=True)]
    return "\n".join(printable(line) for line in lines)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_words(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "-"
    return str(value)


# --- set and delete ------------------------------------------------------------------------------


def _set(args: argparse.Namespace, config: Config) -> int:
    extension = _checked(scalars.extension, args.extension)
    name = None if args.name is None else _checked(scalars.text, args.name) if args.name else ""
    if args.lock is not None:
        _checked(scalars.text, args.lock)

    async def change(store: Store) -> int:
        rows = await store.load_policy()
        old = next((e for e in rows.extensions if e.extension == extension), None)
        start = old or replace(config.policy.default, extension=extension)
        return await store.set_extension(_changed(start, args), who(), name)

    return _done(args, config, with_store(config, change), f"{extension} is set")


def _changed(old: ExtensionPolicy, args: argparse.Namespace) -> ExtensionPolicy:
    changes: dict[str, Any] = {}
    if args.mode is not None:
        changes |= {"inbound": Mode(args.mode), "outbound": Mode(args.mode)}
    for direction in DIRECTIONS:
        word = getattr(args, direction)
        if word is not None:
            changes[direction] = None if word == _UNSET else Mode(word)
    if args.lock is not None or args.unlock:
        changes |= {"locked": args.lock is not None, "lock_reason": args.lock or ""}
    if args.fail_mode is not None:
        changes["fail_mode"] = None if args.fail_mode == "default" else FailMode(args.fail_mode)
    for key in WHILE_RECORDED:
        text = getattr(args, key)
        if text is not None:
            changes[key] = _checked(partial(one_value, key), "" if text == _NONE else text)
    if not changes and args.name is None:
        raise Wrong("say what to set: a mode, --inbound, --outbound, --lock, ... (see --help)")
    return replace(old, **changes)


def _delete(args: argparse.Namespace, config: Config) -> int:
    async def change(store: Store) -> int:
        known = {e.extension for e in (await store.load_policy()).extensions}
        if args.extension not in known:
            raise Wrong(f"{args.extension} has no policy of its own", Exit.NO)
        return await store.delete_extension(args.extension, who())

    return _done(args, config, with_store(config, change), f"{args.extension} follows the default again")


def _done(args: argparse.Namespace, config: Config, version: int, sentence: str) -> int:
    follows = in_force(config, version)
    data = {"version": version, "done": sentence, "daemon": follows}
    show(args, data, lambda d: printable(f"{d['done']}: policy {d['version']}, {d['daemon']}"))
    return Exit.OK


def _checked(read: Callable[[str], T], value: str) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise Wrong(str(error)) from error


# --- the parser ----------------------------------------------------------------------------------


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "extension", nargs="?", metavar="EXT", help="one extension (without: what holds for all)"
    )


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    modes = [mode.value for mode in Mode]
    parser.add_argument("extension", metavar="EXT")
    parser.add_argument("mode", nargs="?", choices=modes, help="for both directions")
    parser.add_argument("--inbound", choices=modes)
    parser.add_argument("--outbound", choices=modes)
    parser.add_argument("--internal-inbound", choices=[*modes, _UNSET], help="`same`: as other inbound calls")
    parser.add_argument(
        "--internal-outbound", choices=[*modes, _UNSET], help="`same`: as other outbound calls"
    )
    locks = parser.add_mutually_exclusive_group()
    locks.add_argument("--lock", metavar="REASON", help="the user cannot change it, and is told why")
    locks.add_argument("--unlock", action="store_true")
    parser.add_argument(
        "--lookback",
        choices=[lookback.value for lookback in Lookback],
        help="what an on-demand recording holds: from the press on, or the whole call",
    )
    parser.add_argument(
        "--announce", metavar="PROMPT", help="the caller hears it before he is connected; `-` for none"
    )
    parser.add_argument(
        "--beep", metavar="SECONDS", help="between two beeps while it is recorded, 5 to 600; 0 for none"
    )
    parser.add_argument("--fail-mode", choices=[*(f.value for f in FailMode), "default"])
    parser.add_argument("--name", metavar="TEXT", help="whose extension it is")


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("extension", metavar="EXT")


VERBS: Mapping[str, Command] = {
    "list": Command("every extension's policy", _list),
    "show": Command("one extension's policy, or what holds for all", _show, _show_arguments),
    "set": Command("set an extension's policy", _set, _set_arguments),
    "delete": Command("let an extension follow the default again", _delete, _delete_arguments),
    "import": Command(
        "take extensions and rules from a file", policy_files.run_import, policy_files.import_arguments
    ),
    "export": Command(
        "write extensions and rules to a file", policy_files.run_export, policy_files.export_arguments
    ),
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, command in VERBS.items():
        one = verbs.add_parser(name, help=command.help, description=command.help)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON, for a machine")
        one.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.arguments(one)


POLICY = Command(
    "the policies of extensions, and the rules", lambda a, c: VERBS[a.verb].run(a, c), _arguments
)
