"""db migrate, backup, restore, reindex, give-node: owns these five. Must not know a schema."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import show
from recorderd.cli.storing import sqlite_file, with_store
from recorderd.config import Config

if TYPE_CHECKING:
    from recorderd.store.abc import Store

T = TypeVar("T")


def _migrate(args: argparse.Namespace, config: Config) -> int:
    async def work(store: Store) -> None:
        await store.migrate()

    _for_the_daemon(config, lambda: with_store(config, work, create=True))
    show(args, {"migrated": True}, lambda _: "the database is up to date")
    return Exit.OK


def _backup(args: argparse.Namespace, config: Config) -> int:
    async def work(store: Store) -> int:
        return await store.backup(args.file)

    count = with_store(config, work)
    show(args, {"file": args.file, "rows": count}, lambda d: f"{d['rows']} rows are in {d['file']}")
    return Exit.OK


def _restore(args: argparse.Namespace, config: Config) -> int:
    async def work(store: Store) -> int:
        await store.migrate()
        return await store.restore(args.file)

    count = _for_the_daemon(config, lambda: with_store(config, work, create=True))
    show(args, {"file": args.file, "rows": count}, lambda d: f"{d['rows']} rows were read from {d['file']}")
    return Exit.OK


def _reindex(args: argparse.Namespace, config: Config) -> int:
    from recorderd.store import stories

    now = time.time()

    async def work(store: Store) -> int:
        oldest = await store.panel.oldest_call()
        since = oldest if args.since is None else moments.since(args.since, now, config.zone)
        if since is None:
            return 0
        # What a webhook was to be told of, the daemon tells when it happens.
        return await stories.reindex(store, config.names(), since, now + 1, tell=False)

    count = with_store(config, work)
    show(args, {"calls": count}, lambda d: f"the lists have {d['calls']} calls")
    return Exit.OK


def _give_node(args: argparse.Namespace, config: Config) -> int:
    """Everything of one node becomes another's: a name for what had none, or a machine in another's place."""
    old = "" if args.old == "-" else _node(args.old)
    new = _node(args.new)

    async def work(store: Store) -> int:
        return await store.give_node(old, new)

    count = with_store(config, work)
    show(args, {"recordings": count}, lambda d: f"{d['recordings']} recordings are {new}'s now")
    return Exit.OK


def _node(name: str) -> str:
    from recorderd.config.archive_keys import node

    try:
        if name:
            return node(name)
    except ValueError as error:
        raise Wrong(str(error)) from None
    raise Wrong("a node has a name; - stands for what has none")


def _for_the_daemon(config: Config, work: Callable[[], T]) -> T:
    """Does the work; a database file that it made, as root, is given to the owner of its folder.

    The daemon is not root, and could not write it otherwise.
    """
    file = sqlite_file(config)
    new = file is not None and not file.exists()
    result = work()
    if file is not None and new and os.geteuid() == 0 and file.exists():
        owner = file.parent.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, command in VERBS.items():
        one = verbs.add_parser(name, help=command.help, description=command.help)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON, for a machine")
        one.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.arguments(one)


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")


def _since(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", help="7d, 2026-11-23 (default: from the beginning)")


def _nodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="whose they are now; - for those without a name")
    parser.add_argument("new", metavar="NEW", help="whose they shall be")


VERBS: Mapping[str, Command] = {
    "migrate": Command("bring the database up to this version", _migrate),
    "backup": Command("write everything to a new file", _backup, _file),
    "restore": Command("read a backup into an empty database", _restore, _file),
    "reindex": Command("make the panel's lists of calls anew", _reindex, _since),
    "give-node": Command("make one node's recordings another's", _give_node, _nodes),
}

DB = Command(
    "the database: migrate, backup, restore, reindex, give-node",
    lambda args, config: VERBS[args.verb].run(args, config),
    _arguments,
)
