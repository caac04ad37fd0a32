"""policy import and export: owns what a file replaces in the store, and what it leaves.

Must not know the forms themselves (`config.policy_file`). All or nothing: a file with one fault changes
nothing, and every fault is told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.cli.command import Exit, Wrong
from recorderd.cli.output import printable, show
from recorderd.cli.probe_asterisk import db_tree
from recorderd.cli.storing import who, with_store
from recorderd.config import Config, FaultyConfig, PolicyFile, document, freepbx, read_policy
from recorderd.config.policy_file import FileRule, extension_mapping, write_policy
from recorderd.core.policy import ExtensionPolicy
from recorderd.errors import AmiError, ConfigError

if TYPE_CHECKING:
    from recorderd.store.abc import PolicyRows, RuleRow, Store

FORMS = ("yaml", "csv")


class FaultyFile(Wrong, FaultyConfig):
    """The file's faults, with the exit code for bad data: recorderd.yaml itself is fine."""

    def __init__(self, error: FaultyConfig) -> None:
        FaultyConfig.__init__(self, error.faults)
        self.code = Exit.DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the store is to hold, and how that differs from what it holds."""

    extensions: tuple[ExtensionPolicy, ...]
    names: Mapping[str, str]
    rules: tuple[RuleRow, ...]
    added: int
    changed: int
    removed: int
    rules_changed: bool

    @property
    def empty(self) -> bool:
        """Nothing would change."""
        return not (self.added or self.changed or self.removed or self.rules_changed)


def plan(old: PolicyRows, file: PolicyFile, *, merge: bool) -> Plan:
    """A part that the file does not speak of stays; with `merge` so do extensions that it does not name."""
    from recorderd.store.abc import RuleRow

    before = {e.extension: (e, old.names.get(e.extension, "")) for e in old.extensions}
    given = {e.extension: (e, file.names.get(e.extension, "")) for e in file.extensions or ()}
    after = before if file.extensions is None else before | given if merge else given
    rules = old.rules
    if file.rules is not None:
        rules = tuple(RuleRow(name=r.name, body=dict(r.body), enabled=r.enabled) for r in file.rules)
    return Plan(
        extensions=tuple(e for e, _ in after.values()),
        names={extension: name for extension, (_, name) in after.items() if name},
        rules=rules,
        added=len(after.keys() - before.keys()),
        changed=sum(before[e] != after[e] for e in before.keys() & after.keys()),
        removed=len(before.keys() - after.keys()),
        rules_changed=_bodies(rules) != _bodies(old.rules),
    )


def _bodies(rules: tuple[RuleRow, ...]) -> list[object]:
    return [(rule.name, rule.enabled, {k: v for k, v in rule.body.items() if k != "name"}) for rule in rules]


def run_import(args: argparse.Namespace, config: Config) -> int:
    """Read the file, then change the store in one step."""
    file, lost = _freepbx(args, config) if args.freepbx else (_read(args, config), {})

    async def change(store: Store) -> tuple[Plan, int]:
        old = await store.load_policy()
        new = plan(old, file, merge=args.merge)
        if args.dry_run or new.empty:
            return new, old.version
        return new, await store.import_policy(new.extensions, new.rules, who(), names=new.names)

    new, version = with_store(config, change)
    data = {
        "version": version,
        "dry_run": args.dry_run,
        "added": new.added,
        "changed": new.changed,
        "removed": new.removed,
        "rules": len(new.rules),
        "rules_changed": new.rules_changed,
    }
    if args.freepbx:
        data["extensions"] = {
            e.extension: extension_mapping(e, file.names.get(e.extension, "")) for e in file.extensions or ()
        }
        data["not_mapped"] = {extension: list(why) for extension, why in lost.items()}
    show(args, data, _import_text)
    return Exit.OK


def _import_text(data: Mapping[str, Any]) -> str:
    would = "without --dry-run: " if data["dry_run"] else ""
    parts = [f"{data[what]} {what}" for what in ("added", "changed", "removed")]
    rules = f"{data['rules']} rules, {'changed' if data['rules_changed'] else 'unchanged'}"
    lines = [f"{would}extensions: {', '.join(parts)}; {rules}; policy {data['version']}"]
    for extension, why in data.get("not_mapped", {}).items():
        lines += [f"{extension}: {sentence}" for sentence in why]
    return "\n".join(printable(line) for line in lines)


def _freepbx(args: argparse.Namespace, config: Config) -> tuple[PolicyFile, Mapping[str, tuple[str, ...]]]:
    """FreePBX's policies from a file, or from the running Asterisk where none is named."""
    try:
        if args.file is None:
            tree = db_tree(config, freepbx.FAMILY)
            entries = ((number, key, value) for number, (key, value) in enumerate(tree.items(), 1))
            return freepbx.map_freepbx(entries, "AstDB")
        if args.file == "-":
            return freepbx.read_freepbx(sys.stdin.read(), "stdin")
        return freepbx.read_freepbx(document.read_text(Path(args.file)), args.file)
    except FaultyConfig as error:
        raise FaultyFile(error) from error
    except UnicodeDecodeError as error:
        raise Wrong("stdin is not UTF-8 text", Exit.DATA) from error
    except AmiError as error:
        raise Wrong(str(error), Exit.UNAVAILABLE) from error
    except ConfigError as error:
        raise Wrong(str(error), Exit.NO_INPUT) from error


def _read(args: argparse.Namespace, config: Config) -> PolicyFile:
    if args.file is None:
        raise Wrong("name a file, or - for standard input")
    form = args.format or ("csv" if args.file.lower().endswith(".csv") else "yaml")
    try:
        if args.file == "-":
            text = sys.stdin.read().removeprefix("\ufeff")
            return read_policy(text, "stdin", config.policy.lists, form=form)
        return read_policy(document.read_text(Path(args.file)), args.file, config.policy.lists, form=form)
    except FaultyConfig as error:
        raise FaultyFile(error) from error
    except UnicodeDecodeError as error:
        raise Wrong("stdin is not UTF-8 text", Exit.DATA) from error
    except ConfigError as error:
        raise Wrong(str(error), Exit.NO_INPUT) from error


def run_export(args: argparse.Namespace, config: Config) -> int:
    """Write what `import` reads back."""

    async def load(store: Store) -> PolicyRows:
        return await store.load_policy()

    rows = with_store(config, load)
    file = PolicyFile(
        extensions=rows.extensions,
        names=rows.names,
        rules=tuple(FileRule(name=r.name, body=r.body, enabled=r.enabled) for r in rows.rules),
    )
    form = args.format or ("csv" if (args.file or "").lower().endswith(".csv") else "yaml")
    text = write_policy(file, form=form)
    if args.file in (None, "-"):
        sys.stdout.write(text)
        return Exit.OK
    try:
        Path(args.file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Wrong(f"{args.file}: cannot be written: {error.strerror}", Exit.CANT_CREATE) from error
    data = {"file": args.file, "extensions": len(rows.extensions), "rules": len(rows.rules), "form": form}
    show(args, data, _export_text)
    return Exit.OK


def _export_text(data: Mapping[str, Any]) -> str:
    rules = "; the CSV form has no rules" if data["form"] == "csv" else f" and {data['rules']} rules"
    return printable(f"{data['file']}: {data['extensions']} extensions{rules}")


def import_arguments(parser: argparse.ArgumentParser) -> None:
    """What `policy import` takes."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="YAML or CSV; - for standard input")
    parser.add_argument("--format", choices=FORMS, help="default: by the name's ending")
    parser.add_argument("--merge", action="store_true", help="keep extensions that the file does not name")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--freepbx",
        action="store_true",
        help="FILE is what `asterisk -rx 'database show AMPUSER'` printed; without FILE Asterisk is asked",
    )


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """What `policy export` takes."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="default: standard output")
    parser.add_argument("--format", choices=FORMS, help="default: by the name's ending")
