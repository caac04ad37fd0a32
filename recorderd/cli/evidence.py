"""verify, export and evidence: the proof that nothing was changed, for us and for others.

Owns these commands. Must not know how anything is proved: `daemon.proof` and `daemon.bundle` do.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import printable, show, table
from recorderd.cli.storing import who, with_store
from recorderd.config import Config

if TYPE_CHECKING:
    from recorderd.core.chain import ChainHead
    from recorderd.daemon.bundle import Made
    from recorderd.daemon.proof import Report
    from recorderd.store.abc import Store

_MOST_SHOWN = 200

# --- verify ------------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace, config: Config) -> int:
    now = time.time()
    since = moments.since(args.since, now, config.zone) if args.since else None
    published = _published(args.heads)
    public_key = _public_key(args.key, config)

    async def work(store: Store) -> Report:
        from recorderd.clerk import heads
        from recorderd.clerk.entries import keyring_of
        from recorderd.daemon.buckets import bucket_of
        from recorderd.daemon.proof import Proof

        filed = await asyncio.to_thread(heads.read, config.state)
        proof = Proof(
            store, config.spool.monitor, public_key=public_key, filed=filed, published=published,
            keys=keyring_of(config), node=config.node, bucket=bucket_of(config),
        )  # fmt: skip
        return await proof.run(since)

    data = {"proven": False, **asdict(with_store(config, work))}
    data["proven"] = not data["faults"]
    show(args, data, _verified)
    return Exit.OK if data["proven"] else Exit.NO


def _public_key(given: str | None, config: Config) -> str:
    """The key that must have signed: the one given, else our own; empty before there is any."""
    if given is not None:
        if not re.fullmatch("[0-9a-fA-F]{64}", given):
            raise Wrong(
                "--key takes a public key: 64 hexadecimal digits, as `recorderd evidence key` prints them"
            )
        return given.lower()
    from recorderd.archive import signing

    if not config.signing_key.exists():
        return ""
    return signing.load(config.signing_key, make=False).public


def _published(path: str | None) -> list[ChainHead]:
    if path is None:
        return []
    from recorderd.clerk import heads

    try:
        found = heads.parse(Path(path).read_bytes())
    except OSError as error:
        raise Wrong(f"{path} cannot be read: {error.strerror}", Exit.NO_INPUT) from error
    if not found:
        raise Wrong(f"{path} has no heads, as `recorderd evidence heads` prints them", Exit.DATA)
    return found


def _verified(data: Mapping[str, Any]) -> str:
    counts = [(name, data[name]) for name in ("entries", "heads", "recordings", "files", "rows")]
    faults = [(f["kind"], f["sentence"]) for f in data["faults"][:_MOST_SHOWN]]
    more = len(data["faults"]) - len(faults)
    parts = [table(("looked at", "number"), counts)]
    if data["elsewhere"]:
        parts.append(f"{data['elsewhere']} files are on other nodes' disks alone: verify there")
    if data["notes"]:
        parts.append("\n".join(printable(note) for note in data["notes"][:_MOST_SHOWN]))
    if data["unsigned"]:
        parts.append(f"{data['unsigned']} entries came after the last head and are not signed yet")
    if faults:
        parts.append(table(("fault", "what is wrong"), faults) + (f"\nand {more} more" if more else ""))
    parts.append(f"public key {data['public_key'] or '(none yet)'}")
    parts.append("NOT AS IT WAS" if faults else "everything is as it was entered")
    return "\n\n".join(parts)


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="TIME", help="files and rows entered since then; the chain in any case"
    )
    parser.add_argument("--heads", metavar="FILE", help="heads that were published, to be held against ours")
    parser.add_argument("--key", metavar="HEX", help="the public key, from elsewhere than this machine")


# --- export ------------------------------------------------------------------------------------------


def _export(args: argparse.Namespace, config: Config) -> int:
    if not (args.call or args.person or args.since):
        raise Wrong("say what to export: --call, --person, or --since")
    now = time.time()
    since, until = (
        moments.since(text, now, config.zone) if text else None for text in (args.since, args.until)
    )
    output = Path(args.output).absolute()

    async def work(store: Store) -> Made:
        from recorderd.archive import signing
        from recorderd.clerk.entries import keyring_of
        from recorderd.daemon.buckets import bucket_of
        from recorderd.daemon.bundle import Exporter, Wish
        from recorderd.daemon.ids import new_id
        from recorderd.daemon.keeper import Keeper
        from recorderd.daemon.wanted import wanted

        recordings = await wanted(store, args.call, args.person, since, until)
        if not recordings:
            raise Wrong("there is no such recording", Exit.NO)
        keys = keyring_of(config)
        keeper = Keeper(store, config.spool.monitor, config.state, time.time, new_id, node=config.node)
        bucket = bucket_of(config)
        key = signing.load(config.signing_key)
        scope = _scope(args, since, until, config)
        wish = Wish(recordings=recordings, scope=scope, who=who())
        exporter = Exporter(store, keeper, config.spool.monitor, config.state, key, keys, bucket)
        return await exporter.make(wish, output, now)

    made = with_store(config, work)
    show(args, asdict(made), _exported)
    return Exit.NO if made.missing else Exit.OK


def _scope(args: argparse.Namespace, since: float | None, until: float | None, config: Config) -> str:
    words = [f"call {args.call}"] if args.call else []
    words += [f"person {args.person}"] if args.person else []
    words += [f"since {moments.written(since, config.zone)}"] if since is not None else []
    words += [f"until {moments.written(until, config.zone)}"] if until is not None else []
    return ", ".join(words)


def _exported(data: Mapping[str, Any]) -> str:
    lines = [
        f"{data['path']}: {data['recordings']} recordings, {data['files']} files, {data['size']} bytes",
        *(f"missing: {printable(name)}" for name in data["missing"]),
        f"public key {data['public_key']}",
    ]
    return "\n".join(lines)


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--call", metavar="ID", default="", help="of a recording, conversation or channel")
    parser.add_argument("--person", metavar="NUMBER", default="", help="any party's extension or number")
    parser.add_argument("--since", metavar="TIME", help="recordings begun then or later")
    parser.add_argument("--until", metavar="TIME", help="recordings begun before")
    parser.add_argument("-o", "--output", metavar="BUNDLE", required=True, help="the new file, a .zip")


# --- evidence ----------------------------------------------------------------------------------------


def _evidence(args: argparse.Namespace, config: Config) -> int:
    from recorderd.archive import signing
    from recorderd.clerk import heads
    from recorderd.core import chain
    from recorderd.daemon.policies import state_folder

    state = state_folder(config)
    if args.what == "key":
        key = signing.load(config.signing_key)
        show(args, {"public_key": key.public}, lambda data: data["public_key"])
        return Exit.OK

    async def work(store: Store) -> list[ChainHead]:
        if args.what == "sign":
            await heads.sign(store, state, signing.load(config.signing_key), time.time())
        return await store.chain.heads()

    found = with_store(config, work)
    shown = found[-1:] if args.what == "sign" else found
    show(args, [asdict(head) for head in shown], lambda _: "\n".join(map(chain.published, shown)))
    return Exit.OK if shown else Exit.NO


def _evidence_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", choices=("key", "heads", "sign"), help="the public key, all heads, or a new head now"
    )


COMMANDS: Mapping[str, Command] = {
    "verify": Command("whether files and rows are as they were entered", _verify, _verify_arguments),
    "export": Command("recordings and their proof in one file for others", _export, _export_arguments),
    "evidence": Command("the public key and the heads, to be published", _evidence, _evidence_arguments),
}
